"""`sluice verify` and `sluice releases`: what a release is, and whether to believe it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.verifying import Checked, Verification
from pipelines.adapters.verifying import verify as verified
from pipelines.errors import CannotTell, Problem, Refused
from pipelines.workflow.place import Place

_MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class VerifiedFile:
    """A release's file and what was found out about it."""

    path: Path
    verification: Verification


def verify(place: Place, asked: str, trust_file: Path | None, now: datetime) -> VerifiedFile:
    """Look at a release: a file, or what is packed here under an id or a digest.

    :raises BadInput: when there is no such file, or trust.yaml is wrong.
    :raises CannotTell: when it cannot be read.
    """
    path = _file(place, asked)
    trust = place.trust(trust_file)
    tar = _read(path)
    try:
        dsse = _read(path.with_suffix(".dsse"))
    except Problem:
        dsse = None
    found = verified(tar, dsse, trust, now)
    return VerifiedFile(path, _named(found, path))


def _file(place: Place, asked: str) -> Path:
    path = Path(asked)
    if path.suffix in {".tar", ".dsse"} or path.exists():
        return path.with_suffix(".tar") if path.suffix == ".dsse" else path
    store = ReleaseStore(place.home)
    return store.tar(store.find(asked))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte too many is enough to be refused.
            return file.read(_MOST_BYTES)
    except (FileNotFoundError, IsADirectoryError):
        hint = "name a .tar, an id or a digest; 'sluice releases' lists them"
        raise Problem(str(path), "there is no such file", hint=hint) from None
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}", "try again") from None


def _named(found: Verification, path: Path) -> Verification:
    """A file that bears the digest of one release must not hold another."""
    name, statement = path.stem, found.statement
    if statement is None or len(name) != 64 or name == statement.predicate.release.digest:
        return found
    checked = Checked("name", "", (f"{name[:12]} is not the digest of this release",))
    return Verification(statement, (*found.checked, checked), found.signers)


@dataclass(frozen=True)
class Listed:
    """The releases that are packed here, and why others that lie there cannot be read."""

    releases: tuple[Stored, ...]
    broken: tuple[str, ...]


def releases(place: Place) -> Listed:
    """Everything that is packed here, by name and version. Nothing is verified."""
    store, found, broken = ReleaseStore(place.home), [], []
    for digest in store.digests():
        try:
            found.append(store.stored(digest))
        except (Refused, CannotTell) as error:
            broken.append(error.message)
    found.sort(key=lambda one: (one.release.name, _number(one.release.version)))
    return Listed(tuple(found), tuple(broken))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
