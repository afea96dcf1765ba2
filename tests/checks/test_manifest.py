"""The manifest check: every way in which a plugin can break its promises."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from pipelines import documents
from pipelines.checks import manifest
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import DataSet, Series, Window
from pipelines.domain.environment import Door
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.errors import BadInput, CannotTell, Problem, Problems

SOURCE = """\
from freqtrade.strategy import IStrategy, informative


class Trend(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = False

    @informative("1d")
    def populate_indicators_1d(self, dataframe, metadata):
        return dataframe
"""
VALUES: dict[str, Any] = {
    "class": "Trend",
    "version": "1.2.0",
    "owner": "me",
    "summary": "Follows the trend",
    "pairs": ["BTC/USDT", "ETH/USDT"],
    "timeframe": "1h",
    "informative": ["1d"],
    "handover": "drain",
}
SERIES = Series(
    digest="0" * 64,
    rows=1,
    start=datetime(2020, 1, 1, tzinfo=UTC),
    end=datetime(2023, 1, 1, tzinfo=UTC),
)


def data(**changed: Any) -> DataSet:
    frames = {"1h": SERIES, "4h": SERIES, "1d": SERIES}
    series = {"BTC/USDT": frames, "ETH/USDT": frames, "BTC/BUSD": frames}
    values: dict[str, Any] = {"series": series, "trading_mode": "spot", **changed}
    window = Window(start=SERIES.start.date(), end=SERIES.end.date())
    return DataSet(
        exchange="binance", synthetic=True, source="made", windows={"whole": window}, **values
    )


@dataclass(frozen=True)
class OneShelf:
    """A shelf that holds a data set and no candles."""

    held: DataSet | Exception = field(default_factory=data)
    name: str = "made"

    @property
    def data(self) -> DataSet:
        if isinstance(self.held, Exception):
            raise self.held
        return self.held


@pytest.fixture(scope="session")
def environment(root: Path) -> Door:
    return documents.load(root / "environments/test.yaml", Door)


def plugin(source: str = SOURCE, **changed: Any) -> Strategy:
    values = {**VALUES, **changed}
    held = Manifest.model_validate_json(
        json.dumps({k: v for k, v in values.items() if v is not None})
    )
    files = {
        "README.md": "text",
        "strategy.py": source,
        "strategy.yaml": json.dumps(values),
        "test_trend.py": "def test_a(): ...",
    }
    return Strategy(
        "trend",
        held,
        tuple(SourceFile(f"trend/{name}", text.encode()) for name, text in files.items()),
    )


def with_file(strategy: Strategy, name: str, content: bytes) -> Strategy:
    return replace(strategy, files=(*strategy.files, SourceFile(f"trend/{name}", content)))


def without(strategy: Strategy, name: str) -> Strategy:
    return replace(strategy, files=tuple(f for f in strategy.files if f.path != f"trend/{name}"))


def judged(
    environment: Door,
    strategy: Strategy,
    incumbent: Strategy | None = None,
    others: tuple[tuple[str, str], ...] = (),
    shelf: OneShelf | None = None,
) -> Verdict:
    bench = cast("Workbench", _Bench(shelf or OneShelf()))
    return manifest.run(Subject(strategy, incumbent, environment, others), bench)


@dataclass(frozen=True)
class _Bench:
    shelf: OneShelf


def only(verdict: Verdict) -> Finding:
    assert verdict.status is Status.FAILED
    assert verdict.final
    assert len(verdict.findings) == 1, verdict.findings
    return verdict.findings[0]


def test_passes_a_sound_plugin(environment: Door) -> None:
    verdict = judged(environment, plugin())
    assert (verdict.check, verdict.status, verdict.findings) == ("manifest", Status.PASSED, ())
    assert not verdict.final


# What the manifest says

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "another stake currency": (
        {"pairs": ["BTC/USDT", "BTC/BUSD"]},
        "pairs: BTC/BUSD",
        "a pair quoted in USDT, the stake currency of test",
    ),
    "a pair to read without candles": (
        {"informative_pairs": ["DOGE/USDT"]},
        "informative_pairs: DOGE/USDT",
        "one of BTC/USDT, ETH/USDT, BTC/BUSD",
    ),
    "a pair to read twice": (
        {"informative_pairs": ["ETH/USDT", "ETH/USDT"]},
        "informative_pairs: ETH/USDT",
        "once",
    ),
    "a pair twice": ({"pairs": ["BTC/USDT", "BTC/USDT"]}, "pairs: BTC/USDT", "once"),
    "a pair without candles": (
        {"pairs": ["DOGE/USDT"]},
        "pairs: DOGE/USDT",
        "one of BTC/USDT, ETH/USDT, BTC/BUSD",
    ),
    "a timeframe without candles": (
        {"pairs": ["BTC/USDT"], "informative": ["1d", "4h", "1h", "30m"], "timeframe": "30m"},
        "pairs: BTC/USDT 30m",
        "one of 1h, 4h, 1d",
    ),
    "an informative timeframe twice": ({"informative": ["1d", "1d"]}, "informative: 1d", "once"),
    "a threshold that is looser": (
        {"thresholds": {"bear": {"max_drawdown": 0.5}}},
        "thresholds.bear.max_drawdown",
        "at most 0.25",
    ),
    "a window that nobody knows": (
        {"thresholds": {"moon": {"min_trades": 1}}},
        "thresholds.moon",
        "a window of the environment's admission",
    ),
    "a future's pair for spot": (
        {"pairs": ["BTC/USDT:USDT"]},
        "pairs: BTC/USDT:USDT",
        "BTC/USDT for spot, BTC/USDT:USDT for futures",
    ),
}


@pytest.mark.parametrize(("changed", "key", "expected"), CASES.values(), ids=CASES)
def test_refuses_in_the_manifest(
    environment: Door, changed: dict[str, Any], key: str, expected: str
) -> None:
    source = SOURCE.replace('"1h"', f'"{changed.get("timeframe", "1h")}"')
    found = judged(environment, plugin(source, **changed)).findings
    wanted = Finding(what=f"strategies/trend/strategy.yaml: {key}", expected=expected)
    assert (wanted.what, wanted.expected) in [(f.what, f.expected) for f in found]


def test_a_stricter_threshold_is_welcome(environment: Door) -> None:
    strategy = plugin(thresholds={"bear": {"max_drawdown": 0.1}, "whole": {"min_trades": 200}})
    assert judged(environment, strategy).status is Status.PASSED


def test_refuses_informative_candles_shorter_than_its_own(environment: Door) -> None:
    strategy = plugin(
        SOURCE.replace('timeframe = "1h"', 'timeframe = "4h"').replace('"1d"', '"1h"'),
        timeframe="4h",
        informative=["1h"],
    )
    assert only(judged(environment, strategy)).expected == "4h or longer"


def test_refuses_futures_as_long_as_the_candles_are_spot(environment: Door) -> None:
    strategy = plugin(pairs=["BTC/USDT:USDT"], trading_mode="futures")
    finding = only(judged(environment, strategy))
    assert finding.what == "strategies/trend/strategy.yaml: trading_mode"
    assert finding.expected == "spot, of which the candles 'made' are"


def test_takes_futures_with_candles_of_futures(environment: Door) -> None:
    frames = {"1h": SERIES, "1d": SERIES}
    shelf = OneShelf(data(trading_mode="futures", series={"BTC/USDT:USDT": frames}))
    strategy = plugin(
        SOURCE.replace("can_short = False", "can_short = True"),
        pairs=["BTC/USDT:USDT"],
        trading_mode="futures",
    )
    assert judged(environment, strategy, shelf=shelf).status is Status.PASSED


# What the source says

SOURCES: dict[str, tuple[str, str, str]] = {
    "class Trend(IStrategy)": ("class Tend(IStrategy)", "py: class Trend", "there are Tend"),
    "(IStrategy):": ("(dict):", "py: class Trend", "derives from something else"),
    "INTERFACE_VERSION = 3": ("INTERFACE_VERSION = 2", "py:5: INTERFACE_VERSION", "2"),
    "    INTERFACE_VERSION = 3\n": ("", "py: INTERFACE_VERSION", "nothing"),
    'timeframe = "1h"': ('timeframe = "4h"', "py:6: timeframe", "4h"),
    'timeframe = "1h" ': ("timeframe = str(1)", "py:6: timeframe", "something computed"),
    "can_short = False": ("can_short = True", "py:7: can_short", "True"),
    "populate_indicators_1d": (
        "populate_buy_trend",
        "py:10: populate_buy_trend",
        "populate_buy_trend",
    ),
    '"1d"': ('"4h"', "py:9: reads the timeframe 4h", "4h"),
    '("1d")': ('("1d", "DOGE/{stake}")', "py:9: reads the pair DOGE/USDT", "DOGE/USDT"),
    "return dataframe": ("return self.freqai.start(dataframe)", "py:11: freqai", "FreqAI"),
}


@pytest.mark.parametrize("old", SOURCES)
def test_refuses_in_the_source(environment: Door, old: str) -> None:
    new, what, actual = SOURCES[old]
    finding = only(judged(environment, plugin(SOURCE.replace(old.rstrip(" "), new))))
    assert finding.what == f"strategies/trend/strategy.{what}"
    assert finding.actual == actual


def test_suggests_the_class_that_was_meant(environment: Door) -> None:
    source = SOURCE.replace("class Trend", "class Trnd")
    assert only(judged(environment, plugin(source))).hint == "did you mean 'class: Trnd'?"


def test_a_syntax_error_is_named_with_its_line(environment: Door) -> None:
    finding = only(judged(environment, plugin("x = 1\ndef (:\n")))
    assert finding.what.startswith("strategies/trend/strategy.py:2: is no Python: ")


def test_takes_attributes_and_bases_from_classes_of_the_same_file(environment: Door) -> None:
    source = SOURCE.replace("class Trend(IStrategy)", "class Common(IStrategy)")
    source = source.replace("IStrategy, informative", "IStrategy as I, informative")
    source = source.replace("(IStrategy)", "(I)") + "\n\nclass Trend(Common):\n    pass\n"
    assert judged(environment, plugin(source)).status is Status.PASSED


@pytest.mark.parametrize(
    "line",
    [
        'self.dp.get_pair_dataframe("BTC/USDT", "4h")',
        'self.dp.get_pair_dataframe(pair="BTC/USDT", timeframe="4h")',
        'merge_informative_pair(dataframe, dataframe, self.timeframe, "4h")',
        'inf_tf = "4h"; self.dp.get_pair_dataframe("BTC/USDT", inf_tf)',
    ],
)
def test_finds_timeframes_that_are_read_in_calls(environment: Door, line: str) -> None:
    source = SOURCE.replace("return dataframe", line)
    assert only(judged(environment, plugin(source))).actual == "4h"


def test_finds_timeframes_in_informative_pairs(environment: Door) -> None:
    source = SOURCE + '\n    def informative_pairs(self):\n        return [("BTC/USDT", "4h")]\n'
    assert only(judged(environment, plugin(source))).actual == "4h"


# Parameters

PARAMETERS: dict[str, tuple[object, str]] = {
    "is of another strategy": ({"strategy_name": "Other", "params": {}}, "strategy_name"),
    "has no parameters": ({"strategy_name": "Trend"}, "params"),
    "is a list": ([], "params"),
    "knows a strange space": ({"strategy_name": "Trend", "params": {"byu": {}}}, "params.byu"),
    "holds a space that is no mapping": (
        {"strategy_name": "Trend", "params": {"buy": 1}},
        "params.buy",
    ),
    "brings its own pair lists": (
        {"strategy_name": "Trend", "params": {}, "pairlists": []},
        "pairlists",
    ),
    "has a strange key": ({"strategy_name": "Trend", "params": {}, "colour": 1}, "colour"),
}


@pytest.mark.parametrize(("held", "key"), PARAMETERS.values(), ids=PARAMETERS)
def test_refuses_a_parameter_file_that(environment: Door, held: object, key: str) -> None:
    strategy = with_file(plugin(), "strategy.json", json.dumps(held).encode())
    finding = only(judged(environment, strategy))
    assert finding.what == f"strategies/trend/strategy.json: {key}"


@pytest.mark.parametrize("content", [b"{", b"\xff", b"", b"[" * 100_000])
def test_refuses_a_parameter_file_that_is_no_json(environment: Door, content: bytes) -> None:
    strategy = with_file(plugin(), "strategy.json", content)
    assert only(judged(environment, strategy)).what.endswith("strategy.json: is no JSON")


def test_takes_the_parameters_that_freqtrade_exports(environment: Door) -> None:
    held = {
        "strategy_name": "Trend",
        "params": {"buy": {"buy_rsi": 30}, "roi": {"0": 0.1}, "stoploss": {"stoploss": -0.1}},
        "ft_stratparam_v": 1,
        "export_time": "2026-01-01 00:00:00+00:00",
    }
    strategy = with_file(plugin(), "strategy.json", json.dumps(held).encode())
    assert judged(environment, strategy).status is Status.PASSED


# The folder, the version, the others


def test_asks_for_tests_and_a_readme(environment: Door) -> None:
    strategy = without(without(plugin(), "README.md"), "test_trend.py")
    found = judged(environment, strategy).findings
    assert [finding.what for finding in found] == [
        "strategies/trend: has no tests",
        "strategies/trend: has no README.md",
    ]


@pytest.mark.parametrize("version", ["1.2.0", "1.1.9", "0.9.0"])
def test_a_change_needs_a_greater_version(environment: Door, version: str) -> None:
    finding = only(judged(environment, plugin(SOURCE + "\n", version=version), plugin()))
    assert (finding.expected, finding.actual) == ("greater than 1.2.0", version)
    assert finding.hint == ("the content changed: 1.2.1 for a repair, 1.3.0 for new behaviour")


@pytest.mark.parametrize("version", ["1.2.1", "1.10.0", "2.0.0"])
def test_a_greater_version_will_do(environment: Door, version: str) -> None:
    strategy = plugin(SOURCE + "\n", version=version)
    assert judged(environment, strategy, plugin()).status is Status.PASSED


def test_what_has_not_changed_needs_no_new_version(environment: Door) -> None:
    assert judged(environment, plugin(), plugin()).status is Status.PASSED


def test_two_plugins_cannot_share_a_class_name(environment: Door) -> None:
    finding = only(judged(environment, plugin(), others=(("other", "Trend"), ("third", ""))))
    assert finding.actual == "Trend, as in strategies/other"


def test_two_names_cannot_differ_only_in_case(environment: Door) -> None:
    finding = only(judged(environment, plugin(), others=(("Trend", "Another"),)))
    assert finding.what == "strategies/trend: differs from strategies/Trend only in case"


def test_tells_everything_at_once(environment: Door) -> None:
    strategy = without(plugin(SOURCE.replace("= 3", "= 2"), pairs=["DOGE/USDT"]), "README.md")
    assert len(judged(environment, strategy, plugin()).findings) == 4


@pytest.mark.parametrize("error", [BadInput("no candles", "fetch them"), CannotTell("no disk")])
def test_without_candles_it_cannot_tell(environment: Door, error: Exception) -> None:
    verdict = judged(environment, plugin(), shelf=OneShelf(error))
    assert (verdict.status, verdict.final) == (Status.ERRORED, True)
    assert verdict.findings[0].what.startswith("candles: no ")


# What could not even be read


def test_an_unreadable_plugin_fails_with_one_finding_for_each_problem() -> None:
    where = "strategies/trend/strategy.yaml"
    verdict = manifest.unreadable(
        Problems(
            (
                Problem(where, 'should be a list, got "BTC/USDT"', key="pairs", line=3, hint="see"),
                Problem(where, "is not a known key", key="freqai", line=4, hint="spelling"),
                Problem(where, "there is no such file"),
            )
        )
    )
    assert (verdict.status, verdict.final) == (Status.FAILED, True)
    pairs, freqai, file = verdict.findings
    assert pairs == Finding(
        what=f"{where}:3: pairs", expected="a list", actual='"BTC/USDT"', hint="see"
    )
    assert freqai.what == f"{where}:4: freqai: is not a known key"
    assert "not supported" in freqai.hint
    assert file.what == f"{where}: there is no such file"


def test_a_single_problem_is_told_like_several() -> None:
    (finding,) = manifest.unreadable(BadInput("there is no such strategy", "look again")).findings
    assert (finding.what, finding.hint) == ("there is no such strategy", "look again")
