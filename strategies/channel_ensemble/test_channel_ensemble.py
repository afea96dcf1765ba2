"""Coins near the tops of their channels are bought while bitcoin is near its own."""

from datetime import UTC, datetime

import pytest

WARM = 700
"""Rows of slow fall: more than the start-up, so that every channel is there."""

PAIR = "ETH/USDT"


@pytest.fixture
def turn(candles):
    """A slow fall of 10 %, then 15 % up within six days, of the coin and of bitcoin."""
    return candles.join(candles.falling(WARM, 10), candles.rising(144, 15))


def entries(strategy, frame, market):
    """How often it enters when bitcoin stands at `market` in its channels all the time."""
    told = strategy.populate_indicators(frame.assign(market_place=market), {"pair": PAIR})
    return int(strategy.populate_entry_trend(told, {"pair": PAIR})["enter_long"].sum())


def staked(strategy):
    """What it stakes now on `PAIR` when freqtrade proposes 1000."""
    return strategy.custom_stake_amount(
        PAIR, datetime(2021, 3, 1, tzinfo=UTC), 100.0, 1000.0, 10.0, 5000.0, 1.0, None, "long"
    )


def test_buys_near_the_tops(signals, turn):
    heard = signals(turn)
    heard.assert_never_enters(before=WARM)
    heard.assert_enters(after=WARM)
    heard.assert_tag("near_the_tops")


def test_never_buys_in_a_fall(signals, candles):
    signals(candles.falling(WARM + 200, 40)).assert_never_enters()


def test_never_buys_before_the_longest_channel_is_known(signals, candles):
    signals(candles.rising(24 * 24 - 1, 20)).assert_never_enters()


def test_never_buys_what_nobody_trades(signals, turn):
    signals(turn.assign(volume=0.0)).assert_never_enters()


def test_never_buys_while_bitcoin_is_in_the_middle_of_its_channels(strategy, turn):
    assert entries(strategy, turn, 1.0) > 0
    assert entries(strategy, turn, 0.0) == 0


def test_sells_below_the_middle(signals, candles, turn):
    heard = signals(candles.join(turn, candles.falling(96, 10)))
    entered = heard.assert_enters(after=WARM)
    heard.assert_never_exits(after=entered, before=len(turn))
    heard.assert_exits(after=len(turn), tag="below_the_middle")


def test_a_quiet_coin_gets_the_whole_slot_and_a_wild_one_less(strategy, signals, candles, turn):
    signals(turn, PAIR)
    assert staked(strategy) == 1000.0
    wild = [candles.rising(1, 2), candles.falling(1, 2)] * 250
    signals(candles.join(turn, *wild), PAIR)
    assert 100.0 < staked(strategy) < 500.0


def test_its_only_stop_is_a_fixed_one_for_a_crash(strategy):
    assert -0.25 <= strategy.stoploss <= -0.05
    assert not strategy.use_custom_stoploss
    assert not strategy.trailing_stop
