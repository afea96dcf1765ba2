"""The rules in recorded entries of exchangeInfo, old and new ones."""

from decimal import Decimal
from typing import Any

import pytest

from runner.exchange.core.orders import Kind, Side
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.rules import rules

NAMES = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
OLD = (
    {"filterType": "PERCENT_PRICE", "multiplierUp": "2", "multiplierDown": "0.5"},
    {"filterType": "MIN_NOTIONAL", "minNotional": "10.0", "applyToMarket": False},
)


def entry(*filters: dict[str, Any]) -> dict[str, Any]:
    return {**NAMES, "filters": list(filters)}


def test_older_filters_answer_by_their_own_names() -> None:
    found = rules(entry(*OLD))
    with pytest.raises(Rejection, match=r"Filter failure: PERCENT_PRICE$"):
        found.check_distance(Side.SELL, Decimal(201), Decimal(100))
    with pytest.raises(Rejection, match=r"Filter failure: MIN_NOTIONAL$"):
        found.check_notional(Kind.LIMIT, Decimal("9.99"))
    found.check_notional(Kind.MARKET, Decimal("9.99"))


def test_each_side_has_bounds_of_its_own() -> None:
    sides = {"bidMultiplierUp": "2", "bidMultiplierDown": "0.5"}
    sides |= {"askMultiplierUp": "3", "askMultiplierDown": "0.9"}
    found = rules(entry({"filterType": "PERCENT_PRICE_BY_SIDE", **sides}))
    found.check_distance(Side.BUY, Decimal(200), Decimal(100))
    found.check_distance(Side.SELL, Decimal(300), Decimal(100))
    for side, price in ((Side.BUY, 201), (Side.BUY, 49), (Side.SELL, 301), (Side.SELL, 89)):
        with pytest.raises(Rejection, match="PERCENT_PRICE_BY_SIDE"):
            found.check_distance(side, Decimal(price), Decimal(100))


@pytest.mark.parametrize("written", ["0.00000000", "", None])
def test_a_filter_that_says_nothing_binds_nothing(written: str | None) -> None:
    lot = {"filterType": "LOT_SIZE", "minQty": written, "maxQty": written, "stepSize": written}
    found = rules(entry(lot))
    found.check_quantity(Decimal("123456.12345678"))
    found.check_price(Decimal("0.00000001"))


def test_an_entry_without_assets_is_no_entry() -> None:
    with pytest.raises(KeyError):
        rules({"symbol": "BTCUSDT"})
