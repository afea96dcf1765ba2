"""Locks, held by real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.errors import CannotTell
from runner.agent.locks import Lock
from runner.bots.messages import Holder

HOLDER = """
import os, sys
from pathlib import Path
from runner.agent.locks import Lock
from runner.bots.messages import Holder

held = Lock(Path(sys.argv[1])).take()
if held is None:
    sys.exit(9)
if len(sys.argv) > 2:
    holder = Holder(name="a.b", pid=os.getpid(), identity={"launch": sys.argv[2]})
    os.write(held, holder.model_dump_json().encode())
print("held", flush=True)
sys.stdin.read()
"""

Hold = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "locks" / "test.beat")


@pytest.fixture
def hold(lock: Lock) -> Iterator[Hold]:
    """A process that holds the lock; without a name it never says who it is."""
    started = []

    def start(*name: str) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-c", HOLDER, str(lock.path), *name]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_nobody_holds_a_lock_that_is_not_there(lock: Lock) -> None:
    assert (lock.holder(), lock.held(), lock.signal(signal.SIGTERM)) == (None, False, False)


def test_who_holds_it_is_told_and_nobody_else_gets_it(lock: Lock, hold: Hold) -> None:
    child = hold("one")

    assert lock.holder() == Holder(name="a.b", pid=child.pid, identity={"launch": "one"})
    assert lock.take() is None
    assert lock.held()


def test_the_death_of_whoever_holds_it_lets_it_go(lock: Lock, hold: Hold) -> None:
    child = hold("one")
    child.kill()
    child.wait()

    assert (lock.holder(), lock.held()) == (None, False)
    taken = lock.take()
    assert taken is not None
    assert os.read(taken, 100) == b"", "what the dead one said of itself is forgotten"
    os.close(taken)


def test_it_stays_held_by_a_child_that_was_given_it(lock: Lock) -> None:
    """As bots are given theirs: the agent that took it may die."""
    taken = lock.take()
    assert taken is not None
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=(taken,)) as child:
        os.close(taken)
        assert lock.held()
        child.kill()
    assert not lock.held()


def test_one_who_has_not_said_who_he_is_holds_it_and_is_not_signalled(
    lock: Lock, hold: Hold
) -> None:
    child = hold()

    with pytest.raises(CannotTell, match="just starting"):
        lock.holder()
    with pytest.raises(CannotTell, match="just starting"):
        lock.signal(signal.SIGKILL)
    assert lock.held()
    assert child.poll() is None


def test_a_signal_goes_to_whoever_holds_it(lock: Lock, hold: Hold) -> None:
    child = hold("one")

    assert lock.signal(signal.SIGTERM)

    assert child.wait(10) == -signal.SIGTERM
    assert not lock.signal(signal.SIGTERM)


def test_a_process_that_only_stands_in_the_file_is_not_signalled(lock: Lock) -> None:
    """Its number may be anybody's by now: only the lock tells."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        holder = Holder(name="a.b", pid=other.pid, identity={})
        lock.path.parent.mkdir()
        lock.path.write_text(holder.model_dump_json())

        assert not lock.signal(signal.SIGKILL)

        assert other.poll() is None
        other.kill()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("in the way")

    with pytest.raises(CannotTell, match="cannot be opened"):
        Lock(tmp_path / "locks" / "a.b").take()
