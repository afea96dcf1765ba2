"""The tape shows candles as they are seen at a moment of the exchange's clock."""

from decimal import Decimal

import numpy as np
import pytest

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange.tape import Reel, Tape

HOUR, FINE = TIMEFRAMES["1h"], TIMEFRAMES["5m"]


def candles(timeframe: str, begins: int, closes: list[float]) -> Candles:
    """Candles that open where the one before closed, the first one at 100."""
    time = begins + np.arange(len(closes), dtype=np.int64) * TIMEFRAMES[timeframe]
    close = np.array(closes)
    open_ = np.array([100.0, *closes[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return Candles("BTC/USDT", timeframe, time, open_, high, low, close, np.full(len(closes), 12.0))


@pytest.fixture
def reel() -> Reel:
    """Four hours; of the last two there are candles of five minutes, too."""
    series = {
        "1h": candles("1h", 0, [101, 102, 103, 104]),
        "5m": candles("5m", 2 * HOUR, [float(100 + n) for n in range(24)]),
    }
    return Reel("BTCUSDT", Decimal("0.01"), ("1h", "5m"), series.__getitem__)


def test_prices_follow_the_finest_candles_that_there_are(reel: Reel) -> None:
    assert [reel.finest(at) for at in (0, 2 * HOUR - 1, 2 * HOUR)] == ["1h", "1h", "5m"]
    # No fall in this hour: its first two thirds are the low and the way to the high.
    assert reel.price(HOUR * 2 // 3) == 101
    assert reel.price(3 * HOUR) == 111


def test_nothing_ahead_of_the_clock_is_shown(reel: Reel) -> None:
    now = 3 * HOUR + FINE
    shown = [reel.seen("1h", row, now) for row in reel.rows("1h", 0, 10 * HOUR, now)]
    assert [candle.opens for candle in shown] == [0, HOUR, 2 * HOUR, 3 * HOUR]
    assert (shown[-1].open, shown[-1].close, shown[-1].volume) == (111, 112, 12)
    assert reel.newest("5m", 2, now)[-1].volume == 0
    assert shown[-2].close == 103, "a closed candle is as it was recorded"


def test_where_no_candle_is_nothing_is_traded_and_the_price_stays() -> None:
    halves = candles("1h", 0, [101]), candles("1h", 3 * HOUR, [105])
    columns = ("time", "open", "high", "low", "close", "volume")
    joined = (np.concatenate([getattr(half, name) for half in halves]) for name in columns)
    series = Candles("BTC/USDT", "1h", *joined)
    reel = Reel("BTCUSDT", Decimal("0.01"), ("1h",), {"1h": series}.__getitem__)
    assert reel.candle(2 * HOUR) is None
    assert reel.price(2 * HOUR) == 101
    assert reel.turn(2 * HOUR) == 3 * HOUR
    assert reel.turn(3 * HOUR) == 4 * HOUR
    assert reel.price(-1) is None
    assert Tape({"BTCUSDT": reel}).last() == 4 * HOUR


def test_the_turns_of_a_day_reach_every_candle(reel: Reel) -> None:
    at, turns = 0, []
    while (following := reel.turn(at)) is not None and following < 4 * HOUR:
        turns.append(at := following)
    assert turns[:3] == [HOUR, 2 * HOUR, 2 * HOUR + FINE]
    assert len(turns) == 2 + 23
