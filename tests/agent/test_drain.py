"""What has to go drains: it opens nothing, looks after what is open, and is never taken over."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pipelines.adapters.agent import StrategyStatus
from pipelines.domain.release import Release
from runner.agent import owners, records
from runner.agent.trades import book, closed_since, open_trades
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

MOST_HOURS = 12


def stepped_until(train: Train, open_: bool, environment: str = "test") -> StrategyStatus:
    """The bot, once it has open trades, or none."""
    for _ in range(MOST_HOURS):
        there = train.strategy(environment)
        if bool(there.open_trades) is open_:
            return there
        train.step(1)
    raise AssertionError(train.told())


def state(train: Train, environment: str, seat: str = "beat") -> str:
    """What freqtrade itself says: running, paused or stopped."""
    record = records.load(train.house.record(environment, seat))
    assert record is not None
    return record.rest.shown().state


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """An agent whose test, on paper, runs beat 1.0.0, verified, with open trades."""
    with lay() as laid:
        laid.start()
        laid.want("test", laid.release("1.0.0"))
        laid.until_phase("test", "running")
        stepped_until(laid, open_=True)
        yield laid


@pytest.fixture(scope="module")
def old(train: Train) -> Release:
    return train.release("1.0.0")


@pytest.fixture(scope="module")
def new(train: Train) -> Release:
    return train.release("1.1.0")


@pytest.fixture(scope="module")
def rebooted(train: Train, old: Release, new: Release) -> StrategyStatus:
    """Between a promotion and the switch, the machine lost its power."""
    owner = owners.load(train.house.owner("test", "beat"))
    assert owner is not None
    assert owner.promotion.digest == old.digest
    train.reboot()
    train.want("test", new)
    train.start()
    train.exchange.step(minutes=1)
    return train.until_phase("test", "draining")


def test_after_a_reboot_the_release_that_opened_the_trades_looks_after_them(
    train: Train, rebooted: StrategyStatus, old: Release, new: Release
) -> None:
    """Nothing but the owner's document tells whose they are: the new one would take them over."""
    assert (rebooted.running, rebooted.desired) == (str(old.id), str(new.id))
    assert rebooted.open_trades
    assert rebooted.decision.startswith("open trades")
    assert state(train, "test") == "paused"


def test_a_drained_bot_stays_paused_when_it_reads_its_configuration_again(
    train: Train, rebooted: StrategyStatus
) -> None:
    """freqtrade reads standard input again then, where it was told to run."""
    reloaded(train)
    assert state(train, "test") == "paused"
    assert train.strategy("test").phase == "draining"


def reloaded(train: Train) -> None:
    """The bot in test has read its configuration again, and is at work."""
    log = train.home / "bots" / "demo.test" / "beat" / "log"
    before = log.read_text().count("Changing state from RELOAD_CONFIG")
    record = records.load(train.house.record("test", "beat"))
    assert record is not None
    record.rest.reload()
    train.exchange.step(minutes=1)
    train.until(
        lambda: log.read_text().count("Changing state from RELOAD_CONFIG") > before, seconds=60
    )


def test_a_drained_bot_that_is_killed_comes_back_drained(
    train: Train, rebooted: StrategyStatus, old: Release
) -> None:
    before = open_trades(train.database("test"))
    assert before
    train.end_bot(train.house.lock("test", "beat"))
    train.until_phase("test", "failed")
    train.exchange.step(minutes=1)
    there = train.until_phase("test", "draining")
    assert (there.running, there.open_trades) == (str(old.id), before)
    assert state(train, "test") == "paused"


@pytest.fixture(scope="module")
def switched(train: Train, rebooted: StrategyStatus, new: Release) -> StrategyStatus:
    """Hours later: what was open is closed by the release that opened it."""
    ids = book(train.database("test"))
    assert ids is not None
    stepped_until(train, open_=False)
    after = book(train.database("test"))
    assert after is not None
    assert after.ids == ids.ids, "nothing was opened while it drained"
    return train.until_running("test", new)


def test_when_its_trades_are_closed_the_next_release_starts_and_trades(
    train: Train, switched: StrategyStatus, new: Release
) -> None:
    assert (switched.running, switched.phase) == (str(new.id), "running")
    assert state(train, "test") == "running"
    assert stepped_until(train, open_=True).healthy
    owner = owners.load(train.house.owner("test", "beat"))
    assert owner is not None
    assert owner.promotion.digest == new.digest


def test_a_retired_bot_drains_and_ends_when_it_is_flat(
    train: Train, switched: StrategyStatus, new: Release
) -> None:
    stepped_until(train, open_=True)
    assert train.sluice("retire", "test", "beat").returncode == 0
    there = train.until_phase("test", "draining")
    assert (there.desired, there.running) == (None, str(new.id))
    reloaded(train)
    assert state(train, "test") == "paused", "it was started to run, and is told so again"
    for _ in range(MOST_HOURS):
        if not train.house.lock("test", "beat").held():
            break
        train.step(1)
    assert open_trades(train.database("test")) == 0
    assert not train.house.owner("test", "beat").exists()
    assert closed_since(train.database("test"), train.exchange.now - timedelta(days=9))
