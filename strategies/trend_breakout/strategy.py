"""Buy a new twenty-day high in an uptrend and trail it by the daily range.

Most breakouts in a choppy market fail, so three things keep this honest: the daily trend must be
up, the daily range must not be swollen against its own normal (a frenzy ends soon, and its stop is
far away), and the trailing stop is tight enough to hand back little.
"""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, informative, stoploss_from_absolute
from pandas import DataFrame

CHANNEL = 20 * 24  # twenty days of hourly closes: the classic Donchian breakout
TREND_DAYS = 50  # the usual line between a bull and a bear market
RANGE_DAYS = 14  # the textbook period of the average true range
TRAIL = 1.5  # daily ranges between the last close and the stop: outside an ordinary day's noise
FRENZY = 1.3  # the range may be this much above its fifty-day mean, no more


class TrendBreakout(IStrategy):
    """Donchian breakout on hourly candles, filtered and trailed by daily ones, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    # Every window is finite, so this is exact: fifty days, one for the first true range, and the
    # day that is not over yet.
    startup_candle_count = (TREND_DAYS + 2) * 24

    minimal_roi: ClassVar[dict[str, float]] = {}  # the trailing stop is the only way out
    stoploss = -0.25  # a floor that the trailing stop should never let price reach
    use_custom_stoploss = True
    use_exit_signal = False

    @informative("1d")
    def populate_indicators_1d(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The daily trend and the daily range, both over finite windows."""
        dataframe["trend"] = dataframe["close"].rolling(TREND_DAYS).mean()
        true_range = ta.TRANGE(dataframe)
        dataframe["range"] = true_range.rolling(RANGE_DAYS).mean()
        dataframe["usual_range"] = true_range.rolling(TREND_DAYS).mean()
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The highest close before this one, and where the stop would stand now."""
        dataframe["channel"] = dataframe["close"].rolling(CHANNEL).max().shift(1)
        dataframe["trail"] = dataframe["close"] - TRAIL * dataframe["range_1d"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """A new high, in a daily uptrend, without a frenzy."""
        breakout = dataframe["close"] > dataframe["channel"]
        uptrend = dataframe["close_1d"] > dataframe["trend_1d"]
        calm = dataframe["range_1d"] < FRENZY * dataframe["usual_range_1d"]
        enter = breakout & uptrend & calm & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "new_high", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Nothing to do: the trailing stop is the exit."""
        dataframe["exit_long"] = 0
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
