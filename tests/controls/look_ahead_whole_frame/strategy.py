"""Measures prices against the mean and the spread of all candles, later ones too."""

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.15
    minimal_roi = {"0": 10}
    startup_candle_count = 48
    process_only_new_candles = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        close = dataframe["close"]
        dataframe["score"] = (close - close.mean()) / close.std()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        low = dataframe["score"] < -0.5
        dataframe.loc[low, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["score"] > 0.5, "exit_long"] = 1
        return dataframe
