"""The tape shows candles as they are seen at a moment of the exchange's clock."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange import klines
from runner.exchange.core.path import Candle
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


TICK = Decimal("0.01")
HOURS = 3
MOMENTS = st.integers(0, HOURS * HOUR)
FAR = 10**15
DUST = Decimal("1e-20")  # thirds of a volume, 28 digits each


@st.composite
def whole_markets(draw: st.DrawFn) -> dict[str, Candles]:
    """Candles of five minutes between two prices, with gaps in them, and the hours they make."""
    dice = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = []
    for number in range(HOURS * 12):
        low, one, other, high = sorted(dice.integers(9_000, 11_000, 4).tolist())
        open_, close = (one, other) if dice.random() < 0.5 else (other, one)
        prices = (each / 100 for each in (open_, high, low, close))
        # The first of each hour is there, so that hours open where they should, and the last.
        if number % 12 == 0 or number == HOURS * 12 - 1 or dice.random() < 0.9:
            rows.append((number * FINE, *prices, int(dice.integers(0, 900)) / 10))
    hours = [joined_rows([row for row in rows if row[0] // HOUR == hour]) for hour in range(HOURS)]
    return {"5m": series("5m", rows), "1h": series("1h", hours)}


def joined_rows(rows: list[tuple[float, ...]]) -> tuple[float, ...]:
    time, open_, high, low, close, volume = zip(*rows, strict=True)
    total = float(sum(Decimal(repr(each)) for each in volume))
    return (time[0] // HOUR * HOUR, open_[0], max(high), min(low), close[-1], total)


def series(timeframe: str, rows: list[tuple[float, ...]]) -> Candles:
    time, *columns = (np.array(column) for column in zip(*rows, strict=True))
    return Candles(
        "BTC/USDT", timeframe, time.astype(np.int64), *(column.astype(float) for column in columns)
    )


def recorded(market: dict[str, Candles]) -> Reel:
    return Reel("BTCUSDT", TICK, ("1h", "5m"), market.__getitem__)


def shown(reel: Reel, now: int) -> list[object]:
    """Everything that a reel tells at a moment."""
    every = {tf: reel.rows(tf, 0, FAR, now) for tf in reel.timeframes}
    return [
        reel.price(now),
        reel.day(now),
        reel.newest("5m", 50, now),
        *(reel.seen(tf, row, now) for tf, rows in every.items() for row in rows),
        *(klines.told(reel, tf, rows, now) for tf, rows in every.items()),
    ]


NAMES = ("open", "high", "low", "close", "volume")


def bent_after(market: dict[str, Candles], now: int) -> dict[str, Candles]:
    """Another market from now on: what opens later, and closes that the path is not near yet."""
    fine, hour = market["5m"], market["1h"]
    later, open_ = fine.time > now, hour.time + HOUR > now
    early = (fine.time <= now) & (now < fine.time + FINE * 2 // 3)
    fine = replace(fine, close=np.where(early, fine.high + fine.low - fine.close, fine.close))
    return {
        "5m": replace(fine, **{name: other(fine, name, later) for name in NAMES}),
        "1h": replace(hour, **{name: other(hour, name, open_) for name in NAMES}),
    }


def other(candles: Candles, name: str, where: Any) -> Any:
    column = getattr(candles, name)
    return np.where(where, np.round(column * 3 + 1, 2), column)


@settings(max_examples=60)
@given(market=whole_markets(), now=MOMENTS)
def test_what_lies_ahead_never_shows(market: dict[str, Candles], now: int) -> None:
    assert shown(recorded(market), now) == shown(recorded(bent_after(market, now)), now)


@settings(max_examples=60)
@given(market=whole_markets(), now=MOMENTS)
def test_the_same_moment_always_looks_the_same(market: dict[str, Candles], now: int) -> None:
    reel = recorded(market)
    before = shown(reel, now)
    shown(reel, now + FINE)
    assert shown(reel, now) == before == shown(recorded(market), now)


@settings(max_examples=60)
@given(market=whole_markets(), moments=st.lists(MOMENTS, min_size=2, max_size=12))
def test_an_open_candle_grows_into_the_closed_one(
    market: dict[str, Candles], moments: list[int]
) -> None:
    reel = recorded(market)
    for timeframe in reel.timeframes:
        grown: dict[int, Candle] = {}
        for now in sorted(moments):
            for row in reel.rows(timeframe, 0, FAR, now):
                candle = reel.seen(timeframe, row, now)
                assert candle.low <= min(candle.open, candle.close)
                assert candle.high >= max(candle.open, candle.close)
                before = grown.get(row, candle)
                assert before.open == candle.open
                assert before.high <= candle.high
                assert before.low >= candle.low
                assert before.volume <= candle.volume + DUST
                if reel.is_open(timeframe, row, now):
                    assert candle.opens <= now
                    assert candle.close == reel.price(now)
                grown[row] = candle


@settings(max_examples=60)
@given(market=whole_markets())
def test_a_candle_closes_as_it_was_recorded(market: dict[str, Candles]) -> None:
    reel = recorded(market)
    for timeframe, length in (("5m", FINE), ("1h", HOUR)):
        for row, opens in enumerate(market[timeframe].time.tolist()):
            last = reel.seen(timeframe, row, opens + length - 1)
            closed = reel.seen(timeframe, row, opens + length)
            assert last.open == closed.open
            assert last.high == closed.high
            assert last.low == closed.low
            assert abs(last.close - closed.close) < 1
            assert abs(last.volume - closed.volume) < 1
