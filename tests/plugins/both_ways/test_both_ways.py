"""It is long in rises and short in falls."""

import pytest


@pytest.fixture
def rise(candles):
    return candles.join(candles.flat(30), candles.rising(40, 10))


@pytest.fixture
def fall(candles):
    return candles.join(candles.flat(30), candles.falling(40, 10))


def test_goes_long_in_a_rise(signals, rise):
    heard = signals(rise)
    heard.assert_enters(after=30)
    heard.assert_tag("above")
    assert not heard.frame["enter_short"].any()


def test_goes_short_in_a_fall(signals, fall):
    heard = signals(fall)
    heard.assert_enters(after=30)
    heard.assert_tag("below")
    assert not heard.frame["enter_long"].any()


def test_leaves_when_the_means_cross(signals, candles, rise):
    turned = candles.join(rise, candles.falling(40, 10))
    signals(turned).assert_exits(after=len(rise))


def test_leverage_is_bounded_by_the_exchange(strategy):
    def asked(most):
        return strategy.leverage("BTC/USDT:USDT", None, 1.0, 1.0, most, None, "long")

    assert (asked(50.0), asked(2.0)) == (3.0, 2.0)
