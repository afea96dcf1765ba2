"""The embedded market: the same on every machine, and a market that deserves the name."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.adapters import fixedpoint, lockfile, market
from pipelines.adapters.market import Ticks, aggregate
from pipelines.domain.candles import TIMEFRAMES, Candles, DataSet
from pipelines.domain.soundness import pinned

PAIRS = tuple(listing.pair for listing in market.LISTINGS)
Market = dict[tuple[str, str], Candles]


@pytest.fixture(scope="module")
def made() -> Market:
    return market.generate()


@pytest.fixture(scope="module")
def data(root: Path) -> DataSet:
    return lockfile.load(root).sets["embedded"]


def returns(candles: Candles) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.diff(np.log(candles.close))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("timeframe", market.PUBLISHED)
def test_is_what_the_lock_pins(made: Market, data: DataSet, pair: str, timeframe: str) -> None:
    assert pinned(made[pair, timeframe]) == data.series[pair][timeframe]


def test_the_lock_pins_nothing_else_and_says_that_it_is_synthetic(
    made: Market, data: DataSet
) -> None:
    assert {(pair, timeframe) for pair, timeframe, _ in data.every()} == set(made)
    assert data.synthetic
    assert "no real prices" in data.source


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    ("short", "long"), [("5m", "1h"), ("1h", "4h"), ("1h", "1d"), ("4h", "1d")]
)
def test_long_candles_are_made_of_the_short_ones_that_are_there(
    made: Market, pair: str, short: str, long: str
) -> None:
    inner, outer = made[pair, short], made[pair, long]
    step = TIMEFRAMES[long]
    first = np.searchsorted(outer.time, inner.time[0])
    opens = outer.time[first:]
    edges = np.searchsorted(inner.time, opens)
    assert np.array_equal(np.unique(inner.time // step * step), opens)
    assert np.array_equal(inner.open[edges], outer.open[first:])
    assert np.array_equal(np.maximum.reduceat(inner.high, edges), outer.high[first:])
    assert np.array_equal(np.minimum.reduceat(inner.low, edges), outer.low[first:])
    assert np.array_equal(inner.close[np.append(edges[1:], len(inner)) - 1], outer.close[first:])
    assert np.allclose(np.add.reduceat(inner.volume, edges), outer.volume[first:], rtol=1e-12)


def test_the_exchange_was_down_for_all_pairs_at_once(data: DataSet) -> None:
    gaps = {data.series[pair]["1h"].gaps for pair in PAIRS}
    assert len(gaps) == 1
    assert len(next(iter(gaps))) == 7
    assert all(not data.series[pair]["1d"].gaps for pair in PAIRS)


@pytest.mark.parametrize("listing", market.LISTINGS, ids=lambda listing: listing.pair)
def test_prices_are_whole_ticks_and_volumes_whole_lots(
    made: Market, listing: market.Listing
) -> None:
    candles = made[listing.pair, "1h"]
    for column, digits in ((candles.low, listing.digits), (candles.volume, listing.lot_digits)):
        whole = np.rint(column * 10**digits)
        assert np.array_equal(whole / 10**digits, column)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_regimes_are_what_the_windows_say(made: Market, data: DataSet, pair: str) -> None:
    grown = {}
    for name, window in data.windows.items():
        close = made[pair, "1d"].between(window.opens, window.closes).close
        grown[name] = close[-1] / close[0]
    assert grown["bull"] > 2.5
    assert grown["bear"] < 0.6
    assert 0.6 < grown["sideways"] < 1.4


@pytest.mark.parametrize("pair", PAIRS)
def test_moves_are_as_wild_as_those_of_real_coins(made: Market, pair: str) -> None:
    candles = made[pair, "1h"]
    moves = returns(candles)
    assert 0.55 < moves.std() * np.sqrt(365 * 24) < 1.15  # a year's volatility
    assert np.mean(moves**4) / np.mean(moves**2) ** 2 > 5  # tails: 3 would be normal
    size = np.abs(moves)
    assert np.corrcoef(size[24:], size[:-24])[0, 1] > 0.08  # wild hours follow wild days
    assert np.corrcoef(size, candles.volume[1:])[0, 1] > 0.3  # and they are busy


def test_pairs_move_together_but_not_as_one(made: Market) -> None:
    moves = np.array([returns(made[pair, "1h"]) for pair in PAIRS])
    together = np.corrcoef(moves)[np.triu_indices(len(PAIRS), 1)]
    assert together.min() > 0.4
    assert together.max() < 0.95


ROW = st.tuples(st.integers(1, 9), *[st.integers(1, 10**9)] * 5)


@given(st.lists(ROW, min_size=1, max_size=60), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_aggregation_loses_and_invents_nothing(rows: list[tuple[int, ...]], step: int) -> None:
    table = np.array(rows, dtype=np.int64)
    ticks = Ticks(np.cumsum(table[:, 0]), *(table[:, i] for i in range(1, 6)))
    long = aggregate(ticks, step)
    assert long.volume.sum() == ticks.volume.sum()
    assert all(before < after for before, after in pairwise(long.time))
    for row, start in enumerate(long.time):
        inside = (ticks.time >= start) & (ticks.time < start + step)
        assert long.open[row] == ticks.open[inside][0]
        assert long.close[row] == ticks.close[inside][-1]
        assert long.high[row] == ticks.high[inside].max()
        assert long.low[row] == ticks.low[inside].min()


@given(st.integers(-20 * fixedpoint.ONE, 20 * fixedpoint.ONE))
@settings(max_examples=200, deadline=None)
def test_powers_of_two_are_right_to_eight_digits(logarithm: int) -> None:
    found = fixedpoint.power_of_two(np.array([logarithm]), 1 << 30)[0]
    expected = 2.0 ** (logarithm / fixedpoint.ONE) * (1 << 30)
    assert abs(found - expected) <= 1 + expected * 1e-8


def test_chance_is_splitmix64() -> None:
    def splitmix(state: int) -> int:
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        return state ^ state >> 31

    words = fixedpoint.draws("a stream", 100).tolist()
    first = fixedpoint.sha256(b"a stream").digest()[:8]
    seed = int.from_bytes(first, "big")
    expected = [splitmix((seed + n * 0x9E3779B97F4A7C15) % 2**64) for n in range(1, 101)]
    assert words == expected
