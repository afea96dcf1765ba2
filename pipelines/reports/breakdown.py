"""The trades of a window in groups: by pair, by entry tag, by exit reason."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.domain.trades.performance import profit_factor, trade_profit
from pipelines.domain.trades.trade import Trade
from pipelines.reports.model import WindowView

MOST_GROUPS = 40
"""Tags are text of the strategy, and could be as many as its trades. The rest is one group."""

UNNAMED = "no tag"


@dataclass(frozen=True)
class Group:
    """Some trades together. `profit` is a fraction of the starting balance, `hours` a mean.

    `moved` is what the price of a pair did meanwhile, in the table of pairs only.
    """

    name: str
    trades: int
    profit: float
    win_rate: float | None
    profit_factor: float | None
    hours: float | None
    moved: float | None = None


@dataclass(frozen=True)
class Breakdown:
    """One way to group: what it is called, what a group is called, and the groups."""

    title: str
    head: str
    groups: tuple[Group, ...]


def of_window(view: WindowView) -> tuple[Breakdown, ...]:
    """By pair always; by tag and by reason where they part the trades at all."""
    ways = (
        Breakdown("By entry tag", "entry tag", _grouped(view, lambda trade: trade.tag or UNNAMED)),
        Breakdown("By exit reason", "exit reason", _grouped(view, lambda trade: trade.exit_reason)),
    )
    parting = (way for way in ways if len(way.groups) > 1)
    return (Breakdown("By pair", "pair", pairs(view)), *parting)


def pairs(view: WindowView) -> tuple[Group, ...]:
    """Every pair of the strategy, those that it never traded too; the best first."""
    return _grouped(view, lambda trade: trade.pair, tuple(view.moved))


def _grouped(
    view: WindowView, key: Callable[[Trade], str], known: tuple[str, ...] = ()
) -> tuple[Group, ...]:
    parts: dict[str, list[Trade]] = {name: [] for name in known}
    for trade in view.log.trades:
        parts.setdefault(key(trade), []).append(trade)
    most = max(MOST_GROUPS, len(known))
    names = sorted(parts, key=lambda name: -len(parts[name]))
    moved = view.moved if known else {}
    groups = [_group(view, name, parts[name], moved.get(name)) for name in names[:most]]
    groups.sort(key=lambda group: -group.profit)
    rest = names[most:]
    if rest:
        others = [trade for name in rest for trade in parts[name]]
        groups.append(_group(view, f"{len(rest)} others", others, None))
    return tuple(groups)


def _group(view: WindowView, name: str, listed: list[Trade], moved: float | None) -> Group:
    profits = np.array([trade_profit(trade) for trade in listed])
    times = np.array([trade.closed - trade.opened for trade in listed])
    some = len(listed) > 0
    return Group(
        name=name,
        trades=len(listed),
        profit=float(profits.sum()) / view.log.starting_balance,
        win_rate=float((profits > 0).mean()) if some else None,
        profit_factor=profit_factor(profits) if some else None,
        hours=float(times.mean()) / 3_600_000 if some else None,
        moved=moved,
    )
