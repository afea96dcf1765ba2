"""A rehearsal goes from candle to candle."""

from datetime import UTC, datetime

import pytest

from pipelines.errors import BadInput
from runner.rehearsal.rehearsing import next_candle
from runner.rehearsal.turns import Done


@pytest.mark.parametrize(
    ("timeframe", "now", "expected"),
    [
        ("5m", "2023-01-02T00:00:00", "2023-01-02T00:05:00"),
        ("5m", "2023-01-02T00:04:59", "2023-01-02T00:05:00"),
        ("1h", "2023-01-02T23:30:00", "2023-01-03T00:00:00"),
        ("4h", "2023-01-02T05:00:00", "2023-01-02T08:00:00"),
        ("1d", "2024-02-28T00:00:01", "2024-02-29T00:00:00"),
    ],
)
def test_the_next_turn_is_when_the_next_candle_begins(
    timeframe: str, now: str, expected: str
) -> None:
    at, then = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, expected))
    assert next_candle(Done(now=at, state="running", timeframe=timeframe)) == then


def test_a_timeframe_that_is_not_known_is_said() -> None:
    done = Done(now=datetime(2023, 1, 2, tzinfo=UTC), state="running", timeframe="7m")
    with pytest.raises(BadInput, match="strategy: timeframe: 7m is no step"):
        next_candle(done)
