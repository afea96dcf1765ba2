"""Fixtures for the tests of strategies: what they build and say, and where they keep quiet."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.backtesting.built import CandleBuilder
from pipelines.backtesting.compared import CANDLE
from pipelines.backtesting.signals import Signals
from pipelines.freqtrade.unit_messages import BEHAVIOURS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/unit.md").read_text(encoding="utf-8")
BUILDER = CandleBuilder("1h")

FRAMES = {
    "flat": BUILDER.flat(10),
    "rising": BUILDER.rising(10, 5),
    "falling": BUILDER.falling(10, 5),
    "rebound": BUILDER.rebound(10, 5),
    "spike": BUILDER.spike(10, 5),
    "gap": BUILDER.gap(3),
    "zero_volume": BUILDER.zero_volume(10),
    "walk": BUILDER.walk(10, 1),
    "join": BUILDER.join(BUILDER.rising(5, 5), BUILDER.gap(2), BUILDER.walk(5, 2)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_has_freqtrades_layout(name: str) -> None:
    frame = FRAMES[name]
    assert tuple(frame.columns) == CANDLE
    assert str(frame["date"].dtype) == "datetime64[ms, UTC]"
    assert frame["date"].iloc[0] == pd.Timestamp("2021-01-01", tz="UTC")
    assert frame["open"].iloc[0] == 100
    assert list(frame.index) == list(range(len(frame)))
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
    assert (frame["date"].diff().dropna() >= pd.Timedelta("1h")).all()


@pytest.mark.parametrize(
    ("frame", "last"),
    [
        (BUILDER.rising(7, 10), 110),
        (BUILDER.falling(7, 10), 90),
        (BUILDER.rebound(7, 20), 100),
        (BUILDER.rising(1, 10), 110),
        (BUILDER.flat(7), 100),
    ],
)
def test_prices_end_where_the_percentage_says(frame: pd.DataFrame, last: float) -> None:
    assert frame["close"].iloc[-1] == pytest.approx(last)


def test_a_rebound_is_lowest_in_the_middle() -> None:
    close = BUILDER.rebound(20, 30)["close"]
    assert close.idxmin() == 9
    assert close.min() == pytest.approx(70)


def test_a_spike_is_one_candle() -> None:
    close = BUILDER.spike(9, 50)["close"]
    assert close[close != 100].to_dict() == {4: pytest.approx(150)}


def test_a_gap_misses_as_many_candles_as_it_says() -> None:
    first, last = BUILDER.gap(3)["date"]
    assert last - first == pd.Timedelta("4h")


def test_a_walk_is_the_same_for_the_same_seed_and_no_other() -> None:
    assert BUILDER.walk(50, 1).equals(BUILDER.walk(50, 1))
    assert not BUILDER.walk(50, 1).equals(BUILDER.walk(50, 2))


def test_joined_frames_go_on_in_price_and_time() -> None:
    frame = BUILDER.join(BUILDER.rising(5, 10), BUILDER.gap(2), BUILDER.falling(5, 10))
    steps = frame["date"].diff().dropna().dt.total_seconds() / 3600
    assert list(steps) == [1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1]
    assert np.allclose(frame["open"].iloc[1:], frame["close"].iloc[:-1])
    assert frame["close"].iloc[-1] == pytest.approx(99)


def test_joining_leaves_its_parts_as_they_were() -> None:
    part = BUILDER.rising(5, 10)
    BUILDER.join(part, part)
    assert part.equals(BUILDER.rising(5, 10))


def heard(entries: dict[int, str], exits: tuple[int, ...] = ()) -> Signals:
    frame = BUILDER.flat(20).assign(enter_long=0, enter_tag="", exit_long=0)
    for row, tag in entries.items():
        frame.loc[row, ["enter_long", "enter_tag"]] = (1, tag)
    frame.loc[list(exits), "exit_long"] = 1
    return Signals(frame)


def test_signals_are_row_numbers_and_tags() -> None:
    signals = heard({3: "dip", 8: ""}, exits=(5, 9))
    assert signals.entries == (3, 8)
    assert signals.exits == (5, 9)
    assert signals.tags == {3: "dip", 8: ""}


def test_only_a_one_is_a_signal() -> None:
    frame = BUILDER.flat(4).assign(enter_long=[0, 1, 2, np.nan], enter_short=[1, 0, 0, 0])
    assert Signals(frame).entries == (0, 1)


def test_rows_are_bounded_like_a_slice() -> None:
    signals = heard({3: "dip", 8: "dip"}, exits=(5,))
    assert signals.assert_enters(after=3) == 3
    assert signals.assert_enters(after=4) == 8
    assert signals.assert_exits(before=6) == 5
    signals.assert_never_enters(after=4, before=8)
    signals.assert_never_exits(after=6)
    signals.assert_tag("dip")
    signals.assert_tag("dip", row=8)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda signals: signals.assert_enters(after=9),
            "no entry at or after row 9 of 20 rows; there are some at row 3 'dip'",
        ),
        (
            lambda signals: signals.assert_enters(tag="top"),
            "no entry tagged 'top' on any of 20 rows; there are some at",
        ),
        (
            lambda signals: signals.assert_exits(2, 6),
            "no exit from row 2 to row 5 of 20 rows; there is none anywhere",
        ),
        (
            lambda signals: signals.assert_never_enters(),
            "1 signal of entry on any, the first at row 3 (2021-01-01 03:00, ",
        ),
        (
            lambda signals: signals.assert_tag("top"),
            "the entry at row 3 (2021-01-01 03:00, close 100) is tagged 'dip', not",
        ),
        (
            lambda signals: signals.assert_tag("dip", row=4),
            "no entry at row 4 (2021-01-01 04:00, close 100); there are",
        ),
        (
            lambda signals: signals.assert_tag("dip", row=40),
            "no entry at row 40, which is outside the candles; there",
        ),
    ],
)
def test_a_failed_assertion_says_what_was_heard_instead(
    ask: Callable[[Signals], object], message: str
) -> None:
    with pytest.raises(AssertionError) as failed:
        ask(heard({3: "dip"}))
    assert message in str(failed.value)


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def pytest_run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    ours = ("-p", "pipelines.backtesting.fixtures", "-p", "no:cacheprovider", "--rootdir=.")
    return python("-m", "pytest", "-q", *ours, *arguments, cwd=cwd)


def test_loading_the_fixtures_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import pipelines.backtesting.fixtures;"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    ended = python("-c", program, cwd=tmp_path)
    assert ended.stdout.strip() == "['pipelines']"


def test_beside_no_strategy_the_fixtures_say_so(tmp_path: Path) -> None:
    tests = "".join(
        f"def test_{name}({name}): pass\n" for name in ("strategy", "candles", "signals")
    )
    (tmp_path / "test_foreign.py").write_text(tests + "def test_of_their_own(): pass\n")
    ended = pytest_run(tmp_path)
    assert "1 passed, 3 errors" in ended.stdout
    assert "is for tests of a strategy, and there is no strategy.yaml beside" in ended.stdout


TURN = """
from freqtrade.strategy import IStrategy, informative

class Turn(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.1
    minimal_roi = {"0": 1}
    startup_candle_count = 30

    @informative("4h")
    def populate_indicators_4h(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(2).mean()
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(20).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        up = (dataframe["close"] > dataframe["mean"]) & (dataframe["close"] > dataframe["mean_4h"])
        dataframe.loc[up, ["enter_long", "enter_tag"]] = (1, "turn")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = 0
        return dataframe
"""

MORE = """
import pytest

def test_informative_candles_are_of_the_same_market(signals, candles):
    frame = signals(candles.rising(80, 10), "ETH/USDT").frame
    assert frame["close_4h"].iloc[-1] == frame["close"].iloc[-1]
    assert frame["close_4h"].iloc[-2] == frame["close"].iloc[-5]

def test_every_test_gets_a_fresh_strategy_first(strategy):
    strategy.remembered = 1

def test_every_test_gets_a_fresh_strategy_second(strategy):
    assert not hasattr(strategy, "remembered")

def test_the_strategy_sees_what_it_computed(strategy, signals, candles):
    frame = signals(candles.flat(50)).frame
    seen, _ = strategy.dp.get_analyzed_dataframe("BTC/USDT", "1h")
    assert seen.equals(frame)

@pytest.mark.parametrize("pair, timeframe", [("BTC/USDT", "1d"), ("DOGE/USDT", "1h")])
def test_what_the_manifest_does_not_name_is_refused(strategy, signals, candles, pair, timeframe):
    signals(candles.flat(50))
    with pytest.raises(LookupError, match="strategy.yaml names"):
        strategy.dp.get_pair_dataframe(pair, timeframe)

def test_the_pairs_are_those_of_the_manifest(strategy):
    assert strategy.dp.current_whitelist() == ["BTC/USDT", "ETH/USDT"]
"""


@pytest.mark.freqtrade
def test_the_example_on_the_page_and_every_fixture_work_in_a_plugins_folder(tmp_path: Path) -> None:
    folder = tmp_path / "strategies" / "turn"
    folder.mkdir(parents=True)
    (example,) = re.findall(r"```python\n(# test_first\.py\n.*?)```", PAGE, re.DOTALL)
    (folder / "test_first.py").write_text(example)
    (folder / "test_more.py").write_text(MORE)
    (folder / "strategy.py").write_text(TURN)
    (folder / "strategy.yaml").write_text(
        "class: Turn\nversion: 1.0.0\nowner: us\nsummary: turns\npairs: [BTC/USDT, ETH/USDT]\n"
        "timeframe: 1h\ninformative: [4h]\nhandover: drain\n"
    )
    ended = pytest_run(tmp_path, "strategies/turn")
    assert "8 passed" in ended.stdout, ended.stdout


def test_the_page_lists_every_behaviour_and_what_it_expects() -> None:
    chapter = PAGE.partition("## Behaviours")[2]
    listed = re.findall(r"^\| (.+?) \| (.+?) \|$", chapter, re.MULTILINE)
    assert listed[1:] == [(each.says, each.expected) for each in BEHAVIOURS.values()]


def test_the_page_lists_every_kind_of_candles() -> None:
    methods = {name for name in vars(CandleBuilder) if not name.startswith("_")} - {"timeframe"}
    named = set(re.findall(r"`(\w+)\(", PAGE.partition("| `candles.`")[2].partition("\n\n")[0]))
    assert named == methods


@pytest.mark.freqtrade
def test_the_shipped_strategies_pass_their_own_tests_when_pytest_is_called_directly() -> None:
    ended = pytest_run(ROOT, "strategies")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^\d+ passed in", ended.stdout, re.MULTILINE)
