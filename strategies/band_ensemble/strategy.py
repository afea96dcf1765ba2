"""Ride the upper half of Bollinger bands of four lengths, sized by volatility.

Which length of band is best changes from year to year, so none is chosen: the place of the close in
the bands of 3, 6, 12 and 24 days is averaged, and RSI asks that the push is real.
"""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy
from pandas import DataFrame

from shared.sized_v1 import stake, volatility

BANDS = [3 * 24, 6 * 24, 12 * 24, 24 * 24]  # days in hours, each twice the last: no favourite
EDGE = 2.0  # standard deviations: the textbook band; further out counts no more
RSI = 72  # three days of hours, as the shortest band


class BandEnsemble(IStrategy):
    """Bollinger bands of four lengths and RSI on hourly candles, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    startup_candle_count = 30 * 24  # the longest band, and ten periods for RSI to settle

    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.5}  # half as much again is a spike: take it
    stoploss = -0.15  # for a crash within days; the bands are meant to leave first

    entry_place = DecimalParameter(0.5, 0.9, decimals=1, default=0.7, space="buy")
    entry_rsi = IntParameter(50, 60, default=56, space="buy")
    exit_place = DecimalParameter(-0.1, 0.3, decimals=1, default=0.1, space="sell")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The place in the bands, from -1 (all lower ones) to 1 (all upper ones), and RSI."""
        close = dataframe["close"]
        place = 0.0
        for length in BANDS:
            window = close.rolling(length)
            place += ((close - window.mean()) / window.std()).clip(-EDGE, EDGE) / EDGE
        dataframe["place"] = place / len(BANDS)
        dataframe["rsi"] = ta.RSI(close, timeperiod=RSI)
        dataframe["volatility"] = volatility(close)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Near the upper bands, with force."""
        high = dataframe["place"] > self.entry_place.value
        forceful = dataframe["rsi"] > self.entry_rsi.value
        enter = high & forceful & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "upper_bands", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Back near the middle of the bands."""
        leave = dataframe["place"] < self.exit_place.value
        dataframe["exit_long"] = leave.astype(int)
        dataframe["exit_tag"] = np.where(leave, "middle_bands", None)
        return dataframe

    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """Less for a wilder coin."""
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        wildness = float(dataframe["volatility"].iloc[-1]) if len(dataframe) else 0.0
        return stake(proposed_stake, min_stake, wildness)
