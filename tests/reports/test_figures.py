from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest

from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports import figures
from pipelines.reports.model import StrategyReport


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("profit", "0.341", "34.1 %"),
        ("profit", "-0.05", "-5.0 %"),
        ("profit", "17.461", "1,746.1 %"),
        ("trades", "1234", "1,234"),
        ("sharpe", "1.005", "1.00"),
        ("profit_factor", "1.2", "1.20"),
    ],
)
def test_writes_figures_as_people_read_them(name: str, value: str, text: str) -> None:
    assert figures.written(name, Decimal(value)) == text
    with localcontext(rounding=ROUND_HALF_UP):
        assert figures.written(name, Decimal(value)) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("drawdown", "0.30", "30 %"),
        ("win_rate", "0.125", "12.5 %"),
        ("profit", "0", "0 %"),
        ("trades", "100", "100"),
        ("expectancy_ratio", "0.08", "0.08"),
    ],
)
def test_writes_thresholds_as_exactly_as_they_were_set(name: str, value: str, text: str) -> None:
    assert figures.bound(name, Decimal(value)) == text


@pytest.mark.parametrize(
    ("what", "expected", "actual", "fact"),
    [
        (
            "whole: drawdown",
            "at most 0.30",
            "0.341",
            "whole: drawdown 34.1 %, at most 30 %",
        ),
        (
            "whole: profit factor",
            "at least 1.2",
            "1.1",
            "whole: profit factor 1.10, at least 1.2",
        ),
        ("bear: trades", "at least 5", "0", "bear: trades 0, at least 5"),
        (
            "whole: sharpe",
            "at least 0.9",
            "not measured",
            "whole: sharpe not measured, at least 0.9",
        ),
        (
            "whole: profit of trades that the end of the window closed",
            "at most 0.20 of the profit",
            "0.34",
            "whole: profit of trades that the end of the window closed 34.0 %, "
            "at most 20 % of the profit",
        ),
        ("whole: Sharpe against the incumbent", "at least 1.2", "1.1", None),
        (
            "the backtest broke off",
            "trades",
            "boom",
            "the backtest broke off: expected trades, got boom",
        ),
        ("no class", "", "", "no class"),
    ],
)
def test_tells_findings_in_readable_figures(
    what: str, expected: str, actual: str, fact: str | None
) -> None:
    told = figures.told(Finding(what=what, expected=expected, actual=actual))
    assert told.fact == (fact or "whole: Sharpe against the incumbent 1.10, at least 1.2")


def test_a_missed_figure_never_looks_like_its_threshold() -> None:
    finding = Finding(what="whole: drawdown", expected="at most 0.30", actual="0.300004")
    assert figures.told(finding).fact == "whole: drawdown 30.0004 %, at most 30 %"


def test_figures_of_other_checks_stay_as_they_are() -> None:
    finding = Finding(what="pair: profit", expected="at most 0.30", actual="0.5")
    assert figures.told(finding, "costs").fact == "pair: profit 0.5, at most 0.30"


def test_windows_show_what_was_asked_and_what_was_missed(failed: StrategyReport) -> None:
    whole, bear = figures.windows(failed)
    assert whole.window == "whole"
    assert whole.cells["drawdown"].missed
    assert whole.cells["drawdown"].asked == "≤ 10 %"
    assert not whole.cells["trades"].missed
    assert whole.cells["trades"].asked == "≥ 5"
    assert bear.cells["trades"].missed
    assert not bear.cells["drawdown"].asked


def test_without_thresholds_only_what_was_missed_shows_one(failed: StrategyReport) -> None:
    bare = StrategyReport("x", "", failed.verdicts, None, None)
    whole, bear = figures.windows(bare)
    assert whole.cells["drawdown"].asked == "≤ 10 %"
    assert bear.cells["trades"].asked == "≥ 100"
    assert not whole.cells["trades"].asked


def test_the_incumbent_stands_last() -> None:
    verdict = Verdict(
        check="backtest",
        status=Status.PASSED,
        measurements={"incumbent.profit": Decimal("0.1"), "whole.profit": Decimal("0.2")},
    )
    rows = figures.windows(StrategyReport("x", "", (verdict,), None, None))
    assert [row.window for row in rows] == ["whole", "incumbent"]


def test_no_backtest_has_no_windows(passed: StrategyReport) -> None:
    assert figures.windows(passed) == ()


def test_measurements_outside_the_table_are_not_lost() -> None:
    verdict = Verdict(
        check="costs",
        status=Status.PASSED,
        measurements={"whole.profit": Decimal("0.1"), "slack": Decimal("0.021")},
    )
    assert figures.further(verdict) == (("whole.profit", "0.1"), ("slack", "0.021"))


def test_says_why_nothing_was_run_again(passed: StrategyReport) -> None:
    known = StrategyReport("x", "", passed.verdicts, None, None, cached=True)
    assert figures.summary(known) == "1 check passed (known evidence, nothing was run again)"


def test_no_verdicts_are_no_pass() -> None:
    assert figures.summary(StrategyReport("x", "", (), None, None)) == "nothing ran"
