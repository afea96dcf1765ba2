"""A slot's share of the balance is what a trade is bought for."""

from collections.abc import Callable

import pytest

from pipelines.domain.environment import Portfolio
from pipelines.domain.pricing import Pricing
from pipelines.domain.trades import stakes
from pipelines.domain.trades.performance import trade_profit
from pipelines.domain.trades.trade import Trade, TradeLog
from pipelines.domain.verdict import Finding

MakeTrade = Callable[..., Trade]
MakeLog = Callable[..., TradeLog]
Examine = Callable[..., tuple[Finding, ...]]
LOTS = {"BTC/USDT": 0.001, "ETH/USDT": 0.001}
SETTLED = Pricing(free_entries=False, free_stakes=False, adjusts=False)


@pytest.fixture
def examine(portfolio: Portfolio, make_log: MakeLog) -> Examine:
    def problems(*trades: Trade, pricing: Pricing = SETTLED) -> tuple[Finding, ...]:
        return stakes.problems(make_log(*trades), portfolio, pricing, LOTS)

    return problems


@pytest.fixture
def honest(make_trade: MakeTrade) -> tuple[Trade, ...]:
    """Two slots of 1000: 495 each, then half of what there is after each trade."""
    first = make_trade((0, 100.0), (2, 80.0), 4.95)
    second = make_trade((1, 50.0), (9, 60.0), 9.9, pair="ETH/USDT")
    left = 1000 + trade_profit(first)
    third = make_trade((3, 100.0), (5, 101.0), round(0.99 * left / 200 - 0.0005, 3))
    return first, second, third


def test_an_even_split_that_compounds_is_possible(
    examine: Examine, honest: tuple[Trade, ...]
) -> None:
    assert examine(*honest) == ()


def test_a_loser_that_was_left_out_shows_in_the_next_stake(
    examine: Examine, honest: tuple[Trade, ...]
) -> None:
    assert [f.what for f in examine(*honest[1:])] == [
        "whole: BTC/USDT opened 2021-01-01 03:00: stake"
    ]


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_a_trade_that_was_made_larger_or_smaller_is_found(
    examine: Examine, make_trade: MakeTrade, share: float
) -> None:
    assert examine(make_trade((0, 100.0), (2, 80.0), 4.95 * share))


@pytest.mark.parametrize(("amount", "possible"), [(4.949, True), (4.94, False)])
def test_an_amount_is_cut_to_whole_lots(
    examine: Examine, make_trade: MakeTrade, amount: float, possible: bool
) -> None:
    assert (examine(make_trade((0, 100.0), (2, 80.0), amount)) == ()) is possible


@pytest.mark.parametrize(("left", "possible"), [(1.0, True), (0.8, False)])
def test_after_a_loss_only_what_is_not_held_can_be_staked(
    examine: Examine, make_trade: MakeTrade, left: float, possible: bool
) -> None:
    held = make_trade((0, 100.0), (9, 100.0), 4.95, pair="ETH/USDT")
    lost = make_trade((0, 100.0), (2, 20.0), 4.95)
    free = 0.99 * (1000 + trade_profit(lost)) - 495
    last = make_trade((3, 100.0), (4, 100.0), round(left * free / 100 - 0.0005, 3))
    assert (examine(held, lost, last) == ()) is possible


def test_a_winner_that_was_made_up_shows_in_the_next_stake(
    examine: Examine, make_trade: MakeTrade, honest: tuple[Trade, ...]
) -> None:
    made_up = make_trade((0, 100.0), (1, 120.0), 4.95, pair="ETH/USDT")
    assert examine(made_up, *honest)


def test_trades_that_close_in_the_same_candle_may_count_or_not(
    examine: Examine, make_trade: MakeTrade
) -> None:
    first = make_trade((0, 100.0), (2, 120.0), 4.95)
    richer = 0.99 * (1000 + trade_profit(first)) / 200
    for amount, possible in ((4.95, True), (round(richer - 0.0005, 3), True), (4.5, False)):
        second = make_trade((2, 100.0), (4, 100.0), amount, pair="ETH/USDT")
        assert (examine(first, second) == ()) is possible


def test_what_the_strategy_leaves_open_is_possible(examine: Examine, make_trade: MakeTrade) -> None:
    small = make_trade((0, 100.0), (2, 80.0), 1.0)
    large = make_trade((0, 100.0), (2, 80.0), 9.0)
    free, limits = Pricing(), Pricing(free_entries=True, free_stakes=False)
    assert examine(small) != ()
    assert examine(small, large, pricing=free) == ()
    # An entry that was never filled may have held the rest, but nothing makes a slot larger.
    assert examine(small, pricing=limits) == ()
    assert examine(large, pricing=limits) != ()


def test_a_log_without_trades_is_possible(examine: Examine) -> None:
    assert examine() == ()
