"""Approvals by people: `ssh-keygen -Y` signatures and signed git tags, held to keys we trust."""

import base64
import hashlib
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from pipelines.adapters import git
from pipelines.domain.document import sha256
from pipelines.domain.promotion import ApprovalStatement, Approved
from pipelines.errors import BadInput, CannotTell, Refused

TAG_LASTS = timedelta(days=7)
"""So long after it was made a signed tag allows a promotion."""

TIMEOUT = 30
"""Seconds. A key on a stick may want to be touched."""

_GIT = "git"
"""The namespace that git signs in."""

_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)-----END SSH SIGNATURE-----\n?"
)
_TAGGER = re.compile(rb"^tagger .*> (\d{1,12}) [+-]\d{4}$", re.MULTILINE)
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class TrustedKey:
    """Somebody's public key, as in `~/.ssh/id_ed25519.pub`: kind and base64."""

    name: str
    public_key: str

    @property
    def blob(self) -> bytes:
        """The key itself."""
        return base64.b64decode(self.public_key.split()[1])


@dataclass(frozen=True)
class Tag:
    """A signed tag: its object id, what it is called, and the commit that it names.

    The name is `<environment>/<release id>`; it is part of what was signed. `identity` is the
    digest of what was signed: the same signature written otherwise is another object, no other tag.
    """

    identity: str
    object_id: str
    name: str
    commit: str
    made: datetime
    signer: str
    key: str


@dataclass(frozen=True)
class _Signature:
    """What an SSH signature says of itself, before anybody believed it."""

    key: bytes
    namespace: str


def sign(statement: ApprovalStatement, key: Path) -> bytes:
    """Sign with a private key, or a public one whose private half an agent or a stick holds.

    :raises CannotTell: when ssh-keygen does not sign.
    """
    argv = ["-Y", "sign", "-q", "-n", statement.environment, "-f", str(key)]
    done = _ssh_keygen(argv, statement.canonical())
    if done.returncode:
        raise CannotTell(f"{key}: does not sign: {_said(done)}", "name another with --key")
    return done.stdout


def verify(
    content: bytes,
    signature: bytes,
    environment: str,
    trusted: tuple[TrustedKey, ...],
    now: datetime,
    known: frozenset[str] = frozenset(),
) -> Approved:
    """The approval that a signed statement is, for the environment that it is handed in for.

    `content` are the bytes that were signed; `known` are identities that were used before.

    :raises Refused: with every reason, when it is none.
    :raises CannotTell: when ssh-keygen cannot be run.
    """
    signer, reasons = _signer(content, signature, environment, trusted)
    try:
        statement = ApprovalStatement.model_validate_json(content)
    except ValidationError:
        raise _refused((*reasons, "what was signed is no statement of approval")) from None
    if statement.canonical() != content:
        reasons += ("what was signed is not written as statements are",)
    if statement.environment != environment:
        reasons += (f"it is for {statement.environment}, not for {environment}",)
    if statement.expires <= now:
        reasons += (f"it expired at {statement.expires:%Y-%m-%d %H:%M} UTC",)
    identity = statement.content_digest()
    if identity in known:
        reasons += ("it was used before",)
    if reasons or signer is None:
        raise _refused(reasons)
    return Approved(
        means="signature",
        identity=identity,
        by=signer.name,
        key=fingerprint(signer),
        at=now,
        **statement.model_dump(),
    )


def verify_tag(
    root: Path,
    name: str,
    trusted: tuple[TrustedKey, ...],
    now: datetime,
    known: frozenset[str] = frozenset(),
) -> Tag:
    """A signed tag of a repository, looked up once and held to the keys that are trusted.

    :raises BadInput: when there is no such tag, or nobody signed it.
    :raises Refused: with every reason, when it allows nothing.
    """
    object_id, content = git.tag(root, name)
    found = _ARMOUR.search(content)
    if not found:
        raise BadInput(f"the tag {name!r} is not signed", "make it with 'git tag --sign'")
    signed, signature = content[: found.start()], found.group()
    identity = sha256(signed)
    signer, reasons = _signer(signed, signature, _GIT, trusted)
    head = dict(line.split(b" ", 1) for line in signed.partition(b"\n\n")[0].split(b"\n"))
    made = _made(signed)
    if head.get(b"tag") != name.encode():
        reasons += (f"the object is the tag {head.get(b'tag', b'').decode(errors='replace')!r}",)
    if head.get(b"type") != b"commit":
        reasons += ("it names no commit",)
    if not now - TAG_LASTS <= made <= now + timedelta(minutes=5):
        reasons += (f"it was made at {made:%Y-%m-%d %H:%M} UTC and lasts {TAG_LASTS.days} days",)
    if identity in known:
        reasons += ("it was used before",)
    if reasons or signer is None:
        raise _refused(reasons)
    commit = head[b"object"].decode()
    return Tag(identity, object_id, name, commit, made, signer.name, fingerprint(signer))


def tag_approval(tag: Tag, release: str, digest: str, environment: str, now: datetime) -> Approved:
    """The approval that a tag is for the release whose id is its name.

    :raises Refused: when its name is another.
    """
    wanted = f"{environment}/{release}"
    if tag.name != wanted:
        raise _refused((f"the tag is called {tag.name}, not {wanted}",))
    return Approved(
        means="tag",
        environment=environment,
        release=release,
        digest=digest,
        expires=tag.made + TAG_LASTS,
        identity=tag.identity,
        by=tag.signer,
        key=tag.key,
        at=now,
    )


def fingerprint(key: TrustedKey) -> str:
    """`SHA256:…`, as ssh-keygen writes it."""
    digest = base64.b64encode(hashlib.sha256(key.blob).digest())
    return f"SHA256:{digest.decode().rstrip('=')}"


def _signer(
    content: bytes, signature: bytes, namespace: str, trusted: tuple[TrustedKey, ...]
) -> tuple[TrustedKey | None, tuple[str, ...]]:
    """Who signed, and every reason not to believe it. Only ssh-keygen's yes is a yes."""
    said = _read(signature)
    if said is None:
        return None, ("the signature is not one that ssh-keygen writes",)
    reasons: tuple[str, ...] = ()
    signer = next((key for key in trusted if key.blob == said.key), None)
    if signer is None:
        reasons += ("the key that signed is not among those that are trusted",)
    if said.namespace != namespace:
        reasons += (f"it was signed for {said.namespace!r}, not for {namespace!r}",)
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        file = Path(folder, "signature")
        file.write_bytes(signature)
        by_itself = ["-Y", "check-novalidate", "-n", said.namespace, "-s", str(file)]
        if _ssh_keygen(by_itself, content).returncode:
            reasons += ("the signature is not over this statement",)
        if not signer or reasons:
            return None, reasons
        allowed = Path(folder, "allowed")
        kind, encoded = signer.public_key.split()[:2]
        allowed.write_text(f'signer namespaces="{namespace}" {kind} {encoded}\n')
        asked = ["-Y", "verify", "-f", str(allowed), "-I", "signer", "-n", namespace]
        done = _ssh_keygen([*asked, "-s", str(file)], content)
    if done.returncode:
        return None, (f"ssh-keygen does not accept it: {_said(done)}",)
    return signer, ()


def _read(signature: bytes) -> _Signature | None:
    """The fields of the armoured signature (OpenSSH's PROTOCOL.sshsig)."""
    found = _ARMOUR.fullmatch(signature)
    if not found or len(signature) > _MOST_BYTES:
        return None
    try:
        blob = base64.b64decode(found.group(1))
        if blob[:10] != b"SSHSIG" + struct.pack(">I", 1):
            return None
        key, rest = _field(blob[10:])
        namespace, _ = _field(rest)
        return _Signature(key, namespace.decode("ascii"))
    except (ValueError, struct.error):
        return None


def _field(blob: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack(">I", blob[:4])
    if len(blob) < 4 + length:
        raise ValueError("a field is longer than the whole")
    return blob[4 : 4 + length], blob[4 + length :]


def _made(signed: bytes) -> datetime:
    found = _TAGGER.search(signed.partition(b"\n\n")[0])
    return datetime.fromtimestamp(int(found.group(1)) if found else 0, UTC)


def _ssh_keygen(argv: list[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *argv], input=given, capture_output=True, timeout=TIMEOUT, check=False
        )
    except FileNotFoundError:
        hint = "run 'apt-get install openssh-client'"
        raise CannotTell("ssh-keygen is not installed", hint) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotTell(f"ssh-keygen did not do its part: {error}") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def _refused(reasons: tuple[str, ...]) -> Refused:
    told = "\n".join(f"approval: {reason}" for reason in reasons)
    return Refused(told, "see 'sluice docs promotion'")
