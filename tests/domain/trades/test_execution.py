"""Prices that freqtrade's backtest gives, and prices that it never would."""

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.domain.candles import Candles, Window
from pipelines.domain.pricing import Pricing
from pipelines.domain.trades import execution
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Finding

HOUR = 3_600_000
START = 1_609_459_200_000
FEE = 0.001
MakeLog = Callable[..., TradeLog]

#        open   high   low    close
ROWS = (
    (100.0, 101.0, 99.0, 100.5),
    (100.5, 103.0, 100.0, 102.0),
    (102.0, 106.0, 101.5, 105.0),
    (105.0, 105.5, 94.0, 95.0),
    (95.0, 96.0, 88.25, 90.0),
    (90.0, 92.0, 89.0, 91.0),
)
SETTLED = Pricing(
    free_entries=False,
    free_exits=False,
    free_stakes=False,
    adjusts=False,
    stop=0.1,
    trail=None,
    roi=((0, 0.05), (120, 0.02)),
)


def market(missing: int | None = None) -> Candles:
    rows = np.array(ROWS)
    time = START + HOUR * np.arange(len(rows), dtype=np.int64)
    kept = np.array([number != missing for number in range(len(rows))])
    columns = (rows[kept, number] for number in range(4))
    return Candles("BTC/USDT", "1h", time[kept], *columns, np.ones(int(kept.sum())))


def trade(bought: tuple[int, float], *sold: tuple[int, float], reason: str = "signal") -> Trade:
    fills = [Fill(at=START + HOUR * bought[0], price=bought[1], amount=len(sold), entry=True)]
    fills += [Fill(at=START + HOUR * at, price=p, amount=1.0, entry=False) for at, p in sold]
    return Trade(
        pair="BTC/USDT",
        opened=fills[0].at,
        closed=fills[-1].at,
        fills=tuple(fills),
        exit_reason=reason,
        fee=FEE,
        profit=0.0,
    )


Examine = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def examine(window: Window) -> Examine:
    def problems(
        *trades: Trade, pricing: Pricing = SETTLED, missing: int | None = None
    ) -> tuple[Finding, ...]:
        log = TradeLog(
            window="whole", starting_balance=1, final_balance=1, left_open=0, trades=trades
        )
        return execution.problems(log, {"BTC/USDT": market(missing)}, window, pricing)

    return problems


AT_FIRST = round(100.5 * 1.05 * (1 + FEE) / (1 - FEE), 2)
LATER = round(100.0 * 1.02 * (1 + FEE) / (1 - FEE), 2)


@pytest.mark.parametrize(
    "honest",
    [
        trade((0, 100.0), (2, 102.0)),
        trade((1, 100.5), (2, AT_FIRST), reason="roi"),
        trade((0, 100.0), (2, LATER), reason="roi"),
        trade((0, 100.0), (3, 105.0), reason="roi"),
        trade((1, 100.5), (4, 90.45), reason="stop_loss"),
        trade((3, 105.0), (4, 94.5), reason="stop_loss"),
        trade((3, 105.0), (5, 90.0), reason="force_exit"),
        trade((0, 100.0), (0, 100.0)),
    ],
)
def test_what_freqtrade_does_is_possible(examine: Examine, honest: Trade) -> None:
    assert examine(honest) == ()


@pytest.mark.parametrize(
    ("forged", "about"),
    [
        (trade((0, 99.0), (2, 102.0)), "entry price"),
        (trade((0, 100.0), (2, 106.0)), "exit price"),
        (trade((0, 100.0), (1, 103.0), reason="roi"), "exit price"),
        (trade((0, 100.0), (2, AT_FIRST), reason="roi"), "exit price"),
        (trade((0, 100.0), (3, 94.0), reason="roi"), "exit price"),
        (trade((1, 100.5), (3, 105.5), reason="stop_loss"), "exit price"),
        (trade((1, 100.5), (4, 89.0), reason="stop_loss"), "exit price"),
        (trade((1, 100.5), (4, 96.0), reason="trailing_stop_loss"), "exit price"),
        (trade((0, 100.0), (2, 106.0), reason="liquidation"), "exit price"),
        (trade((0, 100.0), (2, 102.0), (3, 105.0)), "orders"),
        (trade((5, 90.0), (5, 90.0)), "opened"),
        (trade((0, 100.0), (2, 102.0), reason="force_exit"), "closed by force"),
    ],
)
def test_what_freqtrade_never_does_is_found(examine: Examine, forged: Trade, about: str) -> None:
    found = examine(forged)
    assert len(found) == 1
    assert about in found[0].what


@pytest.mark.parametrize(
    ("free", "value"),
    [
        (trade((0, 99.0), (2, 102.0)), {"free_entries": True}),
        (trade((0, 100.0), (2, 106.0)), {"free_exits": True}),
        (trade((0, 100.0), (2, 102.0), (3, 105.0)), {"adjusts": True}),
        (trade((0, 100.0), (2, 106.0), reason="roi"), {"roi": None}),
        (trade((1, 100.5), (3, 105.5), reason="stop_loss"), {"stop": None}),
        (trade((1, 100.5), (3, 100.7), reason="trailing_stop_loss"), {"trail": 0.05}),
    ],
)
def test_what_the_strategy_leaves_open_is_possible(
    examine: Examine, free: Trade, value: dict[str, float | bool | None]
) -> None:
    assert examine(free) != ()
    assert examine(free, pricing=Pricing(**{**vars(SETTLED), **value})) == ()


def test_a_trailing_stop_never_comes_closer_than_it_may(examine: Examine) -> None:
    trailing = Pricing(**{**vars(SETTLED), "trail": 0.05})
    assert examine(trade((1, 100.5), (3, 102.0), reason="trailing_stop_loss"), pricing=trailing)


def test_two_trades_of_a_pair_never_share_a_candle(examine: Examine) -> None:
    first, again = trade((0, 100.0), (2, 102.0)), trade((2, 102.0), (3, 105.0))
    assert examine(first) == examine(again) == ()
    assert [finding.actual for finding in examine(first, again)] == ["the same candle"]


def test_in_a_hole_the_last_close_is_the_opening(examine: Examine) -> None:
    assert examine(trade((0, 100.0), (2, 102.0)), missing=2) == ()
    assert examine(trade((0, 100.0), (3, 105.0), reason="signal"), missing=2) == ()
    assert examine(trade((0, 100.0), (4, 105.0), reason="signal"), missing=2) != ()


def test_an_exit_that_missed_its_candle_by_a_rounding_fills_later(window: Window) -> None:
    # Prices of the month in which it was bought had one decimal, those of its exit have three.
    rows = [(100.1, 100.1, 100.1, 100.1)] * 2 + [(99.96, 99.98, 99.95, 99.97)] * 2
    rows += [(100.5, 100.6, 99.9, 100.5)]
    time = 1_612_051_200_000 + HOUR * np.array([22, 23, 24, 25, 26], dtype=np.int64)
    series = Candles("BTC/USDT", "1h", time, *np.array(rows).T, np.ones(5))
    wide = Window.model_validate_json('{"start": "2021-01-31", "end": "2021-02-01"}')
    fills = (
        Fill(at=int(time[0]), price=100.1, amount=1, entry=True),
        Fill(at=int(time[4]), price=100.0, amount=1, entry=False),
    )
    late = trade((0, 100.0), (1, 1.0)).model_copy(
        update={"opened": fills[0].at, "closed": fills[1].at, "fills": fills}
    )
    log = TradeLog(window="whole", starting_balance=1, final_balance=1, left_open=0, trades=(late,))
    assert execution.problems(log, {"BTC/USDT": series}, wide, SETTLED) == ()
    # Where it could have filled before, it would not have waited.
    filled = np.where(np.arange(5) == 3, 100.05, series.high)
    sooner = Candles(**{**vars(series), "high": filled})
    assert execution.problems(log, {"BTC/USDT": sooner}, wide, SETTLED) != ()


def test_what_is_nowhere_in_the_candles_is_left_to_the_audit(examine: Examine) -> None:
    stray = trade((0, 100.0), (2, 102.0)).model_copy(update={"pair": "ETH/USDT"})
    early = trade((-9, 100.0), (2, 102.0))
    assert examine(stray, early) == ()
