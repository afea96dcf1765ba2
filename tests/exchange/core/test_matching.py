"""Orders meet the market."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from runner.exchange.core.book import Book
from runner.exchange.core.matching import advance
from runner.exchange.core.orders import Kind, Order, Side, Standing, TimeInForce
from runner.exchange.core.path import Candle
from runner.exchange.core.placing import Market, Wish, cancel, place
from runner.exchange.core.rejection import Rejection

HOUR = 3_600_000
Make = Callable[..., Candle]
Open = Callable[[Candle], Market]


def wish(side: Side, kind: Kind, quantity: str, price: str = "", **more: Any) -> Wish:
    timed = kind in (Kind.LIMIT, Kind.STOP_LOSS_LIMIT)
    more.setdefault("time_in_force", TimeInForce.GTC if timed else None)
    limit = Decimal(price) if price else None
    return Wish("BTCUSDT", side, kind, quantity=Decimal(quantity), price=limit, **more)


def buy(kind: Kind, quantity: str, price: str = "", **more: Any) -> Wish:
    return wish(Side.BUY, kind, quantity, price, **more)


def sell(kind: Kind, quantity: str, price: str = "", **more: Any) -> Wish:
    return wish(Side.SELL, kind, quantity, price, **more)


def run(book: Book, candle: Candle, until: int = HOUR) -> None:
    advance(book, "BTCUSDT", candle, candle.opens, candle.opens + until)


def test_a_market_order_pays_one_tick_above_the_price_and_its_fee_in_what_it_gets(
    book: Book, candle: Make, at_open: Open
) -> None:
    order = place(book, "alice", buy(Kind.MARKET, "1"), at_open(candle(100, 110, 95, 105, 50)))

    assert (order.standing, order.quote) == (Standing.FILLED, Decimal("100.01"))
    assert book.balance("alice", "USDT").free == Decimal("899.99")
    assert book.balance("alice", "BTC").free == Decimal("1.999")


def test_a_market_order_without_enough_volume_expires_with_what_it_got(
    book: Book, candle: Make, at_open: Open
) -> None:
    order = place(book, "alice", buy(Kind.MARKET, "2"), at_open(candle(100, 110, 95, 105, 10)))

    assert (order.standing, order.executed) == (Standing.EXPIRED, 1)
    assert book.balance("alice", "USDT").locked == 0


def test_a_resting_order_is_filled_at_its_price_by_what_passes_beyond_it(
    book: Book, candle: Make, at_open: Open
) -> None:
    falling = candle(100, 100, 90, 90, 30)
    order = place(book, "alice", buy(Kind.LIMIT, "5", "92"), at_open(falling))
    run(book, falling)

    # The path falls in its middle third: a fifth of that lies below 92, then all of the last third.
    fills = book.fills_of(order.id)
    assert [fill.price for fill in fills] == [92, 92]
    assert [fill.quantity for fill in fills] == [Decimal("0.2"), Decimal("1")]
    assert book.orders[order.id].standing is Standing.PARTIALLY_FILLED


def test_a_price_that_is_touched_only_fills_nothing(
    book: Book, candle: Make, at_open: Open
) -> None:
    market = candle(100, 101, 90, 95, 1000)
    order = place(book, "alice", buy(Kind.LIMIT, "1", "90"), at_open(market))
    run(book, market)
    assert book.orders[order.id].executed == 0


def test_the_better_price_is_served_first_then_the_older(
    book: Book, candle: Make, at_open: Open
) -> None:
    falling = candle(100, 100, 90, 90, 30)
    low, first, second = (
        place(book, "alice", buy(Kind.LIMIT, "1", price), at_open(falling))
        for price in ("94", "95", "95")
    )
    run(book, falling)
    filled = [book.orders[order.id].executed for order in (low, first, second)]
    assert filled[1] > filled[2] > 0
    assert sum(filled) <= 3


def test_all_orders_together_take_no_more_than_the_share_of_a_candle(
    book: Book, candle: Make, at_open: Open
) -> None:
    market = candle(100, 120, 80, 100, 10)
    place(book, "alice", sell(Kind.MARKET, "0.4"), at_open(market))
    place(book, "alice", sell(Kind.LIMIT, "0.5", "101"), at_open(market))
    place(book, "alice", buy(Kind.LIMIT, "5", "99"), at_open(market))
    run(book, market)
    assert sum(fill.quantity for fill in book.fills) == 1


@pytest.mark.parametrize(
    ("time_in_force", "quantity", "standing", "executed"),
    [
        (TimeInForce.IOC, "2", Standing.EXPIRED, 1),
        (TimeInForce.IOC, "1", Standing.FILLED, 1),
        (TimeInForce.FOK, "2", Standing.EXPIRED, 0),
        (TimeInForce.FOK, "1", Standing.FILLED, 1),
        (TimeInForce.GTC, "2", Standing.PARTIALLY_FILLED, 1),
    ],
)
def test_how_long_an_order_waits(
    time_in_force: TimeInForce,
    quantity: str,
    standing: Standing,
    executed: int,
    book: Book,
    candle: Make,
    at_open: Open,
) -> None:
    asked = buy(Kind.LIMIT, quantity, "101", time_in_force=time_in_force)
    order = place(book, "alice", asked, at_open(candle(100, 110, 95, 105, 10)))
    assert (order.standing, order.executed) == (standing, executed)


def test_an_order_that_takes_gets_the_market_s_price(
    book: Book, candle: Make, at_open: Open
) -> None:
    asked = buy(Kind.LIMIT, "1", "105")
    order = place(book, "alice", asked, at_open(candle(100, 110, 95, 105, 50)))
    assert order.quote == Decimal("100.01")
    assert book.balance("alice", "USDT").free == Decimal("899.99")


def test_a_stop_waits_until_the_path_reaches_it_and_then_sells(
    book: Book, candle: Make, at_open: Open
) -> None:
    falling = candle(100, 100, 90, 90, 30)
    asked = sell(Kind.STOP_LOSS_LIMIT, "0.5", "94", stop_price=Decimal(95))
    stop = place(book, "alice", asked, at_open(falling))
    run(book, falling, HOUR // 3)
    assert book.orders[stop.id].waiting
    run(book, falling)
    assert book.orders[stop.id].standing is Standing.FILLED
    assert [fill.price for fill in book.fills] == [95]


def test_a_stop_that_the_price_jumped_over_rests_at_its_limit(
    book: Book, candle: Make, at_open: Open
) -> None:
    asked = sell(Kind.STOP_LOSS_LIMIT, "0.5", "94", stop_price=Decimal(95))
    stop = place(book, "alice", asked, at_open(candle(100, 100, 99, 99, 30)))
    run(book, candle(90, 93, 89, 91, 30, opens=HOUR))
    order = book.orders[stop.id]
    assert (order.waiting, order.executed) == (False, 0)
    run(book, candle(91, 99, 91, 99, 30, opens=2 * HOUR))
    assert [fill.price for fill in book.fills] == [94]


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (buy(Kind.LIMIT_MAKER, "1", "100.01"), -2010, "Order would immediately match and take."),
        (
            sell(Kind.STOP_LOSS_LIMIT, "1", "99", stop_price=Decimal(100)),
            -2010,
            "Stop price would trigger immediately.",
        ),
        (buy(Kind.LIMIT, "20", "100"), -2010, "Account has insufficient balance"),
        (sell(Kind.MARKET, "1.1"), -2010, "Account has insufficient balance"),
        (buy(Kind.LIMIT, "1", "100.001"), -1013, "Filter failure: PRICE_FILTER"),
        (buy(Kind.LIMIT, "1.0000001", "100"), -1013, "Filter failure: LOT_SIZE"),
        (buy(Kind.LIMIT, "1.000000001", "100"), -1111, "too much precision"),
        (buy(Kind.LIMIT, "0.09", "100"), -1013, "Filter failure: NOTIONAL"),
        (buy(Kind.MARKET, "0.09"), -1013, "Filter failure: NOTIONAL"),
        (buy(Kind.LIMIT, "1", "19.99"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (sell(Kind.LIMIT, "1", "500.01"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (buy(Kind.LIMIT, "0", "100"), -1013, "Invalid quantity."),
        (buy(Kind.LIMIT, "1"), -1102, "'price' was not sent"),
        (buy(Kind.LIMIT, "1", "100", time_in_force=None), -1102, "'timeInForce' was not sent"),
        (buy(Kind.MARKET, "1", "100"), -1106, "'price' sent when not required."),
        (buy(Kind.STOP_LOSS_LIMIT, "1", "100"), -1102, "'stopPrice' was not sent"),
    ],
)
def test_what_is_refused_leaves_the_book_as_it_was(
    asked: Wish, code: int, message: str, book: Book, candle: Make, at_open: Open
) -> None:
    before = dict(book.balances["alice"])
    with pytest.raises(Rejection, match=message) as refused:
        place(book, "alice", asked, at_open(candle(100, 110, 95, 105, 50)))
    assert refused.value.code == code
    assert (book.drain(), book.orders, book.balances["alice"]) == ((), {}, before)


def test_a_cancelled_order_gives_back_what_it_locked(
    book: Book, candle: Make, at_open: Open
) -> None:
    market = at_open(candle(100, 110, 95, 105, 50))
    order: Order = place(book, "alice", buy(Kind.LIMIT, "5", "99"), market)
    assert book.balance("alice", "USDT").locked == 495
    assert cancel(book, order).standing is Standing.CANCELED
    assert book.balance("alice", "USDT").free == 1000
    with pytest.raises(Rejection, match="Unknown order sent"):
        cancel(book, book.orders[order.id])


def test_one_client_s_id_names_one_open_order(book: Book, candle: Make, at_open: Open) -> None:
    market = at_open(candle(100, 110, 95, 105, 50))
    first = place(book, "alice", buy(Kind.LIMIT, "1", "99", client_id="mine"), market)
    with pytest.raises(Rejection, match="Duplicate order sent"):
        place(book, "alice", buy(Kind.LIMIT, "1", "98", client_id="mine"), market)
    cancel(book, first)
    assert place(book, "alice", buy(Kind.LIMIT, "1", "98", client_id="mine"), market).id == 2
