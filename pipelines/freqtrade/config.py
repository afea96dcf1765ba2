"""freqtrade's configuration for a backtest that needs no network."""

import json

from pipelines.domain.environment import Door
from pipelines.domain.strategy import Manifest

CANDLES = "candles"
"""Folder of the candles, below the folder that a child runs in."""

STRATEGIES = "strategies"
"""Folder of the plugins and their shared code, below the same."""


TICKS = "ticks"
"""Folder of the decimals of prices, below the same: two bytes each, low byte first, and for each
candle four: open, high, low, close."""


def candle_file(pair: str, timeframe: str) -> str:
    """The name under which freqtrade looks for the candles of a spot pair."""
    return f"{pair.replace('/', '_')}-{timeframe}.feather"


def tick_file(pair: str, timeframe: str) -> str:
    """The name of what was counted of the candles of a pair."""
    return f"{pair.replace('/', '_').replace(':', '_')}-{timeframe}.decimals"


def backtest(name: str, manifest: Manifest, environment: Door) -> bytes:
    """The configuration as JSON. Paths are relative to the child's folder."""
    portfolio = environment.portfolio
    return json.dumps(
        {
            "dry_run": True,
            "trading_mode": manifest.trading_mode,
            "margin_mode": "isolated" if manifest.trading_mode == "futures" else "",
            "strategy": manifest.class_name,
            "strategy_path": f"{STRATEGIES}/{name}",
            "timeframe": manifest.timeframe,
            "stake_currency": portfolio.stake_currency,
            "stake_amount": "unlimited",
            "tradable_balance_ratio": 0.99,
            "dry_run_wallet": float(portfolio.starting_balance),
            "max_open_trades": portfolio.max_open_trades,
            "fee": float(portfolio.fee),
            "datadir": CANDLES,
            "dataformat_ohlcv": "feather",
            "exchange": {
                "name": environment.exchange.name,
                "key": "",
                "secret": "",
                "enable_ws": False,
                "pair_whitelist": list(manifest.pairs),
                "pair_blacklist": [],
            },
            "pairlists": [{"method": "StaticPairList"}],
            "entry_pricing": {"price_side": "same", "use_order_book": False},
            "exit_pricing": {"price_side": "same", "use_order_book": False},
        }
    ).encode()
