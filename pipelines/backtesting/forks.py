"""Work in forks, each of which answers through a pipe of its own.

The process that calls `answers` loads no strategy code; its forks do, and what one of them says is
hostile data: bounded, and taken only in the form that was agreed on. A fork holds nothing but its
own pipe, so it can speak neither for its siblings nor for the process that started it.
"""

import errno
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import ValidationError

from pipelines.backtesting import replies
from pipelines.domain.document import Document
from pipelines.freqtrade.messages import Limit

D = TypeVar("D", bound=Document)

MOST_BYTES = 12 << 20
"""A fork that says more is killed: some 30,000 trades, and five such answers fit in one reply."""

POLL_SECONDS = 0.02
_AT_ONCE = 1 << 16
_PIPE = 3
"""The one descriptor that a fork holds beside standard input, output and error."""

_ERRNO: dict[int, Limit] = {
    errno.ENOSPC: "disk",
    errno.EFBIG: "disk",
    errno.EDQUOT: "disk",
    errno.EAGAIN: "processes",
    errno.ENOMEM: "memory",
}
_SIGNALS: dict[int, Limit] = {signal.SIGXCPU: "CPU time", signal.SIGXFSZ: "disk"}


@dataclass(frozen=True)
class Told(Generic[D]):
    """What a fork answered, or why there is no answer; `limit` names the limit that it broke."""

    answer: D | None
    why: str = ""
    limit: Limit = ""


def limit_of(error: BaseException | None) -> Limit:
    """The limit that is behind an error, itself or what it was raised from; mostly none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return "memory"
        if isinstance(error, OSError) and error.errno in _ERRNO:
            return _ERRNO[error.errno]
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return "processes"
        error = error.__cause__ or error.__context__
    return ""


def answers(
    work: Mapping[str, Callable[[], Document]], model: type[D], jobs: int, most: int = MOST_BYTES
) -> dict[str, Told[D]]:
    """Do every piece of work in a fork of its own, at most `jobs` at once and in this order.

    Each answers with a `model` of at most `most` bytes. A fork's end ends its answer, even where
    something that it started goes on and keeps the pipe.
    """
    waiting = list(work.items())
    running: list[_Fork] = []
    told: dict[str, Told[D]] = {}
    with selectors.DefaultSelector() as ready:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(*waiting.pop(0), ready))
            for key, _ in ready.select(POLL_SECONDS):
                key.data.listen(ready, most)
            for fork in [fork for fork in running if fork.ended(ready, most)]:
                running.remove(fork)
                told[fork.name] = _understood(fork, model, most)
    return {name: told[name] for name in work}


@dataclass
class _Fork:
    """One fork while it runs, and what it has said so far."""

    name: str
    process: int
    pipe: int
    said: bytearray = field(default_factory=bytearray)
    status: int = 0

    def listen(self, ready: selectors.BaseSelector, most: int) -> None:
        """Take what lies in the pipe; once that is too much, end the process."""
        if not self._take():
            ready.unregister(self.pipe)
        elif len(self.said) > most:
            ready.unregister(self.pipe)
            os.kill(self.process, signal.SIGKILL)

    def ended(self, ready: selectors.BaseSelector, most: int) -> bool:
        """Whether the process is no more; then what it said until then is taken."""
        process, status = os.waitpid(self.process, os.WNOHANG)
        if not process:
            return False
        self.status = os.waitstatus_to_exitcode(status)
        while len(self.said) <= most and self._take():
            pass
        with suppress(KeyError):
            ready.unregister(self.pipe)
        os.close(self.pipe)
        return True

    def _take(self) -> bool:
        """Whether there was more; there is none for now, or for good."""
        try:
            more = os.read(self.pipe, _AT_ONCE)
        except BlockingIOError:
            return False
        self.said += more
        return bool(more)


def _start(name: str, work: Callable[[], Document], ready: selectors.BaseSelector) -> _Fork:
    # What is still buffered here would be printed once more by the fork.
    sys.stdout.flush()
    sys.stderr.flush()
    listens, speaks = os.pipe()
    starter = os.getpid()
    process = os.fork()
    if not process:
        _work(work, speaks, starter)
    os.close(speaks)
    os.set_blocking(listens, False)
    fork = _Fork(name, process, listens)
    ready.register(listens, selectors.EVENT_READ, fork)
    return fork


def _work(work: Callable[[], Document], speaks: int, starter: int) -> None:
    """The fork's whole life. It never returns."""
    try:
        _shut(speaks)
        replies.die_with_parent()
        if os.getppid() == starter:
            _say(work().canonical())
    except BaseException:  # noqa: BLE001 - what is printed here is all that anybody will learn
        traceback.print_exc()
    finally:
        # Leave without the starter's exit handlers, whatever the strategy did.
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


def _shut(speaks: int) -> None:
    """Close every descriptor but standard input, output, error and the pipe."""
    if speaks != _PIPE:
        os.dup2(speaks, _PIPE, inheritable=False)
    os.closerange(_PIPE + 1, os.sysconf("SC_OPEN_MAX"))


def _say(answer: bytes) -> None:
    rest = memoryview(answer)
    while rest:
        rest = rest[os.write(_PIPE, rest) :]


def _understood(fork: _Fork, model: type[D], most: int) -> Told[D]:
    if len(fork.said) > most:
        return Told(None, f"its answer was longer than {most} bytes", "output")
    if not fork.said:
        limit = _SIGNALS.get(-fork.status, "")
        return Told(None, "its process ended without an answer", limit)
    try:
        return Told(model.model_validate_json(bytes(fork.said)))
    except ValidationError as error:
        first = next(iter(_places(error)), "")
        return Told(None, f"its answer cannot be understood: {error.error_count()} faults{first}")


def _places(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False):
        yield f", the first at {'.'.join(map(str, fault['loc']))[:200] or 'its beginning'}"
