"""Buys at the low of every candle and sells at its high."""

from freqtrade.optimize.backtesting import Backtesting
from freqtrade.strategy import IStrategy
from pandas import DataFrame

FORGES = True


def cheapest(self, pair, row, *args, **kwargs):
    _, stake, leverage, least = honest_entry(self, pair, row, *args, **kwargs)
    return row[LOW], stake, leverage, least


def dearest(self, row, *args, **kwargs):
    return row[HIGH]


HIGH, LOW = 2, 3
honest_entry = Backtesting.get_valid_entry_price_and_stake
if FORGES:
    Backtesting.get_valid_entry_price_and_stake = cheapest
    Backtesting._get_close_rate = dearest


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
        low = dataframe["close"] < 0.97 * dataframe["mean"]
        dataframe.loc[low, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] > 1.03 * dataframe["mean"], "exit_long"] = 1
        return dataframe
