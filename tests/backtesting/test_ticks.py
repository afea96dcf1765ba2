"""Tick sizes and the columns left behind: freqtrade's own, to the last bit and type."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.btanalysis.historic_precision import get_tick_size_over_time
from freqtrade.data.converter import ohlcv_fill_up_missing_data
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.backtesting import ticks

pytestmark = pytest.mark.freqtrade


def frame(prices: list[float], days: float = 1.0, first: str = "2021-01-15") -> pd.DataFrame:
    """Candles whose four prices are each the list, begun at another place."""
    apart = pd.to_timedelta(np.arange(len(prices)) * round(days * 86_400_000), unit="ms")
    dates = (pd.Timestamp(first, tz="UTC") + apart).as_unit("ms")
    columns = {name: np.roll(prices, place) for place, name in enumerate(ticks.PRICES)}
    return pd.DataFrame({"date": dates, **columns, "volume": 1.0})


def assert_same(candles: pd.DataFrame, *known: ticks.Counted) -> None:
    theirs, ours = candles.copy(), candles.copy()
    expected = get_tick_size_over_time(theirs)
    pd.testing.assert_series_equal(
        ticks.tick_sizes(ours, known), expected, check_exact=True, check_freq=True
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param([1.0, 2.0, 3.0], id="whole numbers only"),
        pytest.param([1.5, 2.25, 3.125], id="no whole number"),
        pytest.param([1.0, 2.5, 0.1 + 0.2], id="float noise"),
        pytest.param([1e-8, 2e-8, 1.5e-7], id="written with an exponent"),
        pytest.param([1e9, 123_456_789.123_456_78, 1e22], id="huge"),
        pytest.param([np.nan, 1.5, np.inf], id="not numbers"),
        pytest.param([np.nan] * 3, id="nothing but gaps"),
        pytest.param([1e-20, 5e-324, 1e-19], id="more decimals than a whole number may have"),
        pytest.param([0.0, -1.5, -2.0], id="nought and below"),
    ],
)
@pytest.mark.parametrize("days", [0.01, 20, 31, 70])
def test_hard_prices_in_short_and_long_months(prices: list[float], days: float) -> None:
    assert_same(frame(prices * 3, days))
    assert_same(frame(prices[:1], days))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1e-9, 1e6) | st.floats() | st.integers(0, 10**9), min_size=1, max_size=12),
    st.floats(0.001, 90),
)
def test_any_prices(prices: list[float], days: float) -> None:
    assert_same(frame([float(price) for price in prices], days))


def test_the_turn_of_a_year_and_months_without_candles() -> None:
    candles = frame([1.5, 2.25, 3.0, 4.125, 5.0, 6.5], 17, "2020-12-05")
    assert_same(candles.iloc[[0, 1, 5]].reset_index(drop=True))
    assert_same(candles.iloc[[2, 4]])


@pytest.fixture(scope="module")
def holed() -> pd.DataFrame:
    """Forty days of hours with holes, one of them over the end of a month."""
    random = np.random.default_rng(7)
    candles = frame(np.round(random.uniform(1, 2, 960), 4).tolist(), 1 / 24)
    kept = random.random(960) > 0.1
    kept[380:420] = False
    return candles[kept].reset_index(drop=True)


def test_what_was_counted_before_serves_every_part_filled_up_or_not(holed: pd.DataFrame) -> None:
    known = ticks.counted("A/B", "1h", holed)
    for part in (holed, holed.iloc[100:500].reset_index(drop=True), holed.iloc[-1:]):
        assert_same(part, known)
        assert_same(ohlcv_fill_up_missing_data(part, "1h", "A/B"), known)


def test_prices_that_are_not_those_counted_before_are_counted(holed: pd.DataFrame) -> None:
    known = ticks.counted("A/B", "1h", holed)
    other = holed.assign(close=holed["close"] / 3)
    other.loc[0, "close"] = holed.loc[0, "close"]
    assert_same(other, known)
    shifted = holed.assign(date=holed["date"] + pd.Timedelta(days=400))
    assert_same(shifted, known)


def test_the_right_one_of_several_pairs_is_found(holed: pd.DataFrame) -> None:
    first = ticks.counted("A/B", "1h", holed.assign(close=0.125))
    assert_same(holed, first, ticks.counted("C/D", "1h", holed))


@pytest.mark.needs("candles")
@pytest.mark.parametrize("timeframe", ["1h", "1d"])
def test_recorded_candles(timeframe: str, candles_folder: Path) -> None:
    files = sorted(candles_folder.rglob(f"*_USDT-{timeframe}.feather"))
    assert files
    for file in files:
        candles = pd.read_feather(file)
        assert_same(candles, ticks.counted("A/B", timeframe, candles))
