"""Restoring with real bots: the old host still trades, and nobody else does before it is off."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from runner.agent import archive
from runner.agent.trades import open_trades
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

LIVE = "bots/demo.sandbox/beat/live.sqlite"
MOST_HOURS = 12


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


def command(train: Train, *words: str) -> Ended:
    """`sluice-agent …`, which writes nothing into the home by itself."""
    argv = [sys.executable, "-m", "runner.agent", *train.arguments, *words]
    ended = subprocess.run(
        argv, cwd=train.project, capture_output=True, text=True, timeout=240, check=False
    )
    return Ended(ended.returncode, ended.stdout + ended.stderr)


def trades(home: Path) -> list[tuple[int, str, int]]:
    with closing(sqlite3.connect(f"{(home / LIVE).as_uri()}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute("SELECT id, pair, is_open FROM trades ORDER BY id").fetchall()


def stepped_until(train: Train, open_: bool) -> None:
    for _ in range(MOST_HOURS):
        if bool(train.strategy("sandbox").open_trades) is open_:
            return
        train.step(1)
    raise AssertionError(train.told())


@pytest.fixture(scope="module")
def old(lay: Lay) -> Iterator[Train]:
    """A live bot in sandbox that has traded, and its agent."""
    with lay() as train:
        train.secret("sandbox")
        train.want("sandbox", train.release())
        train.start()
        train.until_phase("sandbox", "running")
        stepped_until(train, open_=True)
        yield train


@pytest.fixture(scope="module")
def busy(old: Train, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Backups that were taken while the bot opened and closed trades."""
    folder = tmp_path_factory.mktemp("busy")
    files = []
    for number in range(4):
        files.append(folder / f"{number}.tar")
        argv = [sys.executable, "-m", "runner.agent", *old.arguments, "backup", str(files[-1])]
        with subprocess.Popen(argv, cwd=old.project, stdout=subprocess.DEVNULL) as taking:
            old.step(1)
            assert taking.wait(120) == 0
    return files


@pytest.fixture(scope="module")
def file(old: Train, busy: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup from a moment without open trades."""
    stepped_until(old, open_=False)
    file = tmp_path_factory.mktemp("backup") / "backup.tar"
    ended = command(old, "backup", str(file))
    assert ended.code == ExitCode.DONE, ended.said
    assert "1 databases of bots" in ended.said
    assert "no keys inside" in ended.said
    return file


@pytest.fixture(scope="module")
def new(old: Train, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Train]:
    """Another home out of the backup, while the old agent and its bot go on."""
    home = tmp_path_factory.mktemp("other") / "home"
    train = Train(old.project, home, old.exchange, old.key)
    ended = command(train, "restore", str(file))
    assert ended.code == ExitCode.DONE, ended.said
    assert "sandbox: opens no trades until 'sluice resume sandbox'" in ended.said
    assert "the keys that open them were not in the backup" in ended.said
    yield train
    train.close()


def test_what_is_copied_while_bots_trade_is_whole(
    old: Train, busy: list[Path], tmp_path: Path
) -> None:
    counted = []
    for number, file in enumerate(busy):
        folder = tmp_path / str(number)
        archive.extract(file, folder, archive.verify(file))
        counted.append(len(trades(folder)))
    assert counted == sorted(counted)
    assert counted[-1] >= 1
    assert old.strategy("sandbox").healthy


def test_keys_come_along_only_for_who_names_the_danger(old: Train, tmp_path: Path) -> None:
    ended = command(old, "backup", str(tmp_path / "b.tar"), "--with-keys")
    assert ended.code == ExitCode.BAD_INPUT
    assert "whoever reads such a file can trade with your accounts" in ended.said
    assert list(tmp_path.iterdir()) == []

    words = ("--with-keys", "--whoever-reads-it-can-trade")
    ended = command(old, "backup", str(tmp_path / "b.tar"), *words)
    assert ended.code == ExitCode.DONE
    assert "KEYS INSIDE" in ended.said
    assert archive.verify(tmp_path / "b.tar").keys


def test_nothing_is_restored_where_its_own_bots_still_trade(old: Train, file: Path) -> None:
    """The folder is gone, and with it every lock: nothing else shows that they are there."""
    aside = old.home.with_name("aside")
    pid = old.pid("sandbox")
    old.stop()
    old.home.rename(aside)
    try:
        ended = command(old, "restore", str(file))
        assert ended.code == ExitCode.REFUSED, ended.said
        assert str(pid) in ended.said
        assert not old.home.exists()
    finally:
        aside.rename(old.home)
    old.start()
    assert old.pid("sandbox") == pid


def test_a_restored_agent_starts_no_live_bot_while_the_old_one_trades(
    old: Train, new: Train
) -> None:
    refused = command(new, "fence", "--old-host-is-dead")
    assert refused.code == ExitCode.REFUSED, refused.said
    assert "holds the lease until" in refused.said

    new.start()
    there = new.strategy("sandbox")
    assert (there.decision, there.running) == ("another agent may trade live", None)
    assert not new.house.lock("sandbox", "beat").held()

    # In the copy nobody renews it: that it ran out there says nothing of the old host.
    old.exchange.step(hours=1)
    there = new.strategy("sandbox")
    assert (there.decision, there.running) == ("another agent may trade live", None)
    assert not new.house.lock("sandbox", "beat").held()
    assert any("fence --old-host-is-dead" in alert.text for alert in new.alerts())
    assert old.strategy("sandbox").healthy


def test_only_a_human_says_that_the_old_host_is_dead(old: Train, new: Train) -> None:
    asked = command(new, "fence")
    assert asked.code == ExitCode.BAD_INPUT
    assert "is for you to say" in asked.said
    running = command(new, "fence", "--old-host-is-dead")
    assert running.code == ExitCode.CANNOT_TELL
    assert "an agent runs with this home" in running.said


def test_after_that_it_goes_on_halted_and_trades_when_somebody_has_looked(
    old: Train, new: Train
) -> None:
    stepped_until(old, open_=False)
    before = trades(old.home)
    old.stop()
    old.end_bot(old.house.lock("sandbox", "beat"))
    new.stop()
    ended = command(new, "fence", "--old-host-is-dead")
    assert ended.code == ExitCode.DONE, ended.said

    new.start()
    there = new.strategy("sandbox")
    assert "the key of sandbox is not there" in there.decision
    keys = "secrets/sandbox/keys"
    shutil.copytree(old.home / keys, new.home / keys)

    there = new.until_phase("sandbox", "halted")
    assert there.verified
    kept = trades(new.home)
    assert kept
    assert kept == before[: len(kept)], "what it had traded by the backup"
    new.step(5)
    assert trades(new.home) == kept, "nobody has looked yet"

    assert new.sluice("resume", "sandbox").returncode == 0
    new.until_phase("sandbox", "running")
    new.step(5)
    assert len(trades(new.home)) > len(kept)
    leases = [entry for entry in new.entries() if entry["entry"] == "lease"]
    assert [entry["epoch"] for entry in leases] == [1, 2]
    assert leases[0]["by"] == ""
    assert leases[1]["by"]
    assert open_trades(new.home / LIVE) is not None
