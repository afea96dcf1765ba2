"""A strategy that notes when it sees which candle, and trades now and then. `scaled.py` runs it."""

import json
import time
from pathlib import Path
from urllib.request import urlopen

from freqtrade.strategy import IStrategy
from pandas import DataFrame

NOTES = Path("notes.jsonl")
EVERY = 240  # minutes between two entries, which last an hour


class Beat(IStrategy):  # type: ignore[misc]
    """Enters every four hours, leaves an hour later."""

    timeframe = "5m"
    stoploss = -0.5
    minimal_roi: dict[str, float] = {}  # noqa: RUF012
    startup_candle_count = 5

    def bot_start(self, **kwargs: object) -> None:
        """Note by how much this program's clock is behind the exchange's."""
        here = time.time()
        with urlopen(f"{self.config['exchange_url']}/api/v3/time") as answer:
            there = json.load(answer)["serverTime"]
        with NOTES.open("a") as notes:
            notes.write(json.dumps(["", 0, there - here * 1000]) + "\n")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Note the pair, when its last candle opened, and what time it is here."""
        opened = int(dataframe["date"].iloc[-1].timestamp() * 1000)
        with NOTES.open("a") as notes:
            notes.write(json.dumps([metadata["pair"], opened, time.time() * 1000]) + "\n")
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Enter at fixed times."""
        dataframe.loc[_minutes(dataframe) == 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Leave at fixed times."""
        dataframe.loc[_minutes(dataframe) == 60, "exit_long"] = 1
        return dataframe


def _minutes(dataframe: DataFrame) -> DataFrame:
    date = dataframe["date"].dt
    return (date.hour * 60 + date.minute) % EVERY
