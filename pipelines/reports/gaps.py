"""What would have to change for a missed threshold to be met: arithmetic, never a promise.

Every way changes one thing of the very trades that were made and leaves everything else as it
was, stakes included. Where no such way is exact, only the distance is told.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.domain.trades import equity
from pipelines.domain.trades.equity import Floats
from pipelines.domain.trades.performance import DAYS_A_YEAR, sortino, trade_profit
from pipelines.domain.verdict import Finding, Verdict
from pipelines.reports import figures
from pipelines.reports.figures import Kind, Missed
from pipelines.reports.model import StrategyReport, WindowView

_STEPS = 60
"""Halvings when a number is searched for: more than floats can tell apart."""


@dataclass(frozen=True)
class Gap:
    """How far off a figure is, and each single change that would have been enough."""

    distance: str
    ways: tuple[str, ...]

    @property
    def sentence(self) -> str:
        ways = ", or ".join(self.ways)
        return f"{self.distance}; enough would be: {ways}" if ways else self.distance


def of(finding: Finding, verdict: Verdict, report: StrategyReport) -> Gap | None:
    """The gap behind a finding; None when it is about no threshold."""
    missed = figures.missed(finding, verdict.check)
    if missed is None:
        return None
    if missed.value is None:
        return Gap("nothing was measured, so there is no distance", ())
    view = report.view(missed.window)
    ways = WAYS.get(missed.figure.name)
    asked = _Asked(missed, float(missed.value), float(missed.bound), verdict, view)
    return Gap(_distance(missed), tuple(ways(asked)) if ways else ())


@dataclass(frozen=True)
class _Asked:
    missed: Missed
    value: float
    bound: float
    verdict: Verdict
    view: WindowView | None

    def measured(self, figure: str) -> float | None:
        value = self.verdict.measurements.get(f"{self.missed.window}.{figure}")
        return None if value is None else float(value)


def _distance(missed: Missed) -> str:
    off = abs(missed.bound - (missed.value or 0))
    if missed.figure.kind is Kind.COUNT:
        return f"{off:,.0f} {'short' if missed.at_least else 'too many'}"
    size = off * 100 if missed.figure.kind is Kind.RATIO else off
    places = next((n for n in range(1, 6) if round(size, n) > 0), 6)
    places = max(places, 1 if missed.figure.kind is Kind.RATIO else 2)
    unit = " points" if missed.figure.kind is Kind.RATIO else ""
    return f"{size:,.{places}f}{unit} {'short' if missed.at_least else 'too much'}"


def _up(share: float) -> float:
    """Rounded up to what is shown of it: what is named has to be enough."""
    steps = 100 if share >= 0.1 else 1000
    return math.ceil(share * steps - 1e-9) / steps


def _percent(share: float) -> str:
    size = _up(share) * 100
    return f"{size:,.0f} %" if share >= 0.1 else f"{size:.1f} %"


def _plainly(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 10 else f"{number:.1f}"


def _sides(view: WindowView) -> tuple[float, float]:
    """Gross profit and gross loss of the closed trades."""
    profits = [trade_profit(trade) for trade in view.log.trades]
    return sum(p for p in profits if p > 0), -sum(p for p in profits if p < 0)


def _either(losers: float, winners: float) -> Iterator[str]:
    if 0 < losers <= 1:
        yield f"the losers {_percent(losers)} smaller"
    if 0 < winners < math.inf:
        yield f"the winners {_percent(winners)} larger"


def _trades(asked: _Asked) -> Iterator[str]:
    if asked.view:
        days = (asked.view.span.closes - asked.view.span.opens).days
        before = f"every {_plainly(days / asked.value)}" if asked.value else "none"
        yield f"a trade every {_plainly(days / asked.bound)} days instead of {before}"


def _profit(asked: _Asked) -> Iterator[str]:
    """Also of profit over holding: what holding earned does not depend on the strategy."""
    if asked.view is None:
        return
    needed = (asked.bound - asked.value) * asked.view.log.starting_balance
    won, lost = _sides(asked.view)
    yield from _either(needed / lost if lost else 0.0, needed / won if won else 0.0)
    costs = sum(
        trade.fee * fill.price * fill.amount
        for trade in asked.view.log.trades
        for fill in trade.fills
    )
    if needed <= costs:
        yield f"the fees {_percent(needed / costs)} lower"


def _profit_factor(asked: _Asked) -> Iterator[str]:
    if asked.value > 0:
        yield from _either(1 - asked.value / asked.bound, asked.bound / asked.value - 1)


def _expectancy_ratio(asked: _Asked) -> Iterator[str]:
    if asked.view is None:
        return
    won, lost = _sides(asked.view)
    losers = sum(trade_profit(trade) < 0 for trade in asked.view.log.trades)
    if not losers:
        return
    # (won - lost) / trades = ratio * lost / losers, solved for the side that changes
    scaled = lost * (1 + asked.bound * len(asked.view.log.trades) / losers)
    if won > 0:
        yield from _either(1 - won / scaled, scaled / won - 1)


def _win_rate(asked: _Asked) -> Iterator[str]:
    trades = asked.measured("trades")
    if trades:
        won = round(asked.value * trades)
        more = math.ceil(asked.bound * trades - 1e-9) - won
        yield f"{more:,} of the {trades - won:,.0f} trades that did not win turned into winners"


def _drawdown(asked: _Asked) -> Iterator[str]:
    view = asked.view
    if view is None or not len(view.account.equity):
        return
    balance = view.log.starting_balance
    gained = view.account.equity - balance

    def deepest(size: float) -> float:
        return float(equity.drawdown(balance + size * gained, balance).max())

    # Of every peak and what follows it, the fall grows with the size of the positions.
    size = _searched(lambda part: deepest(part) <= asked.bound, 0.0, 1.0)
    share = _up(1 - size)
    profit = (1 - share) * float(gained[-1]) / balance
    if 0 < share < 1:
        left = f"a {'profit' if profit >= 0 else 'loss'} of {abs(profit) * 100:,.1f} %"
        yield f"all positions {_percent(share)} smaller, which leaves {left}"


def _searched(kept: Callable[[float], bool], good: float, bad: float) -> float:
    """The number nearest to `bad` for which something still holds that holds at `good`."""
    for _ in range(_STEPS):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if kept(middle) else (good, middle)
    return good


def _days(view: WindowView) -> Floats:
    worth = equity.daily(view.account, view.span, view.log.starting_balance)
    return np.asarray(np.diff(worth) / np.maximum(worth[:-1], 1e-12), dtype=np.float64)


def _better(points: float) -> str:
    up = math.ceil(points * 1e5 - 1e-6) / 1e3
    return f"every day {up:g} points better ({_plainly(up * DAYS_A_YEAR)} a year)"


def _sharpe(asked: _Asked) -> Iterator[str]:
    """The same swings with a better mean, or the same mean with smaller swings."""
    if asked.view:
        days = _days(asked.view)
        needed = asked.bound * float(days.std(ddof=1)) / DAYS_A_YEAR**0.5
        yield _better(needed - float(days.mean()))
    if asked.value > 0:
        yield f"the same mean with swings {_percent(1 - asked.value / asked.bound)} smaller"


def _sortino(asked: _Asked) -> Iterator[str]:
    if asked.view is None:
        return
    days = _days(asked.view)

    def kept(shift: float) -> bool:
        ratio = sortino(days + shift)
        return ratio is None or ratio >= asked.bound

    yield _better(_searched(kept, float(-days.min()), 0.0))


def _calmar_over_holding(asked: _Asked) -> Iterator[str]:
    """Both from what was measured: growth a year is the Calmar ratio times the drawdown."""
    calmar, drawdown = asked.measured("calmar"), asked.measured("drawdown")
    if calmar is None or not drawdown:
        return
    needed = calmar - asked.value + asked.bound
    if calmar > 0 and needed > 0:
        part = math.floor(calmar / needed * drawdown * 1000) / 10
        yield f"the same profit with a drawdown of {part:g} %"
    growth = math.ceil(needed * drawdown * 1000) / 10
    yield f"the same drawdown with {growth:,g} % a year instead of {calmar * drawdown * 100:.1f} %"


WAYS: dict[str, Callable[[_Asked], Iterator[str]]] = {
    "trades": _trades,
    "profit": _profit,
    "profit_over_buy_and_hold": _profit,
    "profit_factor": _profit_factor,
    "expectancy_ratio": _expectancy_ratio,
    "win_rate": _win_rate,
    "drawdown": _drawdown,
    "sharpe": _sharpe,
    "sortino": _sortino,
    "calmar_over_buy_and_hold": _calmar_over_holding,
}
"""How a figure could have been enough. For figures that are not here only the distance is told."""
