"""A push out of the band is bought in an uptrend only, and sold at the middle of the band."""

import pytest

WARM = 1400
"""Rows of slow rise: more than the start-up, so that every average is there."""


@pytest.fixture
def push(candles):
    """A slow uptrend of 20 %, then 8 % within ten hours."""
    return candles.join(candles.rising(WARM, 20), candles.rising(10, 8))


def test_buys_a_push_above_the_band(signals, push):
    heard = signals(push)
    heard.assert_never_enters(before=WARM)
    heard.assert_enters(after=WARM)
    heard.assert_tag("upper_band")


def test_never_buys_in_a_fall(signals, candles):
    signals(candles.falling(WARM + 200, 40)).assert_never_enters()


def test_never_buys_a_rally_inside_a_bear_market(signals, candles):
    rally = candles.join(candles.falling(WARM, 50), candles.rising(10, 8))
    signals(rally).assert_never_enters()


def test_never_buys_before_the_long_trend_is_known(signals, candles):
    early = candles.join(candles.rising(600, 10), candles.rising(10, 8))
    signals(early).assert_never_enters()


def test_never_buys_what_nobody_trades(signals, push):
    signals(push.assign(volume=0.0)).assert_never_enters()


def test_sells_at_the_middle_of_the_band(signals, candles, push):
    heard = signals(candles.join(push, candles.falling(40, 8)))
    entered = heard.assert_enters(after=WARM)
    heard.assert_never_exits(after=entered, before=len(push))
    heard.assert_exits(after=len(push), tag="middle_band")


def test_a_wider_band_asks_for_a_stronger_push(strategy, signals, push):
    strategy.entry_width.value = 20.0
    signals(push).assert_never_enters()


def test_its_only_stop_is_a_fixed_one_for_a_crash(strategy):
    assert -0.20 <= strategy.stoploss <= -0.05
    assert not strategy.use_custom_stoploss
    assert not strategy.trailing_stop
