"""Secrets on their way: sealed to one host, so that whoever carries them cannot read them.

X25519 with a key pair that is thrown away, HKDF-SHA256 and ChaCha20-Poly1305. The text says whose
secret it is, and is bound to that: it cannot be delivered as another one, nor to another host.
"""

import binascii
import json
import re
import textwrap
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipelines import documents
from pipelines.adapters.secrets import OWNER_ONLY, locked, refuse_readable
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import BadInput, CannotTell

_PREFIX = "sluice-host-1:"
_BEGIN, _END = "-----BEGIN SLUICE SEALED SECRET-----", "-----END SLUICE SEALED SECRET-----"
_FORM = re.compile(
    rf"\s*{_BEGIN}\r?\nfor: ([a-z0-9_-]+)(?:/([a-z0-9_-]+))?\r?\nname: ([a-z_]+)\r?\n"
    rf"host: (\S+)\r?\n\r?\n([A-Za-z0-9+/=\r\n]+){_END}\s*"
)
_KEY_BYTES = 32
_NONCE = bytes(12)
"""Every key encrypts one text, so that it needs no other."""

_BLOCK = 128
"""Texts are padded to so many bytes: their length tells nothing."""


@dataclass(frozen=True)
class Unsealed:
    """What came out of a sealed text."""

    scope: Scope
    name: SecretName
    secret: Secret


def host_key(home: Path) -> X25519PrivateKey:
    """The private key of this host, made when it is first asked for.

    :raises CannotTell: when it cannot be read or written.
    """
    path = home / "secrets" / "host.key"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_readable(path.parent)
    with locked(path.parent):  # of two that come first together, one makes it
        if not path.exists():
            documents.write(path, X25519PrivateKey.generate().private_bytes_raw(), OWNER_ONLY)
    refuse_readable(path)
    try:
        return X25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError):
        hint = "restore it from a backup; what is sealed to a new one has to be sealed again"
        raise CannotTell(f"{path}: is no key of a host", hint) from None


def public_text(private: X25519PrivateKey) -> str:
    """The public key, as others are told it."""
    return _PREFIX + b64encode(private.public_key().public_bytes_raw()).decode()


def seal(secret: Secret, scope: Scope, name: SecretName, host: str) -> str:
    """A text that only the host with this public key can read.

    :raises BadInput: when that is no public key of a host.
    """
    once = X25519PrivateKey.generate()
    try:
        raw = b64decode(host.removeprefix(_PREFIX), validate=True)
        shared = once.exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise _no_key(host) from None
    if not host.startswith(_PREFIX):
        raise _no_key(host)
    sent = once.public_key().public_bytes_raw()
    text = secret.reveal().encode()
    padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK, b"\0")
    sealed = _cipher(shared, sent, raw).encrypt(_NONCE, padded, _bound_to(scope, name, host))
    body = "\n".join(textwrap.wrap(b64encode(sent + sealed).decode(), 64))
    return f"{_BEGIN}\nfor: {scope}\nname: {name}\nhost: {host}\n\n{body}\n{_END}\n"


def _no_key(text: str) -> BadInput:
    hint = "'sluice secrets host-key' prints it on the host"
    return BadInput(f"{text[:60]!r} is no public key of a host", hint)


def unseal(text: str, private: X25519PrivateKey) -> Unsealed:
    """What was sealed to this host.

    :raises BadInput: when it is no sealed text, is for another host, or was changed.
    """
    hint = "seal it again: sluice secrets seal"
    found = _FORM.fullmatch(text)
    if not found:
        raise BadInput("this is no sealed secret", hint)
    environment, account, called, host, body = found.groups()
    own = private.public_key().public_bytes_raw()
    if host != public_text(private):
        raise BadInput(f"{environment}: {called} is sealed to another host", hint)
    try:
        scope, name = Scope(environment, account or ""), SecretName(called)
        content = b64decode(re.sub(r"\s", "", body), validate=True)
        sent, sealed = content[:_KEY_BYTES], content[_KEY_BYTES:]
        shared = private.exchange(X25519PublicKey.from_public_bytes(sent))
        cipher = _cipher(shared, sent, own)
        padded = cipher.decrypt(_NONCE, sealed, _bound_to(scope, name, host))
        return Unsealed(scope, name, Secret(padded.rstrip(b"\0").decode()))
    except (InvalidTag, ValueError, binascii.Error):
        raise BadInput(f"{environment}: {called} was changed on its way", hint) from None


def _cipher(shared: bytes, sent: bytes, host: bytes) -> ChaCha20Poly1305:
    derived = HKDF(SHA256(), _KEY_BYTES, salt=sent + host, info=b"sluice sealed secret 1")
    return ChaCha20Poly1305(derived.derive(shared))


def _bound_to(scope: Scope, name: SecretName, host: str) -> bytes:
    told = ["sluice sealed secret 1", scope.environment, scope.account, name, host]
    return json.dumps(told).encode()
