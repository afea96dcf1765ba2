"""Decimals counted on arrays are those that freqtrade finds by writing every price out."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.candles import Candles
from pipelines.domain.ticks import decimals, packed


def written(price: float) -> int:
    """freqtrade's own way, in its own words: format, then what the pattern finds."""
    text = np.format_float_positional(price, precision=14, unique=False, fractional=False, trim="-")
    found = re.search(r"\.(\d*[1-9])", text)
    return len(found[1]) if found else -1


def agrees(*prices: float) -> None:
    assert decimals(np.array(prices)).tolist() == [written(price) for price in prices]


@pytest.mark.parametrize(
    ("price", "places"),
    [
        (0.1 + 0.2, 1),
        (1e-8, 8),
        (1.5e-7, 8),
        (60_000.01, 2),
        (60_000.0, -1),
        (0.30000000000004, 14),
        (123_456_789.123456, 5),
        (0.0, -1),
        (-0.25, 2),
        (np.nan, -1),
        (np.inf, -1),
        (1e22, -1),
        (1e14 + 0.5, -1),
        (5e-324, 337),
    ],
)
def test_decimals_that_can_be_told_by_eye(price: float, places: int) -> None:
    assert decimals(np.array([price])).tolist() == [places]
    agrees(price)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.floats(), max_size=20))
def test_any_double_at_all(prices: list[float]) -> None:
    agrees(*prices)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 10**15), st.integers(0, 12), st.integers(-3, 3))
def test_prices_on_a_grid_and_their_neighbours(count: int, digits: int, steps: int) -> None:
    price = count / 10**digits
    for _ in range(abs(steps)):
        price = float(np.nextafter(price, np.inf if steps > 0 else 0.0))
    agrees(price, price * 3, price / 3, price + 0.1)


@settings(max_examples=400, deadline=None)
@given(st.integers(10**13, 10**14 - 1), st.integers(-12, 22))
def test_prices_whose_fifteenth_digit_is_a_five(count: int, power: int) -> None:
    agrees(float(f"{count}5e{-power - 1}"), float(f"{count}49999e{-power - 5}"))


@settings(max_examples=200, deadline=None)
@given(st.integers(-330, 308))
def test_powers_of_ten_and_their_neighbours(power: int) -> None:
    price = float(f"1e{power}")
    agrees(price, float(np.nextafter(price, 0)), float(np.nextafter(price, np.inf)))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2**53), st.integers(1, 60))
def test_halves_of_halves_where_ties_are_exact(count: int, halvings: int) -> None:
    agrees(count / 2**halvings)


def test_every_price_of_a_hundred_thousand_random_ones() -> None:
    random = np.random.default_rng(20240229)
    prices = np.concatenate(
        [
            random.uniform(0, 1, 50_000) * 10.0 ** random.integers(-30, 20, 50_000),
            np.round(random.uniform(0, 70_000, 50_000), 2),
            np.round(random.uniform(0, 1e-3, 20_000), 8),
        ]
    )
    agrees(*prices.tolist())


def test_the_shape_is_kept_and_nothing_is_nothing() -> None:
    assert decimals(np.array([[0.5, 1.0], [0.25, 2.5]])).tolist() == [[1, -1], [2, 1]]
    assert decimals(np.empty((0, 4))).shape == (0, 4)


def test_candles_are_packed_row_by_row() -> None:
    column = np.array([1.5, 2.0])
    time = np.array([0, 60_000], dtype=np.int64)
    candles = Candles("A/B", "1m", time, column, column / 2, column / 4, column * 2, column)
    expected = np.array([[1, 2, 3, -1], [-1, -1, 1, -1]], dtype="<i2")
    assert packed(candles) == expected.tobytes()
