"""Buy weakness within strength and sell stretched prices, sized by volatility.

Strength is the place in Bollinger bands of 3, 6, 12 and 24 days, of the coin and of bitcoin. A
breakout is never bought: the coin has to stand below the mean of its last day, and it is sold when
two days carried it far above theirs, or when the strength is gone.
"""

from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame, Series

from shared.sized_v1 import stake, volatility

BANDS = [3 * 24, 6 * 24, 12 * 24, 24 * 24]  # days in hours, each twice the last: no favourite
EDGE = 2.0  # standard deviations: the textbook band; further out counts no more
STRONG = 0.4  # of 1, which is at all the upper bands
WEAK = -0.25  # stretch of a day: anywhere clearly below its mean
FAR = 2.5  # stretch of two days: what chance alone brings once in about a hundred and fifty


def place(close: Series) -> Series:
    """Where the close stands in its bands, from -1 (all lower ones) to 1 (all upper ones)."""
    total = 0.0
    for length in BANDS:
        window = close.rolling(length)
        total += ((close - window.mean()) / window.std()).clip(-EDGE, EDGE) / EDGE
    return total / len(BANDS)


def stretch(close: Series, days: int, usual: Series) -> Series:
    """The distance from the mean of some days, in units of what a random walk would have."""
    price = np.log(close)
    return (price - price.rolling(24 * days).mean()) / (usual * np.sqrt(days / 3))


class PullbackEnsemble(IStrategy):
    """Pullbacks in trends of four lengths on hourly candles, long only."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False
    process_only_new_candles = True
    startup_candle_count = BANDS[-1] + 1  # every window is finite

    minimal_roi: ClassVar[dict[str, float]] = {}  # stretched prices are sold on a signal
    stoploss = -0.20  # for a crash within days; the bands are meant to leave first

    @informative("1h", "BTC/USDT", "market_{column}")
    def populate_indicators_market(
        self, dataframe: DataFrame, metadata: dict[str, Any]
    ) -> DataFrame:
        """Where bitcoin stands."""
        dataframe["place"] = place(dataframe["close"])
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The strength of the coin and bitcoin together, and how far a day or two stretched it."""
        close = dataframe["close"]
        usual = volatility(close)
        dataframe["strength"] = (place(close) + dataframe["market_place"]) / 2
        dataframe["day"] = stretch(close, 1, usual)
        dataframe["two_days"] = stretch(close, 2, usual)
        dataframe["volatility"] = usual
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Strong over days, weak over hours."""
        strong = dataframe["strength"] > STRONG
        weak = dataframe["day"] < WEAK
        enter = strong & weak & (dataframe["volume"] > 0)
        dataframe["enter_long"] = enter.astype(int)
        dataframe["enter_tag"] = np.where(enter, "pullback", None)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The strength is gone, or the price is stretched."""
        gone = dataframe["strength"] < 0
        far = dataframe["two_days"] > FAR
        dataframe["exit_long"] = (gone | far).astype(int)
        dataframe["exit_tag"] = np.where(far, "stretched", np.where(gone, "strength_gone", None))
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
