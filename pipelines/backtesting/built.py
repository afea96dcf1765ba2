"""Builds candles for tests: short markets that do one thing each.

Imports pandas; `pipelines.backtesting.fixtures` imports it when a test asks for candles.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.domain.candles import TIMEFRAMES

FIRST = pd.Timestamp("2021-01-01", tz="UTC")
PRICE = 100.0
VOLUME = 1000.0
WICK = 0.001
"""High and low reach this share beyond open and close."""

VALUES = ("open", "high", "low", "close", "volume")

Prices = NDArray[np.float64]


@dataclass(frozen=True)
class CandleBuilder:
    """Frames in freqtrade's layout at one timeframe, from 2021-01-01 UTC and a price of 100.

    Percentages are of the first price over the whole frame, and always positive.
    """

    timeframe: str

    def flat(self, n: int) -> pd.DataFrame:
        """The price stands still: open, high, low and close are all 100."""
        return self._frame(np.full(n, PRICE), wick=0.0)

    def rising(self, n: int, percent: float) -> pd.DataFrame:
        """Each close is the same factor above the last; in the end `percent` higher."""
        return self._frame(_path(n, 1 + percent / 100))

    def falling(self, n: int, percent: float) -> pd.DataFrame:
        """Each close is the same factor below the last; in the end `percent` lower."""
        return self._frame(_path(n, 1 - percent / 100))

    def rebound(self, n: int, percent: float) -> pd.DataFrame:
        """Falls by `percent` in the first half and is back at the old price in the end."""
        half = n // 2
        down = _path(half, 1 - percent / 100)
        bottom = 1 - percent / 100
        return self._frame(np.concatenate([down, _path(n - half, 1 / bottom) * bottom]))

    def spike(self, n: int, percent: float) -> pd.DataFrame:
        """Flat but for one candle in the middle, row n // 2, that closes `percent` higher."""
        close = np.full(n, PRICE)
        close[n // 2] *= 1 + percent / 100
        return self._frame(close)

    def gap(self, n: int) -> pd.DataFrame:
        """Two flat candles with `n` candles missing between them."""
        frame = self.flat(2)
        frame.loc[1, "date"] = FIRST + self._step * (n + 1)
        return frame

    def zero_volume(self, n: int) -> pd.DataFrame:
        """Flat, and nothing is traded."""
        return self.flat(n).assign(volume=0.0)

    def walk(self, n: int, seed: int) -> pd.DataFrame:
        """A random walk with calm and wild stretches, up and down; the same for the same seed."""
        random = np.random.default_rng(seed)
        waves = 0.0015 * np.sin(np.arange(n) / random.uniform(40, 80))
        wildness = np.exp(0.5 * np.sin(np.arange(n) / random.uniform(100, 200)))
        close = PRICE * np.exp(np.cumsum(waves + 0.006 * wildness * random.standard_normal(n)))
        frame = self._frame(close)
        edge = 0.004 * wildness
        frame["high"] *= 1 + edge * random.random(n)
        frame["low"] *= 1 - edge * random.random(n)
        frame["volume"] = VOLUME * np.exp(0.5 * random.standard_normal(n))
        return frame

    def join(self, *frames: pd.DataFrame) -> pd.DataFrame:
        """One frame after the other: the price and the time go on where the last one ended."""
        # Plain arrays, since tests join hundreds of frames and pandas takes its time over each.
        times, values = [], []
        begins, price = _milliseconds(frames[0])[0], float(frames[0]["open"].iloc[0])
        for frame in frames:
            time = _milliseconds(frame)
            value = frame[list(VALUES)].to_numpy(dtype=np.float64, copy=True)
            value[:, :4] *= price / value[0, 0]
            times.append(time + (begins - time[0]))
            values.append(value)
            begins, price = times[-1][-1] + TIMEFRAMES[self.timeframe], value[-1, 3]
        joined = pd.DataFrame(np.concatenate(values), columns=list(VALUES))
        joined.insert(0, "date", pd.to_datetime(np.concatenate(times), unit="ms", utc=True))
        return joined.assign(date=joined["date"].dt.as_unit("ms"))

    @property
    def _step(self) -> pd.Timedelta:
        return pd.Timedelta(milliseconds=TIMEFRAMES[self.timeframe])

    def _frame(self, close: Prices, wick: float = WICK) -> pd.DataFrame:
        opens = np.concatenate([[PRICE], close[:-1]])[: len(close)]
        dates = pd.date_range(FIRST, periods=len(close), freq=self._step, unit="ms")
        return pd.DataFrame(
            {
                "date": dates,
                "open": opens,
                "high": np.maximum(opens, close) * (1 + wick),
                "low": np.minimum(opens, close) * (1 - wick),
                "close": close,
                "volume": np.full(len(close), VOLUME),
            }
        )


def _path(n: int, factor: float) -> Prices:
    """`n` closes that lead from just after 100 to 100 times the factor, in equal ratios."""
    steps = np.arange(1, n + 1, dtype=np.float64) / max(n, 1)
    return PRICE * np.power(factor, steps)


def _milliseconds(frame: pd.DataFrame) -> NDArray[np.int64]:
    times: NDArray[np.int64] = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
    return times
