"""freqtrade without a network: its configuration and an exchange with recorded markets."""

import json
import sys
from pathlib import Path
from typing import Any

from freqtrade.commands.optimize_commands import setup_optimize_configuration
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver

from pipelines.freqtrade.config import CANDLES


def configuration(
    class_name: str, *, user_data_dir: str = "user_data", timerange: str = ""
) -> dict[str, Any]:
    """freqtrade's own idea of the configuration in this folder.

    It fills `user_data_dir` with folders, so two at once need one each.
    """
    Path(user_data_dir).mkdir(exist_ok=True)
    arguments = {
        "config": ["config.json"],
        "user_data_dir": user_data_dir,
        "strategy": class_name,
        "datadir": str(Path(CANDLES).resolve()),
        "timerange": timerange,
        "backtest_cache": "none",
        "export": "none",
        "verbosity": 0,
    }
    config: dict[str, Any] = setup_optimize_configuration(arguments, RunMode.BACKTEST)
    return config


def exchange(config: dict[str, Any]) -> Exchange:
    """An exchange with recorded markets that never opens a socket."""
    loaded = ExchangeResolver.load_exchange(config, validate=False)
    markets = json.loads(Path("markets.json").read_text())
    for api in (loaded._api, loaded._api_async):  # noqa: SLF001 - freqtrade has no public way
        api.set_markets(list(markets.values()))
    loaded._markets = loaded._api.markets  # noqa: SLF001
    loaded._last_markets_refresh = sys.maxsize  # noqa: SLF001
    return loaded
