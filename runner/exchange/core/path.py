"""The way of a price inside a candle: open, the nearer extreme, the other extreme, close.

Each of the three legs takes a third of the candle, and price and volume move evenly along it.
So the price at every moment follows from the candle alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from itertools import pairwise


@dataclass(frozen=True)
class Candle:
    """A candle: opening time and length in milliseconds, prices, volume in the base asset."""

    opens: int
    length: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def closes(self) -> int:
        """The first millisecond after it."""
        return self.opens + self.length

    @property
    def corners(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """The prices where the path turns."""
        if self.high - self.open <= self.open - self.low:
            return self.open, self.high, self.low, self.close
        return self.open, self.low, self.high, self.close


@dataclass(frozen=True)
class Leg:
    """A straight part of the path, with what was traded along it."""

    begins: int
    ends: int
    start: Decimal
    end: Decimal
    volume: Decimal

    def price(self, at: int) -> Decimal:
        """The price at a moment of the leg."""
        if at >= self.ends:
            return self.end
        return self.start + (self.end - self.start) * (at - self.begins) / (self.ends - self.begins)

    def part(self, begins: int, ends: int) -> "Leg":
        """What of the leg lies between two moments of it."""
        share = Decimal(ends - begins) / (self.ends - self.begins)
        return Leg(begins, ends, self.price(begins), self.price(ends), self.volume * share)

    def reaches(self, level: Decimal, *, upwards: bool) -> int | None:
        """The first millisecond at which the price is at or beyond a level; None when it is not."""
        if self.start >= level if upwards else self.start <= level:
            return self.begins
        if self.end < level if upwards else self.end > level:
            return None
        passed = (level - self.start) / (self.end - self.start) * (self.ends - self.begins)
        return self.begins + int(passed.to_integral_value(ROUND_UP))

    def share_below(self, price: Decimal) -> Decimal:
        """Which share of the leg has a price not above this one."""
        if max(self.start, self.end) <= price:
            return Decimal(1)
        if min(self.start, self.end) > price:
            return Decimal(0)
        return (price - min(self.start, self.end)) / abs(self.start - self.end)

    def share_above(self, price: Decimal) -> Decimal:
        """Which share of the leg has a price not below this one."""
        if min(self.start, self.end) >= price:
            return Decimal(1)
        if max(self.start, self.end) < price:
            return Decimal(0)
        return (max(self.start, self.end) - price) / abs(self.start - self.end)


def legs(candle: Candle, begins: int, ends: int) -> Iterator[Leg]:
    """The path between two moments, in order; what lies outside the candle is left out."""
    for number, (start, end) in enumerate(pairwise(candle.corners)):
        first = candle.opens + candle.length * number // 3
        last = candle.opens + candle.length * (number + 1) // 3
        whole = Leg(first, last, start, end, candle.volume / 3)
        if begins < last and first < ends:
            yield whole.part(max(first, begins), min(last, ends))


def price_at(candle: Candle, at: int) -> Decimal:
    """The price at a moment of the candle."""
    passed = list(legs(candle, candle.opens, at))
    return passed[-1].end if passed else candle.open


def so_far(candle: Candle, at: int) -> Candle:
    """The candle as it looks at a moment before it closes."""
    if at >= candle.closes:
        return candle
    passed = list(legs(candle, candle.opens, at))
    prices = [candle.open, *(leg.end for leg in passed)]
    volume = sum((leg.volume for leg in passed), Decimal(0))
    return Candle(
        candle.opens, candle.length, candle.open, max(prices), min(prices), prices[-1], volume
    )


def mean_price(candles: Iterable[Candle], begins: int, ends: int) -> Decimal | None:
    """The mean price between two moments, by volume; None when nothing was traded."""
    found = [leg for candle in candles for leg in legs(candle, begins, ends)]
    volume = sum((leg.volume for leg in found), Decimal(0))
    worth = sum((leg.volume * (leg.start + leg.end) / 2 for leg in found), Decimal(0))
    return round(worth / volume, 8) if volume else None
