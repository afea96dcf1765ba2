"""Weak hours of strong coins are bought, while bitcoin is strong; stretched prices are sold."""

from datetime import UTC, datetime

import pytest

WARM = 700
"""Rows of noise without a direction: more than the start-up, so that every band is there."""

PAIR = "ETH/USDT"


@pytest.fixture
def noise(candles):
    """Two hours up and two hours down, by half a percent each."""
    swing = [candles.rising(2, 1), candles.falling(2, 0.99)]
    return candles.join(*swing * (WARM // 4))


@pytest.fixture
def strong(candles, noise):
    """The noise, then ten days that rise by 30 %."""
    return candles.join(noise, candles.rising(240, 30))


@pytest.fixture
def pullback(candles, strong):
    """The rise, then a dozen hours that give a little of it back."""
    return candles.join(strong, candles.falling(12, 4))


def entries(strategy, frame, market):
    """How often it enters when bitcoin stands at `market` in its bands all the time."""
    told = strategy.populate_indicators(frame.assign(market_place=market), {"pair": PAIR})
    return int(strategy.populate_entry_trend(told, {"pair": PAIR})["enter_long"].sum())


def staked(strategy):
    """What it stakes now on `PAIR` when freqtrade proposes 1000."""
    return strategy.custom_stake_amount(
        PAIR, datetime(2021, 3, 1, tzinfo=UTC), 100.0, 1000.0, 10.0, 5000.0, 1.0, None, "long"
    )


def test_buys_weak_hours_after_strong_days(signals, strong, pullback):
    heard = signals(pullback)
    heard.assert_never_enters(after=WARM, before=len(strong))
    heard.assert_enters(after=len(strong), tag="pullback")


def test_never_buys_in_a_fall(signals, candles, noise):
    fall = candles.join(noise, candles.falling(240, 30))
    signals(fall).assert_never_enters(after=WARM)


def test_never_buys_before_the_longest_band_is_known(signals, candles):
    early = candles.join(candles.rising(500, 30), candles.falling(12, 4))
    signals(early).assert_never_enters()


def test_never_buys_what_nobody_trades(signals, pullback):
    signals(pullback.assign(volume=0.0)).assert_never_enters()


def test_never_buys_while_bitcoin_is_weak(strategy, pullback):
    assert entries(strategy, pullback, 1.0) > 0
    assert entries(strategy, pullback, -0.2) == 0


def test_sells_when_the_strength_is_gone(signals, candles, pullback):
    heard = signals(candles.join(pullback, candles.falling(96, 20)))
    heard.assert_exits(after=len(pullback), tag="strength_gone")


def test_sells_what_is_stretched(signals, candles, pullback):
    heard = signals(candles.join(pullback, candles.rising(24, 25)))
    heard.assert_exits(after=len(pullback), tag="stretched")


def test_a_quiet_coin_gets_the_whole_slot_and_a_wild_one_less(strategy, signals, candles, pullback):
    signals(pullback, PAIR)
    assert staked(strategy) == 1000.0
    wild = [candles.rising(1, 2), candles.falling(1, 2)] * 250
    signals(candles.join(pullback, *wild), PAIR)
    assert 100.0 < staked(strategy) < 500.0


def test_its_only_stop_is_a_fixed_one_for_a_crash(strategy):
    assert -0.25 <= strategy.stoploss <= -0.05
    assert not strategy.use_custom_stoploss
    assert not strategy.trailing_stop
