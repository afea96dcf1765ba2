"""What the check `unit` makes of a child's answer, and of the lack of one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pipelines.adapters import feather
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.processes import Processes
from pipelines.checks import unit
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import Candles
from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.freqtrade.messages import Limit
from pipelines.freqtrade.unit_messages import (
    BEHAVIOURS,
    Ending,
    SessionReply,
    UnitReply,
    UnitTest,
)

MANIFEST = Manifest(
    class_name="Plugin",
    version="1.0.0",
    owner="us",
    summary="for tests",
    pairs=("BTC/USDT", "ETH/USDT", "ADA/USDT"),
    timeframe="1h",
    informative=("1d",),
    handover="drain",
)

SOURCE = """
from freqtrade.strategy import IntParameter, IStrategy
from shared.levels_v1 import level

class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.1
    minimal_roi = {"0": 1}
    startup_candle_count = 25
    window = IntParameter(5, 30, default=10, space="buy")

    def populate_indicators(self, dataframe, metadata):
        dataframe["level"] = level(dataframe, self.window.value)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["level"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["level"], "exit_long"] = 1
        return dataframe
"""
LEVELS = "def level(frame, n):\n    return frame['close'].rolling(n).mean()\n"
PARAMETERS = '{"strategy_name": "Plugin", "params": {"buy": {"window": 20}}}'


def strategy(source: str = SOURCE, **tests: str) -> Strategy:
    files = {"plugin/strategy.py": source, "plugin/strategy.json": PARAMETERS}
    files |= {f"plugin/{name}.py": text for name, text in tests.items()}
    return Strategy(
        "plugin",
        MANIFEST,
        tuple(SourceFile(path, text.encode()) for path, text in files.items()),
        (SourceFile("shared/levels_v1.py", LEVELS.encode()),),
    )


@dataclass
class Bench:
    """Only what the check uses: a shell with a set answer, a shelf of names, and progress."""

    ended: Ended | None = None
    jobs: list[Job] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def shell(self) -> "Bench":
        return self

    shelf = progress = shell

    def run(self, job: Job) -> Ended:
        self.jobs.append(job)
        assert self.ended
        return self.ended

    def path(self, pair: str, timeframe: str) -> Path:
        return Path("/candles") / f"{pair} {timeframe}"

    def say(self, text: str) -> None:
        self.said.append(text)


def run(bench: Any, plugin: Strategy | None = None) -> Verdict:
    subject = Subject(plugin or strategy(), None, cast(Any, None))
    return unit.run(subject, cast(Workbench, bench))


def ended(
    reply: UnitReply | bytes | None, killed: str = "", exit_code: int = 0, output: str = ""
) -> Bench:
    content = reply.canonical() if isinstance(reply, UnitReply) else reply
    return Bench(Ended(killed, exit_code, content, output))


def session(**endings: Ending) -> SessionReply:
    tests = tuple(
        UnitTest(name=f"test_a.py::{name}", ending=ending) for name, ending in endings.items()
    )
    return SessionReply(tests=tests)


def behaviours(**changed: Ending) -> SessionReply:
    every: dict[str, Ending] = {**dict.fromkeys(BEHAVIOURS, "passed"), **changed}
    return session(**every).model_copy(update={"start_up": 25, "seconds": 0.0125})


def answer(own: SessionReply | None = None, shown: SessionReply | None = None) -> UnitReply:
    return UnitReply(behaviours=shown or behaviours(), own=own or session(test_one="passed"))


def only(verdict: Verdict) -> Finding:
    (finding,) = verdict.findings
    return finding


def test_passes_when_every_test_and_every_behaviour_passed() -> None:
    bench = ended(answer())
    verdict = run(bench)
    assert verdict.status is Status.PASSED
    assert verdict.findings == ()
    assert verdict.measurements == {
        "behaviours": Decimal(len(BEHAVIOURS)),
        "tests": Decimal(1),
        "start_up": Decimal(25),
    }
    assert bench.said == ["unit: 0.013 s per 1000 candles"]


def test_the_child_gets_the_plugin_its_shared_code_and_the_first_pairs() -> None:
    bench = ended(answer())
    run(bench)
    (job,) = bench.jobs
    assert job.module == "pipelines.backtesting.unit"
    assert {"strategies/plugin/strategy.py", "strategies/shared/levels_v1.py"} <= set(job.files)
    assert sorted(job.inputs) == [
        "candles/BTC_USDT-1d.feather",
        "candles/BTC_USDT-1h.feather",
        "candles/ETH_USDT-1d.feather",
        "candles/ETH_USDT-1h.feather",
    ]


def test_a_plugin_without_tests_fails() -> None:
    verdict = run(ended(answer(own=SessionReply())))
    assert verdict.status is Status.FAILED
    assert only(verdict).what.startswith("no tests: ")


@pytest.mark.parametrize("ending", ["failed", "error", "skipped", "xfailed", "xpassed", "not run"])
def test_a_test_that_did_not_pass_is_a_finding(ending: Ending) -> None:
    verdict = run(ended(answer(own=session(test_one="passed", test_two=ending))))
    assert verdict.status is Status.FAILED
    assert only(verdict).what == "test_a.py::test_two"
    assert only(verdict).actual == ending
    assert only(verdict).hint
    assert verdict.measurements["tests"] == 1


def test_a_missing_behaviour_is_told_in_the_words_of_a_trader() -> None:
    verdict = run(ended(answer(shown=behaviours(test_does_not_look_ahead="failed"))))
    assert verdict.status is Status.FAILED
    assert only(verdict).what == "behaviour: does not look ahead"
    assert only(verdict).expected == BEHAVIOURS["test_does_not_look_ahead"].expected
    assert "shift(-n)" in only(verdict).hint


def test_a_behaviour_that_is_left_out_is_not_known_rather_than_passed() -> None:
    shown = behaviours()
    less = shown.model_copy(update={"tests": shown.tests[1:]})
    verdict = run(ended(answer(shown=less)))
    assert verdict.status is Status.ERRORED
    assert only(verdict).what.startswith("behaviour: ")
    assert verdict.measurements["behaviours"] == len(BEHAVIOURS) - 1


def test_a_behaviour_that_did_not_run_is_a_no() -> None:
    verdict = run(ended(answer(shown=behaviours(test_is_fast_enough="not run"))))
    assert verdict.status is Status.FAILED


@pytest.mark.parametrize("lost", ["behaviours", "own"])
def test_a_run_that_ended_without_an_answer_is_not_known(lost: str) -> None:
    verdict = run(ended(answer().model_copy(update={lost: None})))
    assert verdict.status is Status.ERRORED
    assert len(verdict.findings) == (len(BEHAVIOURS) if lost == "behaviours" else 1)


def test_a_no_outweighs_what_is_not_known() -> None:
    reply = UnitReply(behaviours=None, own=session(test_one="failed"))
    assert run(ended(reply)).status is Status.FAILED


def test_a_strategy_that_cannot_be_loaded_is_one_finding() -> None:
    verdict = run(ended(UnitReply(behaviours=SessionReply(error="NameError: x"), own=None)))
    assert verdict.status is Status.FAILED
    assert only(verdict).actual == "NameError: x"


@pytest.mark.parametrize("limit", ["wall time", "memory", "processes", "output", "disk"])
def test_a_broken_limit_is_a_no_that_names_it(limit: str) -> None:
    verdict = run(ended(None, killed=limit, exit_code=-9))
    assert verdict.status is Status.FAILED
    assert only(verdict).what == f"limit: {limit}"


def test_no_answer_is_not_known_and_shows_the_last_output() -> None:
    verdict = run(ended(None, exit_code=1, output="ModuleNotFoundError: freqtrade"))
    assert verdict.status is Status.ERRORED
    assert "ModuleNotFoundError" in only(verdict).actual


def forged() -> Iterator[bytes]:
    yield b""
    yield b"{}"
    yield b"[]"
    yield answer().canonical() + b"}"
    value = json.loads(answer().canonical())
    yield json.dumps({**value, "verdict": "PASSED"}).encode()
    yield json.dumps(
        {**value, "own": {"tests": [{"name": "x" * 301, "ending": "passed"}]}}
    ).encode()
    yield json.dumps({**value, "own": {"tests": [{"name": "x", "ending": "PASSED"}]}}).encode()
    yield json.dumps(
        {**value, "own": {"tests": [{"name": "x", "ending": "passed"}] * 1001}}
    ).encode()
    yield json.dumps({**value, "behaviours": {"seconds": -1}}).encode()
    yield b" " * (unit.MAX_REPLY + 1)


@pytest.mark.parametrize("content", list(forged()), ids=range(10))
def test_an_answer_in_another_form_is_not_known(content: bytes) -> None:
    assert run(ended(content)).status is Status.ERRORED


def test_more_tests_than_fit_have_not_passed() -> None:
    own = session(test_one="passed").model_copy(update={"more_tests": 5})
    verdict = run(ended(answer(own=own)))
    assert verdict.status is Status.FAILED
    assert only(verdict).actual == "1005 tests"


OWN = """
import pytest

def test_parameters_and_shared_code_are_there(strategy):
    assert strategy.window.value == 20

def test_enters(signals, candles):
    signals(candles.rising(60, 10)).assert_enters(after=19)

def test_fails(signals, candles):
    signals(candles.falling(60, 10)).assert_enters(after=5)

@pytest.mark.skip(reason="not today")
def test_is_skipped(): pass

@pytest.mark.xfail
def test_is_expected_to_fail(): raise ValueError

@pytest.mark.xfail
def test_is_expected_to_fail_and_does_not(): pass

@pytest.fixture
def broken():
    yield
    raise KeyError("torn down")

def test_breaks_afterwards(broken): pass
"""


@dataclass(frozen=True)
class RealBench:
    """The real child; there is only one candle to lend, so behaviours see a random walk."""

    shell: Processes
    folder: Path
    progress: Bench = field(default_factory=Bench)

    @property
    def shelf(self) -> "RealBench":
        return self

    def path(self, pair: str, timeframe: str) -> Path:
        path = self.folder / f"{pair.replace('/', '_')}-{timeframe}.feather"
        one = np.array([100.0])
        feather.write(path, Candles(pair, timeframe, np.array([0]), one, one, one, one, one))
        return path


@pytest.fixture
def real(tmp_path: Path, enclosure: Enclosure) -> RealBench:
    return RealBench(Processes(tmp_path, enclosure), tmp_path)


@pytest.mark.freqtrade
def test_every_kind_of_ending_arrives_from_a_real_child(real: RealBench) -> None:
    broken = "import nothing_of_that_name\n"
    leaves = "import pytest\ndef test_leaves(): pytest.exit('enough')\ndef test_later(): pass\n"
    verdict = run(real, strategy(test_a=OWN, test_b=broken, test_c=leaves))

    assert verdict.status is Status.FAILED
    said = {finding.what: finding.actual for finding in verdict.findings}
    assert said.pop("test_b.py").startswith("ImportError while importing test module")
    assert said.pop("test_a.py::test_fails") == (
        "no entry at or after row 5 of 60 rows; there is none anywhere (test_a.py:11)"
    )
    assert said == {
        "test_a.py::test_is_skipped": "skipped: not today",
        "test_a.py::test_is_expected_to_fail": "xfailed: ValueError (test_a.py:17)",
        "test_a.py::test_is_expected_to_fail_and_does_not": "xpassed",
        "test_a.py::test_breaks_afterwards": "KeyError: 'torn down' (test_a.py:25)",
        "test_c.py::test_leaves": "not run: the run of tests ended before it",
        "test_c.py::test_later": "not run: the run of tests ended before it",
    }
    assert verdict.measurements == {"behaviours": 10, "tests": 2, "start_up": 25}


@pytest.mark.freqtrade
def test_a_strategy_that_ends_its_process_is_not_known(real: RealBench) -> None:
    source = SOURCE.replace("        return dataframe", "        __import__('os')._exit(0)", 1)
    own = "def test_signals(signals, candles): signals(candles.flat(40))\n"
    verdict = run(real, strategy(source, test_a=own))
    assert verdict.status is Status.ERRORED
    assert len(verdict.findings) == len(BEHAVIOURS) + 1


@pytest.mark.freqtrade
def test_why_a_strategy_cannot_be_loaded_is_told_with_its_line(real: RealBench) -> None:
    source = SOURCE.replace("import level", "import levels")
    verdict = run(real, strategy(source, test_a="def test_a(strategy): pass\n"))
    assert verdict.status is Status.FAILED
    assert "cannot import name 'levels'" in only(verdict).actual
    assert only(verdict).actual.endswith("(strategy.py:3)")


@pytest.mark.freqtrade
def test_a_loop_without_end_breaks_the_limit(
    real: RealBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "LIMITS", Limits(wall_seconds=6))
    verdict = run(real, strategy("while True: pass\n", test_a="def test_a(): pass\n"))
    assert verdict.status is Status.FAILED
    assert only(verdict).what == "limit: wall time"


@pytest.mark.parametrize("limit", ["memory", "disk", "processes", "CPU time", "output"])
def test_a_limit_that_a_session_ran_into_is_named_first(limit: Limit) -> None:
    cut = session(test_one="failed").model_copy(update={"limit": limit})
    verdict = run(ended(answer(own=cut)))
    assert verdict.status is Status.FAILED
    assert [finding.what for finding in verdict.findings] == [
        f"limit: {limit}",
        "test_a.py::test_one",
    ]


def test_a_session_that_a_limit_ended_is_not_taken_for_one_without_tests() -> None:
    verdict = run(ended(answer(own=SessionReply(limit="CPU time"))))
    assert verdict.status is Status.FAILED
    assert only(verdict).what == "limit: CPU time"


def test_a_strategy_that_cannot_be_loaded_for_want_of_memory_names_the_limit() -> None:
    shown = SessionReply(error="MemoryError", limit="memory")
    verdict = run(ended(answer(shown=shown)))
    assert [finding.what for finding in verdict.findings] == ["limit: memory", "strategy.py"]


@pytest.mark.freqtrade
def test_a_test_that_eats_memory_names_the_limit(real: RealBench) -> None:
    own = "import numpy\ndef test_a(): numpy.ones(10**12)\n"
    verdict = run(real, strategy(test_a=own))
    assert [finding.what for finding in verdict.findings] == ["limit: memory", "test_a.py::test_a"]
