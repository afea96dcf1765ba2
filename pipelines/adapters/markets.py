"""Market metadata as ccxt parses it: recorded where a folder has it, made up where not.

freqtrade needs it to know the pairs, the size of ticks and lots, and the least that may be traded.
"""

import json
from pathlib import Path
from typing import Any

from pipelines.adapters.market import LISTINGS
from pipelines.domain.candles import TradingMode
from pipelines.errors import BadInput, Problem

Market = dict[str, Any]  # ccxt's own structure, handed through to freqtrade

_KNOWN = {listing.pair: (10.0**-listing.lot_digits, 10.0**-listing.digits) for listing in LISTINGS}
_UNKNOWN = (1e-8, 1e-8)
_RECORDED: dict[TradingMode, str] = {"spot": "*spot*.json", "futures": "*usdm*.json"}


def markets(pairs: tuple[str, ...], mode: TradingMode, folder: Path | None) -> bytes:
    """JSON of symbol to market, for these pairs in this order.

    Recorded ones come from the last (by name) of `<folder>/markets/*spot*.json`, for futures
    `*usdm*.json`, without ccxt's bulky `info`. A pair that is not there is made up.

    :raises BadInput: when a recording is no JSON of symbol to market, or a pair is no pair.
    """
    recorded = _recorded(folder, mode) if folder else {}
    every = {pair: recorded.get(pair) or made_up(pair) for pair in pairs}
    return json.dumps(every, separators=(",", ":")).encode()


def _recorded(folder: Path, mode: TradingMode) -> dict[str, Market]:
    files = sorted((folder / "markets").glob(_RECORDED[mode]))
    if not files:
        return {}
    try:
        tree = json.loads(files[-1].read_bytes())
        return {symbol: {**market, "info": {}} for symbol, market in tree.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        message = "should hold markets as ccxt parses them, by symbol"
        hint = "record it again, or move it away: markets are then made up"
        raise Problem(str(files[-1]), message, hint=hint) from None


def made_up(pair: str) -> Market:
    """A plausible market: active, Binance's usual fees, the usual least amounts.

    :raises BadInput: when the pair is not written as `BTC/USDT` or `BTC/USDT:USDT`.
    """
    base, _, rest = pair.partition("/")
    quote, _, settle = rest.partition(":")
    if not base or not quote:
        raise BadInput(f"{pair!r} is no pair", "pairs are written as BTC/USDT or BTC/USDT:USDT")
    lot, tick = _KNOWN.get(f"{base}/{quote}", _UNKNOWN)
    return _shape(pair, (base, quote, settle or None), (lot, tick))


def _shape(symbol: str, names: tuple[str, str, str | None], sizes: tuple[float, float]) -> Market:
    (base, quote, settle), (lot, tick) = names, sizes
    swap = settle is not None
    return {
        "id": base + quote,
        "lowercaseId": (base + quote).lower(),
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "settle": settle,
        "baseId": base,
        "quoteId": quote,
        "settleId": settle,
        "type": "swap" if swap else "spot",
        "spot": not swap,
        "margin": False,
        "swap": swap,
        "future": False,
        "option": False,
        "index": False,
        "active": True,
        "contract": swap,
        "linear": True if swap else None,
        "inverse": False if swap else None,
        "subType": "linear" if swap else None,
        "taker": 0.0005 if swap else 0.001,
        "maker": 0.0002 if swap else 0.001,
        "contractSize": 1.0 if swap else None,
        "expiry": None,
        "expiryDatetime": None,
        "strike": None,
        "optionType": None,
        "precision": {"amount": lot, "price": tick, "base": 1e-08, "quote": 1e-08},
        "limits": {
            "leverage": {"min": None, "max": None},
            "amount": {"min": lot, "max": 1e8},
            "price": {"min": tick, "max": 1e6},
            "cost": {"min": 10.0, "max": None},
            "market": {"min": 0.0, "max": 1e8},
        },
        "marginModes": {"cross": swap, "isolated": swap},
        "created": None,
        "tierBased": False,
        "percentage": True,
        "feeSide": "get",
        "stock": False,
        "info": {},
    }
