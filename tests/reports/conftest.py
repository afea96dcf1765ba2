"""Reports built by hand: a sound one, and one that says everything a hostile strategy can say."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from pipelines.domain.candles import TIMEFRAMES, Candles, Window, milliseconds
from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.thresholds import WindowThresholds, judge
from pipelines.domain.trades.performance import measure
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports import views
from pipelines.reports.model import Report, StrategyReport, WindowView

HOSTILE = (
    "\x1b[2J\x1b]8;;https://evil.example\x07click\x1b]8;;\x07 [red]loud[/red] "
    "<script>alert('x')</script><img src=https://evil.example/x.png> | `code` @team #123 GH-7 "
    "[link](https://evil.example) www.evil.example \u202egnihtemos\u2028 {{ 7 * 7 }}\r\nnext "
    + "0123456789abcdef0123456789abcdef01234567 "
    + "long" * 500
)

WINDOWS = {
    "whole": Window(start=date(2021, 1, 1), end=date(2021, 12, 31)),
    "bear": Window(start=date(2021, 6, 1), end=date(2021, 9, 30)),
}
THRESHOLDS = {
    "whole": WindowThresholds(min_trades=5, max_drawdown=Decimal("0.10"), min_win_rate=Decimal(0)),
    "bear": WindowThresholds(min_trades=100, min_profit=Decimal("-0.05")),
}


def candles(*pairs: str) -> dict[str, Candles]:
    """A year in which every pair rises, falls by a third and recovers."""
    whole = WINDOWS["whole"]
    step = TIMEFRAMES["1h"]
    time = np.arange(milliseconds(whole.opens), milliseconds(whole.closes), step, dtype=np.int64)
    place = np.linspace(0, 1, len(time))
    close = np.interp(place, [0, 0.4, 0.7, 1], [100, 150, 100, 130]) * (1 + 0.01 * np.sin(time))
    opened = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return {p: Candles(p, "1h", time, opened, high, low, close, close) for p in pairs}


def trades(window: str, known: dict[str, Candles], text: str, held: int = 200) -> TradeLog:
    """A trade every 600 candles, the pairs by turns, all of it invested, without fees."""
    balance, made = 1000.0, []
    every = list(known.values())
    for number, first in enumerate(range(10, len(every[0]) - held, 600)):
        series = every[number % len(every)]
        last = first + held
        bought, sold = float(series.close[first]), float(series.close[last])
        amount = balance / bought
        opened, closed = int(series.time[first]), int(series.time[last])
        profit = amount * (sold - bought)
        fills = (
            Fill(at=opened, price=bought, amount=amount, entry=True),
            Fill(at=closed, price=sold, amount=amount, entry=False),
        )
        made.append(
            Trade(
                pair=series.pair,
                opened=opened,
                closed=closed,
                fills=fills,
                tag=f"{text}{number % 3}",
                exit_reason=text or "exit_signal",
                fee=0.0,
                profit=profit,
            )
        )
        balance += profit
    return TradeLog(
        window=window,
        starting_balance=1000.0,
        final_balance=balance,
        left_open=0,
        trades=tuple(made),
    )


def backtest(*pairs: str, text: str = "") -> tuple[Verdict, tuple[WindowView, ...]]:
    """A backtest that missed some thresholds, and its curves. `text` is in every tag."""
    findings: list[Finding] = []
    measurements: dict[str, Decimal] = {}
    drawn = []
    for name, window in WINDOWS.items():
        every = candles(*pairs)
        inside = {p: c.between(window.opens, window.closes) for p, c in every.items()}
        log = trades(name, inside, text)
        performance, _, _ = measure(log, every, window, 0.0)
        figures = performance.figures()
        findings += judge(name, figures, THRESHOLDS[name])
        measurements |= {f"{name}.{figure}": value for figure, value in figures.items()}
        drawn.append(views.of_window(log, every, window, 0.0))
    verdict = Verdict(
        check="backtest",
        status=Status.FAILED,
        findings=tuple(findings),
        measurements=measurements,
        duration=12.3,
    )
    return verdict, tuple(drawn)


def evidence(verdicts: tuple[Verdict, ...], *, demo: bool = False) -> Evidence:
    """Complete evidence; on synthetic candles and in weak isolation for the demo."""
    return Evidence(
        strategy="breakout",
        version="1.4.0",
        subject_digest="3f" * 32,
        data_digest="a7" * 32,
        data_name="recorded",
        thresholds_digest="0c" * 32,
        complete=True,
        isolation=Isolation.WEAK if demo else Isolation.FULL,
        synthetic=demo,
        tool_versions={"freqtrade": "2026.9"},
        verdicts=verdicts,
        taken_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def failed() -> StrategyReport:
    """A strategy whose backtest said no, with pictures."""
    verdict, drawn = backtest("BTC/USDT")
    verdicts = (Verdict(check="manifest", status=Status.PASSED, duration=0.1), verdict)
    return StrategyReport(
        name="breakout",
        summary="buys breakouts",
        verdicts=verdicts,
        evidence=evidence(verdicts),
        path=Path("evidence.json"),
        views=drawn,
        thresholds=THRESHOLDS,
    )


@pytest.fixture(scope="session")
def broad(failed: StrategyReport) -> StrategyReport:
    """Twenty pairs with names that are as long as they get, and a name that is too."""
    pairs = [f"1000{name}LONGCOIN{n}/USDT:USDT" for n, name in enumerate(["ABC", "XYZQ"] * 10)]
    verdict, drawn = backtest(*pairs)
    name = "a_strategy_with_a_name_that_somebody_thought_about_for_long"
    return replace(failed, name=name, verdicts=(failed.verdicts[0], verdict), views=drawn)


@pytest.fixture(scope="session")
def passed() -> StrategyReport:
    """A strategy that nothing speaks against but its candles."""
    verdicts = (Verdict(check="manifest", status=Status.PASSED),)
    return StrategyReport("calm", "", verdicts, evidence(verdicts, demo=True), None)


@pytest.fixture(scope="session")
def hostile(failed: StrategyReport) -> StrategyReport:
    """Every text that a strategy can choose is an attack."""
    finding = Finding(what=HOSTILE, expected=HOSTILE, actual=HOSTILE, hint=HOSTILE)
    verdicts = (
        *failed.verdicts,
        Verdict(check="code", status=Status.ERRORED, findings=(finding,) * 3),
        Verdict(check="costs", status=Status.SKIPPED, findings=(finding,)),
        Verdict(
            check="lookahead",
            status=Status.PASSED,
            measurements={HOSTILE: Decimal("0.1")},
        ),
    )
    _, drawn = backtest(HOSTILE[:250], text=HOSTILE[:250])
    return replace(failed, name=HOSTILE, summary=HOSTILE, verdicts=verdicts, views=drawn)


@pytest.fixture(scope="session")
def report(failed: StrategyReport, passed: StrategyReport, hostile: StrategyReport) -> Report:
    """All of them, and one whose manifest could not be read."""
    finding = Finding(what="strategy.yaml:3: timeframe: should be one of 1m, 5m", hint="mend it")
    verdicts = (Verdict(check="manifest", status=Status.FAILED, findings=(finding,), final=True),)
    return Report((failed, passed, hostile, StrategyReport("broken", "", verdicts, None, None)))
