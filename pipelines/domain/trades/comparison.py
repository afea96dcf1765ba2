"""A change held against what it replaces, on the same candles."""

from collections.abc import Iterator
from decimal import Decimal

from pipelines.domain.thresholds import IncumbentMargin
from pipelines.domain.trades.performance import Performance, rounded
from pipelines.domain.verdict import Finding


def worse(
    window: str, old: Performance, new: Performance, margin: IncumbentMargin
) -> Iterator[Finding]:
    """Where the new one does worse than the old one by more than the margin allows."""
    lost = max(old.profit, 0.0) * float(margin.max_profit_loss)
    bars = (
        ("profit", new.profit, old.profit - lost, True),
        ("Sharpe", new.sharpe, _less(old.sharpe, margin.max_sharpe_loss), True),
        ("drawdown", new.drawdown, old.drawdown + float(margin.max_drawdown_rise), False),
    )
    for name, value, bar, at_least in bars:
        if bar is None or (value is not None and (value >= bar if at_least else value <= bar)):
            continue
        yield Finding(
            what=f"{window}: {name} against the incumbent",
            expected=f"at {'least' if at_least else 'most'} {rounded(bar)}",
            actual="not measured" if value is None else str(rounded(value)),
            hint="the strategy that this one replaces did better on the same candles",
        )


def _less(value: float | None, margin: Decimal) -> float | None:
    return None if value is None else value - float(margin)
