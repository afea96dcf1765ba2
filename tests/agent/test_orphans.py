"""A lost answer to an entry, with a real live bot: found, halted, imported or closed."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from pipelines.errors import BadInput, ExitCode
from runner.exchange.messages import BookedOrder
from tests.agent.conftest import Lay
from tests.agent.live import CALM, Live, live_in_sandbox

pytestmark = pytest.mark.freqtrade

MOST_TICKS = 2


@pytest.fixture(scope="module")
def live(lay: Lay) -> Iterator[Live]:
    with live_in_sandbox(lay) as found:
        yield found


@pytest.fixture(scope="module")
def lost(live: Live) -> BookedOrder:
    """An entry was accepted, and its answer lost."""
    live.step_to(CALM)
    live.train.exchange.fault("lost_answer", times=1, account="sandbox", side="BUY")
    live.step_until(live.unknown)
    (order,) = live.unknown()
    return order


@pytest.fixture(scope="module")
def found(live: Live, lost: BookedOrder) -> str:
    """The agent looked twice."""
    assert live.entries("orphaned") == []
    live.tick(MOST_TICKS)
    (entry,) = live.entries("orphaned")
    return str(entry["orphan"])


def test_two_ticks_after_a_lost_answer_entries_are_halted(
    live: Live, lost: BookedOrder, found: str
) -> None:
    (entry,) = live.entries("orphaned")
    assert (entry["order"], entry["pair"]) == (str(lost.id), f"{lost.base}/USDT")
    assert (entry["environment"], entry["strategy"], entry["side"]) == ("sandbox", "beat", "buy")
    assert Decimal("0.99") * lost.executed < Decimal(entry["amount"]) <= lost.executed
    (halted,) = live.entries("halted")
    assert (halted["by"], halted["strategy"]) == ("agent", "beat")
    assert live.train.strategy("sandbox").phase == "halted"
    (alert,) = [a for a in live.money() if found in a.text]
    assert (alert.environment, alert.strategy) == ("sandbox", "beat")


def test_nothing_is_opened_any_more_and_it_is_told_once(live: Live, found: str) -> None:
    bought = [order for order in live.book.orders if order.side == "BUY"]
    live.train.step(5)
    assert [order for order in live.book.orders if order.side == "BUY"] == bought
    assert (len(live.entries("orphaned")), len(live.entries("halted"))) == (1, 1)
    listed = live.train.sluice("orphan", "list")
    assert listed.returncode == 0, listed.stderr
    assert found in listed.stdout
    assert "sandbox beat" in listed.stdout


@pytest.fixture(scope="module")
def imported(live: Live, found: str) -> str:
    live.step_to(CALM)
    ended = live.train.sluice("orphan", "import", found)
    assert ended.returncode == 0, ended.stderr + live.train.told()
    assert ended.stdout.splitlines() == [f"imported {found}", "next: sluice resume sandbox beat"]
    return found


def test_an_imported_orphan_is_a_trade_like_any_other_with_its_stop(
    live: Live, lost: BookedOrder, imported: str
) -> None:
    live.train.until_phase("sandbox", "halted")
    live.step_until(lambda: any(stop.base == lost.base for stop in live.stops()), minutes=5)
    ((number, _),) = live.trades_of(str(lost.id))
    (trade,) = [each for each in live.open_trades() if each.id == number]
    assert Decimal("0.99") * lost.executed < Decimal(repr(trade.amount)) <= lost.executed
    assert trade.open_rate == pytest.approx(float(lost.quote / lost.executed))
    assert (trade.fee_open, trade.fee_open_currency) == (pytest.approx(0.001, rel=0.02), lost.base)
    (stop,) = [each for each in live.stops() if each.base == lost.base]
    # All of it, but for what is less than a lot.
    assert Decimal("0.998") < stop.quantity / Decimal(repr(trade.amount)) <= 1
    assert str(stop.id) in {order.order_id for order in live.known.orders}
    assert stop.stop_price == pytest.approx(
        Decimal(repr(trade.open_rate * 0.8)), rel=Decimal("0.01")
    )
    assert live.database.with_name(f"before-{imported}.sqlite").exists()


def test_its_bot_sells_it_and_the_books_agree(live: Live, lost: BookedOrder, imported: str) -> None:
    live.step_until(lambda: live.trades_of(str(lost.id))[0][1] == 0)
    assert live.book.balances[lost.base] < Decimal("0.001") * lost.executed + Decimal("0.0001")
    live.tick(MOST_TICKS + 1)
    assert live.orphans() == []
    assert [(each["orphan"], each["how"]) for each in live.entries("settled")] == [
        (imported, "imported")
    ]
    assert len(live.entries("orphaned")) == 1


def test_a_closed_orphan_is_sold_once_though_the_answer_to_that_was_lost(live: Live) -> None:
    live.resume()
    order = live.plant()
    live.tick(MOST_TICKS)
    (orphan,) = live.orphans()
    assert orphan["order"] == order
    sold = [each for each in live.book.orders if each.side == "SELL"]
    live.train.exchange.fault("lost_answer", times=1, account="sandbox", side="SELL")
    told = live.ask("orphan-close", orphan["orphan"])
    assert told["how"] == "closed"
    (sale,) = [each for each in live.book.orders if each.side == "SELL"][len(sold) :]
    assert sale.executed == sale.quantity
    assert Decimal(told["left"]) < Decimal("0.0001")
    live.tick(MOST_TICKS + 1)
    assert live.orphans() == []
    with pytest.raises(BadInput, match="no orphan"):
        live.ask("orphan-close", orphan["orphan"])


def test_an_agent_that_is_killed_in_the_middle_of_an_import_leaves_one_trade(live: Live) -> None:
    live.step_to(CALM)
    order = live.plant("BTC/USDT")
    live.tick(MOST_TICKS)
    (orphan,) = live.orphans()
    train, lock = live.train, live.train.house.lock("sandbox", "beat")
    argv = [sys.executable, "-m", "pipelines.cli", "--root", str(train.project), "--home"]
    argv += [str(train.home), "orphan", "import", orphan["orphan"]]
    asking = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    copy = live.database.with_name(f"before-{orphan['orphan']}.sqlite")
    train.until(lambda: copy.exists() or not lock.held())
    train.kill()
    asking.communicate()
    assert asking.returncode == ExitCode.AGENT_UNREACHABLE

    train.start()
    train.strategy("sandbox")
    live.minutes()
    train.until_phase("sandbox", "halted")
    if live.orphans():
        live.ask("orphan-import", orphan["orphan"])
        train.until_phase("sandbox", "halted")
    assert len(live.trades_of(order)) == 1
    live.step_until(lambda: [s for s in live.stops() if s.base == "BTC"], minutes=5)
    live.tick(MOST_TICKS + 1)
    assert live.orphans() == []
    assert {each["how"] for each in live.entries("settled")} == {"imported", "closed"}
