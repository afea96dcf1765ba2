"""Candle files read once, and shown to freqtrade as if it read them each time.

freqtrade goes on choosing, trimming and filling by itself: only the reading of a file is replaced,
so every fork gets exactly the frames that it would have read, start-up candles included.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.data.history.datahandlers.featherdatahandler import FeatherDataHandler
from freqtrade.enums import CandleType, TradingMode

from pipelines.domain.candles import TIMEFRAMES

_read_from_disk = FeatherDataHandler._ohlcv_load  # noqa: SLF001 - the one place that reads files


@dataclass(frozen=True)
class File:
    """Which file freqtrade would read."""

    folder: Path
    pair: str
    timeframe: str
    candle_type: CandleType

    @property
    def has_prices(self) -> bool:
        """Whether trades are made at what is in it: not funding rates, nor prices of an index."""
        return self.candle_type in (CandleType.SPOT, CandleType.FUTURES)


def preload(folder: Path, mode: TradingMode) -> Mapping[File, pd.DataFrame]:
    """Read all candles of a folder, and let freqtrade find them in memory from now on."""
    held = {}
    handler = FeatherDataHandler(folder)
    for pair, timeframe, candle_type in handler.ohlcv_get_available_data(folder, mode):
        frame = _read_from_disk(handler, pair, timeframe, None, candle_type)
        if not frame.empty:
            held[File(folder, pair, timeframe, candle_type)] = frame

    def load(
        self: Any, pair: str, timeframe: str, timerange: TimeRange | None, candle_type: CandleType
    ) -> pd.DataFrame:
        file = File(Path(self._datadir), pair, timeframe, candle_type)
        if file not in held:
            read: pd.DataFrame = _read_from_disk(self, pair, timeframe, timerange, candle_type)
            return read
        return _part(held[file], timerange, timeframe)

    FeatherDataHandler._ohlcv_load = load  # noqa: SLF001
    return held


def _part(frame: pd.DataFrame, timerange: TimeRange | None, timeframe: str) -> pd.DataFrame:
    """What freqtrade reads of a file: a candle more than was asked for, on either side."""
    first, last = 0, len(frame)
    if timerange is not None:
        wider = timedelta(milliseconds=TIMEFRAMES[timeframe])
        times = frame["date"]
        if timerange.starttype == "date" and timerange.startdt:
            first = int(times.searchsorted(pd.Timestamp(timerange.startdt - wider), "left"))
        if timerange.stoptype == "date" and timerange.stopdt:
            last = int(times.searchsorted(pd.Timestamp(timerange.stopdt + wider), "right"))
    return frame.iloc[first:last].reset_index(drop=True)
