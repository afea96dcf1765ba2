"""Equity curves against figures worked out by hand."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.candles import Candles, Window
from pipelines.domain.trades import equity
from pipelines.domain.trades.trade import Trade

MakeCandles = Callable[..., Candles]
MakeTrade = Callable[..., Trade]


def test_marks_an_open_position_at_every_close(
    make_candles: MakeCandles, make_trade: MakeTrade, window: Window
) -> None:
    series = make_candles([100, 110, 90, 120, 120])
    trade = make_trade((0, 100.0), (3, 120.0), fee=0.0)
    curve = equity.of_trades((trade,), {"BTC/USDT": series}, window, 1000.0)
    assert curve.equity.tolist() == [1010.0, 990.0, 1020.0, 1020.0]
    assert curve.cash.tolist() == [900.0, 900.0, 900.0, 1020.0]
    assert curve.invested.tolist() == pytest.approx([110 / 1010, 90 / 990, 120 / 1020, 0])


def test_pays_the_fee_with_each_fill(
    make_candles: MakeCandles, make_trade: MakeTrade, window: Window
) -> None:
    series = make_candles([100, 100, 200, 200])
    trade = make_trade((0, 100.0), (2, 200.0), fee=0.01)
    curve = equity.of_trades((trade,), {"BTC/USDT": series}, window, 1000.0)
    assert curve.equity.tolist() == pytest.approx([999.0, 1099.0, 1097.0])


def test_a_short_earns_when_the_price_falls(
    make_candles: MakeCandles, make_trade: MakeTrade, window: Window
) -> None:
    series = make_candles([100, 80, 80])
    trade = make_trade((0, 100.0), (1, 80.0), short=True, fee=0.0)
    curve = equity.of_trades((trade,), {"BTC/USDT": series}, window, 1000.0)
    assert curve.equity.tolist() == [1020.0, 1020.0]


def test_a_pair_without_a_candle_keeps_its_last_close(
    make_candles: MakeCandles, make_trade: MakeTrade, window: Window
) -> None:
    holed = make_candles([100, 110, 120, 130], missing=(1,))
    other = make_candles([1, 1, 1, 1], pair="ETH/USDT")
    trade = make_trade((0, 100.0), (2, 130.0), fee=0.0)
    curve = equity.of_trades((trade,), {"BTC/USDT": holed, "ETH/USDT": other}, window, 1000.0)
    assert curve.equity.tolist() == [1010.0, 1010.0, 1030.0]


def test_holding_splits_evenly_and_pays_both_fees(
    make_candles: MakeCandles, window: Window
) -> None:
    candles = {
        "BTC/USDT": make_candles([100, 200, 200]),
        "ETH/USDT": make_candles([10, 10, 5], pair="ETH/USDT"),
    }
    curve = equity.of_holding(candles, window, 1000.0, 0.0)
    assert curve.equity.tolist() == [1500.0, 1250.0]
    paid = equity.of_holding(candles, window, 1000.0, 0.01)
    assert paid.equity[-1] == pytest.approx(1250.0 / 1.01 * 0.99)


def test_holding_keeps_the_share_of_a_later_pair_in_cash(
    make_candles: MakeCandles, window: Window
) -> None:
    candles = {
        "BTC/USDT": make_candles([100, 100, 100, 100]),
        "ETH/USDT": make_candles([10, 20, 40, 80], pair="ETH/USDT", missing=(0, 1)),
    }
    curve = equity.of_holding(candles, window, 1000.0, 0.0)
    assert curve.equity.tolist() == [1000.0, 1000.0, 1500.0]


def test_daily_values_start_with_the_balance_and_end_each_day(
    make_candles: MakeCandles, make_trade: MakeTrade
) -> None:
    days = Window(start=date(2021, 1, 1), end=date(2021, 1, 3))
    series = make_candles([100.0 + hour for hour in range(49)])
    trade = make_trade((0, 100.0), (47, 147.0), fee=0.0)
    curve = equity.of_trades((trade,), {"BTC/USDT": series}, days, 1000.0)
    # Sold at 147 on the second day; the third has no candles and keeps the value.
    assert equity.daily(curve, days, 1000.0).tolist() == [1000.0, 1024.0, 1047.0, 1047.0]


@pytest.mark.parametrize(
    ("worth", "deepest"),
    [
        ([1000.0, 1100.0, 1200.0], 0.0),
        ([900.0, 1000.0], 0.1),
        ([2000.0, 1000.0, 3000.0, 1500.0], 0.5),
        ([2000.0, 500.0, 4000.0, 3000.0], 0.75),
    ],
)
def test_drawdown_is_measured_from_the_highest_value_so_far(
    worth: list[float], deepest: float
) -> None:
    assert equity.drawdown(np.array(worth), 1000.0).max() == pytest.approx(deepest)


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=50))
def test_drawdown_lies_between_nothing_and_everything(worth: list[float]) -> None:
    deep = equity.drawdown(np.array(worth), 1000.0)
    assert (deep >= 0).all()
    assert (deep < 1).all()
