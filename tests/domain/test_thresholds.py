"""Thresholds: what is missed, and what a manifest may ask of itself."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.thresholds import HINTS, WindowThresholds, judge, looser, merged

SHARES = st.decimals(0, 1, places=3)


def asked(**values: Any) -> WindowThresholds:
    return WindowThresholds(
        **{k: v if k == "min_trades" else Decimal(v) for k, v in values.items()}
    )


def figures(**values: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("bound", "value", "is_missed"),
    [
        ({"min_profit": "0.4"}, "0.4", False),
        ({"min_profit": "0.4"}, "0.39", True),
        ({"min_profit": "-0.05"}, "-0.06", True),
        ({"max_drawdown": "0.3"}, "0.3", False),
        ({"max_drawdown": "0.3"}, "0.31", True),
        ({"min_trades": 10}, "9", True),
        ({"min_trades": 10}, "10", False),
    ],
)
def test_a_bound_belongs_to_what_is_allowed(
    bound: dict[str, Any], value: str, is_missed: bool
) -> None:
    figure = next(iter(bound)).split("_", 1)[1]
    assert bool(judge("bear", figures(**{figure: value}), asked(**bound))) is is_missed


def test_says_what_was_expected_what_was_there_and_what_to_do() -> None:
    (finding,) = judge("bear", figures(win_rate="0.1"), asked(min_win_rate="0.2"))
    assert (finding.what, finding.expected, finding.actual) == (
        "bear: win rate",
        "at least 0.2",
        "0.1",
    )
    assert finding.hint == HINTS["win_rate"]


def test_what_was_not_measured_is_missed() -> None:
    (finding,) = judge("bear", {}, asked(min_trades=1))
    assert finding.actual == "not measured"


@pytest.mark.parametrize("figure", ["NaN", "-Infinity"])
def test_what_is_no_number_is_missed(figure: str) -> None:
    assert judge("bear", figures(sharpe=figure), asked(min_sharpe="0.9"))


def test_what_is_not_named_is_not_judged() -> None:
    assert judge("bear", figures(profit="-1", drawdown="1"), WindowThresholds()) == ()


def test_tells_everything_that_is_missed_in_the_order_of_the_fields() -> None:
    missed = judge("bear", {}, asked(max_drawdown="0.1", min_trades=1, min_profit="0"))
    assert [finding.what.split(": ")[1] for finding in missed] == ["trades", "profit", "drawdown"]


def test_every_figure_has_a_hint() -> None:
    assert {name.split("_", 1)[1] for name in WindowThresholds.model_fields} == set(HINTS)


def test_a_manifest_may_be_stricter_and_may_say_the_same() -> None:
    admission = asked(min_trades=10, max_drawdown="0.3")
    assert looser("bear", asked(min_trades=11, max_drawdown="0.2"), admission) == ()
    assert looser("bear", admission, admission) == ()


def test_a_manifest_may_add_what_the_environment_leaves_open() -> None:
    assert looser("bear", asked(min_sharpe="-5"), asked(min_trades=10)) == ()


@pytest.mark.parametrize("own", [asked(min_trades=9), asked(max_drawdown="0.31")])
def test_a_manifest_may_never_be_looser(own: WindowThresholds) -> None:
    (finding,) = looser("bear", own, asked(min_trades=10, max_drawdown="0.3"))
    assert finding.what.startswith("thresholds.bear.m")


def test_an_unknown_window_is_named() -> None:
    (finding,) = looser("moon", asked(min_trades=1), None)
    assert (finding.what, finding.actual) == ("thresholds.moon", "moon")


def test_without_own_thresholds_the_environments_hold() -> None:
    admission = asked(min_trades=10, max_drawdown="0.3")
    assert merged(admission, None) == admission
    assert merged(admission, WindowThresholds()) == admission


@given(own=SHARES, environment=SHARES, figure=SHARES)
def test_whoever_passes_stricter_thresholds_passes_the_environments(
    own: Decimal, environment: Decimal, figure: Decimal
) -> None:
    mine, theirs = asked(max_drawdown=own), asked(max_drawdown=environment)
    if looser("bear", mine, theirs) or judge("bear", {"drawdown": figure}, merged(theirs, mine)):
        return
    assert judge("bear", {"drawdown": figure}, theirs) == ()
