"""Equity curves, marked to market at every candle's close."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import TIMEFRAMES, Candles, Window
from pipelines.domain.trades.trade import Trade

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """An account over time: arrays of one length.

    `time` is int64 UTC milliseconds of the candles' closes, `equity` what the account is worth in
    stake currency, `cash` what of it is not in positions, `invested` the share that is.
    """

    time: Times
    equity: Floats
    cash: Floats
    invested: Floats


def of_trades(
    trades: tuple[Trade, ...], candles: Mapping[str, Candles], window: Window, balance: float
) -> Curve:
    """The account that made these trades, starting the window with `balance` in cash.

    A fill counts from the close of its candle on; a pair that misses a candle keeps its last
    close. Fees are paid with each fill, funding with the last one. Profit of shorts and of
    leverage is linear in the price, so borrowed cash needs no account of its own.
    """
    opening = _grid(candles, window)
    cash = np.full(len(opening), balance)
    worth = np.zeros(len(opening))
    gross = np.zeros(len(opening))
    for pair, series in candles.items():
        held = np.zeros(len(opening))
        for trade in (trade for trade in trades if trade.pair == pair):
            side = -1.0 if trade.short else 1.0
            for fill in trade.fills:
                signed = side * (fill.amount if fill.entry else -fill.amount)
                value = fill.amount * fill.price
                first = int(np.searchsorted(opening, fill.at))
                held[first:] += signed
                cash[first:] -= signed * fill.price + trade.fee * value
            cash[int(np.searchsorted(opening, trade.closed)) :] += trade.funding
        marked = np.where(np.abs(held) > 1e-12, held * _closes(series, opening), 0.0)
        worth += marked
        gross += np.abs(marked)
    equity = cash + worth
    return Curve(_closing(opening, candles), equity, cash, _share(gross, equity))


def of_holding(candles: Mapping[str, Candles], window: Window, balance: float, fee: float) -> Curve:
    """The account that buys every pair for an equal share and holds it to the window's end.

    A pair is bought at the opening of its first candle in the window; until then its share stays
    in cash. The fee is paid when buying and, on the last candle, when selling.
    """
    opening = _grid(candles, window)
    cash = np.full(len(opening), balance)
    worth = np.zeros(len(opening))
    for series in candles.values():
        inside = series.between(window.opens, window.closes)
        if not len(inside):
            continue
        share = balance / len(candles)
        first = int(np.searchsorted(opening, inside.time[0]))
        amount = share / (1 + fee) / inside.open[0]
        cash[first:] -= share
        worth[first:] += amount * _closes(series, opening)[first:]
    gross = worth.copy()
    if len(worth):
        worth[-1] *= 1 - fee
    equity = cash + worth
    return Curve(_closing(opening, candles), equity, cash, _share(gross, equity))


def drawdown(equity: Floats, balance: float) -> Floats:
    """How far below its highest value so far, the starting balance included, as a fraction."""
    peak = np.maximum(np.maximum.accumulate(equity), balance)
    return np.asarray(1.0 - equity / peak, dtype=np.float64)


def daily(curve: Curve, window: Window, balance: float) -> Floats:
    """What the account was worth at the window's opening and at the end of each of its days."""
    start = int(window.opens.timestamp() * 1000)
    end = int(window.closes.timestamp() * 1000)
    ends = np.arange(start + TIMEFRAMES["1d"], end + 1, TIMEFRAMES["1d"])
    last = np.searchsorted(curve.time, ends, side="right") - 1
    worth = np.where(last >= 0, curve.equity[np.maximum(last, 0)], balance)
    return np.concatenate(([balance], worth))


def _grid(candles: Mapping[str, Candles], window: Window) -> Times:
    """The opening times of all pairs inside the window, ascending."""
    parts = [c.between(window.opens, window.closes).time for c in candles.values()]
    return np.unique(np.concatenate(parts)) if parts else np.array([], dtype=np.int64)


def _closing(opening: Times, candles: Mapping[str, Candles]) -> Times:
    timeframe = next(iter(candles.values())).timeframe
    return opening + TIMEFRAMES[timeframe]


def _closes(series: Candles, opening: Times) -> Floats:
    """The last close known when each candle of the grid closes; 0 before the first."""
    last = np.searchsorted(series.time, opening, side="right") - 1
    return np.where(last >= 0, series.close[np.maximum(last, 0)], 0.0)


def _share(gross: Floats, equity: Floats) -> Floats:
    return np.asarray(
        np.divide(gross, equity, out=np.zeros_like(gross), where=equity > 0), dtype=np.float64
    )
