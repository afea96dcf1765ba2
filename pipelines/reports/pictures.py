"""The numbers behind the pictures of the HTML report: few enough to draw, true at the extremes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.document import Document
from pipelines.domain.trades import equity
from pipelines.domain.trades.equity import Curve, Floats
from pipelines.domain.trades.trade import Trade
from pipelines.reports.model import ChosenTrade, StrategyReport, WindowView
from pipelines.reports.views import earned

MOST_POINTS = 1200
"""Of one line. A screen shows no more."""

MOST_BARS = 50

MOST_CANDLES = 120
"""Of one trade. More than these are merged, several into one."""


class Lines(Document):
    """Two curves on one time axis (UTC milliseconds): the account, and holding the same pairs."""

    time: tuple[int, ...]
    account: tuple[float, ...]
    held: tuple[float, ...]


class Bars(Document):
    """How many trades earned how much: bars of one width, in percent of what was invested."""

    middle: tuple[float, ...]
    count: tuple[int, ...]
    width: float


class Orders(Document):
    """Fills of one side: when (UTC milliseconds) and at what price."""

    time: tuple[int, ...]
    price: tuple[float, ...]


class Price(Document):
    """A trade on the candles around it. `short` turns what is an entry: it sells."""

    time: tuple[int, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    entries: Orders
    exits: Orders
    short: bool


class Pictures(Document):
    """Everything that is drawn for one window. `limit` is the drawdown that was allowed."""

    equity: Lines
    drawdown: Lines
    trades: Bars
    prices: tuple[Price, ...]
    limit: float | None


@dataclass(frozen=True)
class Year:
    """What the account earned in each month of a year, as fractions; None outside the window."""

    year: int
    months: tuple[float | None, ...]
    total: float


def of_window(report: StrategyReport, view: WindowView) -> Pictures:
    """The pictures of one window of one strategy."""
    asked = report.thresholds.get(view.window)
    balance = view.log.starting_balance
    return Pictures(
        equity=_lines(view, view.account.equity, view.held.equity),
        drawdown=_lines(
            view,
            -100 * equity.drawdown(view.account.equity, balance),
            -100 * equity.drawdown(view.held.equity, balance),
        ),
        trades=bars(view.log.trades),
        prices=tuple(price(chosen) for chosen in view.chosen),
        limit=-100 * float(asked.max_drawdown) if asked and asked.max_drawdown else None,
    )


def _lines(view: WindowView, account: Floats, held: Floats) -> Lines:
    # Both curves stand on the candles of the same pairs and window, so they share their times.
    length = min(len(account), len(held))
    kept = thinned((account[:length], held[:length]))
    return Lines(
        time=tuple(int(at) for at in view.account.time[kept]),
        account=_short(account[kept]),
        held=_short(held[kept]),
    )


def thinned(curves: tuple[Floats, ...], most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Which points to draw: of every stretch of time each curve's lowest and highest.

    All curves have one length. The first and the last point are always among them.
    """
    length = len(curves[0])
    if length <= most:
        return np.arange(length)
    stretches = np.array_split(np.arange(length), (most - 2) // (2 * len(curves)))
    extremes = [
        stretch[place]
        for stretch in stretches
        for curve in curves
        for place in (int(curve[stretch].argmin()), int(curve[stretch].argmax()))
    ]
    return np.unique(np.array([0, *extremes, length - 1]))


def price(chosen: ChosenTrade, most: int = MOST_CANDLES) -> Price:
    """The candles around a trade, merged where there are too many, and its fills."""
    series = chosen.candles
    firsts = np.arange(0, len(series), merged(chosen, most))
    lasts = np.append(firsts[1:], len(series)) - 1
    some = len(series) > 0
    return Price(
        time=tuple(int(at) for at in series.time[firsts]),
        open=_short(series.open[firsts]),
        high=_short(np.maximum.reduceat(series.high, firsts)) if some else (),
        low=_short(np.minimum.reduceat(series.low, firsts)) if some else (),
        close=_short(series.close[lasts]) if some else (),
        entries=_orders(chosen.trade, entry=True),
        exits=_orders(chosen.trade, entry=False),
        short=chosen.trade.short,
    )


def merged(chosen: ChosenTrade, most: int = MOST_CANDLES) -> int:
    """How many candles are drawn as one."""
    return max(1, -(-len(chosen.candles) // most))


def _orders(trade: Trade, *, entry: bool) -> Orders:
    fills = [fill for fill in trade.fills if fill.entry is entry]
    return Orders(
        time=tuple(fill.at for fill in fills),
        price=_short(np.array([fill.price for fill in fills])),
    )


def spark(worth: Floats, points: int = 60) -> str:
    """A curve in a box of 100 by 24, as the points of an SVG polyline; its top is its highest."""
    kept = worth[np.linspace(0, len(worth) - 1, points).astype(np.int64)]
    span = float(np.ptp(kept)) or 1.0
    across, up = np.linspace(0, 100, points), 23 - 22 * (kept - kept.min()) / span
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))


def bars(trades: tuple[Trade, ...], most: int = MOST_BARS) -> Bars:
    """Trades by their profit. Zero is always an edge, so that no bar mixes winners and losers."""
    profits = np.array([100 * earned(trade) for trade in trades])
    if not len(profits):
        return Bars(middle=(), count=(), width=1.0)
    width = _width(float(np.ptp(np.append(profits, 0.0))), most - 2)
    # What earned exactly nothing lost, so bars are open at the bottom.
    places = np.ceil(profits / width).astype(np.int64) - 1
    first = int(places.min())
    counts = np.bincount(places - first)
    middles = np.asarray((np.arange(len(counts)) + first + 0.5) * width, dtype=np.float64)
    return Bars(middle=_short(middles), count=tuple(int(n) for n in counts), width=width)


def _width(span: float, most: int) -> float:
    """The smallest round width with which a span needs at most so many bars."""
    sizes = (step * 10.0**power for power in range(-3, 12) for step in (1, 2.5, 5))
    return next((size for size in sizes if span / size <= most), span)


def years(curve: Curve, balance: float) -> tuple[Year, ...]:
    """The account's returns by calendar month (UTC), starting from `balance`."""
    months = _months(curve, balance)
    return tuple(
        _year(year, {month: grown for at, month, grown in months if at == year})
        for year in dict.fromkeys(at for at, _, _ in months)
    )


def _year(year: int, grown: dict[int, float]) -> Year:
    total = float(np.prod([1 + value for value in grown.values()])) - 1
    return Year(year, tuple(grown.get(month) for month in range(12)), total)


def _months(curve: Curve, balance: float) -> list[tuple[int, int, float]]:
    if not len(curve.time):
        return []
    # A candle that closes at midnight of the first belongs to the month before.
    numbers = (curve.time - 1).astype("datetime64[ms]").astype("datetime64[M]")
    last = np.append(np.flatnonzero(np.diff(numbers.astype(np.int64))), len(numbers) - 1)
    return list(_grown(numbers[last].astype(np.int64), curve.equity[last], balance))


def _grown(
    months: NDArray[np.int64], worth: Floats, balance: float
) -> Iterator[tuple[int, int, float]]:
    before = balance
    for month, after in zip(months.tolist(), worth.tolist(), strict=True):
        grown = after / before - 1 if before > 0 else 0.0
        yield 1970 + month // 12, month % 12, grown
        before = after


def _short(values: Floats) -> tuple[float, ...]:
    """Six digits are more than a picture can show."""
    return tuple(float(f"{value:.6g}") for value in values)
