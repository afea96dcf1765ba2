"""Long while a short mean is above a longer one, short while it is below; always with leverage.

It was never tuned and is not shipped: it only makes sure that both directions of futures trade.
"""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from freqtrade.strategy import IStrategy
from pandas import DataFrame

FAST = 4  # hours: short, so that a few days hold several trades of both directions
SLOW = 12


class BothWays(IStrategy):
    """The crossing of two short means, long and short."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = True
    process_only_new_candles = True
    startup_candle_count = SLOW

    minimal_roi: ClassVar[dict[str, float]] = {}  # the means decide when it is over
    stoploss = -0.15
    order_types: ClassVar[dict[str, Any]] = {
        "entry": "limit",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The distance of the two means."""
        close = dataframe["close"]
        dataframe["lead"] = close.rolling(FAST).mean() - close.rolling(SLOW).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Into the direction of the shorter mean."""
        traded = dataframe["volume"] > 0
        above, below = (dataframe["lead"] > 0) & traded, (dataframe["lead"] < 0) & traded
        dataframe["enter_long"] = above.astype(int)
        dataframe["enter_short"] = below.astype(int)
        dataframe["enter_tag"] = np.where(above, "above", np.where(below, "below", None))
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Out as soon as the means have crossed."""
        dataframe["exit_long"] = (dataframe["lead"] < 0).astype(int)
        dataframe["exit_short"] = (dataframe["lead"] > 0).astype(int)
        return dataframe

    def leverage(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Three times, where that is allowed."""
        return min(3.0, max_leverage)
