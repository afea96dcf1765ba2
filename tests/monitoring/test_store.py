"""What was observed is kept by release, rolled up by age, whole after a kill, with its gaps."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.observation import Observation
from pipelines.errors import CannotTell
from runner.monitoring.store import GAP, HOURS, LEVELS, LOOKS, MINUTES, Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEAT = ("prod", "beat", "beat@1.0.0+3f9c2a1b")
FULL: dict[str, Any] = {
    "equity": Decimal("1000.12345678"),
    "open_trades": 2,
    "closed_trades": 3,
    "profit": Decimal("1.5"),
    "fees": Decimal("0.1"),
    "slippage": Decimal("-0.0001"),
    "exposure": Decimal(100),
    "orders": 4,
    "rejections": 1,
    "candle_lag": 2.5,
    "calls": 10,
    "failures": 1,
    "call_seconds": 0.5,
    "memory": 90_000_000,
    "cpu": 7.5,
    "uptime": 60.0,
    "private_age": 3.0,
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "observations.sqlite")


def seen(seconds: float, series: tuple[str, str, str] = BEAT, **changed: Any) -> Observation:
    environment, strategy, release = series
    return Observation(
        environment=environment,
        strategy=strategy,
        release=release,
        at=NOON + timedelta(seconds=seconds),
        **{"healthy": True, **FULL, **changed},
    )


def test_a_look_comes_back_as_it_was(store: Store) -> None:
    store.add([seen(0)])
    (span,) = store.spans(LOOKS, BEAT, NOON)
    assert (span.at, span.looks, span.healthy) == (NOON, 1, 1)
    assert {name: span.figures[name] for name in FULL} == FULL
    assert span.figures["equity_low"] == span.figures["equity_high"] == FULL["equity"]


def test_what_nobody_could_tell_stays_so_and_is_never_zero(store: Store) -> None:
    nothing = dict.fromkeys(FULL)
    store.add([seen(0, **nothing)])
    store.add([seen(10)])
    store.add([seen(20, **nothing)])
    store.add([seen(3600)])
    assert store.spans(LOOKS, BEAT, NOON)[2].figures["equity"] is None
    for level in (MINUTES, HOURS):
        span = store.spans(level, BEAT, NOON)[0]
        assert (span.looks, {name: span.figures[name] for name in FULL}) == (3, FULL)
    store.add([seen(3660, **nothing)])
    store.add([seen(3720)])
    assert store.spans(MINUTES, BEAT, NOON)[-1].figures["profit"] is None


def test_what_is_too_large_for_the_file_is_unknown_and_the_rest_is_kept(store: Store) -> None:
    store.add([seen(0, equity=Decimal(10**11))])
    (span,) = store.spans(LOOKS, BEAT, NOON)
    assert (span.figures["equity"], span.figures["profit"]) == (None, FULL["profit"])


def test_minutes_and_hours_have_the_sum_the_last_the_most_and_the_range(store: Store) -> None:
    for number in range(361):
        worth = Decimal(1000 + (number % 7) - 3)
        store.add(
            [
                seen(
                    10 * number,
                    equity=worth,
                    orders=number % 5,
                    closed_trades=number,
                    healthy=number % 2 == 0,
                )
            ]
        )
    minutes = store.spans(MINUTES, BEAT, NOON)
    assert [each.at for each in minutes] == [NOON + timedelta(minutes=n) for n in range(60)]
    assert {(each.looks, each.healthy) for each in minutes} == {(6, 3)}
    (hour,) = store.spans(HOURS, BEAT, NOON)
    assert (hour.looks, hour.healthy, hour.figures["calls"]) == (360, 180, 3600)
    assert hour.figures["equity"] == Decimal(1000 + (359 % 7) - 3)
    assert (hour.figures["equity_low"], hour.figures["equity_high"]) == (997, 1003)
    assert (hour.figures["orders"], hour.figures["closed_trades"]) == (4, 359)


def test_what_is_old_is_there_in_less_detail_and_then_not_at_all(store: Store) -> None:
    store.add([seen(0)])
    for level, looks, minutes, hours in (
        (LOOKS, 0, 1, 1),
        (MINUTES, 0, 0, 1),
        (HOURS, 0, 0, 0),
    ):
        later = level.kept + timedelta(hours=2)
        store.add([seen(later.total_seconds(), ("prod", "other", level.table))])
        there = [len(store.spans(each, BEAT, NOON - timedelta(days=1))) for each in LEVELS]
        assert there == [looks, minutes, hours]
    assert store.releases("prod", "beat") == ()


def test_a_gap_is_a_gap_and_nothing_is_made_up_for_it(store: Store) -> None:
    for seconds in (0, 60, 60 + GAP.total_seconds(), 4000):
        store.add([seen(seconds)])
    store.add([seen(7200)])
    begins, ends = NOON + timedelta(seconds=180), NOON + timedelta(seconds=4000)
    last = NOON + timedelta(seconds=7200)
    assert store.gaps(BEAT, NOON) == ((begins, ends), (ends, last))
    minutes = [each.at for each in store.spans(MINUTES, BEAT, NOON)]
    assert minutes == [NOON + timedelta(minutes=n) for n in (0, 1, 3, 66)]


def test_releases_and_environments_are_never_added_up(store: Store) -> None:
    new, paper = ("prod", "beat", "beat@1.1.0+ffffffff"), ("test", *BEAT[1:])
    for number in range(7):
        store.add(
            [
                seen(600 * number, each, profit=Decimal(n))
                for n, each in enumerate((BEAT, new, paper))
            ]
        )
    assert store.releases("prod", "beat") == (BEAT[2], new[2])
    for expected, series in enumerate((BEAT, new, paper)):
        (hour,) = store.spans(HOURS, series, NOON)
        assert (hour.looks, hour.figures["profit"]) == (6, expected)


def test_a_clock_that_goes_back_changes_nothing_that_was_rolled_up(store: Store) -> None:
    for seconds in (0, 3600, 7200):
        store.add([seen(seconds)])
    before = store.spans(HOURS, BEAT, NOON)
    store.add([seen(-10 * 86400)])
    store.add([seen(10, equity=Decimal(1))])
    assert store.spans(HOURS, BEAT, NOON) == before
    store.add([seen(10800)])
    assert [each.at.hour for each in store.spans(HOURS, BEAT, NOON)] == [12, 13, 14]


def test_a_file_that_is_garbage_is_put_aside_and_begun_anew(store: Store) -> None:
    store.path.write_bytes(b"garbage" * 1000)
    with pytest.raises(CannotTell, match="not a database"):
        store.add([seen(0)])
    store.add([seen(10)])
    assert len(store.spans(LOOKS, BEAT, NOON)) == 1
    assert store.path.with_suffix(".broken").read_bytes().startswith(b"garbage")


WRITES = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.monitoring.test_store import seen
from runner.monitoring.store import Store
store, rounds = Store(Path(sys.argv[1])), int(sys.argv[2])
for number in range(rounds + 1):
    if number == rounds:
        store._roll = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    store.add([seen(7 * number, ("prod", f"s{bot}", "r")) for bot in range(20)])
"""
"""Dies in the middle of a round: what was seen is written, and not rolled up yet."""


def test_killed_in_the_middle_of_a_round_nothing_of_it_is_there_and_the_next_goes_on(
    root: Path, tmp_path: Path
) -> None:
    for rounds in (2, 11, 30):
        path = tmp_path / f"{rounds}.sqlite"
        argv = [sys.executable, "-c", WRITES, str(path), str(rounds)]
        assert subprocess.run(argv, cwd=root, check=False).returncode == -signal.SIGKILL
        with closing(sqlite3.connect(path)) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            counted = opened.execute("SELECT at, COUNT(*) FROM looks GROUP BY at").fetchall()
            minutes = opened.execute("SELECT at, COUNT(*) FROM minutes GROUP BY at").fetchall()
        assert [count for _, count in counted] == [20] * rounds
        assert {count for _, count in minutes} <= {20}
        store = Store(path)
        store.add([seen(rounds * 7, ("prod", "s0", "r"))])
        assert len(store.spans(LOOKS, ("prod", "s0", "r"), NOON)) == rounds + 1


def test_a_year_of_twenty_bots_fits(store: Store) -> None:
    """A hundredth of it, with every level filled as far; the benchmark writes all of it."""
    sizes = []
    for bots in (1, 2):
        path = store.path.with_name(f"{bots}.sqlite")
        year = Store(path)
        for number in range(600):
            year.add([seen(10 * number, ("prod", f"s{b}", "r")) for b in range(bots)])
        year.close()
        with closing(sqlite3.connect(path)) as opened:
            opened.execute("VACUUM")
        sizes.append(path.stat().st_size)
    each = (sizes[1] - sizes[0]) / 600
    rows = sum(level.kept.total_seconds() / (level.span or 10) for level in LEVELS)
    assert each * rows * 20 / 1e6 < 500, json.dumps(sizes)
