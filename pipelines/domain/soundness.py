"""What can be wrong with candles: in themselves, and held against what the lock pins."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import TIMEFRAMES, Candles, Gap, Series, milliseconds, moment

Times = NDArray[np.int64]
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong with candles, said of the file that holds them."""

    message: str


def written(time: datetime | int | np.int64) -> str:
    """A moment (or its UTC milliseconds) as messages and the lock write it."""
    if not isinstance(time, datetime):
        try:
            time = moment(int(time))
        except (OverflowError, ValueError, OSError):
            return f"{time} ms"
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def gaps(time: Times, step: int) -> tuple[Gap, ...]:
    """The holes between candles whose times ascend on a grid of `step` milliseconds."""
    holes = np.flatnonzero(np.diff(time) > step)
    return tuple(
        Gap(at=moment(int(time[i]) + step), missing=int((time[i + 1] - time[i]) // step) - 1)
        for i in holes
    )


def flaws(candles: Candles, now: datetime) -> tuple[Flaw, ...]:
    """Everything that makes candles unfit, whatever the lock says; nothing when they are sound."""
    if not len(candles):
        return (Flaw("holds no candles"),)
    return tuple(Flaw(said) for said in (*_times(candles, now), *_values(candles)))


def pinned(candles: Candles) -> Series:
    """What the lock records of sound candles."""
    return Series(
        digest=candles.digest,
        rows=len(candles),
        start=moment(int(candles.time[0])),
        end=moment(int(candles.time[-1])),
        gaps=gaps(candles.time, TIMEFRAMES[candles.timeframe]),
    )


def differences(candles: Candles, recorded: Series) -> tuple[Flaw, ...]:
    """Where sound candles are not what the lock records; nothing when they are."""
    found = pinned(candles)
    told = [*_holes(found.gaps, recorded.gaps)]
    if found.rows != recorded.rows:
        told.append(f"holds {found.rows} candles, and data.lock records {recorded.rows}")
    told += [
        f"{verb} at {written(is_)}, and data.lock records {written(should)}"
        for verb, is_, should in (
            ("starts", found.start, recorded.start),
            ("ends", found.end, recorded.end),
        )
        if is_ != should
    ]
    if not told and found.digest != recorded.digest:
        told.append(
            f"holds other candles than data.lock records: "
            f"digest {found.digest[:12]}, not {recorded.digest[:12]}"
        )
    return tuple(Flaw(said) for said in told)


def _holes(found: tuple[Gap, ...], recorded: tuple[Gap, ...]) -> Iterator[str]:
    new = [gap for gap in found if gap not in recorded]
    if new:
        more = f" (and {_counted(len(new) - 1, 'gap')} more)" if len(new) > 1 else ""
        yield (
            f"lacks {_counted(new[0].missing, 'candle')} from {written(new[0].at)}{more}, "
            "which data.lock does not record"
        )
    for gap in recorded:
        if gap not in found:
            yield (
                f"has no gap of {_counted(gap.missing, 'candle')} at {written(gap.at)}, "
                "and data.lock records one"
            )
            return


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _times(candles: Candles, now: datetime) -> Iterator[str]:
    time, step = candles.time, TIMEFRAMES[candles.timeframe]
    back = np.flatnonzero(np.diff(time) < 0)
    if len(back):
        later, earlier = written(time[back[0]]), written(time[back[0] + 1])
        yield f"is not in order of time: {earlier} comes after {later}"
    every, counts = np.unique(time, return_counts=True)
    if len(every) < len(time):
        twice = every[counts > 1]
        yield f"holds {_counted(len(twice), 'time')} more than once, first {written(twice[0])}"
    off = time[time % step != 0]
    if len(off):
        yield (
            f"has {_counted(len(off), 'candle')} off the grid of {candles.timeframe}, "
            f"first {written(off[0])}"
        )
    ahead = time[time > milliseconds(now)]
    if len(ahead):
        yield f"has {_counted(len(ahead), 'candle')} in the future, first {written(ahead[0])}"


def _values(candles: Candles) -> Iterator[str]:
    """The first candle of every kind of nonsense, and how many more there are of it."""
    for template, column, bad in _nonsense(candles):
        rows = np.flatnonzero(bad)
        if len(rows):
            more = f" (and {len(rows) - 1} more times)" if len(rows) > 1 else ""
            said = template.format(f"{column[rows[0]]:g}")
            yield f"{said} at {written(candles.time[rows[0]])}{more}"


def _nonsense(candles: Candles) -> Iterator[tuple[str, Column, NDArray[np.bool_]]]:
    """What to say, the column that shows it, and which candles are meant."""
    low, high = candles.low, candles.high
    prices = {"open": candles.open, "high": high, "low": low, "close": candles.close}
    for name, column in {**prices, "volume": candles.volume}.items():
        yield f"{name} is {{}}", column, ~np.isfinite(column)
    for name, column in prices.items():
        yield f"{name} is {{}}, not above zero", column, np.isfinite(column) & (column <= 0)
    below = np.isfinite(candles.volume) & (candles.volume < 0)
    yield "volume is {}, below zero", candles.volume, below
    yield "high is {}, below low", high, high < low
    for name in ("open", "close"):
        outside = ((prices[name] > high) | (prices[name] < low)) & (high >= low)
        yield f"{name} is {{}}, outside of low and high", prices[name], outside
