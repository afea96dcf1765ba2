"""Does a backtest's log add up? What a child process says is believed only as far as this goes.

Every fill must lie inside a recorded candle of its pair, every profit must follow from its fills,
no more may be invested than there was, and the final balance must follow from all of it.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import numpy as np

from pipelines.domain.candles import Candles, Window, milliseconds, moment
from pipelines.domain.environment import Portfolio
from pipelines.domain.trades import equity
from pipelines.domain.trades.performance import FORCED_EXIT, trade_profit
from pipelines.domain.trades.trade import Fill, TradeLog
from pipelines.domain.verdict import Finding

ROUNDING = 1e-6
"""freqtrade rounds prices and profits to 8 places; sums of many trades may differ by this much."""

MOST_FINDINGS = 5
"""A forged log has a finding per trade; nobody reads more than a few."""


def problems(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, portfolio: Portfolio
) -> tuple[Finding, ...]:
    """Everything in the log that cannot be true, at most a few of each kind."""
    found: list[Finding] = []
    for kind in _KINDS:
        found += islice(kind(log, candles, window, portfolio), MOST_FINDINGS)
    return tuple(found)


def never_closes_losers(log: TradeLog) -> bool:
    """True when no trade lost by the strategy's own exits, and those cut off at the end did."""
    own = [t for t in log.trades if t.exit_reason != FORCED_EXIT]
    forced = [t for t in log.trades if t.exit_reason == FORCED_EXIT]
    lost = [trade for trade in forced if trade_profit(trade) < 0]
    return bool(lost) and all(trade_profit(trade) >= 0 for trade in own)


def _balance(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, portfolio: Portfolio
) -> Iterator[Finding]:
    start = float(portfolio.starting_balance)
    if log.starting_balance != start:
        yield Finding(
            what=f"{log.window}: starting balance",
            expected=str(start),
            actual=str(log.starting_balance),
        )
    if log.left_open:
        yield Finding(
            what=f"{log.window}: trades that were never closed",
            expected="0",
            actual=str(log.left_open),
            hint="freqtrade could not fill the last exit: look at custom exit prices",
        )
    total = start + sum(trade_profit(trade) for trade in log.trades)
    if abs(total - log.final_balance) > ROUNDING * max(start, abs(total)):
        yield Finding(
            what=f"{log.window}: final balance",
            expected=f"{total:.8f}, which is what the trades add up to",
            actual=f"{log.final_balance:.8f}",
            hint="a trade is missing or a profit is not what its fills say",
        )


def _profits(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, portfolio: Portfolio
) -> Iterator[Finding]:
    fee = float(portfolio.fee)
    for trade in log.trades:
        what = f"{log.window}: {trade.pair} opened {moment(trade.opened):%Y-%m-%d %H:%M}"
        if trade.fee != fee:
            yield Finding(what=f"{what}: fee", expected=str(fee), actual=str(trade.fee))
        value = sum(fill.price * fill.amount for fill in trade.fills)
        worth = trade_profit(trade)
        if abs(worth - trade.profit) > ROUNDING * value:
            yield Finding(
                what=f"{what}: profit", expected=f"{worth:.8f}", actual=f"{trade.profit:.8f}"
            )
        bought = sum(fill.amount for fill in trade.fills if fill.entry)
        sold = sum(fill.amount for fill in trade.fills if not fill.entry)
        if abs(bought - sold) > ROUNDING * bought:
            yield Finding(what=f"{what}: amount sold", expected=str(bought), actual=str(sold))


def _fills(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, portfolio: Portfolio
) -> Iterator[Finding]:
    first, last = milliseconds(window.opens), milliseconds(window.closes)
    for trade in log.trades:
        series = candles.get(trade.pair)
        for fill in trade.fills:
            what = f"{log.window}: {trade.pair} filled {moment(fill.at):%Y-%m-%d %H:%M}"
            if series is None or not first <= fill.at < last:
                yield Finding(what=what, expected="a candle of the window", actual="none there")
                continue
            low, high = _range(series, fill)
            slack = ROUNDING * fill.price
            if not low - slack <= fill.price <= high + slack:
                yield Finding(
                    what=f"{what}: price",
                    expected=f"between {low:g} and {high:g}, as its candle",
                    actual=f"{fill.price:g}",
                )


def _range(series: Candles, fill: Fill) -> tuple[float, float]:
    """The prices that were traded then; in a hole, freqtrade repeats the close before it."""
    index = int(np.searchsorted(series.time, fill.at, side="right")) - 1
    if index < 0:
        return float("nan"), float("nan")
    if series.time[index] != fill.at:
        return float(series.close[index]), float(series.close[index])
    return float(series.low[index]), float(series.high[index])


def _order(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, portfolio: Portfolio
) -> Iterator[Finding]:
    """Times that run forward, one position a pair, no more positions than slots."""
    until: dict[str, int] = {}
    events: list[tuple[int, int]] = []
    for trade in sorted(log.trades, key=lambda t: (t.opened, t.closed)):
        what = f"{log.window}: {trade.pair} opened {moment(trade.opened):%Y-%m-%d %H:%M}"
        times = [fill.at for fill in trade.fills]
        if trade.opened > trade.closed or min(times) < trade.opened or max(times) > trade.closed:
            yield Finding(what=what, expected="fills between opening and closing", actual="others")
        if trade.opened < until.get(trade.pair, 0):
            yield Finding(what=what, expected="one position a pair", actual="two at once")
        until[trade.pair] = trade.closed
        events += [(trade.opened, 1), (trade.closed, -1)]
    most = _most_open(events)
    if most > portfolio.max_open_trades:
        yield Finding(
            what=f"{log.window}: open trades",
            expected=f"at most {portfolio.max_open_trades}",
            actual=str(most),
        )


def _most_open(events: list[tuple[int, int]]) -> int:
    # Within a candle freqtrade exits before it enters, so closing comes first.
    most = now = 0
    for _, step in sorted(events):
        now += step
        most = max(most, now)
    return most


def _cash(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, portfolio: Portfolio
) -> Iterator[Finding]:
    if any(trade.short or trade.leverage != 1 for trade in log.trades):
        return
    start = float(portfolio.starting_balance)
    curve = equity.of_trades(log.trades, candles, window, start)
    if len(curve.cash) and curve.cash.min() < -ROUNDING * start:
        yield Finding(
            what=f"{log.window}: cash",
            expected="never below 0",
            actual=f"{curve.cash.min():.2f}",
            hint="the trades buy for more than the account held",
        )


_KINDS: tuple[
    Callable[[TradeLog, Mapping[str, Candles], Window, Portfolio], Iterator[Finding]], ...
] = (_balance, _profits, _fills, _order, _cash)
