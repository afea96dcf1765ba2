"""Hold what stands high in its channels while bitcoin does too, sized by volatility.

The place of the close between the lowest and the highest close is averaged over 3, 6, 12 and 24
days, and then with bitcoin's, since coins rise and fall with the market.
"""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame, Series

from shared.sized_v1 import stake, volatility

CHANNELS = [3 * 24, 6 * 24, 12 * 24, 24 * 24]  # days in hours, each twice the last: no favourite
ENTER = 0.75  # halfway from the middle (0) to the top (1) of the channels, and half of that again
LEAVE = 0.0  # the middle


def place(close: Series) -> Series:
    """Where the close stands in its channels, from -1 (all bottoms) to 1 (all tops)."""
    total = 0.0
    for length in CHANNELS:
        window = close.rolling(length)
        low = window.min()
        total += 2 * (close - low) / (window.max() - low) - 1
    return total / len(CHANNELS)


class ChannelEnsemble(IStrategy):
    """Donchian channels of four lengths, of the coin and of bitcoin, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    startup_candle_count = CHANNELS[-1] + 1  # every window is finite

    minimal_roi: ClassVar[dict[str, float]] = {}  # the channels decide when it is over
    stoploss = -0.20  # for a crash within days; the channels are meant to leave first

    @informative("1h", "BTC/USDT", "market_{column}")
    def populate_indicators_market(
        self, dataframe: DataFrame, metadata: dict[str, Any]
    ) -> DataFrame:
        """Where bitcoin stands."""
        dataframe["place"] = place(dataframe["close"])
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Where the coin and bitcoin stand together."""
        close = dataframe["close"]
        dataframe["place"] = (place(close) + dataframe["market_place"]) / 2
        dataframe["volatility"] = volatility(close)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Near the tops."""
        enter = (dataframe["place"] > ENTER) & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "near_the_tops", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Below the middle."""
        leave = dataframe["place"] < LEAVE
        dataframe["exit_long"] = leave.astype(int)
        dataframe["exit_tag"] = np.where(leave, "below_the_middle", None)
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
