"""Could freqtrade have staked that much?

The capital is split evenly over the slots and compounds. So what a trade was bought for follows
from the profit of the trades before it, unless the strategy sets its stakes itself: a trade that
was left out, made up or made larger shows in the stakes of others.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import moment
from pipelines.domain.environment import Portfolio
from pipelines.domain.pricing import Pricing
from pipelines.domain.trades.audit import MOST_FINDINGS, ROUNDING
from pipelines.domain.trades.performance import trade_profit
from pipelines.domain.trades.trade import Trade, TradeLog
from pipelines.domain.verdict import Finding

TRADABLE = 0.99
"""The share of the balance that our configuration lets freqtrade stake."""

SMALL, RAISED = 20.0, 1.3
"""Stakes below what an exchange accepts are raised by so much at most; none is as high as this."""


def problems(
    log: TradeLog, portfolio: Portfolio, pricing: Pricing, lots: Mapping[str, float]
) -> tuple[Finding, ...]:
    """Every trade whose stake does not follow from those before it, a few at most.

    `lots` are the steps in which amounts are traded, by pair.
    """
    if pricing.free_stakes or any(trade.short or trade.leverage != 1 for trade in log.trades):
        return ()
    return tuple(islice(_findings(log, portfolio, pricing, lots), MOST_FINDINGS))


def _findings(
    log: TradeLog, portfolio: Portfolio, pricing: Pricing, lots: Mapping[str, float]
) -> Iterator[Finding]:
    balance = _Balance(log.trades, float(portfolio.starting_balance), portfolio.max_open_trades)
    for trade in log.trades:
        entries = [fill for fill in trade.fills if fill.entry]
        if not entries:
            continue
        stake = entries[0].price * entries[0].amount
        least, most = balance.bounds(trade)
        # Entries that were never filled tie up money too, and leave no trade behind.
        least = 0.0 if pricing.free_entries else least
        least -= lots.get(trade.pair, entries[0].amount) * entries[0].price
        slack = ROUNDING * most
        if not least - slack <= stake <= most + slack:
            yield Finding(
                what=f"{log.window}: {trade.pair} opened {moment(trade.opened):%Y-%m-%d %H:%M}: "
                "stake",
                expected=f"{max(least, 0):.2f} to {most:.2f}, a slot's share of the balance",
                actual=f"{stake:.2f}",
                hint="a trade before it is missing, made up, or larger than it was",
            )


class _Balance:
    """The account as it was when trades were opened, between two bounds.

    Which of two pairs came first within one candle is not known, so trades that close or open in
    the same candle may count or not.
    """

    def __init__(self, trades: tuple[Trade, ...], start: float, slots: int) -> None:
        self.start, self.slots = start, slots
        stakes = np.array([_stake(trade) for trade in trades])
        opened = np.array([trade.opened for trade in trades], dtype=np.int64)
        closed = np.array([trade.closed for trade in trades], dtype=np.int64)
        profits = np.array([trade_profit(trade) for trade in trades])
        first, last = np.argsort(opened, kind="stable"), np.argsort(closed, kind="stable")
        self.opened, self.closed = opened[first], closed[last]
        self.invested, self.freed = _summed(stakes[first]), _summed(stakes[last])
        self.lost = _summed(np.minimum(profits[last], 0.0))
        self.won = _summed(np.maximum(profits[last], 0.0))

    def bounds(self, trade: Trade) -> tuple[float, float]:
        """A slot's share at least and at most when this trade was opened."""
        at = trade.opened
        before = int(np.searchsorted(self.closed, at, side="left"))
        until = int(np.searchsorted(self.closed, at, side="right"))
        poorest = self.start + float(self.won[before] + self.lost[until])
        richest = self.start + float(self.won[until] + self.lost[before])
        begun = int(np.searchsorted(self.opened, at, side="right"))
        tied = float(self.invested[begun] - self.freed[before]) - _stake(trade)
        most = TRADABLE * richest / self.slots
        least = min(TRADABLE * poorest / self.slots, TRADABLE * poorest - tied)
        return least, most * RAISED if most < SMALL else most


def _stake(trade: Trade) -> float:
    return sum(fill.price * fill.amount for fill in trade.fills if fill.entry)


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the first n values, for every n from 0 on."""
    return np.concatenate(([0.0], np.cumsum(values)))
