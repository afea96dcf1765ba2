"""What a strategy can see: the candles of its pairs in every timeframe, up to some moment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from freqtrade.data.dataprovider import DataProvider

from pipelines.domain.candles import TIMEFRAMES
from pipelines.domain.strategy import Manifest

Key = tuple[str, str]
"""A pair and a timeframe."""


@dataclass(frozen=True)
class Market:
    """The candles that one run over `pair` sees. Pairs without candles of their own show its."""

    pair: str
    timeframe: str
    frames: Mapping[Key, pd.DataFrame]

    @property
    def candles(self) -> pd.DataFrame:
        """The candles that signals are asked for."""
        return self.frames[self.pair, self.timeframe]

    def until(self, rows: int) -> "Market":
        """The first candles only, and of the other timeframes what had closed by then."""
        closes = self.candles["date"].iloc[rows - 1] + _length(self.timeframe)
        frames = {
            key: frame[frame["date"] + _length(key[1]) <= closes] for key, frame in self._others()
        }
        return self._with(frames, self.candles.iloc[:rows])

    def since(self, row: int, start_up: int) -> "Market":
        """From a row on with exactly `start_up` candles before it, in every timeframe.

        This is what freqtrade loads for a backtest that begins at that row.
        """
        begins = self.candles["date"].iloc[row]
        frames = {
            key: frame[frame["date"] >= begins - start_up * _length(key[1])]
            for key, frame in self._others()
        }
        return self._with(frames, self.candles.iloc[row - start_up :])

    def _others(self) -> list[tuple[Key, pd.DataFrame]]:
        return [item for item in self.frames.items() if item[0] != (self.pair, self.timeframe)]

    def _with(self, others: dict[Key, pd.DataFrame], candles: pd.DataFrame) -> "Market":
        own = {(self.pair, self.timeframe): candles}
        frames = {key: frame.reset_index(drop=True) for key, frame in (own | others).items()}
        return replace(self, frames=frames)


def built(manifest: Manifest, candles: pd.DataFrame, pair: str, tail: int = 0) -> Market:
    """A market out of one frame: the longer timeframes are made from it.

    With `tail`, signals are asked for the last rows only; longer timeframes know all of them.
    """
    frames: dict[Key, pd.DataFrame] = {
        (pair, manifest.timeframe): candles.iloc[-tail:].reset_index(drop=True)
    }
    for timeframe in manifest.timeframes[1:]:
        frames[pair, timeframe] = resampled(candles, manifest.timeframe, timeframe)
    return Market(pair, manifest.timeframe, frames)


def resampled(candles: pd.DataFrame, timeframe: str, longer: str) -> pd.DataFrame:
    """The candles of a longer timeframe. One that had not closed by the end is left out."""
    grouped = candles.groupby(candles["date"].dt.floor(_length(longer)))
    frame: pd.DataFrame = grouped.agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    ).reset_index()
    if frame.empty:
        return frame
    closes = candles["date"].iloc[-1] + _length(timeframe)
    closed: pd.DataFrame = frame[frame["date"] + _length(longer) <= closes]
    return closed.reset_index(drop=True)


def _length(timeframe: str) -> pd.Timedelta:
    return pd.Timedelta(milliseconds=TIMEFRAMES[timeframe])


class MarketProvider(DataProvider):  # type: ignore[misc] # freqtrade is untyped
    """freqtrade's DataProvider over a `Market`. It has what the manifest names and nothing else."""

    def __init__(self, config: dict[str, Any], manifest: Manifest, market: Market | None) -> None:
        super().__init__(config, None)
        self._manifest = manifest
        self._market = market

    def historic_ohlcv(self, pair: str, timeframe: str, candle_type: str = "") -> pd.DataFrame:
        """A copy, as from freqtrade itself; behind it lies every other way to ask for candles."""
        del candle_type
        self._refuse_undeclared(pair, timeframe)
        if self._market is None:
            return pd.DataFrame(columns=["date", "open", "high", "low", "close", "volume"])
        frames = self._market.frames
        return frames.get((pair, timeframe), frames[self._market.pair, timeframe]).copy()

    def show(self, pair: str, analyzed: pd.DataFrame) -> None:
        """Let `get_analyzed_dataframe` answer, as it does at the last candle of a backtest."""
        candle_type = self._config["candle_type_def"]
        self._set_cached_df(pair, self._config["timeframe"], analyzed, candle_type)
        self._set_dataframe_max_index(pair, len(analyzed))

    def current_whitelist(self) -> list[str]:
        """The pairs of the manifest."""
        return list(self._manifest.pairs)

    def market(self, pair: str) -> dict[str, Any] | None:
        """What freqtrade needs of a market to name the columns of informative pairs."""
        base, _, quote = pair.partition(":")[0].partition("/")
        return {"symbol": pair, "base": base, "quote": quote, "active": True}

    def _refuse_undeclared(self, pair: str, timeframe: str) -> None:
        if timeframe not in self._manifest.timeframes:
            raise LookupError(
                f"the strategy asks for {timeframe} candles, but strategy.yaml names "
                f"{', '.join(self._manifest.timeframes)}: add it to 'informative'"
            )
        if pair not in self._manifest.candle_pairs:
            raise LookupError(
                f"the strategy asks for candles of {pair}, but strategy.yaml names "
                f"{', '.join(self._manifest.candle_pairs)}: add it to 'informative_pairs'"
            )
