"""Secrets at rest: `<home>/secrets/<environment>/`, encrypted with one key for each environment.

`values.json` holds every value and names the key it was encrypted with, `keys/` that key. A change
of either becomes true in one moment, when `values.json` is replaced: whoever is killed before or
after leaves the old secrets or the new ones, and a key too many, which the next change takes away.
"""

import fcntl
import hmac
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_bytes, token_hex

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pydantic import AwareDatetime

from pipelines import documents
from pipelines.domain.couplings.arrangement import Kept
from pipelines.domain.document import Document
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import BadInput, CannotTell, SluiceError

OWNER_ONLY = 0o600
_FOLDER = 0o700
_NONCE_BYTES = 12


class _Value(Document):
    """One secret; `nonce` and `sealed` are base64."""

    account: str
    name: SecretName
    since: AwareDatetime
    nonce: str
    sealed: str


class _Values(Document):
    """`values.json`."""

    environment: str
    key: str
    values: tuple[_Value, ...]

    def without(self, scope: Scope, name: SecretName) -> tuple[_Value, ...]:
        return tuple(v for v in self.values if (v.account, v.name) != (scope.account, name))


@dataclass(frozen=True)
class Listed:
    """What may be told of a secret: that it is there, and since when."""

    scope: Scope
    name: SecretName
    since: datetime


@dataclass(frozen=True)
class SecretStore:
    """The secrets of all environments on this host."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "secrets"

    def put(self, scope: Scope, name: SecretName, secret: Secret, now: datetime) -> None:
        """Keep a secret; a value that was there is replaced.

        :raises CannotTell: when it cannot be written; what was there stays as it was.
        """
        with self._changing(scope.environment):
            there = self._read(scope.environment) or self._begun(scope.environment)
            cipher = self._cipher(there)
            kept = _encrypted(cipher, scope, name, secret, now)
            self._write(there, (*there.without(scope, name), kept))

    def remove(self, scope: Scope, name: SecretName) -> None:
        """Forget a secret.

        :raises BadInput: when it is not kept here.
        """
        with self._changing(scope.environment):
            there = self._read(scope.environment)
            rest = there.without(scope, name) if there else ()
            if there is None or len(rest) == len(there.values):
                hint = "'sluice secrets list' says what is"
                raise BadInput(f"{scope}: {name} is not kept here", hint)
            self._write(there, rest)

    def rotate(self, environment: str) -> int:
        """Encrypt everything of an environment anew, with a key of its own; how many those are.

        :raises BadInput: when there is nothing to encrypt.
        :raises CannotTell: when a value cannot be decrypted or written; nothing has changed then.
        """
        with self._changing(environment):
            there = self._read(environment)
            if there is None:
                hint = "'sluice secrets set' keeps the first one"
                raise BadInput(f"{environment}: no secrets are kept here", hint)
            old, fresh = self._cipher(there), self._begun(environment)
            cipher, anew = self._cipher(fresh), []
            for value in there.values:
                scope = Scope(environment, value.account)
                secret = _decrypted(old, scope, value)
                anew.append(_encrypted(cipher, scope, value.name, secret, value.since))
            self._write(fresh, tuple(anew))
            return len(anew)

    def listed(self, environment: str) -> tuple[Listed, ...]:
        """What is kept of an environment; no value is decrypted for it."""
        with self._looking(environment):
            there = self._read(environment)
            values = there.values if there else ()
        found = (Listed(Scope(environment, v.account), v.name, v.since) for v in values)
        return tuple(sorted(found, key=lambda each: (each.scope, each.name)))

    def held(self, scope: Scope) -> dict[SecretName, Secret]:
        """What a bot on this account is given: the account's secrets and its environment's.

        :raises CannotTell: when a value cannot be decrypted.
        """
        every = self._decrypted(scope.environment)
        common = {name: secret for (whose, name), secret in every.items() if not whose.account}
        own = {name: secret for (whose, name), secret in every.items() if whose == scope}
        return {**common, **own}

    def fingerprints(self, environments: tuple[str, ...]) -> tuple[Kept, ...]:
        """What is kept of these environments; equal fingerprints are equal values.

        They mean nothing beyond this call: nobody can try values against them later.
        """
        dice, found = token_bytes(32), []
        for environment in environments:
            for (scope, name), secret in self._decrypted(environment).items():
                drawn = hmac.digest(dice, secret.reveal().encode(), "sha256").hex()
                found.append(Kept(scope, name, drawn))
        return tuple(found)

    def known(self) -> Iterator[Secret]:
        """Every value that can be read: what must not be seen. What cannot be is passed over."""
        for folder in sorted(self.folder.glob("*/values.json")):
            with suppress(SluiceError):
                yield from self._decrypted(folder.parent.name).values()

    def _decrypted(self, environment: str) -> dict[tuple[Scope, SecretName], Secret]:
        with self._looking(environment):
            there = self._read(environment)
            if there is None:
                return {}
            cipher, found = self._cipher(there), {}
            for value in there.values:
                scope = Scope(environment, value.account)
                found[scope, value.name] = _decrypted(cipher, scope, value)
            return found

    @contextmanager
    def _changing(self, environment: str) -> Iterator[None]:
        """Alone, and with what a killed process left behind taken away."""
        for folder in self._folders(environment):
            folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
            refuse_readable(folder)
        with locked(self.folder / environment):
            self._sweep(environment)
            yield
            self._sweep(environment)

    @contextmanager
    def _looking(self, environment: str) -> Iterator[None]:
        folder = self.folder / environment
        for each in self._folders(environment):
            refuse_readable(each)
        with locked(folder, fcntl.LOCK_SH) if folder.is_dir() else nullcontext():
            yield

    def _folders(self, environment: str) -> tuple[Path, ...]:
        return self.folder, self.folder / environment, self._keys(environment)

    def _keys(self, environment: str) -> Path:
        return self.folder / environment / "keys"

    def _read(self, environment: str) -> _Values | None:
        path = self.folder / environment / "values.json"
        if not path.exists():
            return None
        refuse_readable(path)
        try:
            return documents.load_json(path, _Values)
        except BadInput as error:
            hint = "restore it from a backup, or set the secrets again after removing it"
            raise CannotTell(error.message, hint) from None

    def _begun(self, environment: str) -> _Values:
        """A new key, and nothing yet that it encrypts."""
        name = token_hex(8)
        path = self._keys(environment) / name
        documents.write(path, ChaCha20Poly1305.generate_key(), OWNER_ONLY)
        _sync(path.parent)
        return _Values(environment=environment, key=name, values=())

    def _cipher(self, there: _Values) -> ChaCha20Poly1305:
        path = self._keys(there.environment) / there.key
        refuse_readable(path)
        try:
            return ChaCha20Poly1305(path.read_bytes())
        except (OSError, ValueError):
            hint = f"put it back, or remove {path.parent.parent} and set the secrets again"
            raise CannotTell(f"{path}: the key of {there.environment} is not there", hint) from None

    def _write(self, there: _Values, values: tuple[_Value, ...]) -> None:
        """The moment in which a change becomes true."""
        changed = there.model_copy(update={"values": values})
        path = self.folder / there.environment / "values.json"
        documents.write(path, changed.model_dump_json(indent=1) + "\n", OWNER_ONLY)
        _sync(path.parent)

    def _sweep(self, environment: str) -> None:
        there = self._read(environment)
        for path in self._keys(environment).iterdir():
            if there is None or path.name != there.key:
                path.unlink()
        for path in (self.folder / environment).glob(".values.json.*"):
            path.unlink()


@contextmanager
def locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """While nobody else changes what lies in a folder. A killed process lets go of it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def refuse_readable(path: Path) -> None:
    """Secrets that others can read are none any more.

    :raises BadInput: when anybody but the owner may look.
    """
    mode = path.stat().st_mode & 0o777 if path.exists() else 0
    if mode & 0o077:
        hint = f"chmod go= {path}; whoever may have read it knows it: change the secrets, too"
        raise BadInput(f"{path}: others can read it ({mode:o})", hint)


def _sync(folder: Path) -> None:
    """A name that was given survives a power cut only once its folder was written."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _bound_to(scope: Scope, name: SecretName) -> bytes:
    """What a value is encrypted for: under any other name it cannot be decrypted."""
    return json.dumps(["sluice secret 1", scope.environment, scope.account, name]).encode()


def _encrypted(
    cipher: ChaCha20Poly1305, scope: Scope, name: SecretName, secret: Secret, since: datetime
) -> _Value:
    nonce = token_bytes(_NONCE_BYTES)
    sealed = cipher.encrypt(nonce, secret.reveal().encode(), _bound_to(scope, name))
    return _Value(
        account=scope.account,
        name=name,
        since=since,
        nonce=b64encode(nonce).decode(),
        sealed=b64encode(sealed).decode(),
    )


def _decrypted(cipher: ChaCha20Poly1305, scope: Scope, value: _Value) -> Secret:
    try:
        nonce, sealed = b64decode(value.nonce), b64decode(value.sealed)
        return Secret(cipher.decrypt(nonce, sealed, _bound_to(scope, value.name)).decode())
    except (InvalidTag, ValueError):
        hint = f"set it again: sluice secrets set {scope} {value.name}"
        raise CannotTell(f"{scope}: {value.name} cannot be decrypted", hint) from None
