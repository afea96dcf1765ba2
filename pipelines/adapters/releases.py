"""Packed releases on disk: `<home>/releases/<digest>.tar`, and beside it who says what of it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines import documents
from pipelines.adapters import signing
from pipelines.domain.release import Release
from pipelines.domain.statement import Envelope, ReleaseStatement
from pipelines.errors import BadInput, CannotTell, Refused

_LOCK = ".lock"
_SHORTEST = 8


@dataclass(frozen=True)
class Stored:
    """A release that lies there signed. Nothing about it has been verified."""

    envelope: Envelope
    statement: ReleaseStatement
    tar: Path

    @property
    def release(self) -> Release:
        """What the statement says it is."""
        return self.statement.predicate.release


@dataclass(frozen=True)
class ReleaseStore:
    """The folder of releases. A release is there once its signed statement is."""

    home: Path

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.home / "releases"

    def tar(self, digest: str) -> Path:
        """The file of the release with this digest."""
        return self.folder / f"{digest}.tar"

    def dsse(self, digest: str) -> Path:
        """The signed statement about it."""
        return self.folder / f"{digest}.dsse"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While this lasts nobody else packs here; the kernel ends it for whoever is killed.

        :raises CannotTell: when the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{self.folder}: cannot be written: {error.strerror}"
            raise CannotTell(message, "choose another folder with --home") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._sweep()
            yield
        finally:
            os.close(handle)

    def _sweep(self) -> None:
        """Throw away what somebody who was killed had begun to write."""
        for left in self.folder.glob(".*"):
            if left.name != _LOCK:
                with suppress(OSError):
                    left.unlink()

    def save(self, release: Release, tar: bytes, envelope: Envelope) -> bool:
        """Write a release, and say whether anything had to be written.

        Its statement comes last, so that it is there as a whole or not at all.

        :raises CannotTell: when it cannot be written.
        """
        anew = False
        for path, content in (
            (self.tar(release.digest), tar),
            (self.dsse(release.digest), signing.written(envelope)),
        ):
            if not path.is_file() or path.read_bytes() != content:
                documents.write(path, content)
                anew = True
        return anew

    def stored(self, digest: str) -> Stored:
        """The release with this digest.

        :raises Refused: when its statement is broken, or about another release.
        :raises CannotTell: when it cannot be read.
        """
        path = self.dsse(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror}"
            raise CannotTell(message, "pack it again with 'sluice pack'") from None
        envelope, statement = signing.opened(content, str(path))
        if statement.predicate.release.digest != digest:
            raise Refused(f"{path}: is about another release", "delete it, or give it its name")
        return Stored(envelope, statement, self.tar(digest))

    def others(self, digest: str) -> tuple[Stored, ...]:
        """Every release but the one with this digest.

        :raises Refused: when one is broken: nobody can tell what it is.
        """
        return tuple(self.stored(other) for other in self.digests() if other != digest)

    def before(self, digest: str) -> Stored | None:
        """The release with this digest as it was packed before; None where it is not, or broken."""
        try:
            return self.stored(digest)
        except (Refused, CannotTell):
            return None

    def digests(self) -> tuple[str, ...]:
        """The digests of all releases, broken or not."""
        return tuple(sorted(path.stem for path in self.folder.glob("[!.]*.dsse")))

    def find(self, text: str) -> str:
        """The digest of the release that is called by an id, a digest or the first digits of one.

        :raises BadInput: when there is none, or more than one.
        """
        wanted = text.rpartition("+")[2]
        found = [d for d in self.digests() if len(wanted) >= _SHORTEST and d.startswith(wanted)]
        found = [d for d in found if "+" not in text or str(self.stored(d).release.id) == text]
        if len(found) != 1:
            what = "more than one release" if found else "no such release"
            raise BadInput(f"{text}: there is {what}", "'sluice releases' lists what is packed")
        return found[0]
