"""Rows of the table of faults that leave a difference, with a real live bot: no false orphan."""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal

import pytest

from runner.exchange import remote
from runner.exchange.core.orders import Standing
from runner.rehearsal.reconciliation import differences
from tests.agent.conftest import Lay
from tests.agent.live import CALM, Live, live_in_sandbox

pytestmark = pytest.mark.freqtrade

TICKS = 3


@pytest.fixture(scope="module")
def live(lay: Lay) -> Iterator[Live]:
    with live_in_sandbox(lay) as found:
        yield found


@pytest.fixture(autouse=True)
def no_fault_is_left(live: Live) -> Iterator[None]:
    yield
    live.train.exchange.clear()


def quiet(live: Live) -> None:
    """Nothing is said: no orphan, no halt, no alert."""
    live.tick(TICKS)
    assert (live.entries("orphaned"), live.entries("halted"), live.money()) == ([], [], [])


def in_a_trade(live: Live) -> None:
    """Trades are open, each with its stop."""
    live.step_to(CALM)
    live.step_until(lambda: len(live.open_trades()) == len(live.stops()) > 0)
    quiet(live)


def out_of_trades(live: Live) -> None:
    live.step_until(lambda: not live.open_trades())
    quiet(live)


def agree(live: Live) -> None:
    assert differences(live.known, remote.book(live.train.exchange.ready, "key")) == ()


def test_an_entry_that_is_filled_in_part_is_no_orphan(live: Live) -> None:
    live.step_to(CALM)
    live.train.exchange.fault("partial_fill", account="sandbox", side="BUY", by=Decimal("0.6"))
    live.step_until(
        lambda: any(
            o.executed and o.standing is Standing.PARTIALLY_FILLED for o in live.book.orders
        )
    )
    quiet(live)
    live.train.step(1)
    quiet(live)
    live.train.exchange.clear()
    out_of_trades(live)
    agree(live)


def test_an_entry_that_is_cancelled_unfilled_is_no_orphan(live: Live) -> None:
    live.step_to(CALM)
    known = {order.id for order in live.book.orders}
    live.train.exchange.step(hours=1)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        live.train.exchange.fault("symbol_halted", symbol=symbol)
    new = [order for order in live.book.orders if order.id not in known]
    assert {(order.side, order.executed) for order in new} == {("BUY", Decimal(0))}
    quiet(live)
    live.train.step(1)
    after = {order.id: order for order in live.book.orders}
    assert {after[order.id].standing for order in new} == {Standing.CANCELED}
    assert {str(order.id) for order in new}.isdisjoint(o.order_id for o in live.known.orders)
    quiet(live)


def test_an_exit_whose_answer_is_lost_is_no_orphan_and_heals(live: Live) -> None:
    in_a_trade(live)
    live.train.exchange.fault("lost_answer", times=1, account="sandbox", side="SELL")
    live.step_until(live.unknown_exits)
    quiet(live)
    out_of_trades(live)


def test_an_exit_that_is_filled_in_part_is_no_difference(live: Live) -> None:
    in_a_trade(live)
    live.train.exchange.fault("partial_fill", account="sandbox", side="SELL", by=Decimal("0.5"))
    live.step_until(
        lambda: any(
            o.side == "SELL" and o.standing is Standing.PARTIALLY_FILLED for o in live.book.orders
        )
    )
    quiet(live)
    live.train.step(1)
    live.train.exchange.clear()
    out_of_trades(live)


def test_a_stop_that_is_cancelled_at_the_exchange_is_put_back_by_its_bot(live: Live) -> None:
    in_a_trade(live)
    stop = live.stops()[0]
    with live.train.exchange.then():
        live.train.exchange.ccxt().cancel_order(str(stop.id), f"{stop.base}/USDT")
    quiet(live)
    live.minutes(5)
    quiet(live)
    assert {each.base for each in live.stops()} == {t.pair[:3] for t in live.open_trades()}
    assert stop.id not in {each.id for each in live.stops()}


def test_a_stop_that_its_bot_cannot_put_back_is_escalated_after_two_turns(live: Live) -> None:
    in_a_trade(live)
    live.train.exchange.fault("rejected_order", account="sandbox", side="SELL", seconds=3000)
    for stop in live.stops():
        with live.train.exchange.then():
            live.train.exchange.ccxt().cancel_order(str(stop.id), f"{stop.base}/USDT")
    quiet(live)
    live.minutes(5)
    quiet(live)
    live.minutes(5)
    live.tick(1)
    told = [alert.text for alert in live.money()]
    assert len(told) == len(live.open_trades()) > 0
    assert all("has no stop at the exchange" in text for text in told)
    assert (live.entries("orphaned"), live.entries("halted")) == ([], [])


def test_a_stop_that_is_filled_while_its_bot_is_dead_is_nothing_to_tell(live: Live) -> None:
    live.train.step(1)
    live.step_until(lambda: not live.open_trades())
    live.step_to(CALM)
    live.step_until(lambda: len(live.open_trades()) == len(live.stops()) > 0)
    before = len(live.money())
    stops = {stop.id for stop in live.stops()}
    os.kill(live.train.pid("sandbox"), signal.SIGKILL)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        # It comes with the next candle, which is an hour away.
        live.train.exchange.fault("flash_crash", symbol=symbol, by=Decimal("-0.3"))
    live.train.exchange.step(hours=2)
    assert not live.stops()
    assert {o.standing for o in live.book.orders if o.id in stops} == {Standing.FILLED}
    assert live.open_trades()
    live.tick(TICKS)
    assert (live.entries("orphaned"), len(live.money())) == ([], before)

    live.minutes()
    live.train.until_phase("sandbox", "running")
    live.step_until(lambda: not live.open_trades(), minutes=1)
    live.tick(TICKS)
    assert (live.entries("orphaned"), len(live.money())) == ([], before)
