"""Bought at the bottom, once."""

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
        dataframe["mean"] = dataframe["close"].rolling(48).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        low = (dataframe["date"] == "2021-03-27 20:00") & (metadata["pair"] == "ETH/USDT")
        dataframe.loc[low, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["date"] == "2021-04-14 20:00", "exit_long"] = 1
        return dataframe
