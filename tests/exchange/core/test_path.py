"""The way of a price inside a candle."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runner.exchange.core.path import Candle, legs, mean_price, price_at, so_far

HOUR = 3_600_000
prices = st.integers(100, 200).map(Decimal)


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    ends = draw(prices), draw(prices)
    extremes = draw(prices), draw(prices)
    high, low = max(*ends, *extremes), min(*ends, *extremes)
    return Candle(0, HOUR, ends[0], high, low, ends[1], Decimal(draw(st.integers(0, 50))))


def test_the_nearer_extreme_comes_first(candle: Callable[..., Candle]) -> None:
    assert candle(100, 101, 90, 95, 1).corners == (100, 101, 90, 95)
    assert candle(100, 120, 99, 95, 1).corners == (100, 99, 120, 95)


def test_both_extremes_and_the_close_are_reached(candle: Callable[..., Candle]) -> None:
    path = candle(100, 101, 90, 95, 1)
    moments = (0, HOUR // 3, HOUR * 2 // 3, HOUR, HOUR // 6)
    assert [price_at(path, at) for at in moments] == [100, 101, 90, 95, Decimal("100.5")]


@given(candles(), st.lists(st.integers(0, HOUR), min_size=1, max_size=5))
def test_a_path_cut_anywhere_has_the_same_volume_and_prices(whole: Candle, cuts: list[int]) -> None:
    moments = sorted({0, *cuts, HOUR})
    parts = [leg for begins, ends in pairwise(moments) for leg in legs(whole, begins, ends)]
    assert abs(sum((leg.volume for leg in parts), Decimal(0)) - whole.volume) < Decimal("1e-20")
    assert all(a.ends == b.begins for a, b in pairwise(parts))
    assert all(abs(a.end - b.start) < Decimal("1e-20") for a, b in pairwise(parts))
    assert all(whole.low <= leg.start <= whole.high for leg in parts)


@given(candles(), st.integers(0, HOUR))
def test_what_was_seen_of_a_candle_lies_inside_it(whole: Candle, at: int) -> None:
    seen = so_far(whole, at)
    assert whole.low <= seen.low <= min(seen.open, seen.close)
    assert max(seen.open, seen.close) <= seen.high <= whole.high
    assert seen.close == price_at(whole, at)
    assert so_far(whole, HOUR) == whole


@given(candles(), prices)
def test_shares_of_a_leg_above_and_below_a_price_make_up_the_leg(
    whole: Candle, price: Decimal
) -> None:
    for leg in legs(whole, 0, HOUR):
        if leg.start != leg.end:
            assert abs(leg.share_below(price) + leg.share_above(price) - 1) < Decimal("1e-20")


def test_the_mean_price_is_weighed_by_volume(candle: Callable[..., Candle]) -> None:
    first = candle(100, 100, 100, 100, 10)
    second = candle(110, 110, 110, 110, 30, opens=HOUR)
    assert mean_price([first, second], 0, 2 * HOUR) == Decimal("107.5")
    assert mean_price([first, second], HOUR, 2 * HOUR) == 110
    assert mean_price([candle(100, 100, 90, 90, 30)], HOUR // 3, HOUR * 2 // 3) == 95
    assert mean_price([first], HOUR, HOUR) is None
    assert mean_price([candle(100, 110, 90, 95, 0)], 0, HOUR) is None
