"""The heartbeat over real HTTP: only while rounds end well, never in the way, never in a log."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import BadInput, CannotTell, ExitCode
from runner.agent.alerts import Alerts
from runner.agent.rounds import rounded
from runner.monitoring.heart import BEAT_SECONDS, Heart

SECRET = "c4n4ry-0f-the-heartbeat"
DEADLINE = 20.0


@dataclass
class Watcher:
    """Whoever gets the beats: counts them, answers with `code`, and only when it may."""

    code: int = 200
    beats: int = 0
    may: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def until(self, beats: int) -> None:
        until(lambda: self.beats == beats)


def until(is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    found = Watcher()
    found.may.set()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.beats += 1
            found.may.wait(DEADLINE)
            self.send_response(found.code)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    found.url = f"http://127.0.0.1:{server.server_port}/ping/{SECRET}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.may.set()
    server.shutdown()
    server.server_close()


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rounds:
    """An agent of which only the end of its rounds matters."""

    def __init__(self, folder: Path) -> None:
        self.alerts, self.fails = Alerts(folder / "alerts.jsonl"), False

    def tick(self) -> tuple[()]:
        if self.fails:
            raise CannotTell("the ledger cannot be read")
        return ()

    def declared(self) -> None: ...
    def clock(self) -> None: ...
    def is_busy(self, *_: object) -> bool:
        return False


def rest(heart: Heart) -> None:
    """Until the beat that is on its way has ended."""
    assert heart._thread is not None
    heart._thread.join(DEADLINE)


def test_it_beats_once_a_minute_while_rounds_end_well(watcher: Watcher, tmp_path: Path) -> None:
    agent: Any = Rounds(tmp_path)
    heart = Heart(watcher.url, real=Time())
    for beats in (1, 2, 3):
        for _ in range(6):
            rounded(agent, heart.beat)
            rest(heart)
        watcher.until(beats)
        Time.now += BEAT_SECONDS


def test_it_does_not_beat_for_a_round_that_failed(watcher: Watcher, tmp_path: Path) -> None:
    agent: Any = Rounds(tmp_path)
    heart = Heart(watcher.url, every=0)
    agent.fails = True
    for _ in range(5):
        rounded(agent, heart.beat)
    assert (heart._thread, watcher.beats) == (None, 0)
    agent.fails = False
    rounded(agent, heart.beat)
    watcher.until(1)


def test_a_watcher_that_is_slow_delays_no_round_and_gets_one_beat_at_a_time(
    watcher: Watcher, tmp_path: Path
) -> None:
    agent: Any = Rounds(tmp_path)
    heart = Heart(watcher.url, every=0)
    watcher.may.clear()
    began = time.monotonic()
    for _ in range(100):
        rounded(agent, heart.beat)
    assert time.monotonic() - began < 5, "an answer would have taken ten"
    watcher.until(1)
    watcher.may.set()
    rest(heart)
    rounded(agent, heart.beat)
    watcher.until(2)


def test_one_that_fails_is_tried_again_in_the_next_round_and_its_address_is_not_told(
    watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    heart, watcher.code = Heart(watcher.url, real=Time()), 503
    heart.beat()
    rest(heart)
    assert heart.trouble == "it was answered with 503"
    watcher.code = 200
    heart.beat()
    rest(heart)
    assert (heart.trouble, watcher.beats) == ("", 2)
    nobody = Heart(f"http://127.0.0.1:9/{SECRET}")
    nobody.beat()
    rest(nobody)
    assert nobody.trouble == "ConnectError"
    own = [r.getMessage() for r in caplog.records if not r.name.startswith("http")]
    assert len(own) == 2
    assert SECRET not in "".join(own) + repr(heart)


@pytest.mark.parametrize("url", ["ftp://there/c4n4ry", "c4n4ry", "http://"])
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        Heart(url)
    assert "c4n4ry" not in str(refused.value)


def test_the_agent_says_so_and_does_not_start(root: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "runner.agent", "--home", str(tmp_path), "run"]
    ended = subprocess.run(
        [*argv, "--heartbeat", SECRET], cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == ExitCode.BAD_INPUT
    assert ended.stderr.startswith("error: --heartbeat: is no address of the web\nhint: ")
    assert SECRET not in ended.stdout + ended.stderr
