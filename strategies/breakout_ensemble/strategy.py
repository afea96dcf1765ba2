"""Buy a new twelve-day high, leave when the channels of four lengths say so, sized by volatility.

The exit is an average over channels of 3, 6, 12 and 24 days, so that no single length decides. A
stop that trails far below by the daily range is there for crashes only.
"""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, informative, stoploss_from_absolute
from pandas import DataFrame

from shared.sized_v1 import stake, volatility

CHANNELS = [3 * 24, 6 * 24, 12 * 24, 24 * 24]  # days in hours, each twice the last: no favourite
HIGH = 12 * 24  # the third of the four: a high of three channels at once
LEAVE = 0.1  # just above the middle (0) of the channels, whose tops are 1
RANGE_DAYS = 14  # the textbook period of the average true range
TRAIL = 4.0  # daily ranges between the last close and the stop: far outside a day's noise


class BreakoutEnsemble(IStrategy):
    """Donchian breakout on hourly candles with a trailing stop by daily ones, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    startup_candle_count = CHANNELS[-1] + 1  # every window is finite; the daily ones are shorter

    minimal_roi: ClassVar[dict[str, float]] = {}  # the channels decide when it is over
    stoploss = -0.30  # where the trailing stop of a wild coin would start
    use_custom_stoploss = True

    @informative("1d")
    def populate_indicators_1d(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The daily range."""
        dataframe["range"] = ta.TRANGE(dataframe).rolling(RANGE_DAYS).mean()
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The high, the place in the channels from -1 to 1, and where the stop would stand now."""
        close = dataframe["close"]
        place = 0.0
        for length in CHANNELS:
            window = close.rolling(length)
            low = window.min()
            place += 2 * (close - low) / (window.max() - low) - 1
        dataframe["place"] = place / len(CHANNELS)
        dataframe["high_close"] = close.rolling(HIGH).max()
        dataframe["trail"] = close - TRAIL * dataframe["range_1d"]
        dataframe["volatility"] = volatility(close)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """A new high, once the longest channel and the daily range are known."""
        breakout = dataframe["close"] >= dataframe["high_close"]
        known = dataframe["place"].notna() & dataframe["trail"].notna()
        enter = breakout & known & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "new_high", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Back near the middle of the channels."""
        leave = dataframe["place"] < LEAVE
        dataframe["exit_long"] = leave.astype(int)
        dataframe["exit_tag"] = np.where(leave, "middle_channels", None)
        return dataframe

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        """Trail below the last closed candle. freqtrade never lowers a stop, so it only rises."""
        dataframe, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if dataframe.empty:
            return None
        level = float(dataframe["trail"].iloc[-1])
        if not np.isfinite(level) or level <= 0:
            return None
        return stoploss_from_absolute(level, current_rate, is_short=trade.is_short)

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
