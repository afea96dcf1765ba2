from datetime import date

import numpy as np
import pytest

from pipelines.domain.candles import TIMEFRAMES, Candles, Window, milliseconds
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.reports import breakdown, pictures, views
from pipelines.reports.model import ChosenTrade, WindowView

WINDOW = Window(start=date(2021, 1, 1), end=date(2021, 2, 28))
HOUR = TIMEFRAMES["1h"]
OPENS = milliseconds(WINDOW.opens)


def _candles(pair: str = "BTC/USDT") -> Candles:
    time = np.arange(OPENS, milliseconds(WINDOW.closes), HOUR, dtype=np.int64)
    close = np.linspace(100, 150, len(time))
    return Candles(pair, "1h", time, close, close + 1, close - 1, close, close)


def _trade(
    earned: float, first: int, hours: int, pair: str = "BTC/USDT", tag: str = "", why: str = "roi"
) -> Trade:
    opened, closed = OPENS + first * HOUR, OPENS + (first + hours) * HOUR
    return Trade(
        pair=pair,
        opened=opened,
        closed=closed,
        fills=(
            Fill(at=opened, price=100.0, amount=1.0, entry=True),
            Fill(at=closed, price=100.0 * (1 + earned), amount=1.0, entry=False),
        ),
        tag=tag,
        exit_reason=why,
        fee=0.0,
        profit=100 * earned,
    )


def _log(*trades: Trade) -> TradeLog:
    return TradeLog(
        window="whole", starting_balance=1000.0, final_balance=1.0, left_open=0, trades=trades
    )


def _view(*trades: Trade, pairs: tuple[str, ...] = ("BTC/USDT",)) -> WindowView:
    return views.of_window(_log(*trades), {p: _candles(p) for p in pairs}, WINDOW, 0.0)


def test_chooses_best_worst_median_and_longest() -> None:
    trades = (_trade(0.1, 10, 5), _trade(-0.2, 20, 5), _trade(0.02, 30, 90), _trade(0.01, 200, 5))
    chosen = views.chosen(_log(*trades, _trade(0.03, 300, 5)), {"BTC/USDT": _candles()})
    assert [(one.why, views.earned(one.trade)) for one in chosen] == [
        ("best", pytest.approx(0.1)),
        ("worst", pytest.approx(-0.2)),
        ("median, longest", pytest.approx(0.02)),
    ]


def test_a_single_trade_is_chosen_once_and_none_never() -> None:
    (one,) = _view(_trade(0.1, 10, 5)).chosen
    assert one.why == "best, worst, median, longest"
    assert _view().chosen == ()


def test_a_trade_stands_among_the_candles_around_it() -> None:
    chosen = _view(_trade(0.1, 500, 100)).chosen[0]
    assert chosen.candles.time[0] == OPENS + 460 * HOUR
    assert chosen.candles.time[-1] == OPENS + 639 * HOUR
    short = _view(_trade(0.1, 500, 1)).chosen[0]
    assert len(short.candles) == 24 + 1 + 24


@pytest.mark.parametrize(("first", "hours"), [(0, 5), (1410, 5), (10**9, 1), (-(10**9), 1)])
def test_times_that_no_calendar_knows_do_no_harm(first: int, hours: int) -> None:
    chosen = views.chosen(_log(_trade(0.1, first, hours)), {"BTC/USDT": _candles()})
    drawn = pictures.price(chosen[0])
    assert len(drawn.time) == len(drawn.open) == len(drawn.high) == len(drawn.close)


def test_trades_of_unknown_pairs_are_not_chosen() -> None:
    assert views.chosen(_log(_trade(0.1, 5, 5, pair="X/Y")), {"BTC/USDT": _candles()}) == ()


def test_merged_candles_lose_no_high_and_no_low() -> None:
    series = _candles()
    series.high[700], series.low[801] = 900.0, 1.0
    drawn = pictures.price(ChosenTrade("best", _trade(0.1, 10, 1300), series), most=100)
    assert len(drawn.time) <= 100
    assert (max(drawn.high), min(drawn.low)) == (900.0, 1.0)
    assert drawn.open[0] == series.open[0]
    assert drawn.close[-1] == pytest.approx(series.close[-1], rel=1e-5)
    assert drawn.entries.time == (OPENS + 10 * HOUR,)
    assert drawn.exits.price == pytest.approx((110.0,))


def test_every_pair_has_its_row_and_what_its_price_did() -> None:
    trades = (
        _trade(0.1, 10, 5, "BTC/USDT"),
        _trade(-0.05, 10, 7, "BTC/USDT"),
        _trade(-0.2, 9, 1, "ETH/USDT"),
    )
    view = _view(*trades, pairs=("ADA/USDT", "BTC/USDT", "ETH/USDT"))
    rows = breakdown.pairs(view)
    assert [(g.name, g.trades, g.win_rate) for g in rows] == [
        ("BTC/USDT", 2, 0.5),
        ("ADA/USDT", 0, None),
        ("ETH/USDT", 1, 0.0),
    ]
    assert rows[0].profit == pytest.approx(0.005)
    assert rows[0].profit_factor == pytest.approx(2.0)
    assert rows[0].hours == pytest.approx(6.0)
    assert rows[0].moved == pytest.approx(0.5)


def test_tags_and_reasons_are_shown_where_they_part_the_trades() -> None:
    same = _view(_trade(0.1, 10, 5), _trade(0.2, 30, 5))
    assert [way.head for way in breakdown.of_window(same)] == ["pair"]
    parted = _view(_trade(0.1, 10, 5, tag="dip"), _trade(0.2, 30, 5, why="stop_loss"))
    assert [way.head for way in breakdown.of_window(parted)] == ["pair", "entry tag", "exit reason"]
    assert [g.name for g in breakdown.of_window(parted)[1].groups] == ["no tag", "dip"]


def test_as_many_tags_as_trades_become_a_table_that_ends() -> None:
    trades = tuple(_trade(0.01, 2 * n, 1, tag=f"tag {n}") for n in range(100))
    groups = breakdown.of_window(_view(*trades))[1].groups
    assert len(groups) == breakdown.MOST_GROUPS + 1
    assert groups[-1].name == "60 others"
    assert sum(group.trades for group in groups) == 100
