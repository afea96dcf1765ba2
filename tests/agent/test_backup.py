"""Backups: whole or not there, verified before anything is written, never laid over anything."""

import io
import json
import os
import signal
import sqlite3
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.ledger import Ledger
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.document import sha256
from pipelines.domain.entry import Halted
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import BadInput, CannotTell, Refused, SluiceError
from runner.agent import archive, snapshot
from runner.agent.alerts import Alert, Alerts
from runner.agent.archive import Manifest
from runner.agent.backup import Backup
from runner.agent.fencing import RESTORED, holder
from runner.agent.house import House
from runner.agent.restore import restore
from runner.agent.staging import staging
from tests.agent.doomed import Steps

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VALUE = "a-key-that-nobody-may-see"
BOTS = "bots/sandbox/beat/live.sqlite"
OWNER, GUARD = "owners/sandbox.beat.json", "guard/sandbox.beat.2.json"


def promotion(environment: str) -> Promotion:
    return Promotion(
        kind=Kind.PROMOTE,
        environment=environment,
        strategy="beat",
        release="beat@1.0.0+aaaaaaaa",
        digest="a" * 64,
        by="a test",
        at=NOW,
    )


@pytest.fixture
def source(tmp_path: Path, root: Path) -> Backup:
    """A home with a bit of everything, and the train that it belongs to."""
    house = House(tmp_path / "old")
    ledger = Ledger.open(house.ledger, house.anchor)
    ledger.append(promotion("test"), promotion("sandbox"))
    ledger.take("old", NOW, timedelta(minutes=10))
    ledger.close()
    for name in ("a" * 64 + ".tar", "a" * 64 + ".dsse"):
        (house.home / "releases").mkdir(exist_ok=True)
        (house.home / "releases" / name).write_text(name)
    store = SecretStore(house.home)
    store.put(Scope("sandbox", "sandbox"), SecretName.EXCHANGE_KEY, Secret(VALUE), NOW)
    (house.home / BOTS).parent.mkdir(parents=True)
    with closing(sqlite3.connect(house.home / BOTS)) as database:
        database.executescript("CREATE TABLE trades (id INTEGER); INSERT INTO trades VALUES (7);")
    (house.home / "bots/sandbox/beat/log").write_text("not needed")
    for name in (OWNER, GUARD):
        (house.home / name).parent.mkdir()
        (house.home / name).write_text("{}")
    (house.home / "keys").mkdir()
    (house.home / "keys" / "host.pem").write_text("PRIVATE")
    Alerts(house.alerts).raise_(Alert(at=NOW, severity="notice", text="hello"))
    return Backup(house, house.ledger, root / "environments" / "demo", "old")


def restored(tmp_path: Path, root: Path, file: Path, name: str = "new") -> House:
    house = House(tmp_path / name)
    restore(file, house, root / "environments" / "demo", NOW)
    return house


def rows(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT id FROM trades").fetchall()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_what_is_needed_to_go_on_comes_back_and_nothing_else(
    source: Backup, tmp_path: Path, root: Path
) -> None:
    file = tmp_path / "backup.tar"
    manifest = source.take(file, NOW, keys=False)
    there = restored(tmp_path, root, file).home

    found = sorted(p.relative_to(there).as_posix() for p in there.rglob("*") if p.is_file())
    train = [f"train/{path.name}" for path in sorted((root / "environments/demo").glob("*.yaml"))]
    expected = [part.path for part in manifest.parts]
    assert found == sorted([*expected, RESTORED])
    assert expected == [
        "alerts.jsonl",
        BOTS,
        GUARD,
        "ledger.head",
        "ledger.sqlite",
        OWNER,
        "releases/" + "a" * 64 + ".dsse",
        "releases/" + "a" * 64 + ".tar",
        "secrets/sandbox/values.json",
        *train,
    ]
    assert rows(there / BOTS) == [(7,)]
    assert [alert.text for alert in Alerts(there / "alerts.jsonl").every()] == ["hello"]
    assert file.stat().st_mode & 0o077 == 0
    assert left(tmp_path) == []


def test_the_same_content_gives_the_same_parts(source: Backup, tmp_path: Path) -> None:
    first = source.take(tmp_path / "1.tar", NOW, keys=False)
    second = source.take(tmp_path / "2.tar", NOW, keys=False)
    assert first == second
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_what_opens_secrets_is_inside_only_when_it_is_asked_for(
    source: Backup, tmp_path: Path, root: Path
) -> None:
    scope = Scope("sandbox", "sandbox")
    manifests = {}
    for name, keys in (("without", False), ("with", True)):
        manifests[name] = source.take(tmp_path / f"{name}.tar", NOW, keys=keys)
        restored(tmp_path, root, tmp_path / f"{name}.tar", name)
    assert VALUE not in (tmp_path / "with.tar").read_text("latin-1")

    assert (manifests["without"].keys, manifests["with"].keys) == (False, True)
    paths = [part.path for part in manifests["with"].parts if archive.is_key(part.path)]
    assert len(paths) == 2
    assert paths[0] == "keys/host.pem"
    held = SecretStore(tmp_path / "with").held(scope)
    assert held[SecretName.EXCHANGE_KEY].reveal() == VALUE
    with pytest.raises(CannotTell, match="the key of sandbox is not there"):
        SecretStore(tmp_path / "without").held(scope)
    # What is put back by hand opens them: nothing else is missing.
    keys_of = "secrets/sandbox/keys"
    (tmp_path / "without" / keys_of).mkdir(mode=0o700)
    for path in (tmp_path / "with" / keys_of).iterdir():
        path.rename(tmp_path / "without" / keys_of / path.name)
    assert SecretStore(tmp_path / "without").held(scope) == held


def test_a_restored_ledger_goes_on_with_live_environments_halted(
    source: Backup, tmp_path: Path, root: Path
) -> None:
    source.take(tmp_path / "backup.tar", NOW, keys=False)
    house = restored(tmp_path, root, tmp_path / "backup.tar")
    ledger = Ledger.examine(house.ledger, house.anchor)
    lines = ledger.read().lines
    assert ledger.verify().broken is None
    ledger.close()

    (halted,) = (line.entry for line in lines if isinstance(line.entry, Halted))
    assert (halted.environment, halted.strategy, halted.by) == ("sandbox", "*", "restore")
    assert "2026-11-21 12:00 UTC" in halted.reason


def test_who_is_restored_is_called_otherwise_in_the_same_folder_too(
    source: Backup, tmp_path: Path, root: Path
) -> None:
    source.take(tmp_path / "backup.tar", NOW, keys=False)
    before = holder(source.house)
    source.house.home.rename(tmp_path / "aside")
    names = {before}
    for turn in range(2):
        house = restored(tmp_path, root, tmp_path / "backup.tar", "old")
        names.add(holder(house))
        house.home.rename(tmp_path / f"aside-{turn}")
    assert len(names) == 3


@pytest.mark.parametrize("name", ["ledger.sqlite", "x"])
def test_a_home_that_is_not_empty_is_left_as_it_is(
    source: Backup, tmp_path: Path, root: Path, name: str
) -> None:
    source.take(tmp_path / "backup.tar", NOW, keys=False)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / name).write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        restored(tmp_path, root, tmp_path / "backup.tar")
    assert [path.read_text() for path in (tmp_path / "new").iterdir()] == ["mine"]


def test_a_file_that_is_there_is_not_replaced(source: Backup, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_text("older")
    with pytest.raises(BadInput, match="is there already"):
        source.take(tmp_path / "backup.tar", NOW, keys=False)
    assert (tmp_path / "backup.tar").read_text() == "older"


def test_a_ledger_that_is_broken_or_was_cut_is_not_backed_up(
    source: Backup, tmp_path: Path
) -> None:
    source.house.anchor.write_text('{"count":99,"digest":"' + "0" * 64 + '"}')
    with pytest.raises(CannotTell, match="is missing: there were 99 entries"):
        source.take(tmp_path / "backup.tar", NOW, keys=False)
    assert not (tmp_path / "backup.tar").exists()
    assert left(tmp_path) == []


def test_without_a_ledger_there_is_nothing_to_back_up(tmp_path: Path, root: Path) -> None:
    house = House(tmp_path / "none")
    source = Backup(house, house.ledger, root / "environments" / "demo", "old")
    with pytest.raises(BadInput, match="there is no ledger"):
        source.take(tmp_path / "backup.tar", NOW, keys=False)
    assert list(tmp_path.iterdir()) == []


Tamper = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def rewritten(file: Path, tamper: Tamper) -> None:
    """The same backup, with its members changed."""
    with tarfile.open(file) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    tamper(members)
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
        for member, content in members:
            if member.isreg():
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def changed_database(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    at = next(n for n, (m, _) in enumerate(members) if m.name == BOTS)
    members[at] = members[at][0], members[at][1].replace(b"CREATE", b"create", 1)


def one_more(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.append((tarfile.TarInfo("zzz"), b"more"))


def one_less(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.pop()


def a_link(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    at = next(n for n, (m, _) in enumerate(members) if m.name == BOTS)
    member = members[at][0]
    member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
    members[at] = member, b""


def swapped(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[1], members[2] = members[2], members[1]


def told_elsewhere(members: list[tuple[tarfile.TarInfo, bytes]], path: str) -> None:
    tree = json.loads(members[0][1])
    tree["parts"][0]["path"] = members[1][0].name = path
    members[0] = members[0][0], json.dumps(tree).encode()


def a_way_out(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    told_elsewhere(members, "../../etc/cron.d/x")


def hidden_keys(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    told_elsewhere(members, "keys/host.pem")


def another_head(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    tree = json.loads(members[0][1])
    tree["head"]["digest"] = "0" * 64
    members[0] = members[0][0], json.dumps(tree).encode()


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (changed_database, f"{BOTS}: is not what was backed up"),
        (one_more, "'zzz', which its manifest does not name"),
        (one_less, "is missing, there is nothing"),
        (a_link, f"{BOTS}: is missing, there is"),
        (swapped, "is missing, there is"),
        (a_way_out, "manifest.json: parts.0.path: string should match pattern"),
        (hidden_keys, "keys: says other than the parts"),
        (another_head, "does not end where the manifest says"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_and_nothing_is_written(
    source: Backup, tmp_path: Path, root: Path, tamper: Tamper, told: str
) -> None:
    file = tmp_path / "backup.tar"
    source.take(file, NOW, keys=False)
    rewritten(file, tamper)
    with pytest.raises(Refused) as error:
        restored(tmp_path, root, file)
    assert told in error.value.message
    assert not (tmp_path / "new").exists()
    assert left(tmp_path) == []


@pytest.mark.parametrize("keep", [0, 100, 600, 5000, -12000])
def test_a_part_of_a_backup_is_none(source: Backup, tmp_path: Path, root: Path, keep: int) -> None:
    file = tmp_path / "backup.tar"
    source.take(file, NOW, keys=False)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(Refused):
        restored(tmp_path, root, file)
    assert not (tmp_path / "new").exists()


def test_no_file_and_no_backup_are_told_apart(tmp_path: Path, root: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        restored(tmp_path, root, tmp_path / "backup.tar")
    (tmp_path / "backup.tar").write_text("hello")
    with pytest.raises(Refused, match="is no backup"):
        restored(tmp_path, root, tmp_path / "backup.tar")


def test_a_restored_home_can_be_backed_up_again(source: Backup, tmp_path: Path, root: Path) -> None:
    source.take(tmp_path / "1.tar", NOW, keys=True)
    house = restored(tmp_path, root, tmp_path / "1.tar")
    again = replace(source, house=house, ledger=house.ledger, holder=holder(house))
    manifest = again.take(tmp_path / "2.tar", NOW, keys=True)
    third = restored(tmp_path, root, tmp_path / "2.tar", "third")
    assert manifest.head.count == source.take(tmp_path / "0.tar", NOW, keys=True).head.count + 1
    assert rows(third.home / BOTS) == [(7,)]


def test_a_database_that_stays_locked_is_told_and_leaves_no_backup(
    source: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PATIENCE_SECONDS", 0.3)
    with closing(sqlite3.connect(source.house.home / BOTS)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CannotTell, match=r"live.sqlite: "):
            source.take(tmp_path / "backup.tar", NOW, keys=False)
    assert not (tmp_path / "backup.tar").exists()


def test_what_a_killed_bot_left_half_written_is_undone_in_the_copy(tmp_path: Path) -> None:
    """Its journal lies beside the database: reading without it would mix old and new."""
    file, pages = tmp_path / "live.sqlite", 4000
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE trades (id INTEGER, note TEXT)")
        rows_ = [(number, "x" * 500) for number in range(pages)]
        database.executemany("INSERT INTO trades VALUES (?, ?)", rows_)
        database.commit()
    if (pid := os.fork()) == 0:
        database = sqlite3.connect(file)
        database.execute("PRAGMA cache_size = 5")
        database.execute("UPDATE trades SET id = -1, note = 'half'")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert (tmp_path / "live.sqlite-journal").exists()

    snapshot.snapshot(file, tmp_path / "copy.sqlite")

    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        assert copy.execute("SELECT COUNT(*) FROM trades WHERE id >= 0").fetchone() == (pages,)


def test_one_who_is_still_at_work_is_left_alone_and_a_dead_one_is_swept(tmp_path: Path) -> None:
    dead = tmp_path / ".it.making-dead"
    dead.mkdir()
    with staging(tmp_path / "it") as first, staging(tmp_path / "it") as second:
        assert first.exists()
        assert second.exists()
        assert first != second
        assert not dead.exists()
    assert list(tmp_path.iterdir()) == []


def killed_at(step: int, deed: Callable[[], object]) -> bool:
    """Do it in a fork that is killed with -9 at a step; True when it came so far."""
    if (pid := os.fork()) == 0:
        steps = Steps()
        sys.addaudithook(steps.hook)
        steps.last = step
        code = 0
        try:
            deed()
        except SluiceError:
            code = 1
        finally:
            os._exit(code)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return ended != 0


def test_a_backup_that_is_killed_at_any_step_is_whole_or_not_there(
    source: Backup, tmp_path: Path, root: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    step = 0
    while killed_at(step := step + 1, lambda: source.take(folder / "b.tar", NOW, keys=True)):
        if (folder / "b.tar").exists():
            archive.verify(folder / "b.tar")
            (folder / "b.tar").unlink()
    assert step > 15
    assert [path.name for path in folder.iterdir()] == ["b.tar"], "what was left is swept"
    restored(tmp_path, root, folder / "b.tar")


def test_a_restore_that_is_killed_at_any_step_leaves_all_or_nothing(
    source: Backup, tmp_path: Path, root: Path
) -> None:
    manifest = source.take(tmp_path / "b.tar", NOW, keys=True)
    places = tmp_path / "places"
    places.mkdir()
    step = 0
    while killed_at(step := step + 1, lambda: restored(places, root, tmp_path / "b.tar")):
        if (there := places / "new").exists():
            assert_whole(there, manifest)
            there.rename(tmp_path / f"whole-{step}")
    assert step > 30
    assert [path.name for path in places.iterdir()] == ["new"], "what was left is swept"
    assert_whole(places / "new", manifest)


def assert_whole(home: Path, manifest: Manifest) -> None:
    """Everything is as it was; only the ledger has gone on, by its halt."""
    for part in manifest.parts:
        if not part.path.startswith("ledger."):
            assert sha256((home / part.path).read_bytes()) == part.digest
    house = House(home)
    ledger = Ledger.examine(house.ledger, house.anchor)
    assert ledger.verify().broken is None
    assert ledger.head().count == manifest.head.count + 1
    ledger.close()
    assert (home / RESTORED).exists()
