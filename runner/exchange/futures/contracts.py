"""Which contracts are served, and what exchangeInfo of futures says of them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import Problem
from runner.exchange.core.futures.contract import Contract, contract
from runner.exchange.symbols import recorded

Info = Mapping[str, Any]  # one entry of exchangeInfo, handed through to ccxt

_SIZES = {
    "BTC/USDT": ("0.10", "0.001", "100"),
    "ETH/USDT": ("0.01", "0.001", "20"),
    "SOL/USDT": ("0.0100", "0.1", "5"),
    "ADA/USDT": ("0.00010", "1", "5"),
    "LTC/USDT": ("0.01", "0.001", "20"),
}
"""Tick, lot and least notional, as Binance usually has them."""

_FINEST = ("0.0000001", "0.001", "5")
_HINT = "it should hold a recorded exchangeInfo of futures, or its markets as ccxt parses them"
_NEVER = 4_133_404_800_000
"""The delivery date that Binance gives to contracts without one."""


def contracts(
    pairs: Iterable[str], recording: Path | None
) -> tuple[dict[str, Info], dict[str, Contract]]:
    """The entries and rules of these pairs by symbol; a pair is written as `BTC/USDT:USDT`.

    A recording is a raw exchangeInfo, or ccxt's markets with `info` in them; without one, entries
    are made up. Of pairs that a recording does not know nothing is served.

    :raises BadInput: when it is no recording, or knows none of the pairs.
    """
    names = {pair: pair.partition(":")[0].replace("/", "") for pair in pairs}
    if recording is None:
        infos = {names[pair]: made_up(pair) for pair in names}
    else:
        entries = recorded(recording)
        infos = {name: entries[name] for name in names.values() if name in entries}
    if not infos:
        raise Problem(str(recording), f"has none of {', '.join(names)}", hint=_HINT)
    try:
        return infos, {name: contract(info) for name, info in infos.items()}
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        raise Problem(str(recording), "has contracts that cannot be read", hint=_HINT) from None


def made_up(pair: str) -> Info:
    """An entry of exchangeInfo of futures, after Binance's usual ones."""
    spot, _, settle = pair.partition(":")
    base, _, quote = spot.partition("/")
    tick, step, notional = _SIZES.get(spot, _FINEST)
    lot = {"minQty": step, "maxQty": "100000", "stepSize": step}
    return {
        "symbol": base + quote,
        "pair": base + quote,
        "contractType": "PERPETUAL",
        "deliveryDate": _NEVER,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": settle,
        "pricePrecision": len(tick.partition(".")[2]),
        "quantityPrecision": len(step.partition(".")[2]),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.10",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": "1000000",
                "tickSize": tick,
            },
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": notional},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "1.1000",
                "multiplierDown": "0.9000",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }
