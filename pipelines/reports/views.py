"""From a log of trades to what the pictures and tables of a window rest on."""

from collections.abc import Mapping

from pipelines.domain.candles import TIMEFRAMES, Candles, Window, moment
from pipelines.domain.trades.performance import measure, trade_profit
from pipelines.domain.trades.trade import Trade, TradeLog
from pipelines.reports.model import ChosenTrade, WindowView

AROUND = 0.4
"""So much of a trade's duration is shown before it and after it."""

LEAST_AROUND = 24
"""Candles before and after a trade, however short it was."""


def of_window(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, fee: float
) -> WindowView:
    """One window. `candles` are those of the strategy's own timeframe, by pair."""
    _, account, held = measure(log, candles, window, fee)
    moved = {pair: _moved(series, window) for pair, series in candles.items()}
    return WindowView(log.window, window, log, account, held, moved, chosen(log, candles))


def earned(trade: Trade) -> float:
    """What a trade earned after costs, as a fraction of the stake put into it."""
    invested = sum(fill.price * fill.amount for fill in trade.fills if fill.entry)
    return trade_profit(trade) * trade.leverage / invested if invested else 0.0


def chosen(log: TradeLog, candles: Mapping[str, Candles]) -> tuple[ChosenTrade, ...]:
    """The best, the worst, the median and the longest trade; one that is several of them once."""
    ranked = sorted((t for t in log.trades if len(candles.get(t.pair, ()))), key=earned)
    if not ranked:
        return ()
    picked = {
        "best": ranked[-1],
        "worst": ranked[0],
        "median": ranked[len(ranked) // 2],
        "longest": max(ranked, key=lambda trade: trade.closed - trade.opened),
    }
    reasons: dict[int, list[str]] = {}
    for why, trade in picked.items():
        reasons.setdefault(ranked.index(trade), []).append(why)
    return tuple(
        ChosenTrade(", ".join(why), ranked[place], _around(ranked[place], candles))
        for place, why in reasons.items()
    )


def _around(trade: Trade, candles: Mapping[str, Candles]) -> Candles:
    series = candles[trade.pair]
    least = LEAST_AROUND * TIMEFRAMES[series.timeframe]
    room = max(int((trade.closed - trade.opened) * AROUND), least)
    # Times of a trade come from a child: what no calendar knows must not raise here.
    first, last = int(series.time[0]), int(series.time[-1]) + 1
    start, end = max(trade.opened - room, first), min(trade.closed + room, last)
    return series.between(moment(min(start, last)), moment(max(end, first)))


def _moved(series: Candles, window: Window) -> float | None:
    inside = series.between(window.opens, window.closes)
    return float(inside.close[-1] / inside.open[0]) - 1 if len(inside) else None
