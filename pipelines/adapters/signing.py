"""Ed25519 keys on the disk, and signatures over statements."""

import base64
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pipelines.adapters import exact
from pipelines.domain.document import sha256
from pipelines.domain.statement import (
    PAYLOAD,
    Envelope,
    ReleaseStatement,
    Signature,
    pre_authentication,
)
from pipelines.errors import CannotTell, Problem, Refused

_NEW = "make one with 'sluice keys new ROLE'"


@dataclass(frozen=True)
class SigningKey:
    """A private key. It never tells itself."""

    _private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The public key as `trust.yaml` holds it: 32 bytes in base64."""
        return base64.b64encode(self._raw).decode()

    @property
    def id(self) -> str:
        """What signatures call it by: the sha256 of the public key."""
        return sha256(self._raw)

    @property
    def _raw(self) -> bytes:
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, payload: bytes) -> Signature:
        """A signature over a statement."""
        signed = self._private.sign(pre_authentication(payload))
        return Signature(keyid=self.id, sig=base64.b64encode(signed).decode())


def sealed(payload: bytes, signatures: tuple[Signature, ...]) -> Envelope:
    """A statement and who signed it."""
    text = base64.b64encode(payload).decode()
    return Envelope(payload=text, payload_type=PAYLOAD, signatures=signatures)


def holds(signature: Signature, payload: bytes, public: str) -> bool:
    """True when the owner of a public key (as `trust.yaml` holds it) made this signature."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public))
        key.verify(base64.b64decode(signature.sig), pre_authentication(payload))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def opened(content: bytes, where: str) -> tuple[Envelope, ReleaseStatement]:
    """The envelope in a `.dsse` file and the statement in it. Who signed is not looked at.

    :raises Refused: when it is anything but what packing writes, to the byte.
    """
    envelope = exact.read(Envelope, content.removesuffix(b"\n"), where)
    if content != written(envelope):
        raise Refused(f"{where}: is cut off", exact.AGAIN)
    return envelope, exact.read(ReleaseStatement, envelope.content, f"{where}: the statement")


def written(envelope: Envelope) -> bytes:
    """The content of a `.dsse` file."""
    return envelope.canonical() + b"\n"


def create(path: Path) -> SigningKey:
    """Make a key and write its private half for the owner alone; one that is there stays.

    :raises Problem: when there is a file already.
    :raises CannotTell: when it cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it 0600 from the first byte on.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _take_name(Path(temporary), path)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}"
        raise CannotTell(message, "free some space or name another file with --out") from None
    finally:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
    return SigningKey(private)


def _take_name(made: Path, path: Path) -> None:
    try:
        # A link, not a rename: it fails where there is a key already.
        path.hardlink_to(made)
    except FileExistsError:
        hint = "keys are never overwritten: move it away, or name another file with --out"
        raise Problem(str(path), "there is a key already", hint=hint) from None


def load(path: Path) -> SigningKey:
    """The private key in a file.

    :raises Problem: when there is none, it is no Ed25519 key, or others can read it.
    :raises CannotTell: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1 << 14)
    except (FileNotFoundError, IsADirectoryError):
        raise Problem(str(path), "there is no such key", hint=_NEW) from None
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise CannotTell(message, "run this as the user that the key belongs to") from None
    if mode & 0o077:
        raise Problem(str(path), "can be read by others", hint=f"run 'chmod 600 {path}'")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Problem(str(path), "is no private key, or has a password", hint=_NEW) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Problem(str(path), "is no Ed25519 key", hint=_NEW)
    return SigningKey(key)
