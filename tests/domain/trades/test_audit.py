"""A log that cannot be true is found out; its honest twin passes."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.candles import Candles, Window
from pipelines.domain.environment import Portfolio
from pipelines.domain.trades import audit
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Finding

MakeCandles = Callable[..., Candles]
MakeTrade = Callable[..., Trade]
MakeLog = Callable[..., TradeLog]
Examine = Callable[..., tuple[Finding, ...]]

PRICES = [100.0, 110.0, 90.0, 120.0, 100.0, 105.0]


@pytest.fixture
def examine(make_candles: MakeCandles, window: Window, portfolio: Portfolio) -> Examine:
    candles = {
        "BTC/USDT": make_candles(PRICES),
        "ETH/USDT": make_candles(PRICES, pair="ETH/USDT"),
        "SOL/USDT": make_candles(PRICES, pair="SOL/USDT"),
    }

    def problems(log: TradeLog) -> tuple[Finding, ...]:
        return audit.problems(log, candles, window, portfolio)

    return problems


def test_an_honest_log_passes(examine: Examine, make_trade: MakeTrade, make_log: MakeLog) -> None:
    won, lost = make_trade((0, 105.0), (2, 115.0)), make_trade((3, 110.0), (4, 102.0))
    assert examine(make_log(won, lost)) == ()


def test_an_empty_log_adds_up(examine: Examine, make_log: MakeLog) -> None:
    assert examine(make_log()) == ()


@pytest.mark.parametrize(
    ("bought", "sold", "about"),
    [
        ((0, 99.0), (2, 115.0), "price"),
        ((0, 105.0), (2, 121.0), "price"),
        ((0, 105.0), (50, 115.0), "filled"),
    ],
)
def test_a_fill_outside_its_candle_is_found(
    examine: Examine,
    make_trade: MakeTrade,
    make_log: MakeLog,
    bought: tuple[int, float],
    sold: tuple[int, float],
    about: str,
) -> None:
    found = examine(make_log(make_trade(bought, sold)))
    assert len(found) == 1
    assert about in found[0].what


def test_a_profit_that_its_fills_do_not_earn_is_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    forged = make_trade((0, 105.0), (2, 115.0), profit=500.0)
    whats = [finding.what for finding in examine(make_log(forged))]
    assert any("profit" in what for what in whats)
    assert any("final balance" in what for what in whats)


def test_a_trade_that_vanished_is_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    kept = make_trade((0, 105.0), (2, 115.0))
    found = examine(make_log(kept, final=1000.0 + kept.profit - 200.0))
    assert [finding.what for finding in found] == ["whole: final balance"]


def test_a_trade_that_was_never_closed_is_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    log = make_log(make_trade((0, 105.0), (2, 115.0)), left_open=1)
    assert [finding.actual for finding in examine(log)] == ["1"]


def test_a_cheaper_fee_is_found(examine: Examine, make_trade: MakeTrade, make_log: MakeLog) -> None:
    found = examine(make_log(make_trade((0, 105.0), (2, 115.0), fee=0.0)))
    assert found[0].expected == "0.001"
    assert found[0].actual == "0.0"


def test_selling_more_than_was_bought_is_found(examine: Examine, make_log: MakeLog) -> None:
    trade = Trade(
        pair="BTC/USDT",
        opened=_at(0),
        closed=_at(2),
        fills=(
            Fill(at=_at(0), price=105.0, amount=1.0, entry=True),
            Fill(at=_at(2), price=115.0, amount=2.0, entry=False),
        ),
        exit_reason="roi",
        fee=0.001,
        profit=230 - 105 - 0.335,
    )
    assert any("amount sold" in finding.what for finding in examine(make_log(trade)))


def test_two_positions_in_one_pair_at_once_are_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    first, second = make_trade((0, 105.0), (3, 115.0)), make_trade((1, 105.0), (2, 95.0))
    assert any("one position a pair" in f.expected for f in examine(make_log(first, second)))


def test_more_positions_than_slots_are_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    trades = [
        make_trade((0, 105.0), (2, 115.0), pair=pair)
        for pair in ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    ]
    found = examine(make_log(*trades))
    assert [(f.what, f.actual) for f in found] == [("whole: open trades", "3")]
    assert examine(make_log(*trades[:2])) == ()


def test_buying_for_more_than_there_was_is_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    assert any(
        "cash" in finding.what
        for finding in examine(make_log(make_trade((0, 105.0), (2, 115.0), 10.0)))
    )
    assert examine(make_log(make_trade((0, 105.0), (2, 115.0), 9.0))) == ()


def test_closing_before_opening_is_found(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    assert examine(make_log(make_trade((2, 105.0), (0, 105.0))))


def test_in_a_hole_only_the_last_close_was_traded(
    make_candles: MakeCandles,
    make_trade: MakeTrade,
    make_log: MakeLog,
    window: Window,
    portfolio: Portfolio,
) -> None:
    holed = {"BTC/USDT": make_candles(PRICES, missing=(2,))}
    at_close = make_log(make_trade((0, 105.0), (2, 90.0)))
    elsewhere = make_log(make_trade((0, 105.0), (2, 100.0)))
    assert audit.problems(at_close, holed, window, portfolio) == ()
    assert audit.problems(elsewhere, holed, window, portfolio) != ()


def test_findings_of_one_kind_are_few(
    examine: Examine, make_trade: MakeTrade, make_log: MakeLog
) -> None:
    forged = [make_trade((0, 500.0 + n), (1, 500.0 + n), 0.001) for n in range(40)]
    assert len(examine(make_log(*forged))) <= 5 * audit.MOST_FINDINGS


@pytest.mark.parametrize(
    ("own_exit", "forced_exit", "degenerate"),
    [(115.0, 91.0, True), (92.0, 91.0, False), (115.0, 119.0, False)],
)
def test_losers_that_only_the_end_closed_are_recognised(
    make_trade: MakeTrade,
    make_log: MakeLog,
    own_exit: float,
    forced_exit: float,
    degenerate: bool,
) -> None:
    own = make_trade((0, 105.0), (2, own_exit))
    forced = make_trade((3, 110.0), (4, forced_exit), reason="force_exit")
    assert audit.never_closes_losers(make_log(own, forced)) is degenerate


@given(
    change=st.sampled_from(["profit", "final", "price", "amount"]),
    by=st.floats(0.01, 100.0),
)
def test_no_single_forged_figure_goes_unnoticed(change: str, by: float) -> None:
    series, day, portfolio, log = _honest()
    assert audit.problems(log, series, day, portfolio) == ()
    trade = log.trades[0]
    forged = {
        "profit": log.model_copy(
            update={"trades": (trade.model_copy(update={"profit": trade.profit + by}),)}
        ),
        "final": log.model_copy(update={"final_balance": log.final_balance + by}),
        "price": _with_exit(log, price=trade.fills[1].price + by),
        "amount": _with_exit(log, amount=trade.fills[1].amount + by),
    }[change]
    assert audit.problems(forged, series, day, portfolio) != ()


def _at(hour: int) -> int:
    return 1_609_459_200_000 + 3_600_000 * hour


def _with_exit(log: TradeLog, **change: float) -> TradeLog:
    trade = log.trades[0]
    out = trade.fills[1].model_copy(update=change)
    return log.model_copy(
        update={"trades": (trade.model_copy(update={"fills": (trade.fills[0], out)}),)}
    )


def _honest() -> tuple[dict[str, Candles], Window, Portfolio, TradeLog]:
    import numpy as np

    opening, closing = np.array(PRICES[:-1]), np.array(PRICES[1:])
    time = np.array([_at(hour) for hour in range(5)], dtype=np.int64)
    high, low = np.maximum(opening, closing), np.minimum(opening, closing)
    series = Candles("BTC/USDT", "1h", time, opening, high, low, closing, np.ones(5))
    portfolio = Portfolio.model_validate_json(
        '{"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 2, "fee": 0.001}'
    )
    profit = 10.0 - 0.001 * 220
    trade = Trade(
        pair="BTC/USDT",
        opened=_at(0),
        closed=_at(2),
        fills=(
            Fill(at=_at(0), price=105.0, amount=1.0, entry=True),
            Fill(at=_at(2), price=115.0, amount=1.0, entry=False),
        ),
        exit_reason="roi",
        fee=0.001,
        profit=profit,
    )
    log = TradeLog(
        window="whole",
        starting_balance=1000.0,
        final_balance=1000.0 + profit,
        left_open=0,
        trades=(trade,),
    )
    return (
        {"BTC/USDT": series},
        Window(start=date(2021, 1, 1), end=date(2021, 1, 1)),
        portfolio,
        log,
    )
