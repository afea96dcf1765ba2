"""The figures that strategies are judged on, against arithmetic by hand."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.candles import Candles, Window
from pipelines.domain.trades import performance
from pipelines.domain.trades.trade import Fill, Trade, TradeLog

MakeCandles = Callable[..., Candles]
MakeTrade = Callable[..., Trade]
MakeLog = Callable[..., TradeLog]


def test_profit_of_a_trade_follows_from_its_fills(make_trade: MakeTrade) -> None:
    assert performance.trade_profit(make_trade((0, 100.0), (1, 110.0), 2.0)) == pytest.approx(
        20 - 0.001 * 420
    )


def test_profit_of_a_short_is_the_fall_of_the_price(make_trade: MakeTrade) -> None:
    trade = make_trade((0, 100.0), (1, 90.0), short=True)
    assert performance.trade_profit(trade) == pytest.approx(10 - 0.19)


def test_profit_counts_every_fill_of_an_adjusted_position() -> None:
    trade = Trade(
        pair="BTC/USDT",
        opened=0,
        closed=3,
        fills=(
            Fill(at=0, price=100.0, amount=1.0, entry=True),
            Fill(at=1, price=80.0, amount=1.0, entry=True),
            Fill(at=2, price=100.0, amount=0.5, entry=False),
            Fill(at=3, price=110.0, amount=1.5, entry=False),
        ),
        exit_reason="roi",
        fee=0.0,
        profit=0.0,
    )
    assert performance.trade_profit(trade) == pytest.approx(50 + 165 - 180)


def test_profit_includes_funding(make_trade: MakeTrade) -> None:
    trade = make_trade((0, 100.0), (1, 110.0), fee=0.0).model_copy(update={"funding": -3.0})
    assert performance.trade_profit(trade) == pytest.approx(7.0)


def test_sharpe_is_mean_over_deviation_for_a_year() -> None:
    returns = np.array([0.01, -0.01, 0.02, 0.0])
    expected = 0.005 / np.std([0.01, -0.01, 0.02, 0.0], ddof=1) * np.sqrt(365)
    assert performance.sharpe(returns) == pytest.approx(expected)


def test_sortino_counts_losing_days_only() -> None:
    returns = np.array([0.02, -0.01, 0.02, 0.01])
    assert performance.sortino(returns) == pytest.approx(0.01 / 0.005 * np.sqrt(365))


@pytest.mark.parametrize("returns", [[], [0.01], [0.0, 0.0, 0.0]])
def test_what_never_moved_has_no_sharpe(returns: list[float]) -> None:
    assert performance.sharpe(np.array(returns)) is None


@pytest.mark.parametrize(
    ("profits", "factor", "ratio"),
    [
        ([10.0, -5.0], 2.0, 0.5),
        ([10.0, 10.0, -5.0, -5.0], 2.0, 0.5),
        ([-5.0], 0.0, -1.0),
        ([10.0, 10.0], None, None),
        ([], None, None),
    ],
)
def test_without_a_losing_trade_there_is_no_ratio_to_losses(
    profits: list[float], factor: float | None, ratio: float | None
) -> None:
    assert performance.profit_factor(np.array(profits)) == factor
    assert performance.expectancy_ratio(np.array(profits)) == ratio


def test_share_of_forced_exits_is_of_the_total_profit(make_trade: MakeTrade) -> None:
    earned = make_trade((0, 100.0), (1, 130.0), fee=0.0)
    forced = make_trade((1, 100.0), (2, 110.0), fee=0.0, reason="force_exit")
    assert performance.forced_exit_share((earned, forced)) == pytest.approx(0.25)
    assert performance.forced_exit_share((earned,)) == 0.0


def test_measures_a_window_as_a_whole(
    make_candles: MakeCandles, make_trade: MakeTrade, make_log: MakeLog, window: Window
) -> None:
    series = make_candles([100, 110, 90, 120, 100, 100])
    won = make_trade((0, 100.0), (1, 110.0), 5.0)
    lost = make_trade((2, 90.0), (4, 80.0), 5.0)
    measured, account, held = performance.measure(
        make_log(won, lost), {"BTC/USDT": series}, window, 0.001
    )
    total = 50 - 0.005 * 210 - 50 - 0.005 * 170
    assert measured.profit == pytest.approx(total / 1000)
    assert measured.trades == 2
    assert measured.win_rate == 0.5
    assert measured.expectancy == pytest.approx(total / 2)
    assert measured.buy_and_hold == pytest.approx(0.999 / 1.001 - 1)
    assert measured.profit_over_buy_and_hold == pytest.approx(
        measured.profit - measured.buy_and_hold
    )
    assert account.equity[-1] == pytest.approx(1000 + total)
    assert held.equity[-1] == pytest.approx(1000 * 0.999 / 1.001)


def test_no_trades_measure_nothing_but_their_absence(
    make_candles: MakeCandles, make_log: MakeLog, window: Window
) -> None:
    measured, _, _ = performance.measure(
        make_log(), {"BTC/USDT": make_candles([100, 110])}, window, 0.001
    )
    figures = measured.figures()
    assert figures["trades"] == 0
    assert not {"sharpe", "profit_factor", "win_rate", "calmar"} & set(figures)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1234567, "0.123457"), (100.0, "100"), (0.5, "0.5"), (-0.0, "0"), (1e-9, "0"), (12, "12")],
)
def test_figures_are_rounded_to_six_places(value: float, shown: str) -> None:
    assert performance.rounded(value) == Decimal(shown)


@given(st.lists(st.floats(-50, 50).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=40))
def test_profit_factor_above_one_means_a_profit(profits: list[float]) -> None:
    factor = performance.profit_factor(np.array(profits))
    if factor is not None and abs(sum(profits)) > 1e-9:
        assert (factor > 1) == (sum(profits) > 0)
