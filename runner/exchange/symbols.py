"""Which symbols are served, and what exchangeInfo says of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.adapters.market import LISTINGS
from pipelines.errors import Problem
from runner.exchange.core.rules import Rules, rules

Info = Mapping[str, Any]  # one entry of exchangeInfo, handed through to ccxt

_SIZES = {listing.pair: (listing.digits, listing.lot_digits) for listing in LISTINGS}
_FINEST = (8, 8)
_HINT = "it should hold a recorded exchangeInfo, or markets as ccxt parses them"


@dataclass(frozen=True)
class Symbols:
    """The pairs that are served: their entries of exchangeInfo, and the rules in these."""

    infos: Mapping[str, Info]
    rules: Mapping[str, Rules]

    @property
    def assets(self) -> list[str]:
        """Everything that an account can have, by name."""
        return sorted({asset for each in self.rules.values() for asset in (each.base, each.quote)})


def symbols(pairs: Iterable[str], recording: Path | None) -> Symbols:
    """The entries of these pairs. Without a recording they are made up, after Binance's usual ones.

    A recording is a raw exchangeInfo, or ccxt's markets by symbol with `info` in them. Of pairs
    that it does not know nothing is served.

    :raises BadInput: when it is no recording, or knows none of the pairs.
    """
    names = {pair: pair.replace("/", "") for pair in pairs}
    if recording is None:
        infos = {names[pair]: made_up(pair) for pair in names}
    else:
        entries = recorded(recording)
        infos = {name: entries[name] for name in names.values() if name in entries}
    if not infos:
        raise Problem(str(recording), f"has none of {', '.join(names)}", hint=_HINT)
    try:
        return Symbols(infos, {name: rules(info) for name, info in infos.items()})
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        raise Problem(str(recording), "has filters that cannot be read", hint=_HINT) from None


def recorded(path: Path) -> dict[str, Info]:
    """Every entry of a recording, by symbol.

    :raises BadInput: when it is none.
    """
    try:
        tree = json.loads(path.read_bytes())
        found = tree.get("symbols") or [market["info"] for market in tree.values()]
        return {info["symbol"]: info for info in found}
    except OSError as error:
        raise Problem(str(path), f"cannot be read: {error.strerror}", hint=_HINT) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Problem(str(path), "is no recording of markets", hint=_HINT) from None


def made_up(pair: str) -> Info:
    """An entry of exchangeInfo: the ticks and lots of the embedded market, else the finest ones."""
    base, _, quote = pair.partition("/")
    digits, lot_digits = _SIZES.get(pair, _FINEST)
    tick, step = f"{10**-digits:.8f}", f"{10**-lot_digits:.8f}"
    multipliers = {
        f"{side}Multiplier{way}": value for side in ("bid", "ask") for way, value in _BAND
    }
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": _MOST, "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": _MOST, "stepSize": step},
            {
                "filterType": "NOTIONAL",
                "minNotional": "10.00000000",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
            {"filterType": "PERCENT_PRICE_BY_SIDE", **multipliers, "avgPriceMins": 0},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


_MOST = "1000000.00000000"
_BAND = (("Up", "5"), ("Down", "0.2"))
