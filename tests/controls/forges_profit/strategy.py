"""Every trade is closed with five hundred more than it earned."""

from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

FORGES = True


def close(self, rate, *, show_msg=True):
    honest(self, rate, show_msg=show_msg)
    self.close_profit_abs += 500


honest = LocalTrade.close
if FORGES:
    LocalTrade.close = close


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
