"""The recorded candles that the unit check lends to its child."""

from pathlib import Path

import pandas as pd

from pipelines.backtesting.compared import CANDLE
from pipelines.backtesting.market import Market
from pipelines.domain.candles import TIMEFRAMES
from pipelines.domain.strategy import Manifest
from pipelines.freqtrade.config import CANDLES, candle_file


def recorded(manifest: Manifest, rows: int, history: int) -> list[Market]:
    """A market for every pair whose candles lie below `candles/`.

    Each has its last `rows` candles, and `history` of every longer timeframe before them. A pair
    with fewer is left out.
    """
    frames = {
        (pair, timeframe): _read(pair, timeframe)
        for pair in manifest.candle_pairs
        for timeframe in manifest.timeframes
        if _file(pair, timeframe).is_file()
    }
    found = []
    for pair in manifest.pairs:
        own = frames.get((pair, manifest.timeframe))
        if own is None or len(own) < rows:
            continue
        begins = own["date"].iloc[-rows:].iloc[0]
        seen = {
            key: _from(frame, begins, history if key[1] != manifest.timeframe else 0, key[1])
            for key, frame in frames.items()
        }
        found.append(Market(pair, manifest.timeframe, seen))
    return found


def _file(pair: str, timeframe: str) -> Path:
    return Path(CANDLES) / candle_file(pair, timeframe)


def _read(pair: str, timeframe: str) -> pd.DataFrame:
    frame = pd.read_feather(_file(pair, timeframe))
    return frame.loc[:, list(CANDLE)]


def _from(frame: pd.DataFrame, begins: pd.Timestamp, history: int, timeframe: str) -> pd.DataFrame:
    first = begins - history * pd.Timedelta(milliseconds=TIMEFRAMES[timeframe])
    return frame[frame["date"] >= first].reset_index(drop=True)
