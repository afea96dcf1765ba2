"""The tape: candles that are replayed, seen from a moment of the exchange's clock.

Prices follow the finest candles that a pair has at that moment. What lies ahead is never shown.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property

import numpy as np

from pipelines.domain.candles import TIMEFRAMES, Candles, milliseconds
from runner.exchange.core.path import Candle, price_at, so_far

_DAY = TIMEFRAMES["1d"]
_DIGITS = 8


@dataclass(frozen=True)
class Reel:
    """The candles of one pair, by timeframe; `tick` is what its prices are multiples of."""

    symbol: str
    tick: Decimal
    timeframes: tuple[str, ...]
    load: Callable[[str], Candles]

    @cached_property
    def series(self) -> dict[str, Candles]:
        """The whole arrays, by timeframe: also what lies ahead."""
        return {timeframe: self.load(timeframe) for timeframe in self.timeframes}

    def span(self) -> tuple[int, int]:
        """From when to when there are candles."""
        spans = [
            (int(c.time[0]), int(c.time[-1]) + TIMEFRAMES[tf]) for tf, c in self.series.items()
        ]
        return min(begin for begin, _ in spans), max(end for _, end in spans)

    def finest(self, at: int) -> str:
        """The timeframe that prices follow at a moment: the shortest that covers it."""
        for timeframe in sorted(self.timeframes, key=TIMEFRAMES.__getitem__):
            time, length = self.series[timeframe].time, TIMEFRAMES[timeframe]
            if int(time[0]) <= at < int(time[-1]) + length:
                return timeframe
        return max(self.timeframes, key=lambda tf: int(self.series[tf].time[-1]))

    def candle(self, at: int) -> Candle | None:
        """The candle that is open at a moment, whole; None where there is none."""
        found = self._last(self.finest(at), at)
        return found if found is not None and at < found.closes else None

    def price(self, at: int) -> Decimal | None:
        """The last price at a moment; None before the first candle."""
        found = self._last(self.finest(at), at)
        return None if found is None else price_at(found, at)

    def between(self, begins: int, ends: int) -> Iterator[Candle]:
        """The finest candles that overlap a span, whole, in order."""
        timeframe = self.finest(begins)
        series, length = self.series[timeframe], TIMEFRAMES[timeframe]
        first, last = np.searchsorted(series.time, [begins - length + 1, ends])
        for row in range(int(first), int(last)):
            yield self._row(timeframe, row)

    def turn(self, at: int) -> int | None:
        """The first moment after this one at which a candle opens or closes; None at the end."""
        candle = self.candle(at)
        if candle is not None:
            return candle.closes
        time = self.series[self.finest(at)].time
        row = int(np.searchsorted(time, at, side="right"))
        return int(time[row]) if row < len(time) else None

    def rows(self, timeframe: str, begins: int, ends: int, now: int) -> range:
        """Where candles stand that opened in a span, both ends inclusive, and not after now."""
        first, last = np.searchsorted(self.series[timeframe].time, [begins, min(ends, now) + 1])
        return range(int(first), int(last))

    def last_rows(self, timeframe: str, limit: int, ends: int, now: int) -> range:
        """Where the last candles stand that opened not after a moment."""
        return self.rows(timeframe, 0, ends, now)[-limit:]

    def is_open(self, timeframe: str, row: int, now: int) -> bool:
        """True while a candle has not closed."""
        return now < int(self.series[timeframe].time[row]) + TIMEFRAMES[timeframe]

    def seen(self, timeframe: str, row: int, now: int) -> Candle:
        """A candle as far as it is now; the open one is built from what was seen of finer ones."""
        candle = self._row(timeframe, row)
        if now >= candle.closes:
            return candle
        parts = self.between(candle.opens, now + 1)
        return joined([so_far(part, now) for part in parts], candle.length) or so_far(candle, now)

    def newest(self, timeframe: str, limit: int, now: int) -> list[Candle]:
        """The last candles, the open one as far as it is now."""
        rows = self.last_rows(timeframe, limit, now, now)
        return [self.seen(timeframe, row, now) for row in rows]

    def day(self, now: int) -> Candle | None:
        """The last 24 hours as one candle; None when nothing was traded in them."""
        return joined([so_far(c, now) for c in self.between(now - _DAY, now + 1)], _DAY)

    def _last(self, timeframe: str, at: int) -> Candle | None:
        row = int(np.searchsorted(self.series[timeframe].time, at, side="right")) - 1
        return self._row(timeframe, row) if row >= 0 else None

    def _row(self, timeframe: str, row: int) -> Candle:
        series = self.series[timeframe]
        columns = (series.open, series.high, series.low, series.close)
        open_, high, low, close = (self._price(float(column[row])) for column in columns)
        volume = recorded(float(series.volume[row]))
        opens, length = int(series.time[row]), TIMEFRAMES[timeframe]
        return Candle(opens, length, open_, high, low, close, volume)

    def _price(self, value: float) -> Decimal:
        ticks = (recorded(value) / self.tick).to_integral_value(ROUND_HALF_EVEN)
        return ticks * self.tick


def recorded(value: float) -> Decimal:
    """The number that a double stands for: eight decimals at most, as exchanges write them."""
    return round(Decimal(repr(value)), _DIGITS)


def joined(candles: list[Candle], length: int) -> Candle | None:
    """Candles that follow each other as one."""
    if not candles:
        return None
    return Candle(
        candles[0].opens,
        length,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        sum((candle.volume for candle in candles), Decimal(0)),
    )


@dataclass(frozen=True)
class Tape:
    """The reels of all pairs that are served, by symbol."""

    reels: Mapping[str, Reel]

    def last(self) -> int:
        """When the last candle ends."""
        return self._last

    @cached_property
    def _last(self) -> int:
        return max(reel.span()[1] for reel in self.reels.values())


def utc(at: int) -> datetime:
    """An aware moment of milliseconds."""
    return datetime.fromtimestamp(at / 1000, UTC)


def day_start(day: datetime) -> int:
    """Milliseconds of a moment that is given without a zone: it is UTC."""
    return milliseconds(day if day.tzinfo else day.replace(tzinfo=UTC))
