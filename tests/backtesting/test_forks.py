"""Forks on this system's own processes and pipes."""

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.backtesting import forks
from pipelines.domain.document import Document

# pytest's own threads or those of numpy do nothing while we fork.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


class Said(Document):
    """A small answer."""

    text: str


def told(work: Callable[[], Document], most: int = forks.MOST_BYTES) -> forks.Told[Said]:
    return forks.answers({"one": work}, Said, 1, most)["one"]


def end(status: int) -> Said:
    os._exit(status)


def test_every_fork_answers_for_itself_and_in_the_order_of_the_work() -> None:
    work = {name: lambda name=name: Said(text=f"{name} {os.getpid()}") for name in "cab"}
    found = forks.answers(work, Said, 2)
    assert list(found) == list("cab")
    texts = [said.answer.text.split() for said in found.values() if said.answer]
    assert [text[0] for text in texts] == list("cab")
    assert len({text[1] for text in texts} | {str(os.getpid())}) == 4


def test_answers_larger_than_a_pipe_are_read_while_others_still_run() -> None:
    work = {
        "long": lambda: Said(text="x" * 3_000_000),
        "slow": lambda: (time.sleep(0.3), Said(text="y" * 3_000_000))[1],
    }
    found = forks.answers(work, Said, 2)
    assert [len(said.answer.text) for said in found.values() if said.answer] == [3_000_000] * 2


def test_no_more_forks_run_at_once_than_were_asked_for(tmp_path: Path) -> None:
    def work() -> Said:
        mine = tmp_path / str(os.getpid())
        mine.touch()
        time.sleep(0.1)
        count = len(list(tmp_path.iterdir()))
        mine.unlink()
        return Said(text=str(count))

    found = forks.answers(dict.fromkeys("abcde", work), Said, 2)
    counts = [int(said.answer.text) for said in found.values() if said.answer]
    assert len(counts) == 5
    assert max(counts) == 2


def test_a_fork_that_ends_early_or_raises_gives_no_answer() -> None:
    def raises() -> Said:
        raise KeyError("of mine")

    assert told(lambda: end(0)) == forks.Told(None, "its process ended without an answer")
    assert told(raises).answer is None


def test_a_fork_that_floods_is_killed_and_named() -> None:
    def floods() -> Said:
        while True:
            os.write(3, b"x" * 65536)

    began = time.monotonic()
    assert told(floods, most=100_000) == forks.Told(
        None, "its answer was longer than 100000 bytes", "output"
    )
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("said", "about"),
    [
        (b"nonsense", "1 faults, the first at its beginning"),
        (b'{"text": 1}', "1 faults, the first at text"),
        (b'{"text": "a"}{"text": "b"}', "1 faults"),
        (b'{"text": "a", "more": ""}', "the first at more"),
        (b"\xff", "1 faults"),
    ],
)
def test_what_is_not_in_the_agreed_form_is_no_answer(said: bytes, about: str) -> None:
    found = told(lambda: (os.write(3, said), end(0))[1])
    assert found.answer is None
    assert about in found.why


def test_something_left_behind_that_keeps_the_pipe_holds_up_nobody() -> None:
    def leaves() -> Said:
        if not os.fork():
            time.sleep(20)
            os._exit(0)
        return Said(text="done")

    began = time.monotonic()
    assert told(leaves).answer == Said(text="done")
    assert time.monotonic() - began < 10


def test_a_fork_holds_only_the_three_standard_descriptors_and_its_pipe(tmp_path: Path) -> None:
    # As the server's own reply would be: open, and inherited by whoever is started.
    reply = os.open(tmp_path / "reply", os.O_CREAT | os.O_WRONLY)
    high = os.dup2(reply, 500)

    def looks() -> Said:
        held = []
        for number in range(1024):
            try:
                os.fstat(number)
            except OSError:
                continue
            held.append(number)
        time.sleep(0.2)
        return Said(text=str(held))

    found = forks.answers({"one": looks, "two": looks}, Said, 2)
    os.close(reply)
    os.close(high)
    assert [said.answer.text for said in found.values() if said.answer] == ["[0, 1, 2, 3]"] * 2


def test_nobody_answers_in_a_siblings_place() -> None:
    def forges() -> Said:
        for number in range(3, 1024):
            try:
                os.write(number, b'{"text": "forged"}')
            except OSError:
                continue
        return end(0)

    def honest() -> Said:
        time.sleep(0.5)
        return Said(text="honest")

    found = forks.answers({"honest": honest, "forges": forges}, Said, 2)
    assert found["honest"].answer == Said(text="honest")


def test_a_fork_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = f"""
import os, time
from pathlib import Path
from pipelines.backtesting import forks
from pipelines.domain.document import Document

def work():
    Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    time.sleep(60)

forks.answers({{"one": work}}, Document, 1)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as starter:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.02)
        starter.kill()
    assert ended(int((tmp_path / "pid").read_text()))


def ended(process: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def raised_from(error: BaseException) -> BaseException:
    wrapped = ValueError("wrapped, as freqtrade does")
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "cannot allocate"), "memory"),
        (OSError(errno.ENOSPC, "no space left"), "disk"),
        (OSError(errno.EFBIG, "file too large"), "disk"),
        (BlockingIOError(errno.EAGAIN, "temporarily unavailable"), "processes"),
        (RuntimeError("can't start new thread"), "processes"),
        (raised_from(MemoryError()), "memory"),
        (OSError(errno.ENOENT, "no such file"), ""),
        (RuntimeError("something else"), ""),
        (None, ""),
    ],
)
def test_the_limit_behind_an_error_is_named(error: BaseException | None, limit: str) -> None:
    assert forks.limit_of(error) == limit


def test_an_error_that_leads_back_to_itself_names_no_limit() -> None:
    first, second = ValueError(), ValueError()
    first.__context__, second.__context__ = second, first
    assert forks.limit_of(first) == ""


def test_the_cpu_limit_is_named_by_the_signal_that_ended_the_process() -> None:
    def burns() -> Said:
        resource.setrlimit(resource.RLIMIT_CPU, (1, 5))
        while True:
            pass

    assert told(burns).limit == "CPU time"
