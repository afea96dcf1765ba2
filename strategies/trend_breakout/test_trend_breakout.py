"""New highs are bought in a calm daily uptrend; the stop trails by the daily range."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

WARM = 1440
"""Rows of slow rise: sixty days, so that the daily trend of fifty days is there."""

PAIR = "BTC/USDT"
NOW = datetime(2021, 3, 20, tzinfo=UTC)


@pytest.fixture
def breakout(candles):
    """An uptrend, four days of rest, and a new high."""
    return candles.join(candles.rising(WARM, 20), candles.falling(96, 1), candles.rising(96, 2))


def stop(strategy, rate, is_short=False):
    """The stop's distance below `rate`, as a share of it; None when there is no new one."""
    trade = SimpleNamespace(is_short=is_short)
    return strategy.custom_stoploss(PAIR, trade, NOW, rate, 0.0, False)


def test_buys_the_new_high_after_a_rest(signals, breakout):
    heard = signals(breakout, PAIR)
    heard.assert_never_enters(after=WARM, before=WARM + 96)
    heard.assert_enters(after=WARM + 96, tag="new_high")


def test_never_buys_in_a_fall(signals, candles):
    signals(candles.falling(WARM + 500, 50)).assert_never_enters()


def test_never_buys_a_new_high_below_the_daily_trend(signals, candles):
    rally = candles.join(candles.falling(WARM, 60), candles.flat(480), candles.rising(24, 4))
    signals(rally).assert_never_enters(after=WARM)


def test_never_buys_in_a_frenzy(signals, breakout):
    # For two weeks every day swings by a tenth, at the same closes.
    wild = breakout.copy()
    wild.loc[len(wild) - 336 :, "high"] *= 1.05
    wild.loc[len(wild) - 336 :, "low"] *= 0.95
    signals(wild).assert_never_enters(after=WARM + 96)


def test_never_buys_what_nobody_trades(signals, breakout):
    signals(breakout.assign(volume=0.0)).assert_never_enters()


def test_never_sells_on_a_signal(signals, candles, breakout):
    signals(candles.join(breakout, candles.falling(200, 30))).assert_never_exits()


def test_the_stop_stands_one_to_three_daily_ranges_below_the_last_close(
    strategy, signals, breakout
):
    last = signals(breakout, PAIR).frame.iloc[-1]
    level = last["close"] * (1 - stop(strategy, last["close"]))
    assert level == pytest.approx(last["trail"])
    assert 1 <= (last["close"] - level) / last["range_1d"] <= 3


def test_the_stop_rises_with_the_price(strategy, signals, candles, breakout):
    signals(breakout, PAIR)
    before = 1 - stop(strategy, 1.0e6)
    signals(candles.join(breakout, candles.rising(48, 10)), PAIR)
    assert 1 - stop(strategy, 1.0e6) > before


def test_keeps_the_old_stop_when_there_are_no_candles(strategy):
    assert stop(strategy, 100.0) is None


def test_keeps_the_old_stop_while_the_daily_range_is_unknown(strategy, signals, candles):
    signals(candles.rising(10 * 24, 5), PAIR)
    assert stop(strategy, 105.0) is None
