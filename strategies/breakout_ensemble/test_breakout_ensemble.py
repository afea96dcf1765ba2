"""New twelve-day highs are bought, and sold near the middle of the channels."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

WARM = 720
"""Rows of slow fall: more than the start-up, so that every channel is there."""

PAIR = "ETH/USDT"
NOW = datetime(2021, 3, 20, tzinfo=UTC)


@pytest.fixture
def breakout(candles):
    """A slow fall of 5 %, then 10 % up within six days."""
    return candles.join(candles.falling(WARM, 5), candles.rising(144, 10))


def stop(strategy, rate):
    """The stop's distance below `rate`, as a share of it; None when there is no new one."""
    trade = SimpleNamespace(is_short=False)
    return strategy.custom_stoploss(PAIR, trade, NOW, rate, 0.0, False)


def staked(strategy):
    """What it stakes now on `PAIR` when freqtrade proposes 1000."""
    return strategy.custom_stake_amount(PAIR, NOW, 100.0, 1000.0, 10.0, 5000.0, 1.0, None, "long")


def test_buys_a_new_high(signals, breakout):
    heard = signals(breakout)
    heard.assert_never_enters(before=WARM)
    heard.assert_enters(after=WARM)
    heard.assert_tag("new_high")


def test_never_buys_a_rally_below_the_high_of_twelve_days(signals, candles):
    rally = candles.join(candles.falling(WARM, 50), candles.rising(72, 5))
    signals(rally).assert_never_enters(after=WARM)


def test_never_buys_before_the_longest_channel_is_known(signals, candles):
    signals(candles.rising(24 * 24 - 1, 20)).assert_never_enters()


def test_never_buys_what_nobody_trades(signals, breakout):
    signals(breakout.assign(volume=0.0)).assert_never_enters()


def test_sells_near_the_middle_of_the_channels(signals, candles, breakout):
    heard = signals(candles.join(breakout, candles.falling(96, 7)))
    entered = heard.assert_enters(after=WARM)
    heard.assert_never_exits(after=entered, before=len(breakout))
    heard.assert_exits(after=len(breakout), tag="middle_channels")


def test_the_stop_stands_four_daily_ranges_below_the_last_close(strategy, signals, breakout):
    last = signals(breakout, PAIR).frame.iloc[-1]
    level = last["close"] * (1 - stop(strategy, last["close"]))
    assert level == pytest.approx(last["trail"])
    assert (last["close"] - level) / last["range_1d"] == pytest.approx(4)


def test_keeps_the_old_stop_when_there_are_no_candles(strategy):
    assert stop(strategy, 100.0) is None


def test_keeps_the_old_stop_while_the_daily_range_is_unknown(strategy, signals, candles):
    signals(candles.rising(10 * 24, 5), PAIR)
    assert stop(strategy, 105.0) is None


def test_a_quiet_coin_gets_the_whole_slot_and_a_wild_one_less(strategy, signals, candles, breakout):
    signals(breakout, PAIR)
    assert staked(strategy) == 1000.0
    wild = [candles.rising(1, 2), candles.falling(1, 2)] * 250
    signals(candles.join(breakout, *wild), PAIR)
    assert 100.0 < staked(strategy) < 500.0
