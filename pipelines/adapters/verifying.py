"""Is a file the release that somebody whom we trust has signed? Everything is said, not the first.

The agent asks this before it unpacks anything, and `sluice verify` for people.
"""

from dataclasses import dataclass
from datetime import datetime

from pipelines.adapters import packing, signing
from pipelines.domain.document import sha256
from pipelines.domain.statement import Envelope, ReleaseStatement, Signature
from pipelines.domain.trust import Role, Trust
from pipelines.errors import Refused

NOT_LOOKED_AT = "was not looked at"


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at: what was found, and the reasons against it."""

    what: str
    said: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signer:
    """Whose signature holds: the key's name, its role, and the environments that it opens."""

    name: str
    role: Role
    opens: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """What was found out about a file. The statement is None when there is none to be read."""

    statement: ReleaseStatement | None
    checked: tuple[Checked, ...]
    signers: tuple[Signer, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Everything that speaks against it."""
        return tuple(f"{one.what}: {reason}" for one in self.checked for reason in one.reasons)


def verify(tar: bytes, dsse: bytes | None, trust: Trust, now: datetime) -> Verification:
    """Look at a release and at what is signed about it; None as `dsse` is a release without.

    The signatures come first, then the digest that they vouch for, and the content only when it
    has that digest. Every signature has to hold: one that does not was put there by somebody.
    """
    if dsse is None:
        unsigned = Checked("statement", "", ("the release is not signed",))
        return Verification(None, (unsigned, _unseen("signatures"), *_unseen_tar()), ())
    try:
        envelope, statement = signing.opened(dsse, "statement")
    except Refused as error:
        reason = error.message.removeprefix("statement: ")
        broken = Checked("statement", "", (reason,))
        return Verification(None, (broken, _unseen("signatures"), *_unseen_tar()), ())
    signed, signers = _signatures(envelope, statement, trust, now)
    told = Checked("statement", f"{statement.predicate.release.id}, {_labelled(statement)}")
    return Verification(statement, (told, signed, *_content(tar, statement)), signers)


def _labelled(statement: ReleaseStatement) -> str:
    label = statement.predicate.label
    return f"labelled {label}: it runs in environments/demo/ only" if label else "without a label"


def _unseen(what: str) -> Checked:
    return Checked(what, "", (NOT_LOOKED_AT,))


def _unseen_tar() -> tuple[Checked, ...]:
    return _unseen("digest"), _unseen("content")


def _signatures(
    envelope: Envelope, statement: ReleaseStatement, trust: Trust, now: datetime
) -> tuple[Checked, tuple[Signer, ...]]:
    signers: list[Signer] = []
    reasons: list[str] = []
    for signature in envelope.signatures:
        against = objections(signature, envelope.content, statement, trust, now)
        known = trust.known(signature.keyid)
        if against or known is None:
            reasons += against
        else:
            name, key = known
            signers.append(Signer(name, key.role, key.opens(statement.predicate.label)))
    said = ", ".join(f"{one.name} ({one.role.value})" for one in signers)
    return Checked("signatures", said, tuple(reasons)), tuple(signers)


def objections(
    signature: Signature,
    payload: bytes,
    statement: ReleaseStatement,
    trust: Trust,
    now: datetime,
) -> tuple[str, ...]:
    """Why a signature under a release does not count; all reasons."""
    packed = statement.predicate
    found = trust.objections(signature.keyid, packed.label, packed.taken_at, now)
    if known := trust.known(signature.keyid):
        name, key = known
        if key.kind != "ed25519" or not signing.holds(signature, payload, key.key):
            found = (*found, f"{name} did not sign this")
    return found


def _content(tar: bytes, statement: ReleaseStatement) -> tuple[Checked, ...]:
    if (digest := sha256(tar)) != statement.tar_digest:
        reason = f"the file was changed since: {digest[:12]}, signed is {statement.tar_digest[:12]}"
        return Checked("digest", "", (reason,)), _unseen("content")
    same = Checked("digest", f"sha256 {digest}")
    try:
        release, files = packing.read(tar, "content")
    except Refused as error:
        reasons = tuple(line.removeprefix("content: ") for line in error.message.splitlines())
        return same, Checked("content", "", reasons)
    said = f"{len(files)} files, as release.json says"
    if release != statement.predicate.release:
        return same, Checked("content", "", ("it is another release than the statement's",))
    return same, Checked("content", said)
