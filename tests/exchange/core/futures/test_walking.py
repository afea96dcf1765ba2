"""What happens while time passes: stops, liquidations and funding."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from runner.exchange.core.futures import walking
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Contract
from runner.exchange.core.futures.events import Levered, Phase, Source, Trigger, WorkingType
from runner.exchange.core.futures.placing import Market, Wish, await_price, place
from runner.exchange.core.orders import Kind, Side, Standing, TimeInForce
from runner.exchange.core.path import Candle, Leg, legs
from runner.exchange.core.terms import Spread, Terms

Make = Callable[..., Candle]
Open = Callable[[Candle], Market]

HOUR = 3_600_000
SYMBOL = "ETHUSDT"


def opened(book: Book, side: Side, quantity: str, market: Market) -> None:
    place(book, "alice", Wish(SYMBOL, side, Kind.MARKET, Decimal(quantity)), market, 0)


def stopped(
    side: Side,
    quantity: str,
    at: str,
    by: WorkingType = WorkingType.CONTRACT_PRICE,
    price: str | None = None,
) -> Wish:
    wish = Wish(SYMBOL, side, Kind.MARKET, Decimal(quantity), reduce_only=True, working_type=by)
    wish = replace(wish, trigger=Trigger.STOP_MARKET, trigger_price=Decimal(at))
    if price is None:
        return wish
    limited = replace(wish, kind=Kind.LIMIT, price=Decimal(price), trigger=Trigger.STOP)
    return replace(limited, time_in_force=TimeInForce.GTC)


def walk(book: Book, candle: Candle, until: int = HOUR) -> None:
    walking.advance(book, SYMBOL, candle, candle.opens, until, None)


def test_a_stop_becomes_an_order_when_the_path_reaches_it(
    book: Book, candle: Make, at_open: Open
) -> None:
    path = candle(100, 101, 90, 95, 1000)  # up to 101 until 20:00, then down to 90 until 40:00
    opened(book, Side.BUY, "5", at_open(path))
    waiting = await_price(book, "alice", stopped(Side.SELL, "5", "95.5"), at_open(path), 0)
    walk(book, path)
    fired = book.conditionals[waiting.id]
    assert (fired.phase, fired.triggered_at) == (Phase.TRIGGERED, 1_800_000)
    order = book.orders[fired.order_id or 0]
    assert (order.standing, order.quote / 5, order.reduce_only) == (
        Standing.FILLED,
        Decimal("95.5"),
        True,
    )
    assert not book.position("alice", SYMBOL).is_open


def test_a_stop_with_a_limit_rests_when_the_price_is_worse(
    book: Book, candle: Make, at_open: Open
) -> None:
    path = candle(100, 101, 92, 95, 1000)
    opened(book, Side.BUY, "5", at_open(path))
    wish = stopped(Side.SELL, "5", "95.5", price="97")
    waiting = await_price(book, "alice", wish, at_open(path), 0)
    walk(book, path)
    order = book.orders[book.conditionals[waiting.id].order_id or 0]
    assert (order.standing, order.price) == (Standing.NEW, 97)


def test_a_stop_that_has_nothing_left_to_reduce_expires(
    book: Book, candle: Make, at_open: Open
) -> None:
    path = candle(100, 101, 90, 95, 1000)
    waiting = await_price(book, "alice", stopped(Side.SELL, "5", "95"), at_open(path), 0)
    walk(book, path)
    assert book.conditionals[waiting.id].phase is Phase.EXPIRED
    assert book.orders == {}


def test_a_stop_that_the_account_cannot_secure_any_more_is_rejected(
    book: Book, candle: Make, at_open: Open
) -> None:
    path = candle(100, 101, 90, 95, 1000)
    wish = replace(stopped(Side.SELL, "60", "95"), reduce_only=False)
    waiting = await_price(book, "alice", wish, at_open(path), 0)
    place(
        book,
        "alice",
        Wish(SYMBOL, Side.SELL, Kind.LIMIT, Decimal(60), Decimal(105), TimeInForce.GTC),
        at_open(path),
        0,
    )
    walk(book, path)
    assert book.conditionals[waiting.id].phase is Phase.REJECTED


@pytest.mark.parametrize(
    ("side", "path", "level"),
    [
        (Side.BUY, (100, 101, 80, 95, 1000), "90.37"),
        (Side.SELL, (100, 120, 99, 105, 1000), "109.56"),
    ],
)
def test_a_position_is_liquidated_where_its_margin_is_used_up(
    side: Side, path: tuple[int, ...], level: str, book: Book, candle: Make, at_open: Open
) -> None:
    there = candle(*path)
    opened(book, side, "50", at_open(there))
    free = book.free("alice", "USDT")
    walk(book, there)

    order = book.orders[max(book.orders)]
    assert (order.liquidates, order.reduce_only, order.standing) == (True, True, Standing.FILLED)
    assert order.client_id.startswith("autoclose-")
    assert abs(order.quote / order.quantity - Decimal(level)) < Decimal("0.02")
    assert not book.position("alice", SYMBOL).is_open
    # Nothing of the margin is left, and what was free stays free: the fund took the rest.
    assert book.wallets["alice", "USDT"] == free
    assert 0 < book.counters["insurance"] < 50 * 110 * Decimal("0.0125")


@pytest.mark.parametrize(
    ("side", "path", "away"),
    [
        (Side.BUY, (100, 101, 80, 95, 1000), Decimal("-0.19")),
        (Side.SELL, (100, 120, 99, 105, 1000), Decimal("0.21")),
    ],
)
def test_a_liquidation_pays_the_spread(
    side: Side, path: tuple[int, ...], away: Decimal, book: Book, candle: Make, at_open: Open
) -> None:
    there = candle(*path)
    opened(book, side, "50", at_open(there))
    level = book.position("alice", SYMBOL).liquidation(book.rules[SYMBOL])
    book.terms = Terms(spread=Spread(ticks=40))
    walk(book, there)
    order = book.orders[max(book.orders)]
    assert order.liquidates
    assert abs(order.quote / order.quantity - level - away) < Decimal("0.02")


def test_orders_beside_a_liquidated_position_end_with_it(
    book: Book, candle: Make, at_open: Open
) -> None:
    there = candle(100, 101, 80, 95, 1000)
    opened(book, Side.BUY, "50", at_open(there))
    wish = Wish(SYMBOL, Side.BUY, Kind.LIMIT, Decimal(1), Decimal("90.1"), TimeInForce.GTC)
    rests = place(book, "alice", wish, at_open(there), 0)
    waiting = await_price(book, "alice", stopped(Side.SELL, "50", "79"), at_open(there), 0)
    walk(book, there)
    assert (book.orders[rests.id].standing, book.orders[rests.id].executed) == (
        Standing.EXPIRED,
        0,
    )
    assert book.conditionals[waiting.id].phase is Phase.EXPIRED


def test_the_insurance_fund_pays_what_a_gap_takes_beyond_the_margin(
    book: Book, candle: Make, at_open: Open
) -> None:
    calm, gap = candle(100, 101, 99, 100, 1000), candle(70, 71, 69, 70, 1000, opens=HOUR)
    opened(book, Side.BUY, "50", at_open(calm))
    free = book.free("alice", "USDT")
    walk(book, calm)
    walking.advance(book, SYMBOL, gap, HOUR, 2 * HOUR, None)
    assert book.wallets["alice", "USDT"] == free
    assert book.counters["insurance"] < 0


def test_a_liquidation_is_not_held_up_by_a_lack_of_volume(
    book: Book, candle: Make, at_open: Open
) -> None:
    calm, thin = candle(100, 101, 99, 100, 1000), candle(100, 101, 80, 95, 1, opens=HOUR)
    opened(book, Side.BUY, "50", at_open(calm))
    walk(book, calm)
    walking.advance(book, SYMBOL, thin, HOUR, 2 * HOUR, None)
    assert not book.position("alice", SYMBOL).is_open
    assert book.left_of(SYMBOL, HOUR, Decimal(1)) == Decimal("0.1")


def test_what_was_opened_beyond_its_own_margin_does_not_live_on(
    book: Book, candle: Make, at_open: Open
) -> None:
    book.record(Levered("alice", SYMBOL, 125))
    path = candle(100, 101, 90, 90, 1000)
    wish = Wish(SYMBOL, Side.BUY, Kind.LIMIT, Decimal(5), Decimal(95), TimeInForce.GTC)
    place(book, "alice", wish, at_open(path), 0)
    walk(book, path, HOUR * 2 // 3)  # as far as 90
    assert [fill.maker for fill in book.fills] == [True, False]
    assert not book.position("alice", SYMBOL).is_open


def test_the_mark_price_liquidates_and_triggers_where_it_has_a_path_of_its_own(
    book: Book, candle: Make, at_open: Open
) -> None:
    prices, marked = candle(100, 101, 80, 95, 1000), candle(100, 101, 97, 98, 0)
    opened(book, Side.BUY, "50", at_open(prices))
    by_mark = stopped(Side.SELL, "10", "97.5", by=WorkingType.MARK_PRICE)
    waiting = await_price(book, "alice", by_mark, at_open(prices), 0)

    def marks(begins: int, ends: int) -> list[Leg]:
        return list(legs(marked, begins, ends))

    walking.advance(book, SYMBOL, prices, 0, HOUR, marks)
    assert book.position("alice", SYMBOL).size == 40, "the mark price never came near 90"
    fired = book.conditionals[waiting.id]
    assert fired.phase is Phase.TRIGGERED
    assert book.orders[fired.order_id or 0].quote / 10 < Decimal(85), "sold at the last price"


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, -1), (Side.SELL, 1)])
@pytest.mark.parametrize("rate", ["0.0001", "-0.0003"])
def test_funding_goes_from_long_to_short_by_the_mark_price(
    side: Side, sign: int, rate: str, book: Book, candle: Make, at_open: Open
) -> None:
    there = at_open(candle(100, 101, 99, 100, 1000))
    opened(book, side, "5", there)
    before = book.wallets["alice", "USDT"]
    walking.pay_funding(book, SYMBOL, Decimal(rate), Decimal(98), 8 * HOUR)
    paid = sign * 5 * 98 * Decimal(rate)
    assert book.wallets["alice", "USDT"] - before == paid
    (row,) = [row for row in book.incomes if row.source is Source.FUNDING_FEE]
    assert (row.amount, row.at, row.symbol) == (paid, 8 * HOUR, SYMBOL)


def test_funding_that_the_wallet_lacks_is_taken_from_the_margin(
    book: Book, candle: Make, at_open: Open, eth: Contract
) -> None:
    there = at_open(candle(100, 101, 99, 100, 2000))
    opened(book, Side.BUY, "99", there)
    held, free = book.position("alice", SYMBOL), book.free("alice", "USDT")
    walking.pay_funding(book, SYMBOL, Decimal("0.003"), Decimal(100), HOUR)
    after = book.position("alice", SYMBOL)
    assert book.free("alice", "USDT") == 0
    assert after.margin == held.margin - (Decimal("29.7") - free)
    assert after.liquidation(eth) > held.liquidation(eth)


def test_without_a_position_nothing_is_paid(book: Book) -> None:
    walking.pay_funding(book, SYMBOL, Decimal("0.01"), Decimal(100), HOUR)
    assert book.drain() == ()
