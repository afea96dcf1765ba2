"""A home out of a backup: all of it or nothing, and an agent that trades no money before it may.

A backup is older than what happened. What was halted, taken back, opened or closed since it was
taken is not in it. So whoever restores begins fenced (`fencing`), and live environments begin
halted: a human looks first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from pipelines import documents
from pipelines.adapters.ledger import Ledger
from pipelines.domain.entry import ALL, Halted
from pipelines.domain.environment import Environment
from pipelines.domain.record import Record
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent import archive, venvs
from runner.agent.archive import Manifest
from runner.agent.fencing import RESTORED, Restored
from runner.agent.house import House
from runner.agent.staging import staging, synced

_PRELOADED = b"runner.bots.preloaded"


@dataclass(frozen=True)
class Report:
    """What was restored. `halted` are live environments that open no trades until `resume`.

    `differing` are files of the train that the project has otherwise, or not at all; `locks` are
    those whose packages have to be installed again.
    """

    manifest: Manifest
    halted: tuple[str, ...]
    differing: tuple[str, ...]
    locks: tuple[Path, ...]


def restore(file: Path, house: House, train: Path, now: datetime) -> Report:
    """Make a home out of a backup. `now` is what the ledger is told.

    :raises BadInput: when there is no such file, or the home holds something.
    :raises Refused: when the backup is not as it was written, or bots of this home run.
    :raises CannotTell: when it cannot be written; then there is no home.
    """
    _refuse_used(house.home)
    manifest = archive.verify(file)
    with staging(house.home) as folder:
        making = folder / "home"
        try:
            making.mkdir(0o755)
            archive.extract(file, making, manifest)
            halted = _begin(making, manifest, now)
            synced(making)
            making.rename(house.home)
        except OSError as error:
            message = f"{error.filename or house.home}: {error.strerror or error}"
            hint = "free some space, or name a folder that is no mount point"
            raise CannotTell(message, hint) from None
    return Report(manifest, halted, _differing(house.home, train), _locks(house.home))


def _refuse_used(home: Path) -> None:
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        hint = "name another --home: a backup is never laid over anything"
        raise BadInput(f"{home}: is not empty", hint)
    if running := sorted(_bots_of(home)):
        told = ", ".join(map(str, running))
        hint = "the folder is gone, and they still trade: end them first"
        raise Refused(f"{home}: bots of this home still run here: processes {told}", hint)


def _bots_of(home: Path) -> Iterator[int]:
    """Bots on this machine whose home has this name, wherever it is now."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if _PRELOADED in argv and bytes(home) in argv:
            yield int(process.name)


def _begin(home: Path, manifest: Manifest, now: datetime) -> tuple[str, ...]:
    """Verify the ledger, halt what trades money, and draw a name that no agent has had."""
    restored = Restored(
        name=token_hex(8),
        backup=manifest.content_digest(),
        taken=manifest.taken,
        at=datetime.now(UTC),
    )
    documents.write(home / RESTORED, restored.model_dump_json() + "\n")
    if not manifest.ledger:
        return ()
    inside = House(home)
    ledger = Ledger.open(inside.ledger, inside.anchor)
    try:
        chain = ledger.read()
        if chain.head != manifest.head:
            raise Refused("ledger.sqlite: does not end where the manifest says", "take another")
        live = _live(home, Record.of(chain.lines))
        taken = f"{manifest.taken:%Y-%m-%d %H:%M} UTC"
        why = f"restored from a backup of {taken}: what happened since is not in it"
        halts = (
            Halted(environment=n, strategy=ALL, by="restore", reason=why, at=now) for n in live
        )
        if live:
            ledger.append(*halts)
    finally:
        ledger.close()
    return live


def _live(home: Path, record: Record) -> tuple[str, ...]:
    """Environments in which anything was ever wanted, but those that surely are on paper."""
    paper = set()
    for path in (home / "train").glob("*.yaml"):
        try:
            environment = documents.load(path, Environment)
        except BadInput:
            continue
        if environment.mode == "dry_run":
            paper.add(environment.name)
    return tuple(sorted({name for name, _ in record.tracks} - paper))


def _differing(home: Path, train: Path) -> tuple[str, ...]:
    def same(path: Path) -> bool:
        other = train / path.name
        return other.is_file() and other.read_bytes() == path.read_bytes()

    return tuple(p.name for p in sorted((home / "train").glob("*.yaml")) if not same(p))


def _locks(home: Path) -> tuple[Path, ...]:
    there = sorted((home / "venvs").glob("*.txt"))
    return tuple(path for path in there if venvs.found(home, path.stem) is None)
