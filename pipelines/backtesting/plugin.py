"""Loads a plugin's strategy the way freqtrade does, and asks it for signals."""

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers import StrategyResolver

from pipelines.backtesting.market import Market, MarketProvider
from pipelines.domain.strategy import Manifest


@dataclass(frozen=True)
class Plugin:
    """A plugin's folder and its manifest."""

    folder: Path
    manifest: Manifest

    @classmethod
    def found_in(cls, folder: Path) -> "Plugin":
        """The plugin in a folder, by its `strategy.yaml`.

        :raises pydantic.ValidationError: when the manifest does not fit.
        """
        value = yaml.safe_load((folder / "strategy.yaml").read_text("utf-8"))
        return cls(folder, Manifest.model_validate_json(json.dumps(value, default=str)))

    def strategy(self) -> Any:
        """A fresh strategy object: the file is executed anew, its parameters are loaded.

        :raises Exception: whatever the strategy's file raises when it is executed.
        """
        self._find_shared_code()
        config = self._config()
        try:
            strategy = StrategyResolver.load_strategy(config)
        except OperationalException:
            self._raise_what_is_behind()
            raise
        strategy.dp = MarketProvider(strategy.config, self.manifest, None)
        strategy.ft_bot_start()
        return strategy

    def signals(self, strategy: Any, market: Market) -> pd.DataFrame:
        """The candles with the strategy's columns, computed the way a backtest does.

        Afterwards the strategy is at the last candle: its callbacks see these columns.
        """
        strategy.dp = MarketProvider(strategy.config, self.manifest, market)
        advised = strategy.advise_all_indicators({market.pair: market.candles})
        signals: pd.DataFrame = strategy.ft_advise_signals(
            advised[market.pair], {"pair": market.pair}
        )
        strategy.dp.show(market.pair, signals)
        return signals

    def _find_shared_code(self) -> None:
        strategies = str(self.folder.parent)
        if strategies not in sys.path:
            sys.path.insert(0, strategies)

    def _raise_what_is_behind(self) -> None:
        """freqtrade only logs why a strategy cannot be imported: import it once more, to know."""
        spec = importlib.util.spec_from_file_location("strategy", self.folder / "strategy.py")
        if spec and spec.loader:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))

    def _config(self) -> dict[str, Any]:
        manifest = self.manifest
        mode = TradingMode(manifest.trading_mode)
        return {
            "strategy": manifest.class_name,
            "strategy_path": str(self.folder),
            "user_data_dir": self.folder,
            "datadir": self.folder,
            "dataformat_ohlcv": "feather",
            "runmode": RunMode.BACKTEST,
            "dry_run": True,
            "dry_run_wallet": 10_000,
            "trading_mode": mode,
            "margin_mode": MarginMode.ISOLATED if mode == TradingMode.FUTURES else MarginMode.NONE,
            "candle_type_def": CandleType.get_default(mode),
            "timeframe": manifest.timeframe,
            "stake_currency": manifest.pairs[0].split("/")[1].split(":")[0],
            "stake_amount": "unlimited",
            "exchange": {"name": "binance", "pair_whitelist": list(manifest.pairs)},
        }
