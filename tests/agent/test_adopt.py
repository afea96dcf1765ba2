"""A release takes the open trades of another over, forwards and back, with real orders."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from pipelines.domain.promotion import Kind, Risk
from pipelines.domain.release import Release
from runner.agent.copies import MOST_COPIES
from runner.agent.trades import Book, book
from runner.exchange import remote
from tests.agent.conftest import Lay
from tests.agent.handing import HOLD, LOOSER, STRANGER
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

Before = tuple[Book, dict[str, Decimal], int]

ADOPTS = {"handover": "adopt"}
DIES = HOLD + "\n    def bot_start(self, **kwargs):\n        import os\n        os._exit(3)\n"


def trades(train: Train) -> Book:
    found = book(train.database("sandbox"))
    assert found is not None
    return found


def stops(train: Train) -> dict[str, Decimal]:
    """The stops that rest at the exchange, by symbol: one for each position."""
    orders = remote.book(train.exchange.ready, "key").orders
    resting = [o for o in orders if o.standing == "NEW" and o.kind == "STOP_LOSS_LIMIT"]
    assert len({o.base for o in resting}) == len(resting), "never two stops for one position"
    return {order.base: order.stop_price for order in resting}


def fills(train: Train) -> int:
    return len(remote.book(train.exchange.ready, "key").fills)


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """A live bot in sandbox that holds two positions, with their stops at the exchange."""
    with lay() as laid:
        laid.secret("sandbox")
        laid.declare("sandbox", handover={"way": "adopt"})
        laid.start()
        laid.want("sandbox", laid.release("1.0.0", HOLD, **ADOPTS))
        laid.until_phase("sandbox", "running")
        for _ in range(8):
            laid.step(1)
            held = trades(laid).open
            if len(held) == 2 and all(each.stops for each in held):
                break
        assert len(stops(laid)) == 2, laid.told()
        yield laid


@pytest.fixture(scope="module")
def old(train: Train) -> Release:
    return train.release("1.0.0", HOLD, **ADOPTS)


@pytest.fixture(scope="module")
def new(train: Train) -> Release:
    return train.release("1.1.0", HOLD, **ADOPTS)


@pytest.fixture(scope="module")
def adopted(train: Train, old: Release, new: Release) -> Before:
    """The next release was promoted over open trades; what there was before."""
    before = trades(train), stops(train), fills(train)
    train.want("sandbox", new)
    train.until_running("sandbox", new)
    return before


@pytest.fixture(scope="module")
def back(train: Train, adopted: Before, old: Release) -> Release:
    """And rolled back, over the same trades."""
    train.want("sandbox", old, Kind.ROLLBACK)
    train.until_running("sandbox", old)
    return old


def test_the_next_release_has_the_same_trades_and_the_same_stops(
    train: Train, adopted: Before
) -> None:
    found, resting, filled = adopted
    assert [each.id for each in trades(train).open] == [each.id for each in found.open]
    assert stops(train) == resting
    assert fills(train) == filled, "nothing was bought or sold"


def test_the_database_was_copied_before(train: Train, adopted: Before, old: Release) -> None:
    copies = list(train.house.copies("sandbox", "beat").iterdir())
    assert 1 <= len(copies) <= MOST_COPIES
    first = min(copies)
    assert first.name.endswith(f"-{old.id}.sqlite")
    kept = book(first)
    assert kept is not None
    assert kept.open == adopted[0].open


def test_a_rollback_takes_the_trades_back(train: Train, adopted: Before, back: Release) -> None:
    """The other direction: the old release adopts what the new one has."""
    assert (stops(train), fills(train)) == adopted[1:]


def test_what_would_loosen_a_stop_is_refused_with_its_reason_and_the_old_one_drains(
    train: Train, back: Release
) -> None:
    before = stops(train)
    train.want("sandbox", train.release("1.2.0", LOOSER, **ADOPTS))
    there = train.until_phase("sandbox", "draining")
    there = train.strategy("sandbox")
    assert there.running == str(back.id)
    assert there.decision.startswith("its open trades must not be taken over")
    assert there.decision.count(f"({Risk.LOOSER_STOP})") == 2
    train.step(1)
    assert stops(train) == before


def test_an_unknown_entry_tag_is_refused_too(train: Train, back: Release) -> None:
    train.want("sandbox", train.release("1.3.0", STRANGER, **ADOPTS))
    there = train.strategy("sandbox")
    assert there.phase == "draining"
    assert there.decision.count(f"its entry tag even is none of other ({Risk.UNKNOWN_TRADE})") == 2


def test_what_was_signed_for_is_done(train: Train, back: Release) -> None:
    looser = train.release("1.2.0", LOOSER, **ADOPTS)
    before = {each.id: each.stop for each in trades(train).open}
    train.want("sandbox", looser, accepts=(Risk.LOOSER_STOP,))
    train.until_running("sandbox", looser)
    after = {each.id: each.stop for each in trades(train).open}
    assert all(after[number] < before[number] for number in before), "as was foretold"
    assert len(stops(train)) == 2


def test_a_release_that_dies_over_the_trades_it_took_loses_them_to_the_one_before(
    train: Train, back: Release
) -> None:
    bad = train.release("2.0.0", DIES, **ADOPTS)
    before = train.strategy("sandbox").desired
    train.want("sandbox", bad, accepts=(Risk.LOOSER_STOP,))

    def given_up() -> bool:
        train.exchange.step(minutes=11)
        there = train.strategy("sandbox")
        return there.desired == before and there.phase == "running"

    train.until(given_up)
    assert len(trades(train).open) == len(stops(train)) == 2
    (told,) = (e for e in train.entries() if e.get("automatic"))
    assert told["kind"] == "rollback"
