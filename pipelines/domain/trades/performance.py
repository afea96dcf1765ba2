"""The figures that strategies are judged on.

Ratios are fractions. What cannot be measured is None, never zero and never infinite: a profit
factor without a losing trade says nothing. The formulas stand in `sluice docs thresholds`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from pipelines.domain.candles import Candles, Window
from pipelines.domain.trades import equity
from pipelines.domain.trades.equity import Curve, Floats
from pipelines.domain.trades.trade import Trade, TradeLog

DAYS_A_YEAR = 365
"""Crypto trades on every day of the year."""

_SIX_PLACES = Decimal("0.000001")

FORCED_EXIT = "force_exit"
"""freqtrade's name for closing what is still open when the window ends."""


@dataclass(frozen=True)
class Performance:
    """One window of one strategy, measured from its trades and the candles."""

    trades: int
    profit: float
    drawdown: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    profit_factor: float | None
    expectancy: float | None
    expectancy_ratio: float | None
    win_rate: float | None
    exposure: float
    forced_exit_share: float
    buy_and_hold: float
    buy_and_hold_drawdown: float
    profit_over_buy_and_hold: float
    calmar_over_buy_and_hold: float | None

    def figures(self) -> dict[str, Decimal]:
        """What was measured, by name, rounded to six places so that evidence can be compared."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: rounded(value) for name, value in named.items() if value is not None}


def rounded(value: float) -> Decimal:
    """Six places after the point, without trailing zeros, whatever rounding a library has set."""
    number = Decimal(repr(float(value))).quantize(_SIX_PLACES, ROUND_HALF_EVEN).normalize()
    return number.quantize(Decimal(1)) if number == number.to_integral() else number


def measure(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, fee: float
) -> tuple[Performance, Curve, Curve]:
    """The performance of a window, its account and the account that held the same pairs.

    `candles` are those of the strategy's own timeframe, by pair.
    """
    balance = log.starting_balance
    account = equity.of_trades(log.trades, candles, window, balance)
    held = equity.of_holding(candles, window, balance, fee)
    own, benchmark = _growth(account, window, balance), _growth(held, window, balance)
    returns = _returns(equity.daily(account, window, balance))
    profits = np.array([trade_profit(trade) for trade in log.trades])
    return (
        Performance(
            trades=len(log.trades),
            profit=own.profit,
            drawdown=own.drawdown,
            sharpe=sharpe(returns),
            sortino=sortino(returns),
            calmar=own.calmar,
            profit_factor=profit_factor(profits),
            expectancy=float(profits.mean()) if len(profits) else None,
            expectancy_ratio=expectancy_ratio(profits),
            win_rate=float((profits > 0).mean()) if len(profits) else None,
            exposure=float(account.invested.mean()) if len(account.invested) else 0.0,
            forced_exit_share=forced_exit_share(log.trades),
            buy_and_hold=benchmark.profit,
            buy_and_hold_drawdown=benchmark.drawdown,
            profit_over_buy_and_hold=own.profit - benchmark.profit,
            calmar_over_buy_and_hold=_difference(own.calmar, benchmark.calmar),
        ),
        account,
        held,
    )


def trade_profit(trade: Trade) -> float:
    """What a trade earned after fees and funding, from its fills alone, in stake currency."""
    side = -1.0 if trade.short else 1.0
    total = trade.funding
    for fill in trade.fills:
        value = fill.price * fill.amount
        total += (-side if fill.entry else side) * value - trade.fee * value
    return total


def sharpe(returns: Floats) -> float | None:
    """Mean over standard deviation of daily returns, a year's worth (Sharpe 1994), risk-free 0."""
    spread = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / spread * DAYS_A_YEAR**0.5 if spread > 0 else None


def sortino(returns: Floats) -> float | None:
    """Mean over downside deviation of daily returns, a year's worth (Sortino 1994), target 0."""
    down = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))) if len(returns) > 1 else 0.0
    return float(returns.mean()) / down * DAYS_A_YEAR**0.5 if down > 0 else None


def profit_factor(profits: Floats) -> float | None:
    """Gross profit over gross loss."""
    loss = float(-profits[profits < 0].sum())
    return float(profits[profits > 0].sum()) / loss if loss > 0 else None


def expectancy_ratio(profits: Floats) -> float | None:
    """Mean profit of a trade in units of the mean loss of a losing one (Tharp's expectancy)."""
    losses = profits[profits < 0]
    return float(profits.mean() / -losses.mean()) if len(losses) else None


def forced_exit_share(trades: tuple[Trade, ...]) -> float:
    """The part of the profit that exists only because the window ended; 0 without any profit."""
    total = sum(trade_profit(trade) for trade in trades)
    forced = sum(trade_profit(trade) for trade in trades if trade.exit_reason == FORCED_EXIT)
    return max(forced, 0.0) / total if total > 0 else 0.0


@dataclass(frozen=True)
class _Growth:
    profit: float
    drawdown: float
    calmar: float | None


def _growth(curve: Curve, window: Window, balance: float) -> _Growth:
    if not len(curve.equity):
        return _Growth(0.0, 0.0, None)
    grown = float(curve.equity[-1]) / balance
    deepest = float(equity.drawdown(curve.equity, balance).max())
    years = (window.closes - window.opens).days / DAYS_A_YEAR
    yearly = max(grown, 0.0) ** (1 / years) - 1
    return _Growth(grown - 1, deepest, yearly / deepest if deepest > 0 else None)


def _returns(worth: Floats) -> Floats:
    before = np.maximum(worth[:-1], 1e-12)
    return np.asarray(np.diff(worth) / before, dtype=np.float64)


def _difference(own: float | None, other: float | None) -> float | None:
    return None if own is None or other is None else own - other
