"""`sluice-agent down`: bots outlive their agent, so somebody has to be able to end them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.errors import CannotTell
from runner.agent import down as module
from runner.agent.down import down
from runner.agent.house import House

HOLDER = """
import os, signal, sys, time
from pathlib import Path
from runner.agent.locks import Lock
from runner.bots.messages import Holder
path, stubborn = Path(sys.argv[1]), sys.argv[2] == "stubborn"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = Lock(path).take()
print("held", flush=True)
if sys.argv[2] == "late":
    time.sleep(0.5)
holder = Holder(name=path.name, pid=os.getpid(), identity={})
os.pwrite(held, holder.model_dump_json().encode(), 0)
print("said", flush=True)
time.sleep(600)
"""


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return House(tmp_path / "home")


@pytest.fixture
def start(house: House) -> Iterator[Start]:
    """A real process that holds a bot's lock as a bot does, and trades nothing."""
    started: list[subprocess.Popen[str]] = []

    def begin(name: str, how: str = "plain", said: str = "said") -> "subprocess.Popen[str]":
        path = house.home / "locks" / name
        argv = [sys.executable, "-c", HOLDER, str(path), how]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout is not None
        while child.stdout.readline().strip() != said:
            assert child.poll() is None
        return child

    yield begin
    for child in started:
        child.kill()
        child.communicate()


def test_every_bot_is_ended_and_named(house: House, start: Start) -> None:
    bots = [start("test.plain"), start("sandbox.plain")]
    assert down(house) == ("sandbox.plain", "test.plain")
    assert [bot.wait(5) for bot in bots] == [-signal.SIGTERM] * 2
    assert down(house) == ()


def test_one_that_does_not_listen_is_killed(
    house: House, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS", {signal.SIGTERM: 0.3, signal.SIGKILL: 10.0})
    stubborn = start("test.plain", "stubborn")
    assert down(house) == ("test.plain",)
    assert stubborn.wait(5) == -signal.SIGKILL


def test_one_that_is_just_starting_is_ended_once_it_says_who_it_is(
    house: House, start: Start
) -> None:
    late = start("test.plain", "late", said="held")
    assert down(house) == ("test.plain",)
    assert late.wait(5) == -signal.SIGTERM


def test_while_an_agent_runs_nothing_is_ended(house: House, start: Start) -> None:
    bot = start("test.plain")
    agent = house.home / "locks" / "agent"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(agent), "plain"])
    try:
        until = time.monotonic() + 20
        while not agent.exists() or not agent.read_bytes():
            assert time.monotonic() < until
        with pytest.raises(CannotTell, match="an agent runs with this home"):
            down(house)
        assert bot.poll() is None
    finally:
        holder.kill()
        holder.wait()


def test_the_command_needs_neither_exchange_nor_ledger(house: House, start: Start) -> None:
    start("test.plain")
    command = [sys.executable, "-m", "runner.agent", "--home", str(house.home), "down"]
    environment = {**os.environ, "SLUICE_EXCHANGE": "/nowhere/ready.json"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "ended test.plain\n"
    assert not (house.home / "ledger.sqlite").exists()
