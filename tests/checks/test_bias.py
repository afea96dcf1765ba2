"""The check bias with the real freqtrade: planted faults, and the same strategy without them."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

import numpy as np
import pytest

from pipelines.adapters import feather
from pipelines.adapters.candles import CandleShelf
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.processes import Processes
from pipelines.checks import analysis, bias, replay
from pipelines.checks.answers import Unknown
from pipelines.checks.backtest_job import trades_of, windows_of
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import Candles, DataSet, moment
from pipelines.domain.child import Ended, Job
from pipelines.domain.environment import Door
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.trades.prefix import Series
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.freqtrade.bias_messages import PairRequest
from pipelines.freqtrade.messages import Span

FIRST = 1_609_459_200_000
HOUR = 3_600_000
DAYS = 80
PAIRS = ("BTC/USDT", "ETH/USDT")
ENVIRONMENT = Door.model_validate_json("""{
 "name": "test", "mode": "dry_run", "host": "pi", "runtime": "process",
 "exchange": {"name": "binance"}, "initial_state": "running", "policy": {"approval": "merge"},
 "protections": {"max_drawdown": 0.2, "max_orders_per_hour": 60},
 "portfolio": {"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 2,
               "fee": 0.001},
 "admission": {
   "max_forced_exit_share": 0.2,
   "windows": {"whole": {"min_trades": 1}, "early": {"min_trades": 1}},
   "incumbent": {"max_sharpe_loss": 0.1, "max_profit_loss": 0.1, "max_drawdown_rise": 0.03}}}
""")

INNOCENT = """
import pandas as pd
from freqtrade.strategy import IStrategy, merge_informative_pair

class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.3
    minimal_roi = {"0": 10}
    startup_candle_count = 200
    process_only_new_candles = True

    def informative_pairs(self):
        return [(pair, "4h") for pair in self.dp.current_whitelist()]

    def populate_indicators(self, dataframe, metadata):
        close = dataframe["close"]
        dataframe["mean"] = close.rolling(48).mean()
        dataframe["smooth"] = close.rolling(5).mean()
        dataframe["score"] = close / close.rolling(100).mean()
        dataframe["slow"] = close.ewm(span=50).mean()
        dataframe["turn"] = close > close.shift(1)
        longer = self.dp.get_pair_dataframe(metadata["pair"], "4h")
        dataframe = merge_informative_pair(dataframe, longer, "1h", "4h", ffill=True)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        low = dataframe["close"] < 0.98 * dataframe["mean"]
        dataframe.loc[low & dataframe["turn"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > 1.02 * dataframe["mean"], "exit_long"] = 1
        return dataframe
"""

RISES = "close.shift(-1) > close"
FELL = "close > close.shift(1)"
LONGER = 'dataframe = merge_informative_pair(dataframe, longer, "1h", "4h", ffill=True)'
UNSHIFTED = """closes = longer.set_index("date")["close"]
        dataframe["close_4h"] = dataframe["date"].dt.floor("4h").map(closes)
        dataframe["turn"] = dataframe["close_4h"] > close"""
ANALYSED = '"freqtrade.optimize.analysis.lookahead" in __import__("sys").modules'


def planted(innocent: str, fault: str) -> str:
    assert INNOCENT.count(innocent) == 1
    return INNOCENT.replace(innocent, fault)


def plugin(text: str) -> Strategy:
    manifest = Manifest.model_validate_json(
        '{"class": "Plugin", "version": "1.0.0", "owner": "us", "summary": "a wave",'
        ' "pairs": ["BTC/USDT", "ETH/USDT"], "timeframe": "1h", "informative": ["4h"],'
        ' "handover": "drain"}'
    )
    return Strategy("plugin", manifest, (SourceFile("plugin/strategy.py", text.encode()),))


def subject(text: str) -> Subject:
    return Subject(plugin(text), None, ENVIRONMENT)


def prices(pair: str) -> Candles:
    """A wave of two days and some noise; whole ticks, so that every month shows the same."""
    hours = np.arange(DAYS * 24)
    noise = np.random.default_rng(PAIRS.index(pair)).normal(0, 0.5, len(hours))
    wave = 8 * np.sin(2 * np.pi * hours / 48 + PAIRS.index(pair))
    close = np.round(100 + wave + noise + hours * 0.002, 2)
    opening = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(opening, close) + 0.11, np.minimum(opening, close) - 0.11
    time = FIRST + HOUR * hours.astype(np.int64)
    return Candles(pair, "1h", time, opening, high, low, close, np.full(len(hours), 10.0))


def longer(candles: Candles) -> Candles:
    def rows(column: np.ndarray) -> np.ndarray:
        return column.reshape(-1, 4)

    return Candles(
        candles.pair,
        "4h",
        rows(candles.time)[:, 0],
        rows(candles.open)[:, 0],
        rows(candles.high).max(axis=1),
        rows(candles.low).min(axis=1),
        rows(candles.close)[:, -1],
        rows(candles.volume).sum(axis=1),
    )


@dataclass
class Notes:
    """Clock, progress and cache at once, kept in memory."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def say(self, text: str) -> None:
        pass

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, content: bytes) -> None:
        self.kept[key] = content


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> CandleShelf:
    folder = tmp_path_factory.mktemp("shelf")
    series: dict[str, dict[str, object]] = {}
    for pair in PAIRS:
        for candles in (prices(pair), longer(prices(pair))):
            pinned = {
                "digest": candles.digest,
                "rows": len(candles),
                "start": moment(int(candles.time[0])).isoformat(),
                "end": moment(int(candles.time[-1])).isoformat(),
            }
            series.setdefault(pair, {})[candles.timeframe] = pinned
            stem = f"{pair.replace('/', '_')}-{candles.timeframe}"
            feather.write(folder / "binance" / f"{stem}.feather", candles)
    windows = {
        "whole": {"start": "2021-01-03", "end": "2021-03-21"},
        "early": {"start": "2021-01-15", "end": "2021-02-10"},
    }
    told = {"exchange": "binance", "synthetic": True, "source": "test", "windows": windows}
    data = DataSet.model_validate_json(json.dumps({**told, "series": series}))
    return CandleShelf("small", data, folder, folder / "cache", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def bench(
    shelf: CandleShelf, tmp_path_factory: pytest.TempPathFactory, enclosure: Enclosure
) -> Workbench:
    notes = Notes()
    return Workbench(
        shell=Processes(tmp_path_factory.mktemp("home"), enclosure),
        shelf=shelf,
        clock=notes,
        progress=notes,
        cache=notes,
        linter=None,  # type: ignore[arg-type]  # nothing is linted here
        jobs=2,
    )


ASKED = tuple(
    PairRequest(
        pair=pair,
        span=Span(start=FIRST + 300 * HOUR, end=FIRST + 600 * HOUR),
        trades=3,
        last=FIRST + 1800 * HOUR,
    )
    for pair in PAIRS
)


Said = tuple[Status, tuple[Finding, ...]]


def analysed(text: str, bench: Workbench) -> Said:
    return analysis.run(ASKED, subject(text), bench)


def replayed(text: str, bench: Workbench) -> Said:
    """What the first replay says, one in the middle of the whole span."""
    about = subject(text)
    reply = trades_of(about.strategy, ENVIRONMENT, windows_of(ENVIRONMENT, bench), bench)
    logs: dict[str, TradeLog] = {name: told.log for name, told in reply.windows.items() if told.log}
    series: Series = {(p, t): bench.shelf.candles(p, t) for p in PAIRS for t in ("1h", "4h")}
    cut = replay.choose(about, logs, series, bench)[0]
    assert cut.window == "whole"
    return replay.run(cut, logs["whole"], series, about, bench)


def examined(text: str, bench: Workbench) -> Verdict:
    return bias.run(subject(text), bench)


@pytest.fixture(scope="module")
def ask(bench: Workbench) -> Iterator[Callable[[Any, str], Any]]:
    """All children are started at once, two at a time: each takes seconds to import freqtrade."""
    wanted = [
        (examined, INNOCENT),
        (examined, NEVER_TRADES),
        *((analysed, case.values[0]) for case in (*COLUMNS, *BROKEN)),
        *((replayed, case.values[0]) for case in FUTURE),
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = {(work, text): pool.submit(work, text, bench) for work, text in wanted}
        yield lambda work, text: futures[work, text].result()


NEVER_TRADES = planted("0.98 *", "0.00 *")

COLUMNS = (
    pytest.param(planted(FELL, RISES), "turn looks ahead, at the candle of ", id="shift(-1)"),
    pytest.param(
        planted("rolling(5)", "rolling(5, center=True)"),
        "smooth looks ahead, at the candle of ",
        id="a centred window",
    ),
    pytest.param(
        planted("close.rolling(100).mean()", "close.mean()"),
        "score looks ahead, at the candle of ",
        id="a whole-frame normalisation",
    ),
    pytest.param(
        planted("span=50", "span=600"),
        "slow needs more start-up candles, at ",
        id="more start-up than declared",
    ),
)

FUTURE = (
    pytest.param(planted(LONGER, UNSHIFTED), id="an unshifted higher timeframe"),
    pytest.param(
        planted(FELL, f"({FELL}) if {ANALYSED} else ({RISES})"), id="behaves while freqtrade looks"
    ),
    pytest.param(
        planted(FELL, f"({FELL}) if len(close) < 800 else ({RISES})"), id="behaves on short frames"
    ),
)

BROKEN = (
    pytest.param(
        planted("close = dataframe", f"assert not {ANALYSED}, 'caught'; close = dataframe"),
        Status.FAILED,
        "AssertionError: caught",
        id="raises while freqtrade looks",
    ),
    pytest.param(
        planted(
            "close = dataframe", f"{ANALYSED} and __import__('os')._exit(0); close = dataframe"
        ),
        Status.ERRORED,
        "its process ended without an answer",
        id="leaves with 0 while freqtrade looks",
    ),
    pytest.param(
        planted("startup_candle_count = 200", "startup_candle_count = 0"),
        Status.FAILED,
        "0",
        id="declares no start-up",
    ),
)


@pytest.mark.freqtrade
def test_the_strategy_without_any_fault_passes_every_part(ask: Any) -> None:
    verdict = ask(examined, INNOCENT)
    assert verdict.status is Status.PASSED, verdict.findings
    assert (verdict.measurements["replays"], verdict.measurements["trades"]) == (5, 8)
    assert not verdict.final


@pytest.mark.freqtrade
def test_a_strategy_that_never_trades_cannot_be_shown_unbiased(ask: Any) -> None:
    verdict = ask(examined, NEVER_TRADES)
    assert (verdict.status, verdict.final) == (Status.ERRORED, False)
    assert [(f.what, f.actual) for f in verdict.findings] == [("too few trades to tell", "0")]


@pytest.mark.freqtrade
@pytest.mark.parametrize(("text", "what"), COLUMNS)
def test_freqtrades_analyses_name_the_column_the_candle_and_both_values(
    ask: Any, text: str, what: str
) -> None:
    status, findings = ask(analysed, text)
    assert status is Status.FAILED
    assert re.fullmatch(re.escape(what) + r"2021-\d\d-\d\d \d\d:00 of BTC/USDT", findings[0].what)
    if "start-up" in what:
        assert "after 200 start-up candles" in findings[0].expected
        assert re.match(
            r"[\d.]+: [\d.]+ % off, [\d.]+ of its standard deviation", findings[0].actual
        )
    else:
        assert re.match(
            r"\S+ with all candles, \S+ with candles up to 2021-01-\d\d", findings[0].actual
        )


@pytest.mark.freqtrade
@pytest.mark.parametrize("text", FUTURE)
def test_the_replay_finds_what_freqtrades_analyses_do_not(ask: Any, text: str) -> None:
    status, findings = ask(replayed, text)
    assert status is Status.FAILED
    assert findings[0].what.startswith("whole: the trade of ")
    assert findings[0].expected.endswith("as with all candles")
    assert "with candles up to 2021-" in findings[0].actual


@pytest.mark.freqtrade
@pytest.mark.parametrize(("text", "status", "actual"), BROKEN)
def test_an_analysis_that_breaks_off_is_no_pass(
    ask: Any, text: str, status: Status, actual: str
) -> None:
    said, findings = ask(analysed, text)
    assert said is status
    assert actual in findings[0].actual


@dataclass(frozen=True)
class Answers:
    """A shell whose children all end alike."""

    ended: Ended

    def run(self, job: Job) -> Ended:
        return self.ended

    def stop(self) -> None:
        raise AssertionError("nothing runs")


def answered(*, lost: bool = False, **more: object) -> Ended:
    """A child's answer for both pairs with nothing in it to object to, but for `more` of BTC."""
    fine: dict[str, object] = {
        "lookahead": {"trades": 3},
        "recursion": {"start_up": 200, "history": 2000},
    }
    pairs = {"BTC/USDT": {**fine, **more}} | ({} if lost else {"ETH/USDT": fine})
    return Ended("", 0, json.dumps({"pairs": pairs}).encode(), "")


def drift(percent: float | None, deviations: float | None) -> dict[str, object]:
    column = {"column": "slow", "at": FIRST, "long": "1", "short": "2"}
    told = {**column, "percent": percent, "deviations": deviations}
    return {"start_up": 200, "history": 2000, "columns": [told]}


@pytest.mark.parametrize(
    ("ended", "status", "what"),
    [
        (answered(), Status.PASSED, ""),
        (answered(recursion=drift(40.0, 0.05)), Status.PASSED, ""),
        (answered(recursion=drift(0.1, 0.051)), Status.FAILED, "slow needs more start-up"),
        (answered(recursion=drift(None, None)), Status.FAILED, "slow needs more start-up"),
        (answered(lookahead={"trades": 3, "exits": 1}), Status.FAILED, "BTC/USDT: trades that did"),
        (answered(lookahead={"trades": 1}), Status.ERRORED, "too few trades to tell"),
        (
            answered(recursion={"start_up": 200, "history": 399}),
            Status.ERRORED,
            "BTC/USDT: too few",
        ),
        (answered(recursion=None, error="x"), Status.ERRORED, "BTC/USDT: freqtrade's analysis"),
        (answered(lookahead=None), Status.ERRORED, "BTC/USDT: freqtrade's analysis"),
        (answered(lost=True), Status.ERRORED, "ETH/USDT: freqtrade's analysis"),
        (Ended("", 0, None, "Configuration error"), Status.ERRORED, "freqtrade's analysis left"),
        (Ended("", 0, b"{}", ""), Status.ERRORED, "the answer of freqtrade's analysis cannot"),
        (Ended("memory", -9, None, ""), Status.FAILED, "freqtrade's analysis was ended: memory"),
    ],
)
def test_an_answer_passes_only_when_every_analysis_of_every_pair_does(
    bench: Workbench, ended: Ended, status: Status, what: str
) -> None:
    said, findings = analysis.run(ASKED, subject(INNOCENT), replace(bench, shell=Answers(ended)))
    assert said is status, findings
    assert [f.what for f in findings if f.what.startswith(what)] if what else findings == ()


def test_a_backtest_that_could_not_be_told_leaves_bias_untold(bench: Workbench) -> None:
    reply = b'{"windows": {"whole": {"error": "ValueError"}, "early": {"error": "ValueError"}}}'

    shell = Answers(Ended("", 0, reply, ""))
    verdict = bias.run(subject(INNOCENT), replace(bench, shell=shell, cache=Notes()))
    assert (verdict.status, verdict.final) == (Status.ERRORED, False)
    assert verdict.findings[0].actual == "ValueError"


def test_a_backtest_that_had_to_be_ended_ends_the_examination(bench: Workbench) -> None:
    shell = Answers(Ended("wall time", -9, None, ""))
    verdict = bias.run(subject(INNOCENT), replace(bench, shell=shell, cache=Notes()))
    assert (verdict.status, verdict.final) == (Status.FAILED, True)
    assert verdict.findings[0].actual == "wall time"


@pytest.mark.freqtrade
def test_a_no_outweighs_a_dont_know_and_spares_the_backtest(ask: Any, bench: Workbench) -> None:
    ask(examined, INNOCENT)
    # What freqtrade's analyses answer is no answer of a backtest: the replays cannot tell.
    shell = Answers(answered(lookahead={"trades": 3, "exits": 1}))
    verdict = bias.run(subject(INNOCENT), replace(bench, shell=shell))
    assert (verdict.status, verdict.final) == (Status.FAILED, True)
    whats = [finding.what for finding in verdict.findings]
    assert whats[0] == "BTC/USDT: trades that did not happen again without later candles"
    assert "the answer of the backtest cannot be understood" in whats


@pytest.mark.freqtrade
def test_interrupted_it_stops_what_runs_at_once(ask: Any, bench: Workbench) -> None:
    ask(examined, INNOCENT)
    stopped = Event()

    class Interrupts:
        def run(self, job: Job) -> Ended:
            os.kill(os.getpid(), signal.SIGINT)
            assert stopped.wait(30), "nobody stopped this job"
            return Ended("interrupted", -9, None, "")

        def stop(self) -> None:
            stopped.set()

    with pytest.raises(KeyboardInterrupt):
        bias.run(subject(INNOCENT), replace(bench, shell=Interrupts(), jobs=1))
    assert stopped.is_set()


def trades(pair: str, count: int, reason: str = "exit_signal") -> tuple[Trade, ...]:
    """A trade a day, and the last four every other hour."""
    hours = [24 * n if n < count - 4 else 24 * count + 2 * n for n in range(count)]
    return tuple(
        Trade(
            pair=pair,
            opened=FIRST + hour * HOUR,
            closed=FIRST + (hour + 1) * HOUR,
            fills=(
                Fill(at=FIRST + hour * HOUR, price=1.0, amount=1.0, entry=True),
                Fill(at=FIRST + (hour + 1) * HOUR, price=1.0, amount=1.0, entry=False),
            ),
            exit_reason=reason,
            fee=0.001,
            profit=0.0,
        )
        for hour in hours
    )


def asked(*told: tuple[Trade, ...]) -> tuple[PairRequest, ...]:
    every = tuple(trade for each in told for trade in each)
    log = TradeLog(window="whole", starting_balance=1, final_balance=1, left_open=0, trades=every)
    return analysis.pairs({"whole": log}, "1h")


def test_the_pairs_that_trade_most_are_analysed_where_their_trades_lie_closest() -> None:
    first, second = asked(trades("A/B", 6), trades("C/D", 10), trades("E/F", 20))
    assert (first.pair, second.pair) == ("E/F", "C/D")
    assert (first.trades, second.trades) == (4, 4)
    assert first.span.start == FIRST + (512 - analysis.MARGIN) * HOUR
    assert first.span.end == FIRST + (518 + 1 + analysis.MARGIN) * HOUR


def test_a_single_pair_is_enough() -> None:
    (only,) = asked(trades("A/B", 30))
    assert only.trades == 8


def test_trades_that_the_end_of_the_window_closed_show_nothing() -> None:
    with pytest.raises(Unknown, match="too few trades to tell"):
        asked(trades("A/B", 4), trades("C/D", 30, reason="force_exit"))
