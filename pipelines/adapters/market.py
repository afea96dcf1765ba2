"""The embedded market: synthetic candles of five pairs, the same on every machine.

Everything is made with integers: prices are ticks, logarithms are fixed-point numbers, and random
numbers are hashes of counters. So there is no library of mathematics, no order of summation and
no version of numpy that could change a digest. No real price went into it; regimes and crashes
lean on what everybody remembers of these years.

A price follows an anchor (the regimes, and legs of some days on top), moved by noise whose
volatility clusters: a Markov-switching multifractal, after Calvet and Fisher (2004). Crashes and
outages are on the calendar. The inner step is five minutes; longer candles are aggregated.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.adapters.fixedpoint import ONE, UNIT, Ints, bell, draws, power_of_two
from pipelines.domain.candles import TIMEFRAMES, Candles, milliseconds

VERSION = 1
"""Raise it with every change of what is generated, and pin the embedded set again."""

START, END, FINE_START = date(2020, 1, 1), date(2023, 9, 25), date(2022, 8, 1)
"""First and last day, both inclusive; candles below an hour are published from the third on."""

PUBLISHED = ("5m", "1h", "4h", "1d")

_MARKET = f"sluice market {VERSION}"
_STEP = TIMEFRAMES["5m"]
_PER_HOUR = 12
_SIGMA = 620_000  # of the noise in five quiet minutes, in 1/2**28 doublings
_HOURS = ((END - START).days + 1) * 24


@dataclass(frozen=True)
class Listing:
    """How one pair trades. Shares (`beta`, `own`) are in 1/128.

    `first` is the first price in ticks of `10**-digits`, `volume` the usual number of lots of
    `10**-lot_digits` in five minutes, `beta` what it takes of the common noise and path,
    `own` the size of its own noise.
    """

    pair: str
    digits: int
    first: int
    lot_digits: int
    volume: int
    beta: int
    own: int


LISTINGS = (
    Listing("BTC/USDT", 2, 842_000, 6, 90_000_000, 110, 40),
    Listing("ETH/USDT", 2, 18_150, 5, 80_000_000, 128, 70),
    Listing("SOL/USDT", 3, 2_410, 3, 40_000_000, 146, 116),
    Listing("ADA/USDT", 4, 2_120, 2, 60_000_000, 138, 98),
    Listing("LTC/USDT", 2, 5_230, 5, 30_000_000, 122, 88),
)

# (from, change of the anchor until the next row in 1/100 doublings, pull towards it)
# A pull of n closes 1/2**n of the distance every hour: 7 holds a range, 10 lets prices run.
_REGIMES = (
    (date(2020, 1, 1), 45, 9),
    (date(2020, 8, 1), -15, 8),
    (date(2020, 10, 1), 230, 10),
    (date(2021, 5, 11), -50, 9),
    (date(2021, 5, 20), 0, 7),
    (date(2021, 12, 15), -165, 10),
    (date(2022, 8, 1), -10, 8),
    (date(2022, 10, 15), 60, 9),
    (date(2023, 2, 20), -20, 8),
    (date(2023, 5, 10), -40, 9),
    (date(2023, 6, 1), 40, 9),
    (date(2023, 7, 20), -60, 10),
    (date(2023, 9, 26), 0, 9),
)

# (first hour, depth in 1/100 doublings, hours of falling, hours of rebound, rebound in 1/8)
_CRASHES = (
    (datetime(2020, 3, 9, 8, tzinfo=UTC), 75, 26, 90, 5),
    (datetime(2020, 9, 3, 14, tzinfo=UTC), 28, 18, 60, 3),
    (datetime(2021, 1, 11, 6, tzinfo=UTC), 30, 14, 40, 5),
    (datetime(2021, 5, 12, 20, tzinfo=UTC), 55, 60, 30, 3),
    (datetime(2021, 9, 7, 13, tzinfo=UTC), 30, 5, 70, 4),
    (datetime(2022, 5, 9, 2, tzinfo=UTC), 48, 70, 50, 2),
    (datetime(2022, 11, 8, 15, tzinfo=UTC), 40, 30, 80, 4),
    (datetime(2023, 8, 17, 20, tzinfo=UTC), 16, 3, 30, 3),
)

# (first missing candle of five minutes, how many): the exchange was down for all pairs
_OUTAGES = (
    (datetime(2020, 2, 19, 12, tzinfo=UTC), 60),
    (datetime(2020, 6, 28, 2, tzinfo=UTC), 42),
    (datetime(2020, 12, 21, 14, tzinfo=UTC), 36),
    (datetime(2021, 4, 25, 4, tzinfo=UTC), 48),
    (datetime(2021, 8, 13, 2, tzinfo=UTC), 54),
    (datetime(2022, 6, 2, 9, tzinfo=UTC), 24),
    (datetime(2023, 3, 14, 11, 35, tzinfo=UTC), 20),
)


def _volatility(stream: str, levels: tuple[int, ...], swing: int) -> Ints:
    """The logarithm of volatility by hour: every level is up or down and changes now and then.

    Level n lasts 2**n hours on average and moves the logarithm by `swing`, in 1/2**28.
    """
    total = np.zeros(_HOURS, dtype=np.int64)
    for level in levels:
        word = draws(f"{_MARKET} {stream} level {level}", _HOURS)
        renewed = (word & np.uint64((1 << level) - 1)) == 0
        renewed[0] = True
        since = np.maximum.accumulate(np.where(renewed, np.arange(_HOURS), 0))
        up = (word >> np.uint64(40) & np.uint64(1)).astype(np.int64)
        total += ((2 * up - 1) * swing)[since]
    return total


def _ramp(change: int, hours: int) -> list[int]:
    """A change in equal steps, one for every hour, that add up to it exactly."""
    return [change * (hour + 1) // hours - change * hour // hours for hour in range(hours)]


def _legs(stream: str, shortest: int, longest: int, size: int) -> Ints:
    """Swings up and down by turns: steps of the anchor by hour, sizes up to `size` / 100."""
    steps: list[int] = []
    words = draws(f"{_MARKET} {stream} legs", _HOURS // shortest + 1).tolist()
    place = 0
    for turn, word in enumerate(words):
        hours = shortest + word % (longest - shortest)
        reach = (size // 4 + (word >> 32) % (size - size // 4)) * ONE // 100
        goal = reach // 2 if turn % 2 else -reach // 2
        steps += _ramp(goal - place, hours)
        place = goal
    return np.array(steps[:_HOURS], dtype=np.int64)


def _midnight(day: date) -> int:
    return milliseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _regimes() -> tuple[Ints, Ints]:
    """Steps of the common anchor by hour, and the pull towards it by hour."""
    steps: list[int] = []
    pulls: list[int] = []
    for (start, change, pull), (end, _, _) in pairwise(_REGIMES):
        hours = (end - start).days * 24
        steps += _ramp(change * ONE // 100, hours)
        pulls += [pull] * hours
    return np.array(steps, dtype=np.int64), np.array(pulls, dtype=np.int64)


def _crashes() -> tuple[Ints, Ints]:
    """Steps of the price itself by hour, and what crashes add to the logarithm of volatility."""
    steps, stir = np.zeros(_HOURS, dtype=np.int64), np.zeros(_HOURS, dtype=np.int64)
    for moment, depth, fall, rebound, back in _CRASHES:
        first = (milliseconds(moment) - _midnight(START)) // TIMEFRAMES["1h"]
        bottom = first + fall
        size = depth * ONE // 100
        steps[first:bottom] -= np.array(_ramp(size, fall))
        steps[bottom : bottom + rebound] += np.array(_ramp(size * back // 8, rebound))
        stir[first : bottom + rebound] += np.array(_ramp(-ONE, fall + rebound)).cumsum() + ONE
    return steps, stir


def _path(steps: Ints, jolts: Ints, noise: Ints, pulls: Ints) -> Ints:
    """The drift of the logarithm by hour: with its anchor, and back to it when it strayed.

    `steps` move the anchor, `jolts` and `noise` move the price away from it.
    """
    drift, ahead = [], 0
    rows = zip(steps.tolist(), jolts.tolist(), noise.tolist(), pulls.tolist(), strict=True)
    for step, jolt, shock, pull in rows:
        move = step - (ahead >> pull)
        drift.append(move + jolt)
        ahead += move + jolt + shock - step
    return np.array(drift, dtype=np.int64)


@dataclass(frozen=True)
class Ticks:
    """Candles in integers: times in UTC milliseconds, prices in ticks, volume in lots."""

    time: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def part(self, kept: NDArray[np.bool_]) -> "Ticks":
        """The candles that are marked."""
        every = (self.time, self.open, self.high, self.low, self.close, self.volume)
        return Ticks(*(column[kept] for column in every))


def aggregate(ticks: Ticks, step: int) -> Ticks:
    """Candles of `step` milliseconds out of shorter ones, each made of those that are there."""
    opens = ticks.time // step * step
    first = np.flatnonzero(np.diff(opens, prepend=-1))
    last = np.append(first[1:], len(opens)) - 1
    return Ticks(
        opens[first],
        ticks.open[first],
        np.maximum.reduceat(ticks.high, first),
        np.minimum.reduceat(ticks.low, first),
        ticks.close[last],
        np.add.reduceat(ticks.volume, first),
    )


def _trade(listing: Listing, common: Ints, stir: Ints) -> Ticks:
    """One pair in steps of five minutes, outages included. `common` is the noise of all."""
    name = listing.pair
    heat = _volatility(name, (2, 6, 9), ONE // 5)
    own = bell(f"{_MARKET} {name} noise", len(common)) * _SIGMA // UNIT
    own = own * np.repeat(power_of_two(heat + stir, 1 << 10), _PER_HOUR) >> 10
    moves = _relented((listing.beta * common + listing.own * own) >> 7)
    steps, pulls = _regimes()
    shared = (steps + _legs("all", 300, 1500, 80)) * listing.beta >> 7
    jolts, noise = _crashes()[0] * listing.beta >> 7, moves.reshape(-1, _PER_HOUR).sum(axis=1)
    drift = _path(shared + _legs(name, 300, 1500, 60), jolts, noise, pulls)
    parts = drift[:, None] * np.arange(_PER_HOUR + 1) // _PER_HOUR
    moves += np.diff(parts, axis=1).ravel()
    return _draw(listing, moves, np.repeat(heat + stir, _PER_HOUR))


def _relented(noise: Ints) -> Ints:
    """Noise that went too far: two fifths of every move are taken back over the next day."""
    day = 24 * _PER_HOUR
    sums = np.concatenate((np.zeros(day + 1, dtype=np.int64), np.cumsum(noise)))
    taken: Ints = noise - (sums[day:-1] - sums[: -day - 1]) * 2 // (5 * day)
    return taken


def _draw(listing: Listing, moves: Ints, heat: Ints) -> Ticks:
    """Candles around a path of moves (in 1/2**28 doublings). Hot hours have long wicks."""
    name, count = listing.pair, len(moves)
    close = np.maximum(power_of_two(np.cumsum(moves), listing.first), 1)
    opened = np.concatenate((np.array([listing.first]), close[:-1]))
    wick = power_of_two(heat, _SIGMA) * listing.beta >> 8
    above = close * (np.abs(bell(f"{_MARKET} {name} above", count)) * wick // UNIT) >> 28
    below = close * (np.abs(bell(f"{_MARKET} {name} below", count)) * wick // UNIT) >> 28
    busy = (1 << 9) + (np.abs(moves) << 10) // _SIGMA + power_of_two(heat, 1 << 10)
    luck = (draws(f"{_MARKET} {name} volume", count) >> np.uint64(54)).astype(np.int64) + 256
    return Ticks(
        _midnight(START) + np.arange(count) * _STEP,
        opened,
        np.maximum(opened, close) + above,
        np.maximum(np.minimum(opened, close) - below, 1),
        close,
        (listing.volume * busy >> 12) * luck >> 9,
    )


def _common() -> tuple[Ints, Ints]:
    """The noise that all pairs share, by step, and what stirs them all, by hour."""
    heat = _volatility("all", (1, 3, 5, 7, 8, 10), ONE * 3 // 10) + _crashes()[1]
    noise = bell(f"{_MARKET} all noise", _HOURS * _PER_HOUR) * _SIGMA // UNIT
    return noise * np.repeat(power_of_two(heat, 1 << 10), _PER_HOUR) >> 10, heat


def generate() -> dict[tuple[str, str], Candles]:
    """All candles of the embedded market, by pair and timeframe. Takes about a second."""
    common, stir = _common()
    made = {}
    for listing in LISTINGS:
        fine = _without_outages(_trade(listing, common, stir))
        for timeframe in PUBLISHED:
            ticks = aggregate(fine, TIMEFRAMES[timeframe])
            if TIMEFRAMES[timeframe] < TIMEFRAMES["1h"]:
                ticks = ticks.part(ticks.time >= _midnight(FINE_START))
            made[listing.pair, timeframe] = _priced(listing, timeframe, ticks)
    return made


def _without_outages(ticks: Ticks) -> Ticks:
    down = np.zeros(len(ticks.time), dtype=np.bool_)
    for moment, missing in _OUTAGES:
        since = ticks.time - milliseconds(moment)
        down |= (since >= 0) & (since < missing * _STEP)
    return ticks.part(~down)


def _priced(listing: Listing, timeframe: str, ticks: Ticks) -> Candles:
    """Ticks as prices. A quotient of two whole numbers below 2**53 is rounded correctly."""
    tick = np.float64(10**listing.digits)
    return Candles(
        listing.pair,
        timeframe,
        ticks.time,
        ticks.open / tick,
        ticks.high / tick,
        ticks.low / tick,
        ticks.close / tick,
        ticks.volume / np.float64(10**listing.lot_digits),
    )
