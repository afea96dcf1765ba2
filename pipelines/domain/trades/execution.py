"""Could freqtrade have filled these orders at these prices?

The audit beside this asks whether a log adds up and whether its prices were traded at all. A log
that buys every low and sells every high would pass. freqtrade's backtest does not: it fills

- entries at the opening of their candle, unless the strategy prices them itself;
- exits at the opening as well, unless the strategy prices them, or a stop or a target was reached;
- a stop at its price, a target at its price, both inside the candle or else at the opening.

An exit that missed its candle by a rounding waits, and fills later at the price it was placed at.
Only long trades without leverage are held to stops and targets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np

from pipelines.domain.candles import TIMEFRAMES, Candles, Window, milliseconds, moment
from pipelines.domain.pricing import Pricing
from pipelines.domain.trades.audit import MOST_FINDINGS
from pipelines.domain.trades.performance import FORCED_EXIT
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Finding

EXACT = 1e-9
"""Prices that nobody rounds differ by less than this share."""

STOPS = ("stop_loss", "trailing_stop_loss")
TARGET = "roi"


def problems(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, pricing: Pricing
) -> tuple[Finding, ...]:
    """Every order that freqtrade would not have filled like this, at most a few of each kind."""
    markets = {pair: _Market(series, window) for pair, series in candles.items()}
    # A fill in a market or at a time that is not there is the audit's to tell.
    known = tuple(t for t in log.trades if t.pair in markets and _inside(t, markets[t.pair]))
    found: list[Finding] = []
    for kind in (_entries, _exits, _orders, _times):
        found += islice(kind(known, markets, pricing, log.window), MOST_FINDINGS)
    return tuple(found)


@dataclass(frozen=True)
class _Row:
    """A candle. In a hole all three are the close before it, as freqtrade fills it up."""

    open: float
    high: float
    low: float


@dataclass(frozen=True)
class _Market:
    """The candles of one pair, and how its prices are rounded in a window."""

    series: Candles
    window: Window

    @property
    def step(self) -> int:
        return TIMEFRAMES[self.series.timeframe]

    @cached_property
    def span(self) -> slice:
        ends = [milliseconds(self.window.opens), milliseconds(self.window.closes)]
        first, last = np.searchsorted(self.series.time, ends)
        return slice(int(first), int(last))

    @cached_property
    def last(self) -> int:
        """When the last candle of the window opens, -1 without any."""
        times = self.series.time[self.span]
        return int(times[-1]) if len(times) else -1

    def row(self, at: int) -> _Row:
        index = int(np.searchsorted(self.series.time, at, side="right")) - 1
        if self.series.time[index] != at:
            close = float(self.series.close[index])
            return _Row(close, close, close)
        columns = (self.series.open, self.series.high, self.series.low)
        return _Row(*(float(column[index]) for column in columns))

    def highest(self, first: int, last: int) -> float:
        """The highest price from one candle to another, both included."""
        begin = int(np.searchsorted(self.series.time, first))
        end = int(np.searchsorted(self.series.time, last, side="right"))
        return max(self.row(first).high, float(self.series.high[begin:end].max(initial=0.0)))

    def tick(self, at: int) -> float:
        """At most this much a price moves when freqtrade rounds it for a trade opened then.

        It rounds to the decimals that the candles of that month have; here only those inside the
        window are counted, which can only be fewer.
        """
        return float(10.0 ** -self._decimals.get(_month(at), 0))

    @cached_property
    def _decimals(self) -> dict[int, int]:
        months = self.series.time[self.span].astype("datetime64[ms]").astype("datetime64[M]")
        columns = (self.series.open, self.series.high, self.series.low, self.series.close)
        prices = np.stack([column[self.span] for column in columns])
        return {
            int(month.astype(int)): _decimals(prices[:, months == month])
            for month in np.unique(months)
        }


def _month(at: int) -> int:
    return int(np.datetime64(at, "ms").astype("datetime64[M]").astype(int))


def _decimals(prices: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> int:
    """How many decimals it takes to write all prices, small noise apart."""
    for digits in range(15):
        scaled = prices * 10.0**digits
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-4):
            return digits
    return 15


def _inside(trade: Trade, market: _Market) -> bool:
    first = market.series.time[0] if len(market.series) else None
    times = (trade.opened, trade.closed, *(fill.at for fill in trade.fills))
    return first is not None and min(times) >= first and market.last >= 0


Markets = Mapping[str, _Market]
Trades = tuple[Trade, ...]


def _entries(trades: Trades, markets: Markets, pricing: Pricing, window: str) -> Iterator[Finding]:
    if pricing.free_entries:
        return
    for trade in trades:
        for fill in (fill for fill in trade.fills if fill.entry):
            opening = markets[trade.pair].row(fill.at).open
            if abs(fill.price - opening) > EXACT * opening:
                yield Finding(
                    what=f"{_named(window, trade, fill)}: entry price",
                    expected=f"{opening:g}, the opening, for the strategy prices no entries",
                    actual=f"{fill.price:g}",
                )


def _exits(trades: Trades, markets: Markets, pricing: Pricing, window: str) -> Iterator[Finding]:
    if pricing.free_exits:
        return
    for trade in trades:
        exits = [fill for fill in trade.fills if not fill.entry]
        for fill in exits:
            final = fill is exits[-1]
            if not _exit_possible(trade, fill, markets[trade.pair], pricing, final=final):
                row = markets[trade.pair].row(fill.at)
                yield Finding(
                    what=f"{_named(window, trade, fill)}: exit price",
                    expected=f"{row.open:g}, the opening, or what {trade.exit_reason} would give",
                    actual=f"{fill.price:g}",
                )


def _named(window: str, trade: Trade, fill: Fill) -> str:
    return f"{window}: {trade.pair} filled {moment(fill.at):%Y-%m-%d %H:%M}"


def _exit_possible(
    trade: Trade, fill: Fill, market: _Market, pricing: Pricing, *, final: bool
) -> bool:
    tick = market.tick(trade.opened) + EXACT * fill.price
    for at in _placed(trade, fill, market):
        row = market.row(at)
        if abs(fill.price - row.open) <= tick:
            return True
        if final and _reached(trade, fill.price, at, market, pricing, slack=2 * tick):
            return True
    return False


def _placed(trade: Trade, fill: Fill, market: _Market) -> Iterator[int]:
    """When the order may have been placed: then, or as long before as it could not be filled."""
    at = fill.at
    yield at
    while (at := at - market.step) >= trade.opened:
        row = market.row(at)
        if row.low <= fill.price <= row.high:
            return
        yield at


def _reached(
    trade: Trade, price: float, at: int, market: _Market, pricing: Pricing, *, slack: float
) -> bool:
    """Whether a stop or a target lets a trade end at this price in that candle."""
    if trade.exit_reason not in (*STOPS, TARGET):
        return False
    if trade.short or trade.leverage != 1:
        return True
    if trade.exit_reason == TARGET:
        return _target_reached(trade, price, at, market.row(at), pricing, slack)
    return _stopped(trade, price, at, market, pricing, slack)


def _target_reached(
    trade: Trade, price: float, at: int, row: _Row, pricing: Pricing, slack: float
) -> bool:
    if pricing.roi is None:
        return True
    minutes = (at - trade.opened) // TIMEFRAMES["1m"]
    due = [profit for after, profit in pricing.roi if after <= minutes]
    if not due:
        return False
    target = (1 + due[-1]) * _averages(trade)[-1] * (1 + trade.fee) / (1 - trade.fee)
    expected = min(max(target, row.low), row.high)
    return target <= row.high + slack and abs(price - expected) <= slack


def _stopped(
    trade: Trade, price: float, at: int, market: _Market, pricing: Pricing, slack: float
) -> bool:
    if pricing.stop is None:
        return True
    averages = _averages(trade)
    stops = [average * (1 - pricing.stop) for average in averages]
    if pricing.trail is None:
        return min(stops) - slack <= price <= max(stops) + slack
    row = market.row(at)
    # In the candle of its entry freqtrade lets the price reach the offset, then fall.
    at_once = max(row.open, *averages) * (1 + pricing.offset - pricing.trail)
    followed = market.highest(trade.opened, at) * (1 - pricing.trail)
    return price <= max(at_once, followed, row.low) + slack


def _averages(trade: Trade) -> list[float]:
    """What was paid on average, after every entry. Exits leave it as it is."""
    amount = paid = 0.0
    found = []
    for fill in trade.fills:
        if fill.entry:
            amount, paid = amount + fill.amount, paid + fill.amount * fill.price
            found.append(paid / amount)
        elif amount > 0:
            paid -= fill.amount * paid / amount
            amount -= fill.amount
    return found or [0.0]


def _orders(trades: Trades, markets: Markets, pricing: Pricing, window: str) -> Iterator[Finding]:
    if pricing.adjusts:
        return
    for trade in trades:
        if len(trade.fills) != 2:
            yield Finding(
                what=f"{window}: {trade.pair} opened {moment(trade.opened):%Y-%m-%d %H:%M}: orders",
                expected="one entry and one exit, for the strategy adjusts no positions",
                actual=f"{len(trade.fills)} fills",
            )


def _times(trades: Trades, markets: Markets, pricing: Pricing, window: str) -> Iterator[Finding]:
    """When freqtrade opens nothing, and when it closes by force."""
    end = max((market.last for market in markets.values()), default=-1)
    for trade in trades:
        what = f"{window}: {trade.pair} opened {moment(trade.opened):%Y-%m-%d %H:%M}"
        if trade.opened == end:
            yield Finding(what=what, expected="no entry on the last candle", actual="an entry")
        if trade.exit_reason == FORCED_EXIT and trade.closed != markets[trade.pair].last:
            yield Finding(
                what=f"{what}: closed by force",
                expected=f"at the end, {moment(markets[trade.pair].last):%Y-%m-%d %H:%M}",
                actual=f"{moment(trade.closed):%Y-%m-%d %H:%M}",
                hint=f"{FORCED_EXIT} is freqtrade's own word: call an exit something else",
            )
    if any(trade.short for trade in trades):
        return
    ordered = sorted(trades, key=lambda trade: (trade.pair, trade.opened, trade.closed))
    for before, after in pairwise(ordered):
        if before.pair == after.pair and after.opened == before.closed:
            yield Finding(
                what=f"{window}: {after.pair} opened {moment(after.opened):%Y-%m-%d %H:%M}",
                expected="a later candle than the one that closed the trade before",
                actual="the same candle",
            )
