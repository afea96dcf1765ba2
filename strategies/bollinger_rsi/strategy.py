"""Ride the upper Bollinger band while the long trend is up.

A close far above the band of the last five days is rare, and in an uptrend it tends to go on. RSI
asks that the push is real, the long average that it is not a rally inside a bear market, and the
trade ends when price falls back to the middle of the band.
"""

from typing import Any, ClassVar

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy
from pandas import DataFrame

BAND = 120  # five days of hours: long enough to skip the daily rhythm, short enough to react
TREND = 1200  # fifty days: the usual line between a bull and a bear market, in hours
RSI = 14  # the textbook period


class BollingerRsi(IStrategy):
    """Bollinger bands and RSI on hourly candles, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    startup_candle_count = TREND  # the longest window; RSI(14) has long settled by then

    # The band decides when to leave. Half as much again within one trade is a spike: take it.
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.5}
    # Usually below the middle band: reached when a spike collapses before the band has followed.
    stoploss = -0.10

    entry_width = DecimalParameter(2.25, 3.25, decimals=2, default=2.75, space="buy")
    entry_rsi = IntParameter(55, 75, default=65, space="buy")
    # A little above the middle: gives back less, at a few more trades.
    exit_width = DecimalParameter(0.0, 0.5, decimals=2, default=0.25, space="sell")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Where the close stands in its band (in standard deviations), its RSI and its trend."""
        close = dataframe["close"]
        window = close.rolling(BAND)
        dataframe["band_position"] = (close - window.mean()) / window.std(ddof=0)
        dataframe["rsi"] = ta.RSI(close, timeperiod=RSI)
        dataframe["trend"] = close.rolling(TREND).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Above the upper band, with force, in an uptrend."""
        pushing = dataframe["band_position"] > self.entry_width.value
        forceful = dataframe["rsi"] > self.entry_rsi.value
        uptrend = dataframe["close"] > dataframe["trend"]
        enter = pushing & forceful & uptrend & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "upper_band", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Back at the middle of the band."""
        leave = dataframe["band_position"] < self.exit_width.value
        dataframe["exit_long"] = leave.astype(int)
        dataframe["exit_tag"] = np.where(leave, "middle_band", None)
        return dataframe
