"""Runs a plugin's tests and our behaviours: `python -m pipelines.backtesting.unit`.

freqtrade is imported once. The behaviours and the plugin's own tests then run in a fork each, so
that a test that patches something, or ends its process, takes nothing else with it.
"""

import gc
import os
import sys
import time
import traceback
from collections.abc import Generator
from pathlib import Path

import freqtrade.resolvers.strategy_resolver  # noqa: F401 - loaded before the forks, once for both
import pytest

from pipelines.backtesting import behaviours, fixtures, forks, replies
from pipelines.backtesting.plugin import Plugin
from pipelines.freqtrade.config import STRATEGIES
from pipelines.freqtrade.messages import Limit
from pipelines.freqtrade.unit_messages import (
    MAX_TESTS,
    Ending,
    SessionReply,
    UnitReply,
    UnitRequest,
    UnitTest,
)

ORDER: tuple[Ending, ...] = (
    "not run",
    "passed",
    "skipped",
    "xfailed",
    "xpassed",
    "failed",
    "error",
)
"""Set-up, call and tear-down of one test are one ending: the last of these."""


def main() -> None:
    """Answer the request in the current folder."""
    replies.die_with_parent()
    asked = replies.request(UnitRequest)
    settle()
    plugin = Plugin(Path(STRATEGIES, asked.name).resolve(), asked.manifest)
    told = forks.answers(
        {
            "behaviours": lambda: judge_behaviours(plugin),
            "own": lambda: run_own_tests(plugin),
        },
        SessionReply,
        jobs=2,
    )
    replies.write(UnitReply(behaviours=heard(told["behaviours"]), own=heard(told["own"])))


def heard(told: forks.Told[SessionReply]) -> SessionReply | None:
    """What a fork answered; None when it said nothing, or nothing sensible."""
    if told.answer is None and told.limit:
        return SessionReply(limit=told.limit)
    return told.answer


def settle() -> None:
    """Set what freqtrade and pytest would otherwise guess at: the environment is empty."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    # An empty configuration: nothing of the machine or of the plugin changes how tests run.
    Path("unit.ini").write_text("[pytest]\n")
    # What is loaded now is shared by the forks as long as no collection of garbage touches it.
    gc.freeze()


def judge_behaviours(plugin: Plugin) -> SessionReply:
    """Run our behaviours, unless the strategy cannot even be loaded."""
    try:
        start_up = int(plugin.strategy().startup_candle_count)
    except BaseException as error:  # noqa: BLE001 - a strategy may raise anything, SystemExit too
        traceback.print_exc()
        said = reason(error, plugin.folder)
        return SessionReply(error=said, limit=forks.limit_of(error))
    if start_up < 0:
        return SessionReply(error=f"startup_candle_count is {start_up}")
    recorder = Recorder(plugin)
    _pytest("behaviours", [str(behaviours.__file__)], recorder)
    return recorder.reply(start_up=start_up)


def run_own_tests(plugin: Plugin) -> SessionReply:
    """Run the plugin's own tests."""
    files = sorted(str(file) for file in plugin.folder.glob("test_*.py"))
    recorder = Recorder(plugin)
    if files:
        _pytest("own", files, recorder)
    return recorder.reply()


def _pytest(name: str, files: list[str], recorder: "Recorder") -> None:
    options = f"-c unit.ini --rootdir . --basetemp tmp-{name} --import-mode=importlib --noconftest"
    # Looking for unraised exceptions would collect all of freqtrade's garbage again and again.
    quiet = "-p no:cacheprovider -p no:unraisableexception -q --tb=short"
    quiet += " --continue-on-collection-errors"
    pytest.main([*options.split(), *quiet.split(), *files], [fixtures, recorder])


class Recorder:
    """A pytest plugin that notes how every test ended, and why where it did not pass."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._tests: dict[str, UnitTest] = {}
        self._seconds: float | None = None
        self._limit: Limit = ""

    def reply(self, start_up: int | None = None) -> SessionReply:
        """What was noted, with what did not pass first: that must not be cut off."""
        tests = sorted(self._tests.values(), key=lambda test: test.ending == "passed")
        return SessionReply(
            tests=tuple(tests[:MAX_TESTS]),
            more_tests=max(0, len(tests) - MAX_TESTS),
            limit=self._limit,
            start_up=start_up,
            seconds=self._seconds,
        )

    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell our fixtures which plugin is meant."""
        config.stash[fixtures.UNDER_TEST] = self._plugin

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A test that was found and never ran is noted as just that."""
        for item in items:
            self._note(item.nodeid, "not run", "the run of tests ended before it")

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """A file that cannot be imported, or skips itself."""
        report = yield
        if not report.passed:
            said = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._note(collector.nodeid, "error" if report.failed else "skipped", str(said))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """One phase of one test."""
        report = yield
        if call.excinfo:
            error, ending = call.excinfo.value, _ending(report)
            self._note(item.nodeid, ending, reason(error, self._plugin.folder))
            if ending in ("failed", "error"):
                self._limit = self._limit or forks.limit_of(error)
        elif report.when == "call":
            self._note(item.nodeid, _ending(report), str(report.longrepr or ""))
        for name, value in report.user_properties:
            if name == "seconds":
                self._seconds = float(value)  # type: ignore[arg-type] # we recorded it ourselves
        return report

    def _note(self, nodeid: str, ending: Ending, why: str) -> None:
        file, colons, test = nodeid.partition("::")
        name = Path(file).name + colons + test
        before = self._tests.get(nodeid)
        if before is None or ORDER.index(before.ending) <= ORDER.index(ending):
            shown = "" if ending == "passed" else why
            self._tests[nodeid] = UnitTest(name=name[:300], ending=ending, reason=shown[-2000:])


def _ending(report: pytest.TestReport) -> Ending:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "skipped" if report.skipped else "passed"


def reason(error: BaseException, folder: Path) -> str:
    """What was raised, and the last line of the plugin's own code that led to it."""
    said = str(error).strip() or type(error).__name__
    if not isinstance(error, AssertionError | pytest.fail.Exception | pytest.skip.Exception):
        said = f"{type(error).__name__}: {error}".strip().removesuffix(":")
    places = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(folder.parent)
    ]
    place = f" ({places[-1]})" if places else ""
    return said[: 2000 - len(place)] + place


if __name__ == "__main__":
    main()
