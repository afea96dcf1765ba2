"""Jumps of the price: candles as they are once a fault has bent the market.

A jump begins with a candle that nobody has seen yet, so what was told never changes. A candle of a
longer timeframe that is open then is put together anew: what was told of it, and what follows.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange.tape import Reel


@dataclass(frozen=True)
class Move:
    """From the moment `at` on (milliseconds) prices are `factor` of what they were.

    With `back` only one candle reaches there, and comes back before it closes.
    """

    at: int
    factor: float
    back: bool = False


def bent(reel: Reel, moves: tuple[Move, ...]) -> Reel:
    """A reel on which these moves happened, one after another."""
    series = {timeframe: reel.load(timeframe) for timeframe in reel.timeframes}
    for move in moves:
        fine = series[reel.finest(move.at)]
        change = _crashed if move.back else _jumped
        series = {name: change(each, fine, move) for name, each in series.items()}
    lowest = float(reel.tick)
    floored = {name: _floored(each, lowest) for name, each in series.items()}
    return replace(reel, load=floored.__getitem__)


def _jumped(candles: Candles, fine: Candles, move: Move) -> Candles:
    later = candles.time >= move.at
    changed = replace(
        candles,
        open=np.where(later, candles.open * move.factor, candles.open),
        high=np.where(later, candles.high * move.factor, candles.high),
        low=np.where(later, candles.low * move.factor, candles.low),
        close=np.where(later, candles.close * move.factor, candles.close),
    )
    row = _open_at(candles, move.at)
    if row is not None and candles.time[row] < move.at:
        begins, ends = candles.time[row], candles.time[row] + TIMEFRAMES[candles.timeframe]
        first, turn, last = np.searchsorted(fine.time, [begins, move.at, ends])
        told, rest = slice(first, turn), slice(turn, last)
        opened = changed.open[row : row + 1]
        changed.high[row] = _joined(opened, fine.high[told], fine.high[rest] * move.factor).max()
        changed.low[row] = _joined(opened, fine.low[told], fine.low[rest] * move.factor).min()
        changed.close[row] = candles.close[row] * move.factor
    return changed


def _crashed(candles: Candles, fine: Candles, move: Move) -> Candles:
    struck = int(np.searchsorted(fine.time, move.at))
    row = _open_at(candles, int(fine.time[struck])) if struck < len(fine) else None
    if row is None:
        return candles
    reached = fine.open[struck] * move.factor
    high, low = candles.high.copy(), candles.low.copy()
    high[row], low[row] = max(high[row], reached), min(low[row], reached)
    return replace(candles, high=high, low=low)


def _joined(*parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate(parts)


def _open_at(candles: Candles, at: int) -> int | None:
    """The row of the candle that is open at a moment."""
    row = int(np.searchsorted(candles.time, at, side="right")) - 1
    inside = row >= 0 and at < candles.time[row] + TIMEFRAMES[candles.timeframe]
    return row if inside else None


def _floored(candles: Candles, lowest: float) -> Candles:
    """No price falls below one tick."""
    return replace(
        candles,
        open=np.maximum(candles.open, lowest),
        high=np.maximum(candles.high, lowest),
        low=np.maximum(candles.low, lowest),
        close=np.maximum(candles.close, lowest),
    )
