"""freqtrade's tick sizes of each month, from decimals that were counted once.

freqtrade writes out every price of every backtest to count its decimals. The answer here is the
same to the last bit, and so are the columns that freqtrade leaves in the frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.optimize import backtesting
from numpy.typing import NDArray

from pipelines.domain.ticks import decimals
from pipelines.freqtrade.config import TICKS, tick_file

PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Counted:
    """The candles of one file, and the decimals of their prices: a row each, columns as PRICES.

    `times` are the opening times in UTC milliseconds, ascending.
    """

    times: NDArray[np.int64]
    prices: NDArray[np.float64]
    places: NDArray[np.int16]


def counted(pair: str, timeframe: str, frame: pd.DataFrame) -> Counted:
    """The decimals of a file's prices: as they were handed in beside the candles, or counted now.

    What is handed in was counted from the same candles by whoever started this process.
    """
    prices = frame[PRICES].to_numpy(dtype=np.float64)
    handed = Path(TICKS, tick_file(pair, timeframe))
    if handed.is_file() and handed.stat().st_size == 2 * prices.size:
        places = np.fromfile(handed, dtype="<i2").reshape(prices.shape)
    else:
        places = decimals(prices)
    return Counted(_milliseconds(frame["date"]), prices, places)


def install(known: Sequence[Counted]) -> None:
    """Let freqtrade's backtests of this process ask us for tick sizes."""
    backtesting.get_tick_size_over_time = lambda candles: tick_sizes(candles, known)


def tick_sizes(candles: pd.DataFrame, known: Sequence[Counted] = ()) -> "pd.Series[Any]":
    """The tick size of every month, by its first day; adds the columns that freqtrade adds."""
    prices = candles[PRICES].to_numpy(dtype=np.float64)
    places = _places(_milliseconds(candles["date"]), prices, known)
    most = places.max(axis=1, initial=-1)
    for name, column in zip(PRICES, places.T, strict=True):
        candles[f"{name}_count"] = _counts(column)
    # One gap in any of the four makes floats of them all.
    floats = bool((places < 0).any())
    candles["max_count"] = _counts(most, floats=floats)
    return 1 / 10 ** _monthly(candles["date"], most, floats=floats)


def _places(
    times: NDArray[np.int64], prices: NDArray[np.float64], known: Sequence[Counted]
) -> NDArray[np.int16]:
    """Decimals depend on the price alone, so a known price at the same place answers for it."""
    for one in known:
        rows = _rows(one.times, times)
        held = one.prices[rows]
        if not (held[:1] == prices[:1]).all():
            continue
        places = one.places[rows].copy()
        other = held != prices
        places[other] = decimals(prices[other])
        return places
    return decimals(prices)


def _rows(known: NDArray[np.int64], times: NDArray[np.int64]) -> slice | NDArray[np.intp]:
    """Where times stand among known ones, or near where they would: mostly one run of them."""
    first = int(np.searchsorted(known, times[0]))
    run = slice(first, first + len(times))
    if np.array_equal(known[run], times):
        return run
    return np.searchsorted(known, times).clip(max=len(known) - 1)


def _milliseconds(dates: "pd.Series[Any]") -> NDArray[np.int64]:
    times: NDArray[np.int64] = dates.dt.as_unit("ms").astype("int64").to_numpy()
    return times


def _counts(places: NDArray[np.int16], *, floats: bool = False) -> NDArray[Any]:
    """Whole numbers, or floats where there are gaps: what pandas makes of lengths of texts."""
    missing = places < 0
    if floats or missing.any():
        return np.where(missing, np.nan, places.astype(np.float64))
    return places.astype(np.int64)


def _monthly(dates: "pd.Series[Any]", most: NDArray[np.int16], *, floats: bool) -> "pd.Series[Any]":
    """The most decimals of each month, months without any included."""
    months = dates.dt.tz_localize(None).to_numpy().astype("datetime64[M]").astype(np.int64)
    first = int(months.min())
    found = np.full(int(months.max()) - first + 1, -1, dtype=np.int16)
    np.maximum.at(found, months - first, most)
    start = np.datetime64(first, "M").astype("datetime64[ms]")
    index = pd.date_range(
        pd.Timestamp(start, tz=dates.dt.tz), periods=len(found), freq="MS", unit=dates.dt.unit
    )
    return pd.Series(_counts(found, floats=floats), index=index.rename("date"), name="max_count")
