"""Every filter of an exchangeInfo: what it refuses, and the nearest that it lets be."""

from decimal import Decimal
from typing import Any

import pytest

from runner.exchange.core.book import Book
from runner.exchange.core.orders import Account, Funded, Kind, Opened, Side, TimeInForce
from runner.exchange.core.path import Candle
from runner.exchange.core.placing import Market, Wish, cancel, place
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.rules import rules
from runner.exchange.core.terms import Terms

NAMES = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
PRICE = {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "1000", "tickSize": "0.05"}
LOT = {"filterType": "LOT_SIZE", "minQty": "0.02", "maxQty": "900", "stepSize": "0.01"}
MARKET_LOT = {"filterType": "MARKET_LOT_SIZE", "minQty": "0.1", "maxQty": "88", "stepSize": "0.1"}
NOTIONAL = {"filterType": "NOTIONAL", "minNotional": "10", "maxNotional": "9000"}
APPLIED = {"applyMinToMarket": True, "applyMaxToMarket": True}
MIN_NOTIONAL = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True}
BAND = {"filterType": "PERCENT_PRICE", "multiplierUp": "2", "multiplierDown": "0.5"}
SIDES = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    "bidMultiplierUp": "2",
    "bidMultiplierDown": "0.5",
    "askMultiplierUp": "3",
    "askMultiplierDown": "0.9",
}


def entry(*filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**NAMES, **more, "filters": list(filters)}


def opened(*filters: dict[str, Any], **more: Any) -> Book:
    """A book of one symbol with these filters, in which alice has a lot."""
    book = Book({"BTCUSDT": rules(entry(*filters, **more))}, Terms(), 0)
    book.record(Opened(Account("alice", "key", "secret")))
    for asset in ("USDT", "BTC"):
        book.record(Funded("alice", asset, Decimal(1_000_000)))
    book.drain()
    return book


def at(price: str, mean: str | None = None) -> Market:
    """The market at a price, in a candle with volume for everybody."""
    last = Decimal(price)
    candle = Candle(0, 3_600_000, last, last, last, last, Decimal(100_000))
    return Market(last, candle, None if mean is None else Decimal(mean))


def limit(quantity: str, price: str, side: Side = Side.BUY) -> Wish:
    amounts = Decimal(quantity), Decimal(price)
    return Wish("BTCUSDT", side, Kind.LIMIT, TimeInForce.GTC, *amounts)


def stop(price: str, limit_price: str, quantity: str = "1") -> Wish:
    amounts = Decimal(quantity), Decimal(limit_price), Decimal(price)
    return Wish("BTCUSDT", Side.SELL, Kind.STOP_LOSS_LIMIT, TimeInForce.GTC, *amounts)


def market(quantity: str, side: Side = Side.BUY) -> Wish:
    return Wish("BTCUSDT", side, Kind.MARKET, quantity=Decimal(quantity))


REFUSALS: list[tuple[dict[str, Any], Wish, Wish]] = [
    (PRICE, limit("1", "0.95"), limit("1", "1")),
    (PRICE, limit("1", "1000.05"), limit("1", "1000")),
    (PRICE, limit("1", "99.99"), limit("1", "99.95")),
    (PRICE, stop("99.99", "99"), stop("99.95", "99")),
    (PRICE, stop("99", "0.5"), stop("99", "1")),
    (LOT, limit("0.01", "99"), limit("0.02", "99")),
    (LOT, limit("900.01", "99"), limit("900", "99")),
    (LOT, limit("1.005", "99"), limit("1.01", "99")),
    (LOT, market("0.01"), market("0.02")),
    (MARKET_LOT, market("0.05"), market("0.1")),
    (MARKET_LOT, market("88.1"), market("88")),
    (MARKET_LOT, market("1.05"), limit("1.05", "99")),
    (NOTIONAL, limit("0.1", "99.9"), limit("0.1", "100")),
    (NOTIONAL, limit("90.1", "100"), limit("90", "100")),
    (NOTIONAL | APPLIED, market("0.09"), market("0.1")),
    (NOTIONAL | APPLIED, market("90.1"), market("90")),
    (NOTIONAL, stop("99", "0.5", "19"), stop("99", "0.5", "20")),
    (MIN_NOTIONAL, limit("0.1", "99.9"), limit("0.1", "100")),
    (MIN_NOTIONAL, market("0.09"), market("0.1")),
    (BAND, limit("1", "49.9"), limit("1", "50")),
    (BAND, limit("1", "200.1"), limit("1", "200")),
    (BAND, limit("1", "200.1", Side.SELL), limit("1", "200", Side.SELL)),
    (SIDES, limit("1", "49.9"), limit("1", "50")),
    (SIDES, limit("1", "200.1"), limit("1", "200")),
    (SIDES, limit("1", "89.9", Side.SELL), limit("1", "90", Side.SELL)),
    (SIDES, limit("1", "300.1", Side.SELL), limit("1", "300", Side.SELL)),
    (SIDES, stop("99", "89.9"), stop("99", "90")),
]


@pytest.mark.parametrize(("filter_", "refused", "accepted"), REFUSALS)
def test_a_filter_refuses_by_its_name_and_lets_the_next_best_be(
    filter_: dict[str, Any], refused: Wish, accepted: Wish
) -> None:
    book = opened(filter_)
    with pytest.raises(Rejection, match=f"^Filter failure: {filter_['filterType']}$") as told:
        place(book, "alice", refused, at("100"))
    assert (told.value.code, book.drain(), book.orders) == (-1013, (), {})
    assert place(book, "alice", accepted, at("100")).quantity == accepted.quantity
    assert place(opened(), "alice", refused, at("100")), "it is this filter that refuses"


@pytest.mark.parametrize(
    ("filter_", "wish"),
    [
        (NOTIONAL, market("0.09")),
        (NOTIONAL, market("90.1")),
        (MIN_NOTIONAL | {"applyToMarket": False}, market("0.09")),
        (NOTIONAL | APPLIED | {"applyMaxToMarket": False}, market("90.1")),
    ],
)
def test_a_market_order_is_held_to_a_worth_only_where_the_filter_says_so(
    filter_: dict[str, Any], wish: Wish
) -> None:
    assert place(opened(filter_), "alice", wish, at("100")).executed == wish.quantity


@pytest.mark.parametrize(
    ("filter_", "refused", "accepted"),
    [
        (BAND, limit("1", "180.05"), limit("1", "180")),
        (SIDES, limit("1", "44.95"), limit("1", "45")),
        (NOTIONAL | APPLIED, market("0.11"), market("0.12")),
    ],
)
def test_what_a_price_is_compared_with_is_its_average(
    filter_: dict[str, Any], refused: Wish, accepted: Wish
) -> None:
    book = opened(filter_ | {"avgPriceMins": 5})
    with pytest.raises(Rejection, match=filter_["filterType"]):
        place(book, "alice", refused, at("100", mean="90"))
    assert place(book, "alice", accepted, at("100", mean="90"))


def test_so_many_orders_of_a_symbol_may_be_open_and_no_more() -> None:
    book = opened({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 3})
    book.record(Opened(Account("bob", "key of bob", "secret")))
    book.record(Funded("bob", "USDT", Decimal(1000)))
    first, _ = (place(book, "alice", limit("1", "99"), at("100")) for _ in range(2))
    place(book, "alice", stop("98", "97"), at("100"))
    with pytest.raises(Rejection, match=r"^Filter failure: MAX_NUM_ORDERS$") as told:
        place(book, "alice", limit("1", "98"), at("100"))
    assert told.value.code == -2010
    assert place(book, "alice", market("1"), at("100")), "it does not stay open"
    assert place(book, "bob", limit("1", "98"), at("100")), "he has none"
    cancel(book, first)
    assert place(book, "alice", limit("1", "98"), at("100"))


def test_so_many_stops_of_a_symbol_may_wait_and_no_more() -> None:
    book = opened({"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 2})
    first, _ = (place(book, "alice", stop("98", "97"), at("100")) for _ in range(2))
    with pytest.raises(Rejection, match=r"^Filter failure: MAX_NUM_ALGO_ORDERS$") as told:
        place(book, "alice", stop("96", "95"), at("100"))
    assert told.value.code == -2010
    assert place(book, "alice", limit("1", "99"), at("100")), "it is no stop"
    cancel(book, first)
    assert place(book, "alice", stop("96", "95"), at("100"))


@pytest.mark.parametrize("status", ["BREAK", "HALT", "END_OF_DAY"])
def test_what_is_not_trading_takes_no_orders(status: str) -> None:
    with pytest.raises(Rejection, match=r"^Market is closed\.$") as told:
        place(opened(status=status), "alice", limit("1", "99"), at("100"))
    assert told.value.code == -1013
    assert place(opened(status="TRADING"), "alice", limit("1", "99"), at("100"))


@pytest.mark.parametrize("written", ["0.00000000", "", None])
def test_a_filter_that_says_nothing_binds_nothing(written: str | None) -> None:
    lots = dict.fromkeys(("minQty", "maxQty", "stepSize"), written)
    names = ("LOT_SIZE", "MARKET_LOT_SIZE")
    found = rules(entry(*({"filterType": name, **lots} for name in names)))
    found.check_quantity(Kind.MARKET, Decimal("123456.12345678"))
    found.check_price(Decimal("0.00000001"))
    found.check_room(10**9, 10**9, stop=True)


def test_keys_of_other_filters_stand_in_each_of_some_recordings() -> None:
    empty = dict.fromkeys(("minQty", "maxQty", "stepSize", "minPrice", "maxPrice", "tickSize"), "")
    zeros = {"maxNumOrders": 0, "maxNumAlgoOrders": 0, "limit": 0, "avgPriceMins": 0}
    counts = (
        ("MAX_NUM_ORDERS", "maxNumOrders", 200),
        ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", 5),
    )
    filled = [empty | zeros | {"filterType": name, key: most} for name, key, most in counts]
    found = rules(entry(empty | zeros | LOT, *filled))
    assert (found.most_orders, found.most_stops) == (200, 5)
    assert (found.step, found.tick) == (Decimal("0.01"), Decimal("1e-8"))


def test_an_entry_without_assets_is_no_entry() -> None:
    with pytest.raises(KeyError):
        rules({"symbol": "BTCUSDT"})
