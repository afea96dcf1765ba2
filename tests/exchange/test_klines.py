"""What is written straight from the arrays is what the Decimals of each candle say."""

import json
from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.adapters import feather, market
from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange import answers, klines
from runner.exchange.tape import Reel

FINE = TIMEFRAMES["5m"]
TICKS = ("0.01000000", "0.00000001", "0.5", "0.00025", "3")
FAR = 10**15


def reel(rows: list[tuple[float, float]], tick: str) -> Reel:
    """Candles of five minutes from prices and volumes, from price to price."""
    prices = np.array([price for price, _ in rows])
    close = np.roll(prices, -1)
    series = Candles(
        "BTC/USDT",
        "5m",
        np.arange(len(rows), dtype=np.int64) * FINE,
        prices,
        np.maximum(prices, close),
        np.minimum(prices, close),
        close,
        np.array([volume for _, volume in rows]),
    )
    return Reel("BTCUSDT", Decimal(tick), ("5m",), {"5m": series}.__getitem__)


def slowly(tape: Reel, timeframe: str, rows: range, now: int) -> list[object]:
    return [answers.kline(tape.seen(timeframe, row, now)) for row in rows]


def recorded(digits: int, most: int) -> st.SearchStrategy[float]:
    """Numbers as exchanges write them, with so many decimals at most."""
    scaled = st.integers(0, most * 10**digits)
    return scaled.map(lambda number: float(Decimal(number).scaleb(-digits)))


ROWS = st.lists(st.tuples(recorded(8, 90_000), recorded(8, 10_000)), min_size=1, max_size=8)
ODD = st.floats(0, 1e8).filter(lambda number: number > 1e-9 or not number)


@given(ROWS, st.sampled_from(TICKS), st.integers(0, 8 * FINE))
def test_candles_are_told_as_their_decimals_say(
    rows: list[tuple[float, float]], tick: str, now: int
) -> None:
    tape = reel(rows, tick)
    shown = tape.rows("5m", 0, FAR, now)
    assert json.loads(klines.told(tape, "5m", shown, now)) == slowly(tape, "5m", shown, now)


@given(ROWS, st.tuples(ODD, ODD))
def test_a_number_that_no_exchange_writes_is_told_rightly_too(
    rows: list[tuple[float, float]], odd: tuple[float, float]
) -> None:
    tape = reel([*rows, odd], "0.01")
    every = range(len(rows) + 1)
    assert json.loads(klines.told(tape, "5m", every, FAR)) == slowly(tape, "5m", every, FAR)


@pytest.mark.parametrize(
    ("number", "units", "quickly"),
    [
        (1.5, 150_000_000, True),
        (9_999_999.12345678, 999_999_912_345_678, True),
        (0.1 + 0.2, 30_000_000, False),
        (1.5e-8, 2, False),
        (12_345_678.9, 1_234_567_890_000_000, False),
        (1.25e17, 12_500_000_000_000_000_000_000_000, False),
    ],
)
def test_a_double_is_taken_for_the_number_that_was_recorded(
    number: float, units: int, quickly: bool
) -> None:
    found = klines._units(np.array([number]))
    assert found.tolist() == [units]
    assert (found.dtype == np.int64) is quickly


def test_prices_between_two_ticks_go_to_the_even_one() -> None:
    told = klines.told(reel([(price, 1.0) for price in (0.5, 1.5, 2.5)], "1"), "5m", range(3), FAR)
    assert [line[1] for line in json.loads(told)] == ["0.00000000", "2.00000000", "2.00000000"]


def test_the_embedded_market_is_told_as_its_decimals_say() -> None:
    for (pair, timeframe), series in market.generate().items():
        tape = Reel(pair, Decimal("0.0001"), (timeframe,), {timeframe: series}.__getitem__)
        for first in range(0, len(series) - 20, len(series) // 7):
            rows = range(first, first + 20)
            told = json.loads(klines.told(tape, timeframe, rows, FAR))
            assert told == slowly(tape, timeframe, rows, FAR)


@pytest.mark.needs("candles")
def test_recorded_candles_are_told_as_their_decimals_say(candles_folder: Path) -> None:
    for pair, timeframe in product(("BTC", "ADA", "SOL"), ("5m", "1h", "1d")):
        file = candles_folder / f"binance/{pair}_USDT-{timeframe}.feather"
        series = feather.read(file, pair, timeframe)
        tape = Reel(pair, Decimal("0.0001"), (timeframe,), {timeframe: series}.__getitem__)
        for first in range(0, len(series) - 50, len(series) // 20):
            rows = range(first, first + 50)
            told = json.loads(klines.told(tape, timeframe, rows, FAR))
            assert told == slowly(tape, timeframe, rows, FAR)
