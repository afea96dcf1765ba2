"""A clear rise is bought while it is calm, and sold when it is over or gets loud."""

import pytest

WARM = 1250
"""Rows of ordinary noise: more than the start-up, so that there is a normal to be calmer than."""


@pytest.fixture
def noise(candles):
    """Ordinary days that lead nowhere: one hour up, one hour down."""
    some = candles.join(*[candles.rebound(2, 1)] * 25)
    return candles.join(*[some] * (WARM // 50))


@pytest.fixture
def calm_rise(candles, noise):
    """Ordinary noise, then 15 % in ten quiet days."""
    return candles.join(noise, candles.rising(240, 15))


def test_buys_a_calm_rise(signals, calm_rise):
    heard = signals(calm_rise)
    heard.assert_never_enters(before=WARM)
    heard.assert_enters(after=WARM)
    heard.assert_tag("calm_rise")


def test_never_buys_a_loud_rise(signals, candles, noise):
    loud = [candles.rising(1, 5), candles.falling(1, 4)] * 60
    signals(candles.join(noise, *loud)).assert_never_enters()


def test_never_buys_a_calm_fall(signals, candles, noise):
    signals(candles.join(noise, candles.falling(240, 15))).assert_never_enters()


def test_never_buys_a_weak_rise(signals, candles, noise):
    signals(candles.join(noise, candles.rising(240, 1))).assert_never_enters()


def test_never_buys_below_the_long_trend(signals, candles, noise):
    crash = candles.join(noise, candles.falling(240, 50), candles.rising(240, 20))
    signals(crash).assert_never_enters()


def test_never_buys_what_nobody_trades(signals, calm_rise):
    signals(calm_rise.assign(volume=0.0)).assert_never_enters()


def test_sells_when_the_week_turns_negative(signals, candles, calm_rise):
    over = candles.join(calm_rise, candles.falling(240, 12))
    signals(over).assert_exits(after=len(calm_rise), tag="momentum_gone")


def test_sells_when_it_gets_loud(signals, candles, calm_rise):
    loud = [candles.rising(1, 5), candles.falling(1, 4)] * 30
    heard = signals(candles.join(calm_rise, *loud))
    heard.assert_exits(after=len(calm_rise), tag="too_loud")


def test_its_only_stop_is_a_fixed_one_for_a_crash(strategy):
    assert -0.20 <= strategy.stoploss <= -0.05
    assert not strategy.use_custom_stoploss
    assert not strategy.trailing_stop
