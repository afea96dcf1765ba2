"""Fees, in what an account gets or in the fee asset that it has."""

from decimal import Decimal

import pytest

from runner.exchange.core.book import Book
from runner.exchange.core.orders import Account, Fill, Funded, Kind, Opened, Side, TimeInForce
from runner.exchange.core.path import Candle
from runner.exchange.core.placing import Market, Wish, place
from runner.exchange.core.rules import rules
from runner.exchange.core.terms import Terms
from runner.exchange.symbols import made_up

HOUR = 3_600_000
PAIRS = ("BTC/USDT", "BNB/USDT", "ETH/BNB", "BTC/EUR")
RULES = {pair.replace("/", ""): rules(made_up(pair)) for pair in PAIRS}
WORTH = {"BNBUSDT": Decimal(250)}
CANDLE = Candle(0, HOUR, Decimal(100), Decimal(110), Decimal(95), Decimal(105), Decimal(10_000))


def trade(symbol: str, side: Side, quantity: str, *, limit: str = "", **funds: str) -> Fill:
    """The one fill of an order of 100 a piece, by somebody who has this."""
    book = Book(RULES, Terms(fee_asset="BNB"), 0, lambda symbol, _at: WORTH.get(symbol))
    book.record(Opened(Account("alice", "key", "secret")))
    for asset, amount in funds.items():
        book.record(Funded("alice", asset, Decimal(amount)))
    wish = Wish(symbol, side, Kind.MARKET, quantity=Decimal(quantity))
    if limit:
        timed = (Kind.LIMIT, TimeInForce.GTC, Decimal(quantity), Decimal(limit))
        wish = Wish(symbol, side, *timed)
    place(book, "alice", wish, Market(CANDLE.open, CANDLE))
    (fill,) = book.fills
    held = book.balance("alice", fill.commission_asset)
    assert held.free >= 0
    return fill


@pytest.mark.parametrize(
    ("symbol", "side", "funds", "asset", "fee"),
    [
        # A fee of 0.1 %, a quarter off: 0.75 of 1,000 USDT at 250 for a BNB.
        ("BTCUSDT", Side.BUY, {"USDT": "2000", "BNB": "1"}, "BNB", "0.0030003"),
        ("BTCUSDT", Side.SELL, {"BTC": "10", "BNB": "1"}, "BNB", "0.003"),
        ("BTCUSDT", Side.SELL, {"BTC": "10", "BNB": "0.003"}, "BNB", "0.003"),
        # One unit too little: the whole fee of what is received.
        ("BTCUSDT", Side.SELL, {"BTC": "10", "BNB": "0.00299999"}, "USDT", "1"),
        ("BTCUSDT", Side.BUY, {"USDT": "2000"}, "BTC", "0.01"),
        # What is received is the fee asset.
        ("BNBUSDT", Side.BUY, {"USDT": "2000"}, "BNB", "0.0075"),
        ("ETHBNB", Side.SELL, {"ETH": "10"}, "BNB", "0.75"),
        # What is spent is the fee asset: the fee is what would be left of it.
        ("BNBUSDT", Side.SELL, {"BNB": "10.003"}, "BNB", "0.003"),
        ("BNBUSDT", Side.SELL, {"BNB": "10.00299999"}, "USDT", "1"),
        ("ETHBNB", Side.BUY, {"BNB": "2000"}, "BNB", "0.75"),
        # Nobody knows what it is worth in euros.
        ("BTCEUR", Side.SELL, {"BTC": "10", "BNB": "1"}, "EUR", "1"),
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_who_has_the_fee_asset_pays_less_in_it(
    symbol: str, side: Side, funds: dict[str, str], asset: str, fee: str, limited: bool
) -> None:
    limit = ("150" if side is Side.BUY else "90") if limited else ""
    fill = trade(symbol, side, "10", limit=limit, **funds)
    assert (fill.commission_asset, fill.commission) == (asset, Decimal(fee))
