"""A change may cost as much as the margin says, and no more."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pipelines.domain.thresholds import IncumbentMargin
from pipelines.domain.trades.comparison import worse
from pipelines.domain.trades.performance import Performance

MARGIN = IncumbentMargin(
    max_sharpe_loss=Decimal("0.1"),
    max_profit_loss=Decimal("0.1"),
    max_drawdown_rise=Decimal("0.03"),
)
OLD = Performance(
    trades=100,
    profit=0.5,
    drawdown=0.2,
    sharpe=1.0,
    sortino=1.0,
    calmar=1.0,
    profit_factor=1.5,
    expectancy=1.0,
    expectancy_ratio=0.1,
    win_rate=0.5,
    exposure=0.2,
    forced_exit_share=0.0,
    buy_and_hold=0.1,
    buy_and_hold_drawdown=0.5,
    profit_over_buy_and_hold=0.4,
    calmar_over_buy_and_hold=0.5,
)


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({}, []),
        ({"profit": 0.451, "sharpe": 0.91, "drawdown": 0.229}, []),
        ({"profit": 0.449}, ["profit"]),
        ({"sharpe": 0.89}, ["Sharpe"]),
        ({"sharpe": None}, ["Sharpe"]),
        ({"drawdown": 0.231}, ["drawdown"]),
        ({"profit": -1.0, "sharpe": -1.0, "drawdown": 0.9}, ["profit", "Sharpe", "drawdown"]),
    ],
)
def test_names_every_loss_beyond_the_margin(
    change: dict[str, float | None], about: list[str]
) -> None:
    found = worse("whole", OLD, replace(OLD, **change), MARGIN)  # type: ignore[arg-type]
    assert [finding.what for finding in found] == [
        f"whole: {name} against the incumbent" for name in about
    ]


def test_an_incumbent_that_lost_may_be_matched_but_not_undercut() -> None:
    lost = replace(OLD, profit=-0.2)
    assert not list(worse("whole", lost, replace(OLD, profit=-0.2), MARGIN))
    assert list(worse("whole", lost, replace(OLD, profit=-0.21), MARGIN))


def test_an_incumbent_without_a_sharpe_sets_no_bar_on_it() -> None:
    assert not list(worse("whole", replace(OLD, sharpe=None), replace(OLD, sharpe=-5.0), MARGIN))
