"""What can be wrong with candles, one sentence for each."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.candles import Candles, Gap, moment
from pipelines.domain.soundness import differences, flaws, gaps, pinned, written

HOUR = 3_600_000
START = 1_577_836_800_000  # 2020-01-01
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def candles(count: int = 10) -> Candles:
    price = np.arange(count, dtype=np.float64) + 100
    time = START + HOUR * np.arange(count)
    return Candles("BTC/USDT", "1h", time, price, price + 2, price - 2, price + 1, price * 10)


def without(whole: Candles, *rows: int) -> Candles:
    kept = [i for i in range(len(whole)) if i not in rows]
    columns = (whole.time, whole.open, whole.high, whole.low, whole.close, whole.volume)
    return Candles(whole.pair, whole.timeframe, *(column[kept] for column in columns))


def changed(column: str, row: int, value: float) -> Candles:
    whole = candles()
    getattr(whole, column)[row] = value
    return whole


def said(found: Candles, now: datetime = NOW) -> list[str]:
    return [flaw.message for flaw in flaws(found, now)]


def test_sound_candles_have_no_flaws() -> None:
    assert said(candles()) == []


def test_a_candle_that_just_opened_is_not_in_the_future() -> None:
    assert said(candles(1), moment(START)) == []


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (candles(0), "holds no candles"),
        (
            changed("time", 3, START + 8 * HOUR),
            "is not in order of time: 2020-01-01T04:00:00Z comes after 2020-01-01T08:00:00Z",
        ),
        (
            changed("time", 3, START + 2 * HOUR),
            "holds 1 time more than once, first 2020-01-01T02:00:00Z",
        ),
        (
            changed("time", 3, START + 3 * HOUR + 1000),
            "has 1 candle off the grid of 1h, first 2020-01-01T03:00:01Z",
        ),
        (
            changed("time", 9, START + 24 * 3000 * HOUR),
            "has 1 candle in the future, first 2028-03-19T00:00:00Z",
        ),
        (changed("time", 9, 2**60), f"has 1 candle in the future, first {2**60} ms"),
        (changed("open", 4, np.nan), "open is nan at 2020-01-01T04:00:00Z"),
        (changed("high", 4, np.inf), "high is inf at 2020-01-01T04:00:00Z"),
        (changed("volume", 4, -np.inf), "volume is -inf at 2020-01-01T04:00:00Z"),
        (changed("low", 4, 0), "low is 0, not above zero at 2020-01-01T04:00:00Z"),
        (changed("close", 4, -5), "close is -5, not above zero at 2020-01-01T04:00:00Z"),
        (changed("volume", 4, -1), "volume is -1, below zero at 2020-01-01T04:00:00Z"),
        (changed("high", 4, 50), "high is 50, below low at 2020-01-01T04:00:00Z"),
        (changed("open", 4, 150), "open is 150, outside of low and high at 2020-01-01T04:00:00Z"),
        (changed("close", 4, 50), "close is 50, outside of low and high at 2020-01-01T04:00:00Z"),
    ],
)
def test_every_flaw_is_told_with_its_first_place(bad: Candles, expected: str) -> None:
    assert expected in said(bad)


def test_a_flaw_that_repeats_is_told_once_with_a_count() -> None:
    bad = candles()
    bad.volume[2:5] = -1
    assert said(bad) == ["volume is -1, below zero at 2020-01-01T02:00:00Z (and 2 more times)"]


def test_all_flaws_are_told_at_once() -> None:
    bad = changed("open", 4, np.nan)
    bad.volume[2] = -1
    bad.time[9] += 1
    assert len(said(bad)) == 3


@given(st.integers(2, 200), st.sets(st.integers(1, 198)), st.sampled_from([60_000, HOUR]))
def test_gaps_are_exactly_what_is_missing(count: int, missing: set[int], step: int) -> None:
    grid = START + step * np.arange(count)
    kept = np.array([i not in missing or i in {0, count - 1} for i in range(count)])
    found = gaps(grid[kept], step)
    told = {int(gap.at.timestamp() * 1000) + step * i for gap in found for i in range(gap.missing)}
    assert told == set(grid[~kept].tolist())
    assert sum(gap.missing for gap in found) == len(told)


def test_candles_equal_what_was_pinned_of_them() -> None:
    whole = without(candles(), 4, 5)
    assert pinned(whole).gaps == (Gap(at=moment(START + 4 * HOUR), missing=2),)
    assert differences(whole, pinned(whole)) == ()


@pytest.mark.parametrize(
    ("found", "recorded", "expected"),
    [
        (
            without(candles(), 4, 5),
            candles(),
            [
                "lacks 2 candles from 2020-01-01T04:00:00Z, which data.lock does not record",
                "holds 8 candles, and data.lock records 10",
            ],
        ),
        (
            without(candles(), 4, 6, 8),
            without(candles(), 8),
            [
                "lacks 1 candle from 2020-01-01T04:00:00Z (and 1 gap more), "
                "which data.lock does not record",
                "holds 7 candles, and data.lock records 9",
            ],
        ),
        (
            candles(),
            without(candles(), 4, 5),
            [
                "has no gap of 2 candles at 2020-01-01T04:00:00Z, and data.lock records one",
                "holds 10 candles, and data.lock records 8",
            ],
        ),
        (
            without(candles(), 0),
            without(candles(), 9),
            [
                "starts at 2020-01-01T01:00:00Z, and data.lock records 2020-01-01T00:00:00Z",
                "ends at 2020-01-01T09:00:00Z, and data.lock records 2020-01-01T08:00:00Z",
            ],
        ),
    ],
)
def test_differences_name_what_is_missing_and_what_is_too_much(
    found: Candles, recorded: Candles, expected: list[str]
) -> None:
    assert [flaw.message for flaw in differences(found, pinned(recorded))] == expected


def test_one_changed_price_is_a_difference() -> None:
    (flaw,) = differences(changed("high", 4, 106.01), pinned(candles()))
    assert flaw.message.startswith("holds other candles than data.lock records: digest ")


def test_times_are_written_as_the_lock_writes_them() -> None:
    assert written(NOW) == "2024-01-01T00:00:00Z"
    assert written(START) == "2020-01-01T00:00:00Z"
