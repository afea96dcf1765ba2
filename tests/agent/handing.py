"""Strategies for handovers: what they hold is decided by the hour, or by nobody."""

UNLIMITED = {
    "max_drawdown": 1,
    "max_orders_per_hour": 2000,
    "max_rejected_per_hour": 2000,
    "max_cancelled_per_hour": 2000,
}
"""Protections that never trip."""

HOLD = """
from freqtrade.strategy import IStrategy


class Beat(IStrategy):
    timeframe = "1h"
    stoploss = -0.2
    minimal_roi = {}
    startup_candle_count = 5

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["date"].dt.hour % 2 == 0, ["enter_long", "enter_tag"]] = (1, "even")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = 0
        return dataframe
"""
"""Buys as soon as it may, and never sells."""

LOOSER = HOLD.replace("stoploss = -0.2", "stoploss = -0.4")
TIGHTER = HOLD.replace("stoploss = -0.2", "stoploss = -0.15")
STRANGER = HOLD.replace('"even"', '"other"')
LEAVES = HOLD.replace('dataframe["exit_long"] = 0', 'dataframe["exit_long"] = 1')
"""Sells what it finds."""
