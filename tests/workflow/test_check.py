"""What may be drawn: trades come from a child process, and a picture would make them look true."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters import plugins
from pipelines.checks import backtest_job
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import TIMEFRAMES, Candles, milliseconds
from pipelines.domain.environment import Door
from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.strategy import Strategy
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Status, Verdict
from pipelines.freqtrade.messages import BacktestReply, WindowReply
from pipelines.reports.model import StrategyReport
from pipelines.reports.progress import Progress
from pipelines.workflow import check, place

# The embedded market is made up candle by candle, which takes its time.
pytestmark = pytest.mark.slow

PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def environment(root: Path) -> Door:
    return place.Place(root, root / "unused").door()


@pytest.fixture(scope="module")
def strategy(root: Path) -> Strategy:
    return plugins.read(root, "trend_breakout")


@pytest.fixture
def bench(root: Path, tmp_path: Path) -> Workbench:
    """The real one, on the embedded market, with a cache of its own."""
    return check.workbench(place.Place(root, tmp_path), check.Asked(), Progress(quiet=True))


def _log(window: str, series: Candles, opens: int, price: float = 1.0) -> TradeLog:
    """One trade of a slot's share, open to open, two hours apart; `price` times what it was."""
    first = int(series.time.searchsorted(opens)) + 50
    bought, sold = float(series.open[first]) * price, float(series.open[first + 2])
    amount, fee = 1980 / bought, 0.001
    profit = amount * (sold - bought) - fee * amount * (sold + bought)
    opened, closed = int(series.time[first]), int(series.time[first + 2])
    assert closed - opened == 2 * TIMEFRAMES["1h"]
    fills = (
        Fill(at=opened, price=bought, amount=amount, entry=True),
        Fill(at=closed, price=sold, amount=amount, entry=False),
    )
    trade = Trade(
        pair=PAIR,
        opened=opened,
        closed=closed,
        fills=fills,
        exit_reason="exit_signal",
        fee=fee,
        profit=profit,
    )
    return TradeLog(
        window=window,
        starting_balance=10000.0,
        final_balance=10000.0 + profit,
        left_open=0,
        trades=(trade,),
    )


def test_draws_what_can_have_been_made_and_nothing_else(
    strategy: Strategy, environment: Door, bench: Workbench
) -> None:
    windows, series = bench.shelf.data.windows, bench.shelf.candles(PAIR, "1h")
    opens = {name: milliseconds(window.opens) for name, window in windows.items()}
    reply = BacktestReply(
        windows={
            # The child's own name for a window is not what it is called.
            "whole": WindowReply(log=_log("<b>whole", series, opens["whole"])),
            "bear": WindowReply(log=_log("bear", series, opens["bear"], price=0.5)),
            "bull": WindowReply(error="broke off"),
            "no such window": WindowReply(log=_log("whole", series, opens["whole"])),
        }
    )
    bench.cache.put(backtest_job.log_key(strategy, environment, bench), reply.canonical())
    (view,) = check.drawable(strategy, environment, bench)
    assert view.window == "whole"
    assert view.span == windows["whole"]
    assert set(view.moved) == set(strategy.manifest.pairs)
    assert [chosen.trade.pair for chosen in view.chosen] == [PAIR]


@pytest.mark.parametrize(
    ("status", "kept", "told"),
    [
        (Status.PASSED, True, True),
        (Status.FAILED, True, False),
        (Status.SKIPPED, True, False),
        (Status.PASSED, False, False),
    ],
)
def test_the_trades_are_told_that_a_backtest_was_passed_with(
    strategy: Strategy, environment: Door, bench: Workbench, status: Status, kept: bool, told: bool
) -> None:
    verdicts = (Verdict(check="backtest", status=status),)
    subject = Subject(strategy, None, environment)
    found = []
    for price in (1.0, 1.01):
        window, series = bench.shelf.data.windows["whole"], bench.shelf.candles(PAIR, "1h")
        log = _log("whole", series, milliseconds(window.opens), price)
        reply = BacktestReply(windows={"whole": WindowReply(log=log)})
        if kept:
            bench.cache.put(backtest_job.log_key(strategy, environment, bench), reply.canonical())
        found.append(check._trades(verdicts, subject, bench))
    if told:
        assert None not in found
        assert found[0] != found[1], "one price of one trade is another"
    else:
        assert found == [None, None]


def test_without_a_backtest_there_is_nothing_to_draw(
    strategy: Strategy, environment: Door, bench: Workbench
) -> None:
    assert check.drawable(strategy, environment, bench) == ()


@pytest.mark.parametrize("status", [Status.SKIPPED, None])
def test_no_curve_is_drawn_of_trades_that_no_backtest_judged(
    root: Path, tmp_path: Path, bench: Workbench, status: Status | None
) -> None:
    here = place.Place(root, tmp_path)
    verdicts = (Verdict(check="bias", status=Status.FAILED),)
    verdicts += (Verdict(check="backtest", status=status),) if status else ()
    evidence = Evidence(
        strategy="trend_breakout", version="1.0.0", subject_digest="0" * 64, data_digest="0" * 64,
        data_name="embedded", thresholds_digest="0" * 64, complete=False,
        isolation=Isolation.WEAK, synthetic=True, tool_versions={}, verdicts=verdicts,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    told = StrategyReport("trend_breakout", "", verdicts, evidence, None)
    bench = replace(bench, cache=Everything())
    assert check._drawn(here, told, bench) is told


class Everything:
    """A cache that must not be asked."""

    def get(self, key: str) -> bytes | None:
        raise AssertionError(f"{key} was asked for")

    def put(self, key: str, content: bytes) -> None:
        raise AssertionError(f"{key} was kept")


@pytest.mark.needs("bubblewrap")
def test_what_was_measured_in_weak_isolation_is_never_taken_for_more(
    root: Path, tmp_path: Path, strategy: Strategy, environment: Door
) -> None:
    keys = set()
    for weak in (True, False):
        here, asked = place.Place(root, tmp_path), check.Asked(weak=weak)
        made = check.workbench(here, asked, Progress(quiet=True))
        keys.add(backtest_job.log_key(strategy, environment, made))
    assert len(keys) == 2
