"""Where two answers of a strategy differ: the first candle and the column."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CANDLE = ("date", "open", "high", "low", "close", "volume")
SIGNALS = ("enter_long", "exit_long", "enter_short", "exit_short")
TAGS = {"enter_tag": ("enter_long", "enter_short"), "exit_tag": ("exit_long", "exit_short")}
"""A tag counts where one of its signals stands."""


@dataclass(frozen=True)
class Difference:
    """One cell: the candle's row, the column, and what each of two answers says there."""

    row: int
    date: pd.Timestamp
    column: str
    first: object
    second: object

    def __str__(self) -> str:
        return (
            f"{self.column} at the candle of {self.date:%Y-%m-%d %H:%M} "
            f"is {short(self.first)} and {short(self.second)}"
        )


def signals_differ(first: pd.DataFrame, second: pd.DataFrame) -> Difference | None:
    """The first candle at which signals, or tags of signals, differ. Rows correspond."""
    one, two = _decided(first), _decided(second)
    return _earliest(one, two, first["date"], list(one.columns))


def columns_differ(first: pd.DataFrame, second: pd.DataFrame) -> Difference | None:
    """The first candle at which anything differs but the candles; signals are named first."""
    columns = [name for name in first.columns if name not in (*CANDLE, *SIGNALS, *TAGS)]
    lost = [name for name in first.columns if name not in second.columns]
    if lost:
        return Difference(0, first["date"].iloc[0], lost[0], "there", "not there")
    return signals_differ(first, second) or _earliest(first, second, first["date"], columns)


def column_differs(first: pd.DataFrame, second: pd.DataFrame, column: str) -> Difference | None:
    """The first candle at which one column differs."""
    return _earliest(first, second, first["date"], [column])


def candles_differ(given: pd.DataFrame, answer: pd.DataFrame) -> Difference | None:
    """The first candle at which the candles themselves were changed."""
    lost = [name for name in CANDLE if name not in answer.columns]
    if lost:
        return Difference(0, given["date"].iloc[0], lost[0], "there", "not there")
    return _earliest(given, answer, given["date"], list(CANDLE))


def farthest_column(first: pd.Series, second: pd.Series) -> tuple[str, float]:
    """The numeric column of two rows with the greatest relative difference, as a fraction."""
    worst = ("", 0.0)
    for name in first.index:
        one, two = first[name], second.get(name)
        if name in (*CANDLE, *SIGNALS) or not _numeric(one) or not _numeric(two):
            continue
        if pd.isna(one) or pd.isna(two):
            apart = 0.0 if pd.isna(one) and pd.isna(two) else np.inf
        else:
            apart = abs(float(one) - float(two)) / max(abs(float(one)), 1e-12)
        if apart > worst[1]:
            worst = (str(name), apart)
    return worst


def _decided(frame: pd.DataFrame) -> pd.DataFrame:
    """Signals as true and false, tags only where they count."""
    decided: dict[str, pd.Series] = {
        name: frame[name] == 1 for name in SIGNALS if name in frame.columns
    }
    empty = pd.Series(False, index=frame.index)
    for tag, names in TAGS.items():
        counts = empty.copy()
        for name in names:
            counts |= decided.get(name, empty)
        if tag in frame.columns:
            decided[tag] = frame[tag].fillna("").astype(str).where(counts, "")
    return pd.DataFrame(decided, index=frame.index)


def _earliest(
    first: pd.DataFrame, second: pd.DataFrame, dates: pd.Series, columns: list[str]
) -> Difference | None:
    found = []
    for name in columns:
        if name not in second.columns:
            found.append(Difference(0, dates.iloc[0], name, "there", "not there"))
            continue
        unequal = np.flatnonzero(~_equal(first[name], second[name]))
        if len(unequal):
            row = int(unequal[0])
            cells = first[name].iloc[row], second[name].iloc[row]
            found.append(Difference(row, dates.iloc[row], name, *cells))
    return min(found, key=lambda difference: difference.row, default=None)


def _equal(one: pd.Series, two: pd.Series) -> NDArray[np.bool_]:
    if one.dtype.kind in "biuf" and two.dtype.kind in "biuf":
        left, right = one.to_numpy(dtype=float), two.to_numpy(dtype=float)
        # Room for the last bits of a sum that was added up in another order, and no more.
        room = 1e-9 * np.nanmax(np.abs(left), initial=0.0, where=np.isfinite(left))
        close: NDArray[np.bool_] = np.isclose(
            left, right, rtol=1e-9, atol=room * 1e-3, equal_nan=True
        )
        return close
    both_missing = one.isna().to_numpy() & two.isna().to_numpy()
    same: NDArray[np.bool_] = both_missing | (one.astype(object) == two.astype(object)).to_numpy(
        dtype=bool
    )
    return same


def _numeric(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def short(value: object) -> str:
    """A value as messages show it."""
    if isinstance(value, float | np.floating):
        return "empty" if np.isnan(value) else f"{value:.8g}"
    text = str(value)
    return repr(text[:40]) if isinstance(value, str) else text[:40]
