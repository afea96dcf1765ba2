"""What the clocks show, and the environment in which a program sees other time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.exchange import faketime
from runner.exchange.clock import RunningClock, SteppedClock
from runner.exchange.settings import ccxt_settings

NEW_YEAR = datetime(2022, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("speed", "passed", "shown", "name"),
    [
        (1, 0.0, 5_000, "real"),
        (1, 1.5, 6_500, "real"),
        (60, 1.5, 95_000, "scaled"),
        (300, 0.125, 42_500, "scaled"),
        (300, 3600.0, 5_000 + 300 * 3_600_000, "scaled"),
    ],
)
def test_a_running_clock_goes_on_from_its_start(
    speed: int, passed: float, shown: int, name: str
) -> None:
    seconds = iter([1000.0, 1000.0 + passed])
    clock = RunningClock(5_000, speed, lambda: next(seconds))
    assert (clock.now(), clock.name, clock.speed) == (shown, name, speed)


def test_a_stepped_clock_never_goes_back() -> None:
    clock = SteppedClock(5_000)
    clock.move(7_000)
    clock.move(6_000)
    assert (clock.now(), clock.name, clock.speed) == (7_000, "stepped", 0)


def test_a_program_is_told_the_moment_and_the_speed() -> None:
    at = datetime(2022, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)
    told = faketime.environment({"PATH": "/bin"}, Path("/lib/fake.so"), at, 300)
    assert told == {
        "PATH": "/bin",
        "LD_PRELOAD": "/lib/fake.so",
        "FAKETIME": "@2022-03-01 12:30:00.250000 x300",
        "NO_FAKE_STAT": "1",
        "TZ": "UTC",
    }


def test_time_that_others_have_set_is_not_kept_but_what_they_preload_is() -> None:
    given = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME": "+1d", "LD_PRELOAD": "/lib/own.so"}
    told = faketime.environment(given, Path("/lib/fake.so"), NEW_YEAR, 60)
    assert told["LD_PRELOAD"] == "/lib/fake.so:/lib/own.so"
    assert {name for name in told if name.startswith("FAKETIME")} == {"FAKETIME"}
    assert told["FAKETIME"] == "@2022-01-01 00:00:00.000000 x60"


@pytest.mark.parametrize(
    "place", ["lib/aarch64-linux-gnu/faketime", "lib64/faketime", "local/lib/faketime"]
)
def test_the_library_is_found_where_systems_put_it(place: str, tmp_path: Path) -> None:
    assert faketime.library(tmp_path) is None
    (tmp_path / place).mkdir(parents=True)
    # The one without threads beside it would not do.
    (tmp_path / place / "libfaketime.so.1").touch()
    assert faketime.library(tmp_path) is None
    (tmp_path / place / "libfaketimeMT.so.1").touch()
    assert faketime.library(tmp_path) == tmp_path / place / "libfaketimeMT.so.1"


@pytest.mark.parametrize(("speed", "timeout"), [(0, 10_000), (1, 10_000), (300, 3_000_000)])
def test_timeouts_last_as_long_as_without_scaled_time(speed: int, timeout: int) -> None:
    assert ccxt_settings("http://here", speed)["timeout"] == timeout


def test_requests_may_be_old_only_where_time_is_scaled() -> None:
    assert ccxt_settings("http://here", 300)["options"]["recvWindow"] == 60_000
    assert "recvWindow" not in ccxt_settings("http://here", 1)["options"]
