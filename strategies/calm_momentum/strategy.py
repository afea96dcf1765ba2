"""Hold what rises calmly: weekly momentum, only while volatility is below its own normal.

Momentum crashes when volatility jumps, and quiet trends last longer than loud ones. So a coin is
bought when the week was clearly positive and the last five days were calmer than the last fifty,
and it is sold when the week turns negative or the calm ends.
"""

from typing import Any, ClassVar

import numpy as np
from freqtrade.strategy import IStrategy
from pandas import DataFrame

WEEK = 168  # hours; the middle of the five to ten days that worked in sample
RECENT = 120  # five days of hours: what counts as volatility now
NORMAL = 1200  # fifty days of hours: what counts as normal, and as the long trend
CALM = 0.85  # enter well below normal volatility
LOUD = 1.2  # leave a fifth above it; the gap between the two keeps trades from flickering
STRENGTH = 0.5  # the week's gain, in standard deviations of a week: half of one is clear


class CalmMomentum(IStrategy):
    """Volatility-filtered time-series momentum on hourly candles, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    startup_candle_count = NORMAL + 1  # every window is finite; returns need one candle more

    minimal_roi: ClassVar[dict[str, float]] = {}  # momentum decides when it is over
    stoploss = -0.15  # for a crash within the week; momentum or noise is meant to leave first

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The week's gain per volatility, volatility against its normal, and the long trend."""
        close = dataframe["close"]
        returns = np.log(close).diff()
        normal = returns.rolling(NORMAL).std()
        dataframe["momentum"] = (close / close.shift(WEEK) - 1) / (normal * np.sqrt(WEEK))
        dataframe["noise"] = returns.rolling(RECENT).std() / normal
        dataframe["trend"] = close.rolling(NORMAL).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """A clearly positive week, in an uptrend, quieter than normal."""
        rising = dataframe["momentum"] > STRENGTH
        uptrend = dataframe["close"] > dataframe["trend"]
        calm = dataframe["noise"] < CALM
        enter = rising & uptrend & calm & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "calm_rise", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The week turned negative, or it got loud."""
        over = dataframe["momentum"] < 0
        loud = dataframe["noise"] > LOUD
        dataframe["exit_long"] = (over | loud).astype(int)
        dataframe["exit_tag"] = np.where(loud, "too_loud", np.where(over, "momentum_gone", None))
        return dataframe
