"""A backup of a home: everything that is needed to go on on another card or machine.

It is taken while the agent runs and bots trade. The ledger comes first, so that every release that
it names is there when releases are copied. Everything is copied before anything is digested.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_SH
from pathlib import Path
from typing import get_args

from pipelines.adapters.ledger import Head, Ledger, database
from pipelines.adapters.releases import ReleaseStore
from pipelines.adapters.secrets import locked
from pipelines.domain.environment import Mode
from pipelines.errors import BadInput, CannotTell
from runner.agent import archive, venvs
from runner.agent.archive import Manifest, is_key
from runner.agent.house import House
from runner.agent.snapshot import snapshot
from runner.agent.staging import staging


@dataclass(frozen=True)
class Backup:
    """What is backed up: a home, the ledger at a URL, and the train in a folder of the project."""

    house: House
    ledger: str
    train: Path
    holder: str

    def take(self, target: Path, now: datetime, *, keys: bool) -> Manifest:
        """Write a backup; what it holds. With `keys` whoever reads it can open the secrets.

        :raises BadInput: when the file is there already, or there is no ledger yet.
        :raises CannotTell: when something cannot be read or written; then there is no backup.
        """
        if target.exists():
            raise BadInput(f"{target}: is there already", "name another file: none is replaced")
        with staging(target) as folder:
            try:
                manifest = self._manifest(folder / "parts", now, keys=keys)
                archive.write(folder / "whole", manifest, folder / "parts")
                archive.verify(folder / "whole")
                (folder / "whole").rename(target)
            except OSError as error:
                message = f"{error.filename or target}: {error.strerror or error}"
                raise CannotTell(message, "free some space or choose another folder") from None
        return manifest

    def _manifest(self, folder: Path, now: datetime, *, keys: bool) -> Manifest:
        head, ledger = self._ledger(folder)
        for path, source in self._sources(keys=keys):
            _copy(path, source, folder)
        parts = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        return Manifest(
            taken=now,
            holder=self.holder,
            head=head,
            ledger=ledger,
            keys=any(map(is_key, parts)),
            parts=tuple(archive.part_of(path, folder / path) for path in parts),
        )

    def _ledger(self, folder: Path) -> tuple[Head, bool]:
        """Copy the ledger, unless it lies in a database of its own; its end, verified."""
        anchor = folder / "ledger.head"
        folder.mkdir(mode=0o700)
        # Read before the ledger: whatever it vouches for is in the copy.
        if self.house.anchor.exists():
            shutil.copyfile(self.house.anchor, anchor)
        there = Ledger.examine(self.ledger, anchor)
        try:
            file = database.file_of(there.engine)
        finally:
            there.close()
        if file is not None:
            snapshot(file, folder / "ledger.sqlite")
        copied = self.ledger if file is None else f"sqlite:///{folder / 'ledger.sqlite'}"
        ledger = Ledger.examine(copied, anchor)
        try:
            head = ledger.read().head
        finally:
            ledger.close()
        anchor.write_bytes(head.canonical())
        return head, file is not None

    def _sources(self, *, keys: bool) -> Iterator[tuple[str, Path]]:
        """What lies where in a backup."""
        home, store = self.house.home, ReleaseStore(self.house.home)
        for digest in store.digests():
            yield from ((f"releases/{p.name}", p) for p in (store.dsse(digest), store.tar(digest)))
        yield from self._secrets(keys=keys)
        for mode in get_args(Mode):
            for path in home.glob(f"bots/*/*/{mode}.sqlite"):
                yield path.relative_to(home).as_posix(), path
        # Whose the trades in them are, and what protections remember of each bot.
        for name in ("guard", "owners"):
            yield from ((f"{name}/{path.name}", path) for path in home.glob(f"{name}/[!.]*.json"))
        yield from ((f"train/{path.name}", path) for path in self.train.glob("[!.]*.yaml"))
        for path in home.glob(f"venvs/[!.]*/{venvs.LOCK}"):
            yield f"venvs/{path.parent.name}.txt", path
        yield from ((f"venvs/{path.name}", path) for path in home.glob("venvs/[!.]*.txt"))
        yield "alerts.jsonl", self.house.alerts

    def _secrets(self, *, keys: bool) -> Iterator[tuple[str, Path]]:
        """As they lie, encrypted; of each environment while nobody changes them."""
        home = self.house.home
        for folder in sorted(path for path in home.glob("secrets/[!.]*") if path.is_dir()):
            with locked(folder, LOCK_SH):
                opening = folder.glob("keys/[!.]*") if keys else ()
                for path in (folder / "values.json", *opening):
                    yield path.relative_to(home).as_posix(), path
        if keys:
            for path in (home / "secrets" / "host.key", *home.glob("keys/[!.]*.pem")):
                yield path.relative_to(home).as_posix(), path


def _copy(path: str, source: Path, folder: Path) -> None:
    if not source.is_file():
        return
    if not archive.has_place(path):
        raise CannotTell(f"{source}: has no place in a backup", "move it away")
    target = folder / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.suffix == ".sqlite":
        snapshot(source, target)
    else:
        shutil.copyfile(source, target)
