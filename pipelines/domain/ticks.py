"""How many decimals prices have: what freqtrade reads the tick size of a month off.

freqtrade writes every price out with 14 significant digits and counts what stands after the point.
`decimals` says the same without writing anything, on whole arrays.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import Candles

SIGNIFICANT = 14
"""Digits that freqtrade writes a price with."""

_LEAST, _MOST = -9, SIGNIFICANT - 1
"""Between 10**_LEAST and 10**(_MOST + 1) arrays will do: the scale is an exact double."""

_LIMITS = np.array([float(f"1e{power}") for power in range(_LEAST, _MOST + 2)])
_SCALES = np.array([float(f"1e{_MOST - power}") for power in range(_LEAST, _MOST + 1)])
_TOO_CLOSE = 0.49
"""A product this far from a whole number may have been rounded to the wrong side of a half."""


def decimals(prices: NDArray[np.float64]) -> NDArray[np.int16]:
    """The decimals of each price at 14 significant digits, without zeros at the end.

    -1 stands for none: whole numbers, NaN and infinity. The shape is that of `prices`.
    """
    flat = np.abs(np.asarray(prices, dtype=np.float64).ravel())
    places = np.full(len(flat), -1, dtype=np.int16)
    with np.errstate(invalid="ignore"):
        fractional = np.flatnonzero(np.isfinite(flat) & (flat != np.rint(flat)))
    values = flat[fractional]
    usual = (values >= _LIMITS[0]) & (values < _LIMITS[-1])
    found = np.full(len(values), -1, dtype=np.int16)
    found[usual], sure = _by_scaling(values[usual])
    unsure = np.flatnonzero(~usual)
    unsure = np.concatenate((unsure, np.flatnonzero(usual)[~sure]))
    found[unsure] = [_written(value) for value in values[unsure].tolist()]
    places[fractional] = found
    return places.reshape(np.shape(prices))


def packed(candles: Candles) -> bytes:
    """The decimals of candles: two bytes each, low byte first; open, high, low, close in turn."""
    prices = np.column_stack((candles.open, candles.high, candles.low, candles.close))
    return decimals(prices).astype("<i2").tobytes()


def _by_scaling(values: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The decimals, and whether they are sure: not where the 15th digit may decide a tie.

    Scaled so that 14 digits stand before the point, the product is off by less than 0.01.
    """
    power = np.searchsorted(_LIMITS, values, "right") - 1
    scaled = values * _SCALES[power]
    whole = np.rint(scaled)
    sure = np.abs(scaled - whole) < _TOO_CLOSE
    places = (_MOST - _LEAST - power).astype(np.int16) - _zeros(whole.astype(np.int64))
    return np.where(places > 0, places, np.int16(-1)), sure


def _zeros(numbers: NDArray[np.int64]) -> NDArray[np.int16]:
    """How many zeros each number ends with; numbers are positive, below 10**16."""
    zeros = np.zeros(len(numbers), dtype=np.int16)
    rest = numbers.copy()
    for step in (8, 4, 2, 1):
        shorter = rest // 10**step
        ends = shorter * 10**step == rest
        rest = np.where(ends, shorter, rest)
        zeros += np.where(ends, np.int16(step), np.int16(0))
    return zeros


def _written(value: float) -> int:
    """The decimals of one price, the way freqtrade finds them: by writing it out."""
    text = np.format_float_positional(
        value, precision=SIGNIFICANT, unique=False, fractional=False, trim="-"
    )
    return len(text.partition(".")[2].rstrip("0")) or -1
