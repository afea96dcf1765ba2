"""What a strategy must show on recorded candles, and how its figures are held against that."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from pipelines.domain.document import Document
from pipelines.domain.verdict import Finding

Share = Annotated[Decimal, Field(ge=0, le=1)]


class WindowThresholds(Document):
    """Thresholds on one window. What is not named is not judged; ratios are fractions.

    Every figure is taken from the mark-to-market equity curve or from the closed trades, as
    `pipelines.domain.trades.performance` defines them.
    """

    min_trades: Annotated[int, Field(ge=1)] | None = None
    min_profit: Decimal | None = None
    max_drawdown: Share | None = None
    min_sharpe: Decimal | None = None
    min_sortino: Decimal | None = None
    min_profit_factor: Decimal | None = None
    min_expectancy_ratio: Decimal | None = None
    min_win_rate: Share | None = None
    min_exposure: Share | None = None
    max_exposure: Share | None = None
    min_profit_over_buy_and_hold: Decimal | None = None
    min_calmar_over_buy_and_hold: Decimal | None = None

    def named(self) -> Iterator[tuple[str, Decimal]]:
        """The thresholds that are set, in the order of the fields."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                yield name, Decimal(value)


class AdmissionWindow(WindowThresholds):
    """Thresholds of an environment: the number of trades is never left open."""

    min_trades: Annotated[int, Field(ge=1)]


class IncumbentMargin(Document):
    """How much worse than the incumbent a change may be on the whole span.

    `max_profit_loss` is a share of the incumbent's profit; the others are differences.
    """

    max_sharpe_loss: Annotated[Decimal, Field(ge=0)]
    max_profit_loss: Share
    max_drawdown_rise: Share


class Admission(Document):
    """`admission` in an environment's file."""

    max_forced_exit_share: Share
    windows: Annotated[dict[str, AdmissionWindow], Field(min_length=1)]
    incumbent: IncumbentMargin


def judge(
    window: str, figures: dict[str, Decimal], thresholds: WindowThresholds
) -> tuple[Finding, ...]:
    """Every threshold that the figures of one window miss.

    `figures` are keyed by the threshold's name without `min_` or `max_`. A figure that is not
    there was not measured, and what was not measured is missed.
    """
    missed = []
    for name, bound in thresholds.named():
        side, figure = name.split("_", 1)
        value = figures.get(figure)
        if value is not None and _keeps(side, value, bound):
            continue
        word = "at least" if side == "min" else "at most"
        missed.append(
            Finding(
                what=f"{window}: {figure.replace('_', ' ')}",
                expected=f"{word} {bound}",
                actual="not measured" if value is None else str(value),
                hint=HINTS[figure],
            )
        )
    return tuple(missed)


def _keeps(side: str, value: Decimal, bound: Decimal) -> bool:
    # What is no number was not measured; Decimal would refuse to compare it.
    return not value.is_nan() and (value >= bound if side == "min" else value <= bound)


def looser(
    window: str, own: WindowThresholds, admission: WindowThresholds | None
) -> tuple[Finding, ...]:
    """Where a manifest's own thresholds are looser than the environment's."""
    if admission is None:
        return (
            Finding(
                what=f"thresholds.{window}",
                expected="a window of the environment's admission",
                actual=window,
                hint="name one of the windows in environments/test.yaml",
            ),
        )
    asked = dict(admission.named())
    return tuple(
        Finding(
            what=f"thresholds.{window}.{name}",
            expected=f"at {'least' if name.startswith('min') else 'most'} {asked[name]}",
            actual=str(value),
            hint="a manifest may be stricter than environments/test.yaml, never looser",
        )
        for name, value in own.named()
        if name in asked
        and (value < asked[name] if name.startswith("min") else value > asked[name])
    )


def merged(admission: WindowThresholds, own: WindowThresholds | None) -> WindowThresholds:
    """The environment's thresholds with the manifest's own laid over them."""
    stricter = dict(own.named()) if own else {}
    values = {**dict(admission.named()), **stricter}
    trades = values.pop("min_trades", None)
    return WindowThresholds(min_trades=None if trades is None else int(trades), **values)


HINTS: dict[str, str] = {
    "trades": "loosen the entry condition, add pairs or use a shorter timeframe",
    "profit": "costs eat small moves: trade less often or hold longer",
    "drawdown": "cut losers sooner, hold fewer pairs that fall together, or leave bear markets out",
    "sharpe": "the equity curve swings too much for what it earns",
    "sortino": "losing days are too large: look at the stop and at pairs that fall together",
    "profit_factor": "gross profit is too close to gross loss: filter the worst entries",
    "expectancy_ratio": "a trade earns too little for what a losing one costs",
    "win_rate": "too few winners: wait for confirmation or take profit earlier",
    "exposure": "the share of the capital that is in the market is out of bounds",
    "profit_over_buy_and_hold": "holding the same pairs would have done better",
    "calmar_over_buy_and_hold": "holding the same pairs paid more for its drawdown",
}
