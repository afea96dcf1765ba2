"""Two bots side by side, each with its account, and a move to another host."""

from collections.abc import Iterator

import pytest

from pipelines.domain.release import Release
from runner.agent.trades import book, open_trades
from runner.exchange import remote
from tests.agent.conftest import Lay
from tests.agent.handing import HOLD
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

BESIDE = {"handover": "side_by_side"}
PATIENT = HOLD.replace(
    'dataframe["exit_long"] = 0',
    'dataframe["exit_long"] = (dataframe["date"].dt.hour % 8 == 7) * 1',
)
"""Sells once in eight hours."""


def held(train: Train, key: str) -> dict[str, bool]:
    """Which coins an account has, and whether a stop rests for each."""
    told = remote.book(train.exchange.ready, key)
    bought = {o.base: o.executed for o in told.orders if o.side == "BUY" and o.executed}
    # Fees and rounding leave dust.
    coins = {coin for coin, size in bought.items() if told.balances.get(coin, 0) > size / 10}
    stops = {o.base for o in told.orders if o.standing == "NEW" and o.kind == "STOP_LOSS_LIMIT"}
    return {coin: coin in stops for coin in coins}


def until_held(train: Train) -> None:
    """The bot in test has positions, and no order on its way."""
    for _ in range(12):
        found = book(train.database("test"))
        if found and found.open and all(t.amount and not t.orders for t in found.open):
            return
        train.exchange.step(minutes=30)
        train.round()
    raise AssertionError(train.told())


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """A live bot in sandbox with open trades, whose environment has a second account."""
    with lay() as laid:
        laid.secret("sandbox")
        laid.secret("sandbox", "akey", "as", account="aside")
        laid.declare("sandbox", handover={"way": "side_by_side", "account": "aside"})
        laid.start()
        laid.want("sandbox", laid.release("1.0.0", PATIENT, **BESIDE))
        laid.until_phase("sandbox", "running")
        for _ in range(8):
            laid.step(1)
            if all(held(laid, "key").values()) and held(laid, "key"):
                break
        yield laid


@pytest.fixture(scope="module")
def new(train: Train) -> Release:
    return train.release("1.1.0", PATIENT, **BESIDE)


@pytest.fixture(scope="module")
def beside(train: Train, new: Release) -> Release:
    """The next release, promoted over open trades."""
    train.want("sandbox", new)
    train.until_running("sandbox", new)
    return new


def test_the_next_release_trades_on_its_own_account_while_the_old_one_drains(
    train: Train, beside: Release
) -> None:
    there = train.strategy("sandbox")
    old = train.release("1.0.0", PATIENT, **BESIDE)
    assert (there.running, there.phase, there.decision) == (str(beside.id), "running", "")
    assert there.handover.startswith(f"{old.id} goes, open trades: ")
    assert there.handover.endswith("way: side_by_side")
    assert train.pid("sandbox") != train.pid("sandbox", "beat.2")
    first, second = train.database("sandbox"), train.database("sandbox", "beat.2")
    assert first != second
    before = book(first)
    for _ in range(4):
        train.step(1)
        if held(train, "akey"):
            break
    assert held(train, "akey"), train.told()
    after = book(first)
    assert before is not None
    assert after is not None
    assert after.ids == before.ids, "what drains opens nothing"


def test_the_old_one_ends_when_it_is_flat_and_the_next_swap_goes_back(
    train: Train, beside: Release
) -> None:
    first = train.house.lock("sandbox", "beat")
    for _ in range(10):
        if not first.held():
            break
        train.step(1)
    assert not first.held()
    assert held(train, "key") == {}
    assert train.strategy("sandbox").handover == ""
    for _ in range(8):
        if open_trades(train.database("sandbox", "beat.2")):
            break
        train.step(1)

    back = train.release("1.2.0", PATIENT, **BESIDE)
    train.want("sandbox", back)
    there = train.until_running("sandbox", back)

    assert there.handover.startswith(f"{beside.id} goes")
    assert first.held()
    assert train.house.lock("sandbox", "beat.2").held()


def test_after_a_reboot_both_are_there_again(train: Train, beside: Release) -> None:
    seats = [seat for seat in ("beat", "beat.2") if open_trades(train.database("sandbox", seat))]
    assert "beat.2" in seats
    train.reboot()
    train.start()
    train.until(lambda: train.round() and train.house.lock("sandbox", "beat.2").held())
    there = train.strategy("sandbox")
    assert there.handover.startswith(f"{beside.id} goes")
    train.until(lambda: train.house.lock("sandbox", "beat").held())


def test_when_its_environment_moves_to_another_host_a_bot_drains_and_ends(train: Train) -> None:
    paper = train.release("3.0.0", PATIENT)
    train.want("test", paper)
    train.until_running("test", paper)
    until_held(train)
    ids = book(train.database("test"))
    train.declare("test", host="elsewhere")
    lock = train.house.lock("test", "beat")
    train.round()
    assert lock.held(), "never ended over its trades"
    for _ in range(12):
        if not lock.held():
            break
        train.step(1)
    assert not lock.held(), "never left running unowned"
    assert open_trades(train.database("test")) == 0
    after = book(train.database("test"))
    assert ids is not None
    assert after is not None
    assert after.ids == ids.ids


def test_at_the_deadline_it_is_closed_at_the_market(train: Train) -> None:
    """Also what nobody wants any more: the retirement is when its time begins."""
    train.declare(
        "test",
        host="demo",
        handover={"way": "drain", "deadline": {"hours": 2}, "then": "close_at_market"},
    )
    keeps = train.release("4.0.0", HOLD)
    train.want("test", keeps)
    train.until_running("test", keeps)
    until_held(train)
    assert train.sluice("retire", "test", "beat").returncode == 0
    lock = train.house.lock("test", "beat")
    train.step(1)
    assert lock.held()
    assert open_trades(train.database("test"))

    train.step(2)
    train.until(lambda: train.round() and not lock.held())

    assert open_trades(train.database("test")) == 0
    assert any("closed at the market" in alert.text for alert in train.alerts("warning"))
