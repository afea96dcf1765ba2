"""A backup as one file: a tar whose first member tells every other one, with its digest.

What can be in one is listed by the form of its path, so nothing can be laid anywhere else; links,
folders and what the manifest does not name are refused.
"""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, model_validator

from pipelines.adapters.ledger import Head
from pipelines.domain.document import Digest, Document
from pipelines.errors import BadInput, CannotTell, Refused

MANIFEST = "manifest.json"

_HEX, _NAME = "[0-9a-f]{64}", "[a-z][a-z0-9_-]{0,31}"
_SEAT = r"[A-Za-z_][A-Za-z0-9_]{0,63}(\.2)?"
_KEYS = rf"secrets/{_NAME}/keys/[0-9a-f]{{16}}|secrets/host\.key|keys/[a-z0-9_-]{{1,64}}\.pem"
_FORMS = (
    r"ledger\.(sqlite|head)",
    r"alerts\.jsonl",
    rf"releases/{_HEX}\.(tar|dsse)",
    rf"bots/(demo\.)?{_NAME}/{_SEAT}/(dry_run|live)\.sqlite",
    rf"(guard|owners)/{_NAME}\.{_SEAT}\.json",
    rf"secrets/{_NAME}/values\.json",
    r"train/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.yaml",
    rf"venvs/{_HEX}\.txt",
    _KEYS,
)
_LARGEST_MANIFEST = 16 << 20
_CHUNK = 1 << 20

At = Annotated[str, StringConstraints(pattern=f"^({'|'.join(_FORMS)})$")]
"""Where something lies below a home."""


def is_key(path: str) -> bool:
    """True for what opens something that is encrypted, or signs."""
    return re.fullmatch(_KEYS, path) is not None


def has_place(path: str) -> bool:
    """True for what a backup can hold."""
    return re.fullmatch("|".join(_FORMS), path) is not None


class Part(Document):
    """One file."""

    path: At
    size: Annotated[int, Field(ge=0)]
    digest: Digest


class Manifest(Document):
    """What a backup holds. `head` is the end of the ledger; `taken` is the system's time.

    Without `ledger` that lies in a database of its own, and only its head is here. `keys` tells
    whether what opens the secrets is inside.
    """

    form: Literal["sluice-backup-1"] = "sluice-backup-1"
    taken: AwareDatetime
    holder: str
    head: Head
    ledger: bool
    keys: bool
    parts: tuple[Part, ...]

    @model_validator(mode="after")
    def _says_whether_keys_are_inside(self) -> Self:
        if self.keys != any(is_key(part.path) for part in self.parts):
            raise ValueError("keys: says other than the parts")
        return self

    def under(self, folder: str) -> tuple[Part, ...]:
        """The parts below a folder."""
        return tuple(part for part in self.parts if part.path.startswith(f"{folder}/"))


def part_of(path: str, file: Path) -> Part:
    """What is told of a file."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Part(path=path, size=file.stat().st_size, digest=digest)


def write(target: Path, manifest: Manifest, folder: Path) -> None:
    """Write a backup of what lies in a folder: the same bytes for the same content."""
    said = manifest.canonical()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            tar.addfile(_member(MANIFEST, len(said)), io.BytesIO(said))
            for part in manifest.parts:
                with (folder / part.path).open("rb") as content:
                    tar.addfile(_member(part.path, part.size), content)
        file.flush()
        os.fsync(file.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def verify(file: Path) -> Manifest:
    """Read a backup to its end, and hold all of it against its manifest.

    :raises BadInput: when there is no such file.
    :raises Refused: when it is no backup, or not as it was written.
    """
    return _read(file, None)


def extract(file: Path, folder: Path, manifest: Manifest) -> None:
    """Lay everything below a folder, and look at every byte of it again.

    :raises Refused: when it is not any more what was verified.
    :raises CannotTell: when it cannot be written.
    """
    if _read(file, folder) != manifest:
        raise Refused(f"{file}: was changed while it was read")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _read(file: Path, folder: Path | None) -> Manifest:
    with _opened(file) as tar:
        members = iter(tar)
        manifest = _manifest(tar, members, file)
        for part in manifest.parts:
            member = next(members, None)
            if member is None or not member.isreg() or member.name != part.path:
                found = "nothing" if member is None else repr(member.name)
                raise Refused(f"{file}: {part.path}: is missing, there is {found}", _AGAIN)
            digest = hashlib.sha256()
            for chunk in _chunks(tar, member, folder / part.path if folder else None):
                digest.update(chunk)
            if (member.size, digest.hexdigest()) != (part.size, part.digest):
                raise Refused(f"{file}: {part.path}: is not what was backed up", _AGAIN)
        if (more := next(members, None)) is not None:
            raise Refused(f"{file}: holds {more.name!r}, which its manifest does not name", _AGAIN)
    return manifest


_AGAIN = "take another backup: of this one nothing was used"


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, mode="r:") as tar:
            yield tar
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename}: there is no such file") from None
    except (tarfile.TarError, EOFError, ValueError):
        raise Refused(f"{file}: is no backup, or only a part of one", _AGAIN) from None
    except OSError as error:
        raise CannotTell(f"{error.filename or file}: {error.strerror or error}") from None


def _manifest(tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], file: Path) -> Manifest:
    first = next(members, None)
    if first is None or first.name != MANIFEST or not 0 < first.size <= _LARGEST_MANIFEST:
        raise Refused(f"{file}: is no backup: it does not begin with a manifest", _AGAIN)
    try:
        manifest = Manifest.model_validate_json(b"".join(_chunks(tar, first, None)))
    except ValidationError as error:
        told = error.errors(include_url=False)[0]
        key = ".".join(str(each) for each in told["loc"])
        raise Refused(f"{file}: {MANIFEST}: {key}: {told['msg'].lower()}", _AGAIN) from None
    paths = [part.path for part in manifest.parts]
    if paths != sorted(set(paths)):
        raise Refused(f"{file}: {MANIFEST}: a path stands twice, or is not sorted", _AGAIN)
    return manifest


def _chunks(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path | None) -> Iterator[bytes]:
    content: IO[bytes] | None = tar.extractfile(member)
    if content is None:
        return
    if to is None:
        while chunk := content.read(_CHUNK):
            yield chunk
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("xb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)
            yield chunk
