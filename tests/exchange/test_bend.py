"""A gap or a crash bends the candles that follow, and no candle that somebody was told of."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange.bend import Move, bent
from runner.exchange.core.path import Candle
from runner.exchange.tape import Reel

BTC = "BTC/USDT"
HOUR, FINE = TIMEFRAMES["1h"], TIMEFRAMES["5m"]
END = 6 * HOUR


def klines(reel: Reel, timeframe: str, begins: int, ends: int, now: int) -> list[Candle]:
    """The candles that opened in a span, as far as they are seen at a moment."""
    rows = reel.rows(timeframe, begins, ends, now)
    return [reel.seen(timeframe, row, now) for row in rows]


def market(seed: int) -> Reel:
    """Six hours, of which the last four have candles of five minutes that add up to the hours."""
    draw = np.random.default_rng(seed)
    steps = draw.normal(0, 0.5, END // FINE + 1).cumsum() + 100
    time = np.arange(END // FINE, dtype=np.int64) * FINE
    open_, close = steps[:-1].round(2), steps[1:].round(2)
    high, low = np.maximum(open_, close) + 0.25, np.minimum(open_, close) - 0.25
    volume = draw.integers(1, 50, len(time)).astype(float)
    fine = Candles(BTC, "5m", time, open_, high, low, close, volume)
    rows = [slice(first, first + 12) for first in range(0, len(time), 12)]
    hours = Candles(
        BTC,
        "1h",
        time[::12],
        open_[::12],
        np.array([high[row].max() for row in rows]),
        np.array([low[row].min() for row in rows]),
        close[11::12],
        np.array([volume[row].sum() for row in rows]),
    )
    late = slice(24, None)
    columns = (getattr(fine, n)[late] for n in ("time", "open", "high", "low", "close", "volume"))
    series = {"1h": hours, "5m": Candles(BTC, "5m", *columns)}
    return Reel("BTCUSDT", Decimal("0.01"), ("1h", "5m"), series.__getitem__)


factors = st.floats(0.05, 4).filter(lambda factor: abs(factor - 1) > 0.01)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(0, END - HOUR - 1), factors, st.booleans())
def test_what_was_told_does_not_change_and_candles_stay_those_of_one_market(
    seed: int, now: int, factor: float, back: bool
) -> None:
    reel = market(seed)
    at = reel.turn(now)
    assert at is not None
    after = bent(reel, (Move(at, factor, back),))

    for timeframe in reel.timeframes:
        assert klines(after, timeframe, 0, now, now) == klines(reel, timeframe, 0, now, now)
    assert after.price(now) == reel.price(now)
    if at >= 2 * HOUR:
        for hour in klines(after, "1h", 2 * HOUR, END, END):
            parts = klines(after, "5m", hour.opens, hour.closes - 1, END)
            assert hour.open == parts[0].open
            assert hour.high == max(part.high for part in parts)
            assert hour.low == min(part.low for part in parts)
            assert hour.close == parts[-1].close
            assert hour.volume == sum(part.volume for part in parts)


@given(st.integers(0, 50), st.integers(2 * HOUR, END - HOUR - 1), factors)
def test_a_gap_moves_every_price_from_the_next_candle_on(
    seed: int, now: int, factor: float
) -> None:
    reel = market(seed)
    at = reel.turn(now)
    assert at is not None
    after = bent(reel, (Move(at, factor),))
    for later in (at, at + FINE // 2, END - 1):
        was, is_ = reel.price(later), after.price(later)
        assert was is not None
        assert is_ is not None
        assert abs(is_ - was * Decimal(factor)) <= Decimal("0.02")


@given(st.integers(0, 50), st.integers(2 * HOUR, END - HOUR - 1), factors)
def test_a_crash_reaches_its_price_in_one_candle_and_is_over_when_it_closes(
    seed: int, now: int, factor: float
) -> None:
    reel = market(seed)
    at = reel.turn(now)
    assert at is not None
    after = bent(reel, (Move(at, factor, back=True),))
    was, is_ = reel.candle(at), after.candle(at)
    assert was is not None
    assert is_ is not None
    reached = was.open * Decimal(factor)
    assert abs(is_.low - max(min(was.low, reached), reel.tick)) <= reel.tick
    assert abs(is_.high - max(was.high, reached)) <= reel.tick
    assert (is_.open, is_.close, is_.volume) == (was.open, was.close, was.volume)
    assert klines(after, "5m", at + FINE, END, END) == klines(reel, "5m", at + FINE, END, END)


def test_moves_happen_one_on_top_of_the_other() -> None:
    reel = market(1)
    moved = bent(reel, (Move(3 * HOUR, 0.5), Move(4 * HOUR, 0.5), Move(4 * HOUR, 3, back=True)))
    was, is_ = reel.candle(4 * HOUR), moved.candle(4 * HOUR)
    assert was is not None
    assert is_ is not None
    assert abs(is_.close - was.close / 4) <= Decimal("0.01")
    assert abs(is_.high - was.open / 4 * 3) <= Decimal("0.01")


def test_no_price_falls_below_a_tick() -> None:
    moved = bent(market(1), (Move(3 * HOUR, 0.01), Move(3 * HOUR, 0.01), Move(3 * HOUR, 0.01)))
    assert moved.price(4 * HOUR) == Decimal("0.01")


@pytest.fixture
def exchange(serve: Any) -> Iterator[Any]:
    with serve("--start", "2023-01-02", "--account", "alice:key:secret:USDT=10000") as running:
        yield running


def told(exchange: Any, timeframe: str = "1h") -> Any:
    with exchange.then():
        return exchange.ccxt().fetch_ohlcv(BTC, timeframe, limit=30)


def last(exchange: Any) -> float:
    with exchange.then():
        return float(exchange.ccxt().fetch_ticker(BTC)["last"])


def placed(exchange: Any) -> tuple[Any, str]:
    """Alice has a BTC and a stop 5 % below the market that sells down to 6 % below."""
    with exchange.then():
        api = exchange.ccxt()
        bought = api.create_order(BTC, "market", "buy", 0.1)["average"]
        limit, stop = (api.price_to_precision(BTC, bought * share) for share in (0.94, 0.95))
        asked = {"stopPrice": stop}
        order = api.create_order(BTC, "stop_loss_limit", "sell", 0.09, limit, asked)
        return api, order["id"]


def test_a_gap_jumps_over_a_stop_and_the_market_survives_a_killed_process(exchange: Any) -> None:
    api, stop = placed(exchange)
    exchange.step(hours=1, minutes=25)
    before, price = told(exchange), last(exchange)
    (armed,) = exchange.fault("price_gap", symbol="BTCUSDT", by=Decimal("-0.1")).faults
    assert armed.since > exchange.now
    assert (told(exchange), last(exchange)) == (before, price)
    exchange.kill()
    exchange.start()
    assert exchange.ask("status").faults == (armed,)

    exchange.step(minutes=10)
    assert 0.88 < last(exchange) / price < 0.92
    assert exchange.ask("status").faults == ()
    exchange.clear()
    assert 0.88 < last(exchange) / price < 0.92, "what happened cannot be cleared away"
    after = told(exchange)
    assert [row for row in after if row[0] < before[-1][0]][-20:] == before[:-1][-20:]
    assert after[-1][1] == before[-1][1], "the open candle keeps its opening"
    assert after[-1][2] >= before[-1][2]
    with exchange.then():
        api = exchange.ccxt()
        order = api.fetch_order(stop, BTC)
        assert (order["status"], order["filled"]) == ("open", 0), "its limit was jumped over"
        assert order["info"]["isWorking"] is True
    exchange.kill()
    exchange.start()
    assert told(exchange) == after
    exchange.step(hours=30)
    whole = told(exchange)
    assert all(0.8 < row[4] / price < 1.0 for row in whole[-20:])


def test_a_crash_fills_a_stop_and_is_over_in_a_candle(exchange: Any) -> None:
    api, stop = placed(exchange)
    exchange.step(hours=1)
    price = last(exchange)
    assert len(exchange.fault("flash_crash", by=Decimal("-0.3")).faults) == 5, "one a symbol"
    exchange.step(minutes=10)
    assert last(exchange) / price > 0.97
    fine = told(exchange, "5m")
    assert min(row[3] for row in fine) / price < 0.75
    assert sum(row[3] / price < 0.8 for row in fine) == 1
    with exchange.then():
        api = exchange.ccxt()
        order = api.fetch_order(stop, BTC)
        assert order["status"] == "closed"
        assert order["average"] / price > 0.93
