from datetime import UTC, datetime

import numpy as np
import pytest

from pipelines.domain.candles import milliseconds
from pipelines.domain.trades.equity import Curve
from pipelines.domain.trades.trade import Fill, Trade
from pipelines.reports import pictures
from pipelines.reports.model import StrategyReport


def traded(*profits: float) -> tuple[Trade, ...]:
    """Trades of 100 that earned so many percent."""
    return tuple(
        Trade(
            pair="BTC/USDT",
            opened=0,
            closed=1,
            fills=(
                Fill(at=0, price=100.0, amount=1.0, entry=True),
                Fill(at=1, price=100.0 + profit, amount=1.0, entry=False),
            ),
            exit_reason="exit_signal",
            fee=0.0,
            profit=profit,
        )
        for profit in profits
    )


def curve(points: dict[datetime, float]) -> Curve:
    time = np.array([milliseconds(at) for at in points], dtype=np.int64)
    worth = np.array(list(points.values()))
    return Curve(time, worth, worth, worth * 0)


def test_thinning_keeps_extremes_and_ends() -> None:
    noise = np.random.default_rng(7).normal(size=100_000)
    up, down = np.cumsum(noise), -(np.cumsum(noise) ** 2)
    up[54_321], down[12_345] = 1e6, -1e12
    kept = pictures.thinned((up, down))
    assert len(kept) <= pictures.MOST_POINTS
    assert {0, 12_345, 54_321, 99_999, int(up.argmin())} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_few_points_are_all_drawn() -> None:
    assert pictures.thinned((np.ones(1200),)).tolist() == list(range(1200))


def test_lines_end_where_the_account_ended(failed: StrategyReport) -> None:
    view = failed.views[0]
    drawn = pictures.of_window(failed, view)
    assert drawn.equity.account[-1] == pytest.approx(view.account.equity[-1], rel=1e-5)
    assert drawn.equity.time[0] == view.account.time[0]
    assert min(drawn.drawdown.account) == pytest.approx(
        -100 * float(failed.verdicts[1].measurements["whole.drawdown"]), rel=1e-4
    )
    assert drawn.limit == -10
    assert pictures.of_window(failed, failed.views[1]).limit is None


def test_bars_never_mix_winners_and_losers() -> None:
    bars = pictures.bars(traded(-7.5, -0.01, 0.0, 0.01, 30.0, 31.0))
    lost = sum(n for at, n in zip(bars.middle, bars.count, strict=True) if at < 0)
    assert (lost, sum(bars.count)) == (3, 6)
    assert len(bars.count) <= pictures.MOST_BARS


@pytest.mark.parametrize("profits", [(), (0.0,), (5.0,), (-99.0, 1e6)])
def test_bars_hold_every_trade(profits: tuple[float, ...]) -> None:
    bars = pictures.bars(traded(*profits))
    assert sum(bars.count) == len(profits)
    assert len(bars.middle) <= pictures.MOST_BARS


def test_months_start_from_what_was_there_before() -> None:
    account = curve(
        {
            datetime(2021, 11, 15, tzinfo=UTC): 90.0,
            datetime(2021, 12, 1, tzinfo=UTC): 110.0,
            datetime(2021, 12, 31, tzinfo=UTC): 99.0,
            datetime(2022, 1, 2, tzinfo=UTC): 198.0,
        }
    )
    first, second = pictures.years(account, 100.0)
    assert (first.year, second.year) == (2021, 2022)
    # Midnight of 1 December is the end of November.
    assert first.months[10] == pytest.approx(0.1)
    assert first.months[11] == pytest.approx(-0.1)
    assert first.total == pytest.approx(-0.01)
    assert second.months[0] == pytest.approx(1.0)
    assert first.months[:10] == (None,) * 10


def test_no_candles_have_no_months() -> None:
    assert pictures.years(curve({}), 100.0) == ()
