"""Every behaviour against a strategy that lacks it, and a twin that differs in nothing else.

All of them run in one child, each in a fork of its own, since importing freqtrade takes longest.
"""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.freqtrade.unit_messages import BEHAVIOURS, SessionReply

ROOT = Path(__file__).resolve().parents[2]

SOURCE = """
import numpy as np
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative, merge_informative_pair

calls = []

class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.1
    minimal_roi = {"0": 1}
    startup_candle_count = START_UP

    def populate_indicators(self, dataframe, metadata):
        close, volume, date = dataframe["close"], dataframe["volume"], dataframe["date"]
        dataframe["mean"] = close.rolling(20).mean()
        dataframe["level"] = LEVEL
        INDICATORS
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        above = dataframe["close"] > dataframe["level"]
        dataframe.loc[above, ["enter_long", "enter_tag"]] = (1, "up")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = EXIT
        return dataframe
"""

MANIFEST = """
class: Plugin
version: 1.0.0
owner: us
summary: a twin
pairs: [BTC/USDT, ETH/USDT]
timeframe: 1h
informative: [1d]
handover: drain
"""

DRIVER = """
from functools import partial
from pathlib import Path
from pipelines.backtesting import behaviours, forks, unit
from pipelines.backtesting.plugin import Plugin
from pipelines.freqtrade.unit_messages import SessionReply

unit.settle()
# A strategy that takes 10 ms a candle would take minutes here: ask for less, and be slower.
behaviours.MAX_SECONDS = 0.0005
folders = sorted(Path("strategies").resolve().iterdir())
work = {
    folder.name: partial(unit.judge_behaviours, Plugin.found_in(folder)) for folder in folders
}
for name, told in forks.answers(work, SessionReply, jobs=2).items():
    Path(f"session-{name}.json").write_bytes(told.answer.canonical())
"""

DAILY = 'daily = self.dp.get_pair_dataframe(metadata["pair"], "1d"); '


@dataclass(frozen=True)
class Code:
    """What is put into the places of the source."""

    indicators: str = "pass"
    level: str = "dataframe['mean']"
    leave: str = "(dataframe['close'] < dataframe['mean']).astype(int)"
    start_up: int = 30

    def text(self) -> str:
        places = {
            "START_UP": str(self.start_up),
            "LEVEL": self.level,
            "INDICATORS": self.indicators,
            "EXIT": self.leave,
        }
        text = SOURCE
        for place, code in places.items():
            text = text.replace(place, code)
        return text


@dataclass(frozen=True)
class Twins:
    """A fault, the behaviour that must find it, and words of its message."""

    behaviour: str
    bad: Code
    good: Code
    says: str


TWINS = {
    "random_numbers": Twins(
        "test_gives_the_same_signals_twice",
        Code("dataframe['noise'] = np.random.default_rng().random(len(dataframe))"),
        Code("dataframe['noise'] = close * 1000 % 1"),
        "noise",
    ),
    "memory_of_calls": Twins(
        "test_gives_the_same_signals_twice",
        Code("calls.append(1); dataframe['calls'] = len(calls)"),
        Code("calls.append(1); dataframe['calls'] = 1"),
        "asked again, after other candles: calls",
    ),
    "changed_candles": Twins(
        "test_leaves_the_candles_unchanged",
        Code("dataframe['open'] = (dataframe['open'] + close) / 2"),
        Code("dataframe['middle'] = (dataframe['open'] + close) / 2"),
        "open at the candle of",
    ),
    "next_candle": Twins(
        "test_does_not_look_ahead",
        Code(level="close.shift(-1)"),
        Code(level="close.shift(1)"),
        "with candles up to",
    ),
    "mean_of_everything": Twins(
        "test_does_not_look_ahead",
        Code(level="close.mean()"),
        Code(level="close.rolling(25).mean()"),
        "level",
    ),
    "centred_window": Twins(
        "test_does_not_look_ahead",
        Code("dataframe['smooth'] = close.rolling(5, center=True).mean()"),
        Code("dataframe['smooth'] = close.rolling(5).mean()"),
        "smooth",
    ),
    "high_of_the_day": Twins(
        "test_does_not_look_ahead",
        Code("dataframe['top'] = close.groupby(date.dt.floor('1D')).transform('max')"),
        Code("dataframe['top'] = close.groupby(date.dt.floor('1D')).cummax()"),
        "top",
    ),
    "day_before_its_end": Twins(
        "test_does_not_look_ahead",
        Code(
            DAILY + "dataframe = dataframe.merge(daily[['date', 'high']].rename("
            "columns={'high': 'day'}), on='date', how='left')"
        ),
        Code(DAILY + "dataframe = merge_informative_pair(dataframe, daily, '1h', '1d')"),
        "day",
    ),
    "no_start_up": Twins(
        "test_declares_enough_start_up_candles",
        Code(start_up=0),
        Code(start_up=20),
        "after 0 candles",
    ),
    "ema_not_settled": Twins(
        "test_declares_enough_start_up_candles",
        Code(level="ta.EMA(close, timeperiod=20)", start_up=20),
        Code(level="ta.EMA(close, timeperiod=20)", start_up=300),
        "level is",
    ),
    "signal_of_two": Twins(
        "test_marks_signals_with_0_or_1",
        Code(leave="(dataframe['close'] < dataframe['mean']).astype(int) * 2"),
        Code(leave="dataframe['close'] < dataframe['mean']"),
        "exit_long is",
    ),
    "even_spacing": Twins(
        "test_survives_missing_candles",
        Code("assert (date.diff().dropna() == pd.Timedelta('1h')).all(), 'a hole'"),
        Code("assert (date.diff().dropna() >= pd.Timedelta('1h')).all(), 'a hole'"),
        "a hole",
    ),
    "row_before_last": Twins(
        "test_survives_a_single_candle",
        Code("dataframe['up'] = close.iloc[-2] * 0"),
        Code("dataframe['up'] = close.shift(1) * 0"),
        "IndexError",
    ),
    "divided_by_volume": Twins(
        "test_survives_zero_volume",
        Code("dataframe['share'] = 0 * int(1e9 / float(volume.max()))"),
        Code("dataframe['share'] = 0 * int(1e9 / max(float(volume.max()), 1.0))"),
        "ZeroDivisionError",
    ),
    "divided_by_range": Twins(
        "test_survives_flat_prices",
        Code("dataframe['unit'] = 0 / float(close.max() - close.min() + (len(close) == 1))"),
        Code("dataframe['unit'] = 0 / max(float(close.max() - close.min()), 1.0)"),
        "ZeroDivisionError",
    ),
    "loop_over_rows": Twins(
        "test_is_fast_enough",
        Code(
            "calls.append(1) if hasattr(np, 'asked') else setattr(np, 'asked', "
            "sum(n * n for n in range(len(close) * 20_000)))"
        ),
        Code(
            "calls.append(1) if hasattr(np, 'asked') else setattr(np, 'asked', "
            "sum(n * n for n in range(len(close) * 2)))"
        ),
        "ms a candle",
    ),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SessionReply]:
    """What our child says about every strategy, by its name."""
    place = tmp_path_factory.mktemp("twins")
    for name, twins in TWINS.items():
        for kind, code in (("bad", twins.bad), ("good", twins.good)):
            folder = place / "strategies" / f"{name}_{kind}"
            folder.mkdir(parents=True)
            (folder / "strategy.py").write_text(code.text())
            (folder / "strategy.yaml").write_text(MANIFEST)
    ended = subprocess.run(
        [sys.executable, "-P", "-c", DRIVER],
        cwd=place,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return {
        file.stem.removeprefix("session-"): SessionReply.model_validate_json(file.read_bytes())
        for file in place.glob("session-*.json")
    }


def endings(reply: SessionReply) -> dict[str, str]:
    return {t.name.rpartition("::")[2]: f"{t.ending}: {t.reason}" for t in reply.tests}


@pytest.mark.freqtrade
@pytest.mark.parametrize("name", TWINS)
def test_a_strategy_with_the_fault_is_found_out(name: str, judged: dict[str, SessionReply]) -> None:
    said = endings(judged[f"{name}_bad"])[TWINS[name].behaviour]
    assert said.startswith("failed: "), said
    assert TWINS[name].says in said


@pytest.mark.freqtrade
@pytest.mark.parametrize("name", TWINS)
def test_its_innocent_twin_shows_every_behaviour(
    name: str, judged: dict[str, SessionReply]
) -> None:
    reply = judged[f"{name}_good"]
    assert reply.error == ""
    assert endings(reply) == dict.fromkeys(BEHAVIOURS, "passed: ")


@pytest.mark.freqtrade
def test_the_declared_start_up_and_the_speed_are_told(judged: dict[str, SessionReply]) -> None:
    reply = judged["next_candle_good"]
    assert reply.start_up == 30
    assert reply.seconds is not None
    assert 0 < reply.seconds < 0.5


def test_every_behaviour_that_is_asked_for_exists() -> None:
    source = (ROOT / "pipelines/backtesting/behaviours.py").read_text()
    tests = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert sorted(tests) == sorted(BEHAVIOURS)


def test_every_behaviour_has_a_twin() -> None:
    assert {twins.behaviour for twins in TWINS.values()} == set(BEHAVIOURS)
