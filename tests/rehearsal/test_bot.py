"""Driving a stepped bot from outside: nothing is left behind, and its log stays small."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.errors import CannotTell
from runner.rehearsal import bot
from runner.rehearsal.bot import stepped_bot

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 120


def gone(pid: int) -> bool:
    try:
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.freqtrade
def test_a_bot_has_ended_when_its_block_ends_and_saw_no_settings_but_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREQTRADE__DRY_RUN", "true")
    monkeypatch.setenv("OTHER", "kept")
    with stepped_bot(tmp_path, []) as driven:
        seen = Path(f"/proc/{driven.pid}/environ").read_bytes().split(b"\0")
        # A session of its own: a terminal's Ctrl-C does not reach it.
        assert os.getsid(driven.pid) == driven.pid
    assert gone(driven.pid)
    assert b"OTHER=kept" in seen
    assert [name for name in seen if name.startswith(b"FREQTRADE__")] == []


@pytest.mark.freqtrade
def test_a_bot_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    now = datetime.fromisoformat("2023-01-02T00:00Z")
    with (
        pytest.raises(
            CannotTell, match=r"freqtrade ended with 1:\n(?s:.*)ConfigurationError: Parse"
        ) as told,
        stepped_bot(tmp_path, [tmp_path / "config.json"]) as driven,
    ):
        driven.turn(now)
    assert told.value.hint == f"{tmp_path / 'log'} has all of it"
    assert gone(driven.pid)


DRIVEN = """
import os, signal, sys
from runner.bots import stepped
stepped._GRACE_SECONDS = 1
stepped.end_with_parent()
print(os.getpid(), flush=True)
while True:
    pass
"""

DRIVER = """
import subprocess, sys, time
driven = subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True)
time.sleep(1000)
"""


@pytest.mark.freqtrade
def test_a_bot_in_a_turn_without_end_ends_soon_after_its_driver_was_killed() -> None:
    argv = [sys.executable, "-c", DRIVER, DRIVEN]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        driven = int(driver.stdout.readline())
        driver.kill()
        until = time.monotonic() + MOST_SECONDS
        try:
            while not gone(driven):
                assert time.monotonic() < until
                time.sleep(0.05)
        finally:
            if not gone(driven):
                os.kill(driven, signal.SIGKILL)


def test_a_log_keeps_the_end_and_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot, "LOG_BYTES", 10_000)
    ours, theirs = os.pipe()
    writer = threading.Thread(
        target=bot._write_down, args=(os.fdopen(ours, errors="replace"), tmp_path / "log")
    )
    writer.start()
    with os.fdopen(theirs, "wb") as said:
        said.write(b"a line of 20 letters\n" * 5_000 + b"\xff\n")
        said.write(b"x" * 300_000 + b"\nthe last line\n")
    writer.join(MOST_SECONDS)
    kept = {path.name: path.read_text(errors="replace") for path in tmp_path.iterdir()}
    assert set(kept) == {"log", "log.1"}
    assert kept["log"].endswith("the last line\n")
    assert sum(map(len, kept.values())) < 200_000
