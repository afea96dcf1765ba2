"""A backtest whose candles end early must tell the same story up to there.

What a strategy did until a moment cannot depend on what came after it. Here is which moments tell
most, what the candles looked like just then, and where two stories part. All times are openings of
candles in UTC milliseconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import isclose

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import TIMEFRAMES, Candles, milliseconds, moment
from pipelines.domain.document import sha256
from pipelines.domain.trades.performance import FORCED_EXIT
from pipelines.domain.trades.trade import Fill, Trade, TradeLog

OPENED = 2
"""Candles of which only the opening price is known. freqtrade never enters on the last one."""

SAME = 1e-9
"""Two runs of the same computation differ by no more than this share."""

Series = Mapping[tuple[str, str], Candles]
"""Candles by pair and timeframe."""


@dataclass(frozen=True)
class Parting:
    """The first trade of which two logs tell differently, and what each of them says.

    `others` counts the further trades that differ.
    """

    pair: str
    opened: int
    expected: str
    actual: str
    others: int


def until(candles: Candles, at: int, timeframe: str) -> Candles:
    """What was known of a series when the candle at `at` opened.

    Of the strategy's own `timeframe` that candle is there with its opening price, flat and without
    volume, and one more like it. A longer candle that had not closed by then is not there at all.
    """
    length = TIMEFRAMES[candles.timeframe]
    closed = int(np.searchsorted(candles.time, at - length, side="right"))
    known = slice(0, closed)
    opened = OPENED if candles.timeframe == timeframe and at <= _last(candles) and closed else 0
    price = _opening(candles, at) if opened else 0.0
    times = at + length * np.arange(opened, dtype=np.int64)

    def joined(column: NDArray[np.float64], value: float) -> NDArray[np.float64]:
        return np.concatenate([column[known], np.full(opened, value)])

    return Candles(
        candles.pair,
        candles.timeframe,
        np.concatenate([candles.time[known], times]),
        joined(candles.open, price),
        joined(candles.high, price),
        joined(candles.low, price),
        joined(candles.close, price),
        joined(candles.volume, 0.0),
    )


def choose(
    log: TradeLog, series: Series, timeframe: str, seed: str, *, exits: bool, share: float = 1.0
) -> int | None:
    """A moment at which the strategy entered, or with `exits` left, by a decision of its own.

    It lies in the first `share` of such moments; which one only the seed says. None when there is
    none at which everything that happened was known when the candle opened.
    """
    found = [at for at in _decisions(log, series, timeframe, exits=exits) if _tells(at, series)]
    if not found:
        return None
    last = max(1, round(len(found) * share))
    order = sorted(found[:last], key=lambda at: sha256(f"{seed} {at}".encode()))
    own = [candles for (_, each), candles in series.items() if each == timeframe]
    return next((at for at in order if all(_same_ticks(candles, at) for candles in own)), None)


def parting(
    whole: TradeLog, part: TradeLog, at: int, series: Series, timeframe: str
) -> Parting | None:
    """Where the log of the candles until `at` leaves that of all candles; None when it does not."""
    expected = _story(whole, at, series, timeframe)
    actual = _story(part, at, series, timeframe)
    apart = [
        key
        for key in sorted(expected.keys() | actual.keys(), key=lambda key: (key[1], key[0]))
        if not _alike(expected.get(key), actual.get(key))
    ]
    if not apart:
        return None
    # The earliest fill that differs comes first: what follows from it is told by others.
    first = min(apart, key=lambda key: _parts_at(expected.get(key), actual.get(key)))
    return Parting(
        first[0], first[1], _told(expected.get(first)), _told(actual.get(first)), len(apart) - 1
    )


def _last(candles: Candles) -> int:
    return int(candles.time[-1]) if len(candles) else -1


def _opening(candles: Candles, at: int) -> float:
    row = int(np.searchsorted(candles.time, at))
    if int(candles.time[row]) == at:
        return float(candles.open[row])
    # A hole: freqtrade fills it with the last close.
    return float(candles.close[row - 1])


def _open_of(series: Series, pair: str, timeframe: str, at: int) -> float | None:
    candles = series[pair, timeframe]
    return (
        _opening(candles, at) if len(candles) and candles.time[0] <= at <= _last(candles) else None
    )


def _decisions(log: TradeLog, series: Series, timeframe: str, *, exits: bool) -> list[int]:
    """The moments of entries or exits at which nothing happened that an opening does not show."""
    step = TIMEFRAMES[timeframe]
    unclear: set[int] = set()
    clear: set[int] = set()
    for trade in log.trades:
        for number, fill in enumerate(trade.fills):
            price = _open_of(series, trade.pair, timeframe, fill.at)
            at_open = price is not None and isclose(fill.price, price, rel_tol=SAME)
            closing = fill.at == trade.closed and not fill.entry
            forced = closing and trade.exit_reason == FORCED_EXIT
            if forced or not at_open or not (number == 0 or closing):
                unclear.add(fill.at)
            elif fill.entry != exits:
                clear.add(fill.at)
        if not exits and trade.fills[0].at in unclear:
            # Entered at another price than the opening: known one candle later.
            clear.add(trade.fills[0].at + step)
    return sorted(clear - unclear)


def _tells(at: int, series: Series) -> bool:
    """Every series had begun by then and goes on afterwards."""
    return all(
        len(candles)
        and int(candles.time[0]) + TIMEFRAMES[timeframe] <= at
        and at + OPENED * TIMEFRAMES[timeframe] <= _last(candles)
        for (_, timeframe), candles in series.items()
    )


def _same_ticks(candles: Candles, at: int) -> bool:
    """True when the month so far shows the tick size that the whole month shows.

    freqtrade rounds prices to the finest price of a month, later candles included: where that
    shows, prices differ without any fault of the strategy.
    """
    begins = moment(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    month = candles.between(begins, ends)
    so_far = candles.between(begins, moment(at))
    return _decimals(so_far) == _decimals(month) if milliseconds(begins) < at else False


def _decimals(candles: Candles) -> int:
    values = np.concatenate([candles.open, candles.high, candles.low, candles.close])
    for digits in range(15):
        if np.all(np.abs(np.round(values, digits) - values) <= 1e-13 * np.abs(values)):
            return digits
    return 15


_Key = tuple[str, int, bool]


def _story(log: TradeLog, at: int, series: Series, timeframe: str) -> dict[_Key, tuple[Fill, ...]]:
    """By pair, opening and direction: the fills that were certain when the candle opened."""
    told = {}
    for trade in log.trades:
        price = _open_of(series, trade.pair, timeframe, at)
        certain = tuple(_certain(trade, at, price))
        if certain:
            told[trade.pair, trade.opened, trade.short] = certain
    return told


def _certain(trade: Trade, at: int, price: float | None) -> Iterator[Fill]:
    for number, fill in enumerate(trade.fills):
        at_open = fill.at == at and price is not None and isclose(fill.price, price, rel_tol=SAME)
        closing = fill.at == trade.closed and not fill.entry
        if fill.at < at or (at_open and (number == 0 or closing)):
            yield fill


def _alike(one: Sequence[Fill] | None, two: Sequence[Fill] | None) -> bool:
    if one is None or two is None or len(one) != len(two):
        return False
    return all(map(_same_fill, one, two))


def _same_fill(one: Fill, two: Fill) -> bool:
    return (
        (one.at, one.entry) == (two.at, two.entry)
        and isclose(one.price, two.price, rel_tol=SAME)
        and isclose(one.amount, two.amount, rel_tol=SAME)
    )


def _parts_at(one: Sequence[Fill] | None, two: Sequence[Fill] | None) -> int:
    """The time of the first fill that only one of them has."""
    for first, second in zip_longest(one or (), two or ()):
        if first is None or second is None:
            return int((first or second).at)
        if not _same_fill(first, second):
            return min(first.at, second.at)
    return 0


def _told(fills: Sequence[Fill] | None) -> str:
    if not fills:
        return "no such trade"
    return ", ".join(
        f"{'in' if fill.entry else 'out'} {moment(fill.at):%Y-%m-%d %H:%M} "
        f"{fill.amount:.8g} at {fill.price:.8g}"
        for fill in fills[:4]
    )
