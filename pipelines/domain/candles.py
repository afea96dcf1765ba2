"""Candles, the windows that strategies are judged on, and the lock that pins both.

All times are the opening times of candles. In arrays they are UTC milliseconds.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from pipelines.domain.document import Digest, Document, sha256

if TYPE_CHECKING:  # whoever has no candles in hand does not wait for numpy
    import numpy as np
    from numpy.typing import NDArray

TIMEFRAMES: dict[str, int] = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}
"""Milliseconds of every timeframe that Sluice knows."""

TradingMode = Literal["spot", "futures"]


def milliseconds(moment: datetime) -> int:
    """UTC milliseconds of an aware moment."""
    return int(moment.timestamp() * 1000)


def moment(milliseconds: int) -> datetime:
    """The aware UTC moment of UTC milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@dataclass(frozen=True)
class Candles:
    """The candles of one pair and timeframe: arrays of one length, times ascending.

    `time` is int64 UTC milliseconds of the opening; the others are float64.
    """

    pair: str
    timeframe: str
    time: "NDArray[np.int64]"
    open: "NDArray[np.float64]"
    high: "NDArray[np.float64]"
    low: "NDArray[np.float64]"
    close: "NDArray[np.float64]"
    volume: "NDArray[np.float64]"

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def digest(self) -> str:
        """Sha256 over the content (little-endian arrays one after another), not over a file."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        content = self.time.astype("<i8").tobytes()
        return sha256(content + b"".join(column.astype("<f8").tobytes() for column in columns))

    def between(self, start: datetime, end: datetime) -> "Candles":
        """The candles that open at or after `start` and before `end`."""
        first, last = self.time.searchsorted([milliseconds(start), milliseconds(end)])
        part = slice(int(first), int(last))
        return Candles(
            self.pair,
            self.timeframe,
            self.time[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
        )


class Window(Document):
    """A named span of days, both inclusive, on which a strategy is judged."""

    start: date
    end: date

    @model_validator(mode="after")
    def _ordered(self) -> "Window":
        if self.end < self.start:
            raise ValueError(f"the window ends ({self.end}) before it starts ({self.start})")
        return self

    @property
    def opens(self) -> datetime:
        """The first moment of the window."""
        return datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)

    @property
    def closes(self) -> datetime:
        """The first moment after the window."""
        return datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC) + timedelta(days=1)


class Gap(Document):
    """A hole in recorded candles: the first missing opening time and how many are missing."""

    at: datetime
    missing: int


class Series(Document):
    """What is pinned of one pair and timeframe."""

    digest: Digest
    rows: int
    start: datetime
    end: datetime
    gaps: tuple[Gap, ...] = ()


class DataSet(Document):
    """A named set of candles: which content is meant, and the windows to judge on.

    `series` is keyed by pair, then by timeframe.
    """

    exchange: str
    trading_mode: TradingMode = "spot"
    synthetic: bool
    source: str
    windows: dict[str, Window]
    series: dict[str, dict[str, Series]]

    def digest_of(self, pairs: tuple[str, ...], timeframes: tuple[str, ...]) -> str:
        """One digest for the candles and windows that a strategy with these pairs can see.

        :raises KeyError: when the set has no such pair or timeframe.
        """
        lines = [f"{self.exchange} {self.trading_mode} synthetic={self.synthetic}"]
        lines += [f"{name} {w.start} {w.end}" for name, w in sorted(self.windows.items())]
        lines += [
            f"{pair} {timeframe} {self.series[pair][timeframe].digest}"
            for pair in sorted(pairs)
            for timeframe in sorted(timeframes)
        ]
        return sha256("\n".join(lines).encode())

    @property
    def published_digest(self) -> str:
        """One digest for all candles of the set, whatever the windows: its published name."""
        lines = [f"{self.exchange} {self.trading_mode}"]
        lines += [f"{pair} {tf} {pinned.digest}" for pair, tf, pinned in self.every()]
        return sha256("\n".join(lines).encode())

    def every(self) -> tuple[tuple[str, str, Series], ...]:
        """Pair, timeframe and what is pinned of them: all series, in a stable order."""
        return tuple(
            (pair, timeframe, self.series[pair][timeframe])
            for pair in sorted(self.series)
            for timeframe in TIMEFRAMES
            if timeframe in self.series[pair]
        )

    def file(self, pair: str, timeframe: str) -> PurePath:
        """Where a folder of candles keeps this pair and timeframe: freqtrade's layout."""
        stem = f"{pair.replace('/', '_').replace(':', '_')}-{timeframe}"
        if self.trading_mode == "futures":
            return PurePath(self.exchange, "futures", f"{stem}-futures.feather")
        return PurePath(self.exchange, f"{stem}.feather")


class DataLock(Document):
    """`environments/data.lock`: every set of candles that strategies may be judged on."""

    sets: dict[str, DataSet]
