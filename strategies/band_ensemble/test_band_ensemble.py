"""A push to the upper bands is bought, and sold at their middle; wilder coins get less."""

from datetime import UTC, datetime

import pytest

WARM = 1000
"""Rows of slow fall: more than the start-up, so that every band is there."""

PAIR = "ETH/USDT"


@pytest.fixture
def turn(candles):
    """A slow fall of 10 %, then 15 % up within six days."""
    return candles.join(candles.falling(WARM, 10), candles.rising(144, 15))


def staked(strategy, proposed=1000.0, least=10.0):
    """What it stakes now on `PAIR` when freqtrade proposes `proposed`."""
    return strategy.custom_stake_amount(
        PAIR, datetime(2021, 3, 1, tzinfo=UTC), 100.0, proposed, least, 5000.0, 1.0, None, "long"
    )


def test_buys_a_push_to_the_upper_bands(signals, turn):
    heard = signals(turn)
    heard.assert_never_enters(before=WARM)
    heard.assert_enters(after=WARM)
    heard.assert_tag("upper_bands")


def test_never_buys_in_a_fall(signals, candles):
    signals(candles.falling(WARM + 200, 40)).assert_never_enters()


def test_never_buys_before_the_longest_band_is_known(signals, candles):
    signals(candles.rising(24 * 24 - 1, 20)).assert_never_enters()


def test_never_buys_what_nobody_trades(signals, turn):
    signals(turn.assign(volume=0.0)).assert_never_enters()


def test_never_buys_without_force(strategy, signals, turn):
    strategy.entry_rsi.value = 101
    signals(turn).assert_never_enters()


def test_sells_near_the_middle_of_the_bands(signals, candles, turn):
    heard = signals(candles.join(turn, candles.falling(96, 10)))
    entered = heard.assert_enters(after=WARM)
    heard.assert_never_exits(after=entered, before=len(turn))
    heard.assert_exits(after=len(turn), tag="middle_bands")


def test_a_quiet_coin_gets_the_whole_slot(strategy, signals, turn):
    signals(turn, PAIR)
    assert staked(strategy) == 1000.0


def test_a_wild_coin_gets_less_and_a_wilder_one_less_still(strategy, signals, candles, turn):
    stakes = []
    for swing in (2, 4):
        wild = [candles.rising(1, swing), candles.falling(1, swing)] * 250
        signals(candles.join(turn, *wild), PAIR)
        stakes.append(staked(strategy))
    assert 0 < stakes[1] < stakes[0] < 1000.0
    assert stakes[1] == pytest.approx(stakes[0] / 2, rel=0.1)


def test_never_stakes_less_than_may_be_traded(strategy, signals, candles, turn):
    wild = [candles.rising(1, 20), candles.falling(1, 16)] * 250
    signals(candles.join(turn, *wild), PAIR)
    assert staked(strategy, proposed=11.0) == 10.0


def test_stakes_nothing_while_volatility_is_unknown(strategy, signals, candles):
    signals(candles.rising(100, 5), PAIR)
    assert staked(strategy) == 0.0


def test_its_only_stop_is_a_fixed_one_for_a_crash(strategy):
    assert -0.20 <= strategy.stoploss <= -0.05
    assert not strategy.use_custom_stoploss
    assert not strategy.trailing_stop
