"""Spread, slippage, and what a seed draws."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from runner.exchange.core.book import Book
from runner.exchange.core.matching import advance, ask, available, bid
from runner.exchange.core.orders import Account, Funded, Kind, Opened, Side, Standing, TimeInForce
from runner.exchange.core.path import Candle
from runner.exchange.core.placing import Market, Wish, place
from runner.exchange.core.rules import Rules
from runner.exchange.core.terms import Spread, Terms

HOUR = 3_600_000
TICK = Decimal("0.01")
Make = Callable[..., Candle]
MakeBook = Callable[..., Book]


@pytest.fixture
def under(btc: Rules) -> MakeBook:
    """A book under some terms: alice has a lot of both."""

    def make(**terms: object) -> Book:
        book = Book({"BTCUSDT": btc}, Terms(**terms), 0)  # type: ignore[arg-type]
        book.record(Opened(Account("alice", "key", "secret")))
        for asset in ("USDT", "BTC"):
            book.record(Funded("alice", asset, Decimal(100_000)))
        return book

    return make


def wish(side: Side, quantity: str, price: str = "", until: str = "GTC") -> Wish:
    if not price:
        return Wish("BTCUSDT", side, Kind.MARKET, quantity=Decimal(quantity))
    timed = (TimeInForce(until), Decimal(quantity), Decimal(price))
    return Wish("BTCUSDT", side, Kind.LIMIT, *timed)


@pytest.mark.parametrize(
    ("spread", "price", "bought", "sold"),
    [
        (Spread(), "100", "100", "100.01"),
        (Spread(), "100.005", "100", "100.01"),
        (Spread(ticks=2), "100", "100", "100.02"),
        (Spread(ticks=3), "100", "99.99", "100.02"),
        (Spread(share=Decimal("0.001")), "100", "99.96", "100.06"),
        (Spread(share=Decimal("0.00001")), "100", "100", "100.01"),
        (Spread(share=Decimal("0.5")), "0.02", "0.02", "0.03"),
        (Spread(ticks=100), "0.02", "0.01", "1.01"),
    ],
)
def test_the_spread_lies_around_the_last_price(
    spread: Spread, price: str, bought: str, sold: str
) -> None:
    last = Decimal(price)
    width = Terms(spread=spread).width("BTCUSDT", 0, last, TICK)
    assert (bid(last, TICK, width), ask(last, TICK, width)) == (Decimal(bought), Decimal(sold))


@pytest.mark.parametrize(
    ("side", "quantity", "price"),
    [
        # Five of the candle's 50 may be taken; all of them at once move the price by 1 %.
        (Side.BUY, "5", "101.02"),
        (Side.BUY, "2.5", "100.52"),
        (Side.BUY, "0.5", "100.12"),
        (Side.SELL, "5", "99"),
        (Side.SELL, "0.5", "99.9"),
    ],
)
def test_who_takes_more_gets_a_worse_price(
    side: Side, quantity: str, price: str, under: MakeBook, candle: Make
) -> None:
    book, market = under(slippage=Decimal("0.01")), candle(100, 110, 90, 105, 50)
    place(book, "alice", wish(side, quantity), Market(Decimal(100), market))
    assert [fill.price for fill in book.fills] == [Decimal(price)]


def test_what_was_taken_of_a_candle_before_counts(under: MakeBook, candle: Make) -> None:
    book, market = under(slippage=Decimal("0.01")), candle(100, 110, 90, 105, 50)
    for _ in range(2):
        place(book, "alice", wish(Side.BUY, "2.5"), Market(Decimal(100), market))
    assert [fill.price for fill in book.fills] == [Decimal("100.52"), Decimal("101.02")]


@pytest.mark.parametrize(
    ("until", "standing", "executed"),
    [
        ("GTC", Standing.PARTIALLY_FILLED, "2.45"),
        ("IOC", Standing.EXPIRED, "2.45"),
        ("FOK", Standing.EXPIRED, "0"),
    ],
)
def test_an_order_takes_as_far_as_its_limit_allows(
    until: str, standing: Standing, executed: str, under: MakeBook, candle: Make
) -> None:
    book, market = under(slippage=Decimal("0.01")), candle(100, 110, 90, 105, 50)
    order = place(book, "alice", wish(Side.BUY, "5", "100.50", until), Market(Decimal(100), market))
    assert order.standing is standing
    assert order.executed == pytest.approx(Decimal(executed), abs=Decimal("0.001"))
    assert [fill.price for fill in book.fills] == [Decimal("100.50")] * bool(order.executed)


@pytest.mark.parametrize("side", Side)
def test_no_more_is_spent_than_was_said(side: Side, under: MakeBook, candle: Make) -> None:
    book = under(slippage=Decimal("0.02"))
    asked = Wish("BTCUSDT", side, Kind.MARKET, spend=Decimal(300))
    order = place(book, "alice", asked, Market(Decimal(100), candle(100, 110, 90, 105, 50)))
    assert order.standing is Standing.FILLED
    assert Decimal(297) < order.quote <= 300


def test_who_cannot_pay_the_moved_price_is_refused(under: MakeBook, candle: Make) -> None:
    book, market = under(slippage=Decimal("0.5")), candle(100, 110, 90, 105, 10_000)
    order = place(book, "alice", wish(Side.BUY, "700"), Market(Decimal(100), market))
    assert order.quote > 90_000
    with pytest.raises(Exception, match="insufficient balance"):
        place(book, "alice", wish(Side.BUY, "90"), Market(Decimal(100), market))


def test_a_seed_draws_spread_and_volume_of_each_candle(under: MakeBook, candle: Make) -> None:
    seeded = Terms(seed=7)
    widths = [seeded.width("BTCUSDT", n * HOUR, Decimal(100), TICK) for n in range(200)]
    shares = [seeded.share("BTCUSDT", n * HOUR) for n in range(200)]
    assert {1, 2} == set(widths)
    assert 80 < widths.count(1) < 120
    assert Decimal("0.05") <= min(shares) < Decimal("0.052")
    assert Decimal("0.098") < max(shares) <= Decimal("0.1")
    assert shares != [Terms(seed=8).share("BTCUSDT", n * HOUR) for n in range(200)]
    assert shares != [seeded.share("ETHUSDT", n * HOUR) for n in range(200)]


def test_nobody_takes_more_than_what_was_drawn(under: MakeBook, candle: Make) -> None:
    book, market = under(seed=7), candle(100, 120, 80, 100, 100)
    allowed = 100 * book.terms.share("BTCUSDT", 0)
    assert available(book, "BTCUSDT", market) <= allowed < 10
    place(book, "alice", wish(Side.BUY, "100", "99"), Market(Decimal(100), market))
    advance(book, "BTCUSDT", market, 0, HOUR)
    assert Decimal(4) < sum(fill.quantity for fill in book.fills) <= allowed
