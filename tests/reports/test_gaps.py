"""Every way that is named is enough, and hardly more: it is applied and judged again."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from pipelines.domain.candles import TIMEFRAMES, Candles, Window, milliseconds
from pipelines.domain.thresholds import WindowThresholds, judge
from pipelines.domain.trades import equity
from pipelines.domain.trades.performance import (
    expectancy_ratio,
    measure,
    profit_factor,
    sharpe,
    sortino,
    trade_profit,
)
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports import gaps, views
from pipelines.reports.gaps import Gap
from pipelines.reports.model import StrategyReport, WindowView

WINDOW = Window(start=date(2021, 1, 1), end=date(2021, 6, 30))
BALANCE = 1000.0
FEE = 0.001


def _candles() -> Candles:
    step = TIMEFRAMES["1h"]
    time = np.arange(milliseconds(WINDOW.opens), milliseconds(WINDOW.closes), step, dtype=np.int64)
    noise = np.random.default_rng(5).normal(0, 0.006, len(time))
    close = 100 * np.exp(np.cumsum(noise))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Candles("BTC/USDT", "1h", time, opened, high, low, close, close)


def _log(series: Candles) -> TradeLog:
    made, balance = [], BALANCE
    for first in range(50, len(series) - 60, 90):
        bought, sold = float(series.close[first]), float(series.close[first + 50])
        amount = 900.0 / bought
        profit = amount * (sold - bought) - FEE * amount * (sold + bought)
        balance += profit
        times = int(series.time[first]), int(series.time[first + 50])
        fills = (
            Fill(at=times[0], price=bought, amount=amount, entry=True),
            Fill(at=times[1], price=sold, amount=amount, entry=False),
        )
        made.append(
            Trade(
                pair=series.pair,
                opened=times[0],
                closed=times[1],
                fills=fills,
                exit_reason="exit_signal",
                fee=FEE,
                profit=profit,
            )
        )
    return TradeLog(
        window="whole",
        starting_balance=BALANCE,
        final_balance=balance,
        left_open=0,
        trades=tuple(made),
    )


@pytest.fixture(scope="module")
def view() -> WindowView:
    series = _candles()
    return views.of_window(_log(series), {series.pair: series}, WINDOW, FEE)


@pytest.fixture(scope="module")
def figures(view: WindowView) -> dict[str, Decimal]:
    performance, _, _ = measure(view.log, {"BTC/USDT": _candles()}, WINDOW, FEE)
    return performance.figures()


def _gap(
    threshold: str, bound: object, view: WindowView | None, figures: dict[str, Decimal]
) -> Gap:
    asked = WindowThresholds.model_validate({threshold: bound})
    (finding,) = judge("whole", figures, asked)
    verdict = Verdict(
        check="backtest",
        status=Status.FAILED,
        findings=(finding,),
        measurements={f"whole.{name}": value for name, value in figures.items()},
    )
    report = StrategyReport("x", "", (verdict,), None, None, views=(view,) if view else ())
    gap = gaps.of(finding, verdict, report)
    assert gap is not None
    return gap


def _number(gap: Gap, pattern: str) -> float:
    (found,) = [match for way in gap.ways if (match := re.search(pattern, way))]
    return float(found[1].replace(",", ""))


def _profits(view: WindowView, losers: float = 0.0, winners: float = 0.0) -> np.ndarray:
    """The trades' profits with losers smaller and winners larger by so many percent."""
    profits = np.array([trade_profit(trade) for trade in view.log.trades])
    return np.where(profits < 0, profits * (1 - losers / 100), profits * (1 + winners / 100))


LOSERS = r"the losers ([\d.,]+) % smaller"
WINNERS = r"the winners ([\d.,]+) % larger"

SIDES = [
    ("min_profit", lambda p: p.sum() / BALANCE),
    ("min_profit_factor", profit_factor),
    ("min_expectancy_ratio", expectancy_ratio),
]


@pytest.mark.parametrize(("threshold", "figure"), SIDES)
@pytest.mark.parametrize("off", ["0.01", "0.04", "0.2"])
def test_smaller_losers_or_larger_winners_are_just_enough(
    threshold: str, figure: object, off: str, view: WindowView, figures: dict[str, Decimal]
) -> None:
    assert callable(figure)
    bound = figures[threshold.removeprefix("min_")] + Decimal(off)
    gap = _gap(threshold, bound, view, figures)
    for side, share in (("losers", _number(gap, LOSERS)), ("winners", _number(gap, WINNERS))):
        less = share - (1 if share >= 10 else 0.1) * 1.01
        assert figure(_profits(view, **{side: share})) >= float(bound) - 1e-6
        assert figure(_profits(view, **{side: less})) < float(bound)


def test_lower_fees_are_named_where_they_were_enough(
    view: WindowView, figures: dict[str, Decimal]
) -> None:
    paid = sum(FEE * f.price * f.amount for t in view.log.trades for f in t.fills)
    near = figures["profit"] + Decimal(repr(paid / BALANCE * 0.5))
    far = figures["profit"] + Decimal(repr(paid / BALANCE * 1.5))
    assert _number(_gap("min_profit", near, view, figures), r"the fees ([\d.]+) % lower") == 50
    assert "fees" not in _gap("min_profit", far, view, figures).sentence


def test_smaller_positions_are_just_enough_for_a_drawdown(
    view: WindowView, figures: dict[str, Decimal]
) -> None:
    bound = figures["drawdown"] * Decimal("0.8")
    gap = _gap("max_drawdown", bound, view, figures)
    share = _number(gap, r"all positions ([\d.]+) % smaller") / 100

    def deepest(size: float) -> float:
        # The trades themselves with smaller amounts, marked to market once more.
        smaller = tuple(
            trade.model_copy(
                update={
                    "fills": tuple(
                        fill.model_copy(update={"amount": fill.amount * size})
                        for fill in trade.fills
                    )
                }
            )
            for trade in view.log.trades
        )
        curve = equity.of_trades(smaller, {"BTC/USDT": _candles()}, WINDOW, BALANCE)
        return float(equity.drawdown(curve.equity, BALANCE).max())

    assert deepest(1 - share) <= float(bound) + 1e-9
    assert deepest(1 - share + 0.0101) > float(bound)


@pytest.mark.parametrize(("threshold", "ratio"), [("min_sharpe", sharpe), ("min_sortino", sortino)])
def test_better_days_are_just_enough(
    threshold: str, ratio: object, view: WindowView, figures: dict[str, Decimal]
) -> None:
    assert callable(ratio)
    bound = figures[threshold.removeprefix("min_")] + Decimal("0.8")
    gap = _gap(threshold, bound, view, figures)
    points = _number(gap, r"every day ([\d.]+) points better") / 100
    worth = equity.daily(view.account, view.span, BALANCE)
    days = np.diff(worth) / worth[:-1]
    assert ratio(days + points) >= float(bound)
    assert ratio(days + points - 1.1e-5) < float(bound)


def test_a_win_rate_counts_trades(view: WindowView, figures: dict[str, Decimal]) -> None:
    trades, won = len(view.log.trades), int((_profits(view) > 0).sum())
    bound = Decimal(won + 3) / trades - Decimal("0.001")
    gap = _gap("min_win_rate", bound, None, figures)
    assert gap.ways == (f"3 of the {trades - won} trades that did not win turned into winners",)


def test_too_few_trades_are_told_as_a_pace(view: WindowView, figures: dict[str, Decimal]) -> None:
    trades = len(view.log.trades)
    gap = _gap("min_trades", trades * 2, view, figures)
    assert gap.distance == f"{trades} short"
    days = 181 / trades
    assert gap.ways == (f"a trade every {days / 2:.1f} days instead of every {days:.1f}",)
    none = {**figures, "trades": Decimal(0)}
    assert _gap("min_trades", 181, view, none).ways == ("a trade every 1.0 days instead of none",)


def test_calmar_over_holding_is_either_depth_or_growth(figures: dict[str, Decimal]) -> None:
    known = {
        **figures,
        "calmar": Decimal(2),
        "drawdown": Decimal("0.10"),
        "calmar_over_buy_and_hold": Decimal("-0.5"),
    }
    gap = _gap("min_calmar_over_buy_and_hold", Decimal(0), None, known)
    assert gap.ways == (
        "the same profit with a drawdown of 8 %",
        "the same drawdown with 25 % a year instead of 20.0 %",
    )


def test_what_cannot_be_computed_honestly_has_only_a_distance(
    view: WindowView, figures: dict[str, Decimal]
) -> None:
    gap = _gap("max_exposure", Decimal(0), view, figures)
    assert gap.ways == ()
    assert gap.distance == f"{figures['exposure'] * 100:.1f} points too much"
    # Retold evidence has no trades, but what follows from the figure alone is still said.
    assert _gap("min_profit", Decimal(9), None, figures).ways == ()
    assert _gap("min_profit_factor", Decimal(9), None, figures).ways


def test_a_loss_of_everything_promises_nothing(figures: dict[str, Decimal]) -> None:
    hopeless = {**figures, "profit_factor": Decimal(0)}
    assert _gap("min_profit_factor", Decimal("1.2"), None, hopeless).ways == ()


def test_what_was_not_measured_has_no_distance(figures: dict[str, Decimal]) -> None:
    unknown = {name: value for name, value in figures.items() if name != "profit_factor"}
    gap = _gap("min_profit_factor", Decimal("1.2"), None, unknown)
    assert gap.sentence == "nothing was measured, so there is no distance"


def test_a_distance_never_rounds_to_nothing(figures: dict[str, Decimal]) -> None:
    close = {**figures, "sharpe": Decimal("0.89996")}
    assert _gap("min_sharpe", Decimal("0.9"), None, close).distance == "0.00004 short"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("whole: losers are never closed", "trades that lost"),
        ("whole: profit of trades that the end of the window closed", "at most 0.2 of the profit"),
        ("whole: Sharpe against the incumbent", "at least 1.2"),
        ("a finding", ""),
    ],
)
def test_other_findings_have_no_gap(failed: StrategyReport, what: str, expected: str) -> None:
    finding = Finding(what=what, expected=expected, actual="0.5")
    assert gaps.of(finding, _only(failed, finding), failed) is None


def _only(report: StrategyReport, finding: Finding) -> Verdict:
    return report.verdicts[1].model_copy(update={"findings": (finding,)})


def test_the_words_of_another_check_are_no_threshold(failed: StrategyReport) -> None:
    finding = Finding(what="whole: profit", expected="at least 1", actual="0.5")
    verdict = Verdict(check="unit", status=Status.FAILED, findings=(finding,))
    assert gaps.of(finding, verdict, replace(failed, verdicts=(verdict,))) is None
