"""The backtest check on the real freqtrade: what passes, and everything that must never pass."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from pipelines.adapters import feather, markets
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.processes import Processes
from pipelines.checks import backtest, backtest_job
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import Candles, DataSet, Window
from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.environment import Door
from pipelines.domain.evidence import Isolation
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.verdict import Status, Verdict

pytestmark = pytest.mark.freqtrade

PAIRS = ("BTC/USDT", "ETH/USDT")
DAYS = 80
ENVIRONMENT = """{
 "name": "test", "mode": "dry_run", "host": "pi", "runtime": "process",
 "exchange": {"name": "binance"}, "initial_state": "running", "policy": {"approval": "merge"},
 "protections": {"max_drawdown": 0.2, "max_orders_per_hour": 60},
 "portfolio": {"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 2,
               "fee": 0.001},
 "admission": {
   "max_forced_exit_share": 0.2,
   "windows": {"whole": {"min_trades": 10, "min_profit": 0.01},
               "early": {"min_trades": 3, "max_drawdown": 0.5}},
   "incumbent": {"max_sharpe_loss": 0.1, "max_profit_loss": 0.1, "max_drawdown_rise": 0.03}}}
"""

# A wave of two days, so that buying low and selling high within it earns, whatever the trend.
WAVE = """
from freqtrade.strategy import IStrategy
from pandas import DataFrame

class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = {stoploss}
    minimal_roi = {{"0": 10}}
    startup_candle_count = 48
    process_only_new_candles = True
    {extra}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["mean"] = dataframe["close"].rolling(48).mean()
        {indicators}
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[{enter}, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[{leave}, "exit_long"] = 1
        return dataframe
"""
LOW = 'dataframe["close"] < 0.97 * dataframe["mean"]'
HIGH = 'dataframe["close"] > 1.03 * dataframe["mean"]'
NEVER = 'dataframe["close"] < 0'
FIRST = 'dataframe["date"] == dataframe["date"].iloc[600]'


def source(
    enter: str = LOW,
    leave: str = HIGH,
    stoploss: float = -0.3,
    extra: str = "",
    indicators: str = "",
    above: str = "",
) -> str:
    return above + WAVE.format(
        enter=enter, leave=leave, stoploss=stoploss, extra=extra, indicators=indicators
    )


def plugin(text: str, timeframe: str = "1h") -> Strategy:
    manifest = Manifest.model_validate_json(
        f'{{"class": "Plugin", "version": "1.0.0", "owner": "us", "summary": "a wave",'
        f' "pairs": ["BTC/USDT", "ETH/USDT"], "timeframe": "{timeframe}", "handover": "drain"}}'
    )
    return Strategy("plugin", manifest, (SourceFile("plugin/strategy.py", text.encode()),))


LEAD = """leader = self.dp.get_pair_dataframe("BTC/USDT", "1h")
        known = dict(zip(leader["date"], leader["close"]))
        dataframe["lead"] = dataframe["date"].map(known)"""


def prices(pair: str, *, noisy_end: bool = False) -> Candles:
    hours = np.arange(DAYS * 24)
    seed = np.random.default_rng(PAIRS.index(pair))
    shift = 0.7 * PAIRS.index(pair)
    wave = 100 * (1 + 0.08 * np.sin(2 * np.pi * hours / 48 + shift)) + seed.normal(
        0, 0.3, len(hours)
    )
    close = np.round(wave + hours * 0.002, 2)
    opening = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(opening, close) + 0.1, np.minimum(opening, close) - 0.1
    if noisy_end:
        for column in (opening, high, low, close):
            column[-1] = np.nextafter(100.3, 101)  # an order is rounded to 100.3, and never fills
    time = 1_609_459_200_000 + 3_600_000 * hours.astype(np.int64)
    return Candles(pair, "1h", time, opening, high, low, close, np.full(len(hours), 10.0))


@dataclass(frozen=True)
class SmallShelf:
    """Two made-up pairs in a folder of the test."""

    folder: Path
    noisy_end: bool = False
    name: str = "small"

    @property
    def data(self) -> DataSet:
        text = (
            '{"exchange": "binance", "synthetic": true, "source": "test", "windows":'
            ' {"whole": {"start": "2021-01-03", "end": "2021-03-21"},'
            '  "early": {"start": "2021-01-03", "end": "2021-01-20"}}, "series": {%s}}'
        )
        series = ", ".join(
            f'"{pair}": {{"1h": {{"digest": "{self.candles(pair, "1h").digest}", "rows": 1,'
            f' "start": "2021-01-01T00:00:00Z", "end": "2021-03-21T23:00:00Z"}}}}'
            for pair in PAIRS
        )
        return DataSet.model_validate_json(text % series)

    def candles(self, pair: str, timeframe: str) -> Candles:
        return prices(pair, noisy_end=self.noisy_end)

    def path(self, pair: str, timeframe: str) -> Path:
        path = self.folder / f"{pair.replace('/', '_')}-{timeframe}.feather"
        if not path.exists():
            feather.write(path, self.candles(pair, timeframe))
        return path

    def markets(self, pairs: tuple[str, ...]) -> bytes:
        return markets.markets(pairs, "spot", None)


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


class NoShell:
    isolation = Isolation.FULL

    def run(self, job: Job) -> Ended:
        raise AssertionError("a child was started")


Run = Callable[..., Verdict]


@pytest.fixture(scope="module")
def kept() -> dict[str, bytes]:
    """What was backtested once need not be again: most tests are about what is made of it."""
    return {}


@pytest.fixture
def bench(tmp_path: Path, kept: dict[str, bytes], enclosure: Enclosure) -> Workbench:
    notes = Notes(kept)
    return Workbench(
        shell=Processes(tmp_path / "home", enclosure),
        shelf=SmallShelf(tmp_path),
        clock=notes,
        progress=notes,
        cache=notes,
        linter=None,  # type: ignore[arg-type]  # the backtest lints nothing
        jobs=2,
    )


@pytest.fixture
def run(bench: Workbench) -> Run:
    def backtested(
        text: str, incumbent: str | None = None, shelf: SmallShelf | None = None
    ) -> Verdict:
        used = bench if shelf is None else replace(bench, shelf=shelf)
        old = None if incumbent is None else plugin(incumbent)
        environment = Door.model_validate_json(ENVIRONMENT)
        return backtest.run(Subject(plugin(text), old, environment), used)

    return backtested


def test_an_honest_strategy_passes_and_is_measured(run: Run) -> None:
    verdict = run(source())
    assert verdict.status is Status.PASSED, verdict.findings
    assert verdict.measurements["whole.trades"] >= 10
    assert verdict.measurements["whole.profit"] > verdict.measurements["early.profit"] > 0
    assert 0 < verdict.measurements["whole.exposure"] < 1


def test_the_same_input_gives_the_same_verdict(run: Run, bench: Workbench) -> None:
    first = run(source())
    fresh = Subject(plugin(source()), None, Door.model_validate_json(ENVIRONMENT))
    assert backtest.run(fresh, replace(bench, cache=Notes())) == first


def test_an_unchanged_strategy_starts_no_child(bench: Workbench) -> None:
    subject = Subject(plugin(source()), None, Door.model_validate_json(ENVIRONMENT))
    first = backtest.run(subject, bench)
    again = backtest.run(subject, replace(bench, shell=NoShell()))
    assert again == first


def test_other_candles_are_not_answered_from_the_cache(bench: Workbench, tmp_path: Path) -> None:
    subject = Subject(plugin(source()), None, Door.model_validate_json(ENVIRONMENT))
    backtest.run(subject, bench)
    (tmp_path / "other").mkdir()
    other = SmallShelf(tmp_path / "other", noisy_end=True)
    with pytest.raises(AssertionError, match="a child was started"):
        backtest.run(subject, replace(bench, shelf=other, shell=NoShell()))


@pytest.mark.parametrize(
    ("text", "window", "about"),
    [
        pytest.param(source(enter=NEVER), "whole: trades", "0", id="no trades"),
        pytest.param(source(enter=FIRST), "whole: trades", "2", id="one lucky trade a pair"),
        pytest.param(
            source(leave='dataframe["close"] > 1.2 * dataframe["mean"]', stoploss=-0.99),
            "whole: profit of trades that the end of the window closed",
            "",
            id="profit that only the end made",
        ),
        pytest.param(
            source(indicators='raise ValueError("no such column")'),
            "whole: the backtest broke off",
            "ValueError: no such column (strategy.py:16)",
            id="raises",
        ),
        pytest.param(
            source(above="raise SystemExit(0)\n"),
            "whole: the backtest broke off",
            "",
            id="leaves with 0 while it is imported",
        ),
        pytest.param(
            source(indicators="import os; os._exit(0)"),
            "whole: the backtest broke off",
            "its process ended without an answer",
            id="leaves with 0 in the middle",
        ),
        pytest.param(
            source(extra="trailing_stop = True; trailing_only_offset_is_reached = True"),
            "whole: the backtest broke off",
            "",
            id="a configuration error, for which freqtrade's exit code is 0",
        ),
        pytest.param(
            source(indicators="np = __import__('numpy'); np.ones(10**12)"),
            "whole: the backtest was ended: memory",
            "memory: ",
            id="eats memory",
        ),
        pytest.param(
            source(indicators='open("full", "wb").truncate(10**12)'),
            "whole: the backtest was ended: disk",
            "disk: OSError",
            id="fills the disk",
        ),
        pytest.param(
            source(indicators="import os; os.write(3, bytes(20_000_000)); raise ValueError"),
            "whole: the backtest was ended: output",
            "its answer was longer than",
            id="floods its answer",
        ),
        pytest.param(
            source(above="import no_such_package\n"),
            "whole: the backtest broke off",
            "",
            id="a missing package",
        ),
    ],
)
def test_never_passes(run: Run, text: str, window: str, about: str) -> None:
    verdict = run(text)
    assert verdict.status is Status.FAILED
    finding = next(finding for finding in verdict.findings if finding.what == window)
    assert about in finding.actual
    assert finding.hint


@pytest.mark.parametrize(("reads", "status"), [(("BTC/USDT",), Status.PASSED), ((), Status.FAILED)])
def test_a_pair_that_is_only_read_has_candles_when_the_manifest_names_it(
    bench: Workbench, reads: tuple[str, ...], status: Status
) -> None:
    follower = plugin(source(enter=f'({LOW}) & (dataframe["lead"] > 0)', indicators=LEAD))
    manifest = follower.manifest.model_copy(
        update={"pairs": ("ETH/USDT",), "informative_pairs": reads}
    )
    subject = Subject(
        replace(follower, manifest=manifest), None, Door.model_validate_json(ENVIRONMENT)
    )
    assert backtest.run(subject, replace(bench, cache=Notes())).status is status


def test_losers_that_are_never_closed_do_not_pass(run: Run) -> None:
    # Sells a whole wave higher only; what was bought before a fall stays until the end.
    sells_high = source(
        enter='dataframe["close"] > 1.03 * dataframe["mean"]',
        leave='dataframe["close"] > 1.079 * dataframe["mean"]',
        stoploss=-0.99,
        extra="exit_profit_only = True",
    )
    findings = [finding.what for finding in run(sells_high).findings]
    assert any("losers are never closed" in what for what in findings), findings


def test_a_last_trade_that_vanished_does_not_pass(run: Run, tmp_path: Path) -> None:
    holds = source(leave=NEVER, stoploss=-0.99)
    shelf = SmallShelf(tmp_path / "noisy", noisy_end=True)
    shelf.folder.mkdir()
    whats = [finding.what for finding in run(holds, shelf=shelf).findings]
    assert "whole: trades that were never closed" in whats or "whole: final balance" in whats, whats


def test_a_child_that_does_not_end_is_ended_and_fails(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_job, "LIMITS", Limits(wall_seconds=12, memory_mb=8192))
    verdict = run(source(indicators="while True: pass"))
    assert (verdict.status, verdict.findings[0].actual) == (Status.FAILED, "wall time")


@pytest.mark.parametrize(
    ("ended", "status", "about"),
    [
        (
            Ended("", 0, None, "Configuration error: x"),
            Status.ERRORED,
            "exit code 0: Configuration",
        ),
        (Ended("", 0, b"{}", ""), Status.ERRORED, "the first at"),
        (Ended("", 0, b'{"windows": {}}', ""), Status.FAILED, "missing from the answer"),
        (Ended("", 0, b"\xff", ""), Status.ERRORED, ""),
        (
            Ended("", 0, b'{"windows": {"whole": {"error": "disk", "unable": true}}}', ""),
            Status.ERRORED,
            "disk",
        ),
        (Ended("memory", -9, None, ""), Status.FAILED, "memory"),
    ],
)
def test_what_cannot_be_understood_is_no_pass(
    bench: Workbench, ended: Ended, status: Status, about: str
) -> None:
    class Answers:
        def run(self, job: Job) -> Ended:
            return ended

    subject = Subject(plugin(source()), None, Door.model_validate_json(ENVIRONMENT))
    verdict = backtest.run(subject, replace(bench, shell=Answers(), cache=Notes()))
    assert verdict.status is status
    assert about in verdict.findings[0].actual


def test_candles_without_a_window_tell_nothing(bench: Workbench) -> None:
    environment = Door.model_validate_json(ENVIRONMENT.replace('"early"', '"bear"'))
    verdict = backtest.run(Subject(plugin(source()), None, environment), bench)
    assert verdict.status is Status.ERRORED
    assert verdict.findings[0].what == "the candles small have no window bear"


def test_a_change_that_earns_less_than_its_incumbent_does_not_pass(run: Run) -> None:
    worse = source(leave='dataframe["close"] > 0.99 * dataframe["mean"]')
    verdict = run(worse, incumbent=source())
    whats = [finding.what for finding in verdict.findings]
    assert "whole: profit against the incumbent" in whats
    assert verdict.measurements["incumbent.profit"] > verdict.measurements["whole.profit"]


def test_a_change_that_earns_more_than_its_incumbent_passes(run: Run) -> None:
    worse = source(leave='dataframe["close"] > 0.99 * dataframe["mean"]')
    assert run(source(), incumbent=worse).status is Status.PASSED


def test_a_broken_incumbent_sets_no_bar(run: Run) -> None:
    verdict = run(source(), incumbent=source(above="raise ValueError\n"))
    assert verdict.status is Status.PASSED
    assert not any(name.startswith("incumbent.") for name in verdict.measurements)


def test_stricter_thresholds_of_its_own_are_judged(bench: Workbench) -> None:
    strategy = plugin(source())
    own = {"whole": {"min_profit": 50}}
    manifest = Manifest.model_validate_json(
        strategy.manifest.model_dump_json(by_alias=True).replace(
            '"thresholds":{}', f'"thresholds":{own}'.replace("'", '"')
        )
    )
    subject = Subject(
        replace(strategy, manifest=manifest), None, Door.model_validate_json(ENVIRONMENT)
    )
    findings = backtest.run(subject, bench).findings
    assert [(f.what, f.expected) for f in findings] == [("whole: profit", "at least 50")]


def test_windows_are_whole_days_and_shorter_than_the_candles() -> None:
    window = Window(start=date(2021, 1, 3), end=date(2021, 1, 20))
    assert (window.closes - window.opens).days == 18
