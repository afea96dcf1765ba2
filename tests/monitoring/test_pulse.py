"""What a bot says of itself comes through whole, or not at all."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.monitoring import pulse
from runner.monitoring.pulse import Pulse

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FULL = Pulse(
    pid=7,
    at=NOON,
    timeframe=300.0,
    turns=3,
    turned=NOON,
    failed="TemporaryError",
    pairs=80,
    candle=NOON,
    pair="1000000MOG/USDT:USDT",
    lag=2.5,
    calls=10**9,
    failures=10**9,
    seconds=123456.123456,
    private=NOON,
    private_failed=NOON,
    private_error="AuthenticationError" * 5,
)


def test_it_comes_back_as_it_was_and_takes_no_more_room_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / pulse.FILE
    pulse.write(path, FULL)
    size = path.stat().st_size
    assert pulse.read(path) == FULL
    short = Pulse(pid=8, at=NOON, timeframe=60.0)
    pulse.write(path, short)
    assert (pulse.read(path), path.stat().st_size) == (short, size)


def test_nothing_garbage_and_half_of_one_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / pulse.FILE
    assert pulse.read(path) is None
    pulse.write(path, FULL)
    whole = path.read_bytes()
    for broken in (b"", b"garbage", whole[:200], whole.replace(b'"pid":7', b'"pid":8')):
        path.write_bytes(broken)
        assert pulse.read(path) is None
    path.write_bytes(whole)
    assert pulse.read(path) == FULL


@pytest.mark.parametrize("where", ["nowhere/pulse", "full"])
def test_where_it_cannot_be_written_nobody_is_stopped(where: str, tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    pulse.write(tmp_path / where, FULL)


WRITES = """
import sys
from pathlib import Path
from runner.monitoring import pulse
from tests.monitoring.test_pulse import FULL
path, number = Path(sys.argv[1]), 0
while True:
    number += 1
    same = {"pid": number, "calls": number, "failures": number}
    pulse.write(path, FULL.model_copy(update=same | {"pair": "x" * (number % 400)}))
    if number == 1:
        print("begun", flush=True)
"""


def test_while_it_is_written_over_every_look_finds_one_that_was_said(
    root: Path, tmp_path: Path
) -> None:
    path = tmp_path / pulse.FILE
    argv = [sys.executable, "-c", WRITES, str(path)]
    with subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        found = [pulse.read(path) for _ in range(3000)]
        writer.kill()
    said = [each for each in found if each is not None]
    assert len(said) > 2900
    assert all(each.pid == each.calls == each.failures for each in said)
    assert len({each.pid for each in said}) > 1
