"""Homes and ledgers: one agent for each home, one that trades live for each ledger."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from runner.agent.house import House
from tests.agent.conftest import Lay
from tests.agent.train import Train, laid
from tests.exchange.running import Running

pytestmark = pytest.mark.freqtrade


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """A live bot in sandbox, and an agent with a narrow umask, as services often have."""
    with lay() as train:
        train.secret("sandbox")
        train.want("sandbox", train.release())
        before = os.umask(0o077)
        try:
            train.start()
        finally:
            os.umask(before)
        train.until_phase("sandbox", "running")
        yield train


def test_a_narrow_umask_keeps_no_bot_from_what_it_needs(train: Train) -> None:
    there = train.strategy("sandbox")
    assert (there.verified, there.healthy) == (True, True)
    folder = train.home / "bots" / "demo.sandbox" / "beat"
    assert (folder / "live.sqlite").exists()
    assert (train.home / "ledger.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command", ["run", "once", "plan"])
def test_a_second_agent_with_this_home_refuses(train: Train, command: str) -> None:
    pid = train.pid("sandbox")
    with train.agent(command) as second:
        try:
            assert second.wait(60) == ExitCode.CANNOT_TELL
        finally:
            second.kill()
    assert "another agent runs with this home" in train.log
    assert train.strategy("sandbox").healthy
    assert train.pid("sandbox") == pid


@pytest.fixture
def other(train: Train, root: Path, stepped: Running, tmp_path: Path) -> Iterator[Train]:
    """Another home, as after a restore on another machine, with the same ledger."""
    other = laid(root, tmp_path, stepped)
    other.home.mkdir()
    shutil.copytree(train.home / "releases", other.home / "releases")
    shutil.copy(train.project / "environments/demo/trust.yaml", other.project / "environments/demo")
    other.secret("sandbox")
    yield other
    other.close()


def test_two_homes_with_one_ledger_start_one_live_bot(train: Train, other: Train) -> None:
    other.ledger = train.house.ledger
    other.start()
    there = other.strategy("sandbox")

    assert there.decision == "another agent may trade live"
    assert (there.running, there.phase) == (None, "absent")
    assert not House(other.home).lock("sandbox", "beat").held()
    assert any("holds the lease" in alert.text for alert in other.alerts())

    train.kill()
    train.exchange.step(hours=1)
    there = other.strategy("sandbox")
    assert there.running is None, "the other's bot may still trade, and it does"
    assert train.house.lock("sandbox", "beat").held()
    assert any("nobody said that it is off" in alert.text for alert in other.alerts())
    other.round()
    other.round()
    told = {each["entry"] for each in train.entries()}
    assert not told & {"orphaned", "halted"}, "what the other's bot bought is no orphan"
    train.start()
    assert train.strategy("sandbox").healthy


def test_a_ledger_that_was_cut_is_followed_by_nobody(train: Train, tmp_path: Path) -> None:
    """What was restored from an older copy says so, and the bot goes on as it is."""
    pid = train.pid("sandbox")
    train.stop()
    train.home.joinpath("ledger.head").write_text('{"count":999,"digest":"' + "0" * 64 + '"}')
    ended = train.agent("once")

    assert ended.wait(60) == ExitCode.CANNOT_TELL
    assert "error: ledger: " in train.log
    assert train.pid("sandbox") == pid

    train.home.joinpath("ledger.head").unlink()
    train.start()
    assert train.strategy("sandbox").healthy


def test_a_record_that_is_gone_ends_the_bot_and_starts_it_anew(train: Train) -> None:
    """Nobody could reach it any more: not to halt it, not to read it back."""
    pid = train.pid("sandbox")
    train.kill()
    train.house.record("sandbox", "beat").write_text("{")
    train.start()
    train.exchange.step(minutes=1)
    train.until(lambda: train.strategy("sandbox").phase in ("running", "paused"))
    # With open trades it has to have looked after them once.
    train.step(1)

    there = train.until_phase("sandbox", "running")

    assert there.verified
    assert train.pid("sandbox") != pid
    assert not Path(f"/proc/{pid}").exists() or zombie(pid)


def zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_bot_that_does_not_answer_is_ended_all_the_same(train: Train) -> None:
    """It would stay for ever otherwise, whatever is wanted."""
    for _ in range(12):
        if train.strategy("sandbox").open_trades == 0:
            break
        train.step(1)
    record = train.house.record("sandbox", "beat")
    told = json.loads(record.read_text())
    record.write_text(json.dumps({**told, "port": 9}))
    assert train.sluice("retire", "sandbox", "beat").returncode == 0

    lock = train.house.lock("sandbox", "beat")
    train.until(lambda: train.round() and not lock.held(), 60)

    assert not record.exists()
