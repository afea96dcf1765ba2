"""What every strategy must do, whatever it trades: pytest tests that the unit check runs.

`pipelines.freqtrade.unit_messages.BEHAVIOURS` holds what is expected of each, and what helps. Every
message here only says what was seen, and where. All candles are the same in every run.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from pipelines.backtesting import compared
from pipelines.backtesting.built import CandleBuilder
from pipelines.backtesting.fixtures import plugin_of
from pipelines.backtesting.market import Market, built
from pipelines.backtesting.plugin import Plugin
from pipelines.backtesting.recorded import recorded
from pipelines.domain.candles import TIMEFRAMES

JUDGED = 1000
"""Candles after the start-up ones that signals are compared on."""

CUTS = 12
"""In about how many places a market is cut, to see whether what stands before or after changes."""

MAX_SECONDS = 0.010
"""CPU time that one candle may take."""

MAX_HISTORY = 1_000_000
"""Candles of a random walk that only longer timeframes are made of."""

SEED = 20240229


@dataclass(frozen=True)
class Case:
    """One market that behaviours are shown, and how messages name it."""

    name: str
    market: Market


@pytest.fixture(scope="module")
def start_up(plugin: Plugin) -> int:
    """What the strategy declares."""
    return int(plugin.strategy().startup_candle_count)


@pytest.fixture(scope="module")
def plugin(request: pytest.FixtureRequest) -> Plugin:
    """The plugin that the child was asked about."""
    return plugin_of(request)


@pytest.fixture(scope="module")
def cases(plugin: Plugin, start_up: int) -> list[Case]:
    """A random walk, and recorded candles where there are any. Enough for four start-ups."""
    rows = 4 * start_up + JUDGED
    history = min(4 * start_up * _longest(plugin), MAX_HISTORY)
    walk = CandleBuilder(plugin.manifest.timeframe).walk(rows + history, SEED)
    pair = plugin.manifest.pairs[0]
    found = [Case("a random walk", built(plugin.manifest, walk, pair, tail=rows))]
    return found + [
        Case(f"recorded {market.pair}", market)
        for market in recorded(plugin.manifest, rows, 4 * start_up)
    ]


def test_is_fast_enough(
    plugin: Plugin, cases: list[Case], record_property: Callable[[str, object], None]
) -> None:
    market = cases[0].market
    began = time.process_time()
    ask(plugin, market)
    each = (time.process_time() - began) / len(market.candles)
    record_property("seconds", each * 1000)
    if each > MAX_SECONDS:
        _say(f"{each * 1000:.1f} ms a candle over {len(market.candles)} candles")


def test_gives_the_same_signals_twice(plugin: Plugin, cases: list[Case]) -> None:
    strategy = plugin.strategy()
    for case in cases:
        first = plugin.signals(strategy, case.market)
        for other in cases:
            plugin.signals(strategy, other.market.until(len(other.market.candles) // 2))
        for again, how in (
            (plugin.signals(strategy, case.market), "asked again, after other candles"),
            (ask(plugin, case.market), "asked of a fresh strategy"),
        ):
            found = compared.columns_differ(first, again)
            if found:
                _say(f"{case.name}, {how}: {found}")


def test_leaves_the_candles_unchanged(plugin: Plugin, cases: list[Case]) -> None:
    for case in cases:
        market = case.market
        before = {key: frame.copy(deep=True) for key, frame in market.frames.items()}
        answer = ask(plugin, market)
        if len(answer) != len(market.candles):
            _say(f"{case.name}: {len(market.candles)} candles became {len(answer)}")
        found = compared.candles_differ(before[market.pair, market.timeframe], answer)
        if found:
            _say(f"{case.name}: {found}: before and after")
        for (pair, timeframe), frame in market.frames.items():
            if not frame.equals(before[pair, timeframe]):
                _say(f"{case.name}: the {timeframe} candles of {pair} that it was lent changed")


def test_does_not_look_ahead(plugin: Plugin, cases: list[Case], start_up: int) -> None:
    for case in cases:
        rows = start_up + JUDGED
        market = case.market.since(len(case.market.candles) - JUDGED, start_up)
        whole = ask(plugin, market)
        for cut in _telling_rows(whole, start_up, rows - 1):
            part = ask(plugin, market.until(cut + 1))
            known = whole.iloc[start_up : cut + 1].reset_index(drop=True)
            found = compared.columns_differ(part.iloc[start_up:].reset_index(drop=True), known)
            if found:
                _say(
                    f"{case.name}: {found}: with candles up to {_date(whole, cut)} only, "
                    f"and with {rows - cut - 1} later ones"
                )


def test_declares_enough_start_up_candles(plugin: Plugin, cases: list[Case], start_up: int) -> None:
    for case in cases:
        market = case.market
        rows = len(market.candles)
        long = ask(plugin, market)
        for row in _telling_rows(long, rows - JUDGED, rows - 1):
            short = ask(plugin, market.since(row, start_up).until(start_up + min(100, rows - row)))
            short = short.iloc[start_up:].reset_index(drop=True)
            known = long.iloc[row : row + len(short)].reset_index(drop=True)
            found = compared.signals_differ(short, known)
            if found:
                name, apart = compared.farthest_column(known.iloc[0], short.iloc[0])
                _say(
                    f"{case.name}: {found}: after {start_up} candles, and after {row}"
                    + (f"; {name} is {_percent(apart)} off" if name else "")
                )


def test_marks_signals_with_0_or_1(plugin: Plugin, cases: list[Case]) -> None:
    for case in cases:
        answer = ask(plugin, case.market)
        for name in (name for name in compared.SIGNALS if name in answer.columns):
            column = answer[name]
            wrong = np.flatnonzero(~(column.isna() | column.isin([0, 1])).to_numpy())
            if len(wrong):
                row = int(wrong[0])
                value = column.iloc[row]
                _say(f"{case.name}: {name} is {value!r} at the candle of {_date(answer, row)}")


def test_survives_missing_candles(plugin: Plugin, start_up: int) -> None:
    builder = CandleBuilder(plugin.manifest.timeframe)
    parts = [builder.walk(_enough(plugin, start_up) // 2, seed) for seed in (1, 2)]
    _survives(plugin, builder.join(parts[0], builder.gap(5), parts[1], builder.gap(50)))


def test_survives_a_single_candle(plugin: Plugin, start_up: int) -> None:
    walk = CandleBuilder(plugin.manifest.timeframe).walk(_enough(plugin, start_up), SEED)
    _survives(plugin, walk, tail=1)


def test_survives_zero_volume(plugin: Plugin, start_up: int) -> None:
    walk = CandleBuilder(plugin.manifest.timeframe).walk(_enough(plugin, start_up), SEED)
    _survives(plugin, walk.assign(volume=0.0))


def test_survives_flat_prices(plugin: Plugin, start_up: int) -> None:
    _survives(plugin, CandleBuilder(plugin.manifest.timeframe).flat(_enough(plugin, start_up)))


def ask(plugin: Plugin, market: Market) -> pd.DataFrame:
    """What a fresh strategy says about a market."""
    return plugin.signals(plugin.strategy(), market).reset_index(drop=True)


def _survives(plugin: Plugin, candles: pd.DataFrame, tail: int = 0) -> None:
    """What the strategy raises is the message; of its answer only the length is looked at."""
    market = built(plugin.manifest, candles, plugin.manifest.pairs[0], tail=tail)
    answer = ask(plugin, market)
    if len(answer) != len(market.candles):
        _say(f"{len(market.candles)} candles became {len(answer)}")


def _telling_rows(answer: pd.DataFrame, first: int, last: int) -> list[int]:
    """Rows where a fault would show: where a signal begins, and some evenly spread."""
    rows = set(np.linspace(first, last, CUTS // 2, dtype=int).tolist())
    for names in (("enter_long", "enter_short"), ("exit_long", "exit_short")):
        found = [row for name in names for row in _beginnings(answer, name) if first <= row <= last]
        spread = np.linspace(0, len(found) - 1, min(len(found), CUTS // 2), dtype=int)
        rows.update(found[place] for place in spread)
    return sorted(rows)


def _beginnings(answer: pd.DataFrame, name: str) -> Iterator[int]:
    if name not in answer.columns:
        return
    said = (answer[name] == 1).to_numpy()
    for row, (before, now) in enumerate(pairwise(said), start=1):
        if now and not before:
            yield row


def _enough(plugin: Plugin, start_up: int) -> int:
    """Candles for the start-up, and for a few of the longest timeframe to have closed."""
    return max(start_up, 3 * _longest(plugin)) + 200


def _longest(plugin: Plugin) -> int:
    """How many candles make one of the longest timeframe."""
    own = TIMEFRAMES[plugin.manifest.timeframe]
    return max(TIMEFRAMES[timeframe] for timeframe in plugin.manifest.timeframes) // own


def _date(frame: pd.DataFrame, row: int) -> str:
    return f"{frame['date'].iloc[row]:%Y-%m-%d %H:%M}"


def _percent(share: float) -> str:
    return "still empty, which is 100 %" if np.isinf(share) else f"{share:.2%}"


def _say(seen: str) -> NoReturn:
    pytest.fail(seen, pytrace=False)
