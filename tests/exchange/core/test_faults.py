"""Faults in the pure core: an order that is held back, and the events that keep them."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from runner.exchange.core.book import Book, Terms
from runner.exchange.core.faults import Armed, Disarmed, Fault, FaultName, Faults, Struck
from runner.exchange.core.matching import advance
from runner.exchange.core.orders import (
    Account,
    Advanced,
    Event,
    Funded,
    Kind,
    Opened,
    Side,
    Standing,
    TimeInForce,
)
from runner.exchange.core.path import Candle
from runner.exchange.core.placing import Market, Wish, place
from runner.exchange.core.rules import Rules, rules
from runner.exchange.symbols import made_up

HOUR = 3_600_000
JOURNAL: TypeAdapter[Event] = TypeAdapter(Event)
Make = Callable[..., Candle]


def limit(side: Side, quantity: str, price: str) -> Wish:
    amounts = {"quantity": Decimal(quantity), "price": Decimal(price)}
    return Wish("BTCUSDT", side, Kind.LIMIT, TimeInForce.GTC, **amounts)


def partial(**how: Any) -> Armed:
    """A fault that fills the next order by three tenths."""
    fault = Fault(1, "partial_fill", 0, left=1, by=Decimal("0.3"))
    return Armed(replace(fault, **how))


def run(book: Book, candle: Candle) -> None:
    advance(book, "BTCUSDT", candle, candle.opens, candle.closes)
    book.record(Advanced(candle.closes))


def test_an_order_that_rests_gets_its_share_and_no_more(book: Book, candle: Make) -> None:
    order = place(
        book, "alice", limit(Side.BUY, "1", "98"), Market(Decimal(100), candle(100, 100, 97, 99, 0))
    )
    book.record(partial())
    run(book, candle(100, 101, 90, 95, 900))
    assert book.orders[order.id].executed == Decimal("0.3")
    run(book, candle(95, 96, 90, 95, 900, opens=HOUR))
    assert book.orders[order.id].standing is Standing.PARTIALLY_FILLED
    assert book.balance("alice", "USDT").locked == Decimal("68.6")
    book.record(Disarmed("partial_fill"))
    run(book, candle(95, 96, 90, 95, 900, opens=2 * HOUR))
    assert book.orders[order.id].standing is Standing.FILLED


def test_it_is_one_order_that_is_held_back(book: Book, candle: Make) -> None:
    market = Market(Decimal(100), candle(100, 100, 97, 99, 900))
    book.record(partial())
    first = place(book, "alice", limit(Side.BUY, "1", "101"), market)
    second = place(book, "alice", limit(Side.BUY, "1", "101"), market)
    assert (first.executed, second.executed) == (Decimal("0.3"), 1)


@pytest.mark.parametrize(
    "how", [{"account": "bob"}, {"symbol": "ETHUSDT"}, {"side": "SELL"}, {"since": 5}, {"left": 0}]
)
def test_what_is_not_meant_is_filled_whole(how: dict[str, Any], book: Book, candle: Make) -> None:
    book.record(partial(**how))
    market = Market(Decimal(100), candle(100, 100, 97, 99, 900))
    assert place(book, "alice", limit(Side.BUY, "1", "101"), market).executed == 1


def test_a_share_of_less_than_a_lot_is_a_lot(btc: Rules, book: Book, candle: Make) -> None:
    book.record(partial(by=Decimal("1e-9")))
    market = Market(Decimal(100), candle(100, 100, 97, 99, 900))
    assert place(book, "alice", limit(Side.BUY, "1", "101"), market).executed == btc.step


def test_the_end_of_a_fault_frees_the_order_that_it_held(book: Book, candle: Make) -> None:
    market = Market(Decimal(100), candle(100, 100, 97, 99, 900))
    book.record(partial(left=None, until=HOUR))
    order = place(book, "alice", limit(Side.BUY, "1", "101"), market)
    assert book.faults.turns(0) == [HOUR, HOUR]
    run(book, candle(100, 101, 90, 95, 900))
    assert book.orders[order.id].executed == Decimal("0.3")
    run(book, candle(95, 96, 90, 95, 900, opens=HOUR))
    assert book.orders[order.id].executed == 1
    assert book.faults.turns(HOUR) == []


def test_the_oldest_fault_that_is_meant_strikes_first() -> None:
    faults = Faults()
    for number, account in ((1, "bob"), (2, "alice"), (3, "")):
        faults.apply(Armed(Fault(number, "server_error", 0, left=1, account=account)))
    struck = []
    while found := faults.find("server_error", 0, "alice"):
        struck.append(found.id)
        faults.apply(Struck(found.id))
    assert struck == [2, 3]
    assert list(faults.armed) == [1]


def test_what_moved_the_market_cannot_be_ended() -> None:
    faults = Faults()
    names: tuple[FaultName, ...] = ("price_gap", "flash_crash", "banned")
    for number, name in enumerate(names, 1):
        faults.apply(Armed(Fault(number, name, 0)))
    faults.apply(Disarmed(None))
    assert [fault.name for fault in faults.moves] == ["price_gap", "flash_crash"]
    assert faults.armed == {}


shares = st.integers(1, 99).map(lambda hundredths: Decimal(hundredths) / 100)
wishes = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 300), st.integers(95, 105)), max_size=6
)


@given(shares, wishes, st.integers(0, 3))
def test_money_is_conserved_and_a_killed_process_finds_the_same_book(
    share: Decimal, asked: list[tuple[Side, int, int]], often: int
) -> None:
    def empty() -> Book:
        return Book({"BTCUSDT": rules(made_up("BTC/USDT"))}, Terms(), 0)

    book = empty()
    for asset, amount in (("USDT", 1_000_000), ("BTC", 10_000)):
        book.record(Funded("alice", asset, Decimal(amount)))
    book.record(Opened(Account("alice", "key", "secret", ("read",), ("127.0.0.1",))))
    book.record(partial(left=often or None, by=share))
    path = Candle(0, HOUR, *map(Decimal, (100, 104, 96, 99, 90_000)))
    for side, lots, price in asked:
        place(book, "alice", limit(side, f"{lots}.5", str(price)), Market(path.open, path))
    run(book, path)
    events = book.drain()
    again = empty()
    again.replay(JOURNAL.validate_json(JOURNAL.dump_json(event)) for event in events)
    run(again, path)
    run(book, path)

    assert again.orders == book.orders
    assert again.balances == book.balances
    assert again.faults.armed == book.faults.armed
    held = sum(1 for order in book.orders.values() if book.faults.bound(order.id, HOUR))
    touched = sum(1 for order in book.orders.values() if order.executed)
    assert held == (min(often, touched) if often else touched)
    for order in book.orders.values():
        if book.faults.bound(order.id, HOUR):
            assert 0 < order.executed < order.quantity
    paid = sum(
        f.quote if book.orders[f.order_id].side is Side.BUY else -f.quote for f in book.fills
    )
    fees = sum(f.commission for f in book.fills if book.orders[f.order_id].side is Side.SELL)
    usdt = book.balance("alice", "USDT")
    assert usdt.free + usdt.locked == 1_000_000 - paid - fees


def test_a_journal_from_before_keys_had_permissions_is_read() -> None:
    old = b'{"account":{"name":"a","key":"k","secret":"s"},"event":"opened"}'
    opened = JOURNAL.validate_json(old)
    assert isinstance(opened, Opened)
    assert (opened.account.permissions, opened.account.addresses) == (("trade",), ())
