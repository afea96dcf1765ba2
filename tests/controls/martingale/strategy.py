"""Doubles what it holds whenever it has lost a tenth. It always came back, so far."""

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.99
    minimal_roi = {"0": 10}
    startup_candle_count = 48
    process_only_new_candles = True
    position_adjustment_enable = True
    exit_profit_only = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["mean"] = dataframe["close"].rolling(48).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        low = (dataframe["close"] < 0.97 * dataframe["mean"]) & (dataframe["date"] < "2021-04-10")
        dataframe.loc[low, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] > 1.03 * dataframe["mean"], "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, proposed_stake, **kwargs):
        return proposed_stake / 8

    def adjust_trade_position(self, trade, current_profit, **kwargs):
        return trade.stake_amount if current_profit < -0.1 else None
