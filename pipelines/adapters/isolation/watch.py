"""Watches a child until its end: reads what it says, and names the limit that it breaks."""

import os
import selectors
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from pipelines.adapters.isolation import usage
from pipelines.adapters.isolation.enclosure import Started
from pipelines.domain.child import Limits

POLL_SECONDS = 0.05
LOOK_SECONDS = 0.2
"""How often the family's memory, processes and disk are looked at."""

GRACE_SECONDS = 5

MOST_REPLY_BYTES = 64 << 20
TAIL_BYTES = 8192
_AT_ONCE = 1 << 16


@dataclass
class Heard:
    """What a child said so far: its reply, and the tail of what it printed."""

    reply: bytearray = field(default_factory=bytearray)
    tail: bytes = b""
    printed: int = 0

    def print(self, more: bytes) -> None:
        self.printed += len(more)
        self.tail = (self.tail + more)[-TAIL_BYTES:]


@dataclass
class Watch:
    """One child, the pipes that it writes to, its limits, and who may want it stopped."""

    started: Started
    output: int
    reply: int
    limits: Limits
    stopping: threading.Event
    heard: Heard = field(default_factory=Heard)

    def to_the_end(self) -> str:
        """Wait for the end; the name of the limit that was broken, or nothing."""
        deadline = time.monotonic() + self.limits.wall_seconds
        look = 0.0
        with selectors.DefaultSelector() as ready:
            for pipe in (self.output, self.reply):
                os.set_blocking(pipe, False)
                ready.register(pipe, selectors.EVENT_READ)
            while self.started.process.poll() is None:
                self._read(ready)
                if self.stopping.is_set():
                    return "interrupted"
                now = time.monotonic()
                if now > deadline:
                    return "wall time"
                if self._said_too_much():
                    return "output"
                if now >= look:
                    look = now + LOOK_SECONDS
                    broken = usage.broken(self.started, self.limits)
                    if broken:
                        return broken
        return ""

    def drain(self) -> None:
        """Take what still lies in the pipes once nobody writes any more."""
        for pipe in (self.output, self.reply):
            while not self._said_too_much() and self._take(pipe):
                pass

    def _read(self, ready: selectors.BaseSelector) -> None:
        if not ready.get_map():
            time.sleep(POLL_SECONDS)
        for key, _ in ready.select(POLL_SECONDS) if ready.get_map() else ():
            if not self._take(key.fd):
                ready.unregister(key.fd)

    def _take(self, pipe: int) -> bool:
        """Read once; false when there is nothing more to come."""
        try:
            more = os.read(pipe, _AT_ONCE)
        except BlockingIOError:
            return False
        if pipe == self.reply:
            self.heard.reply += more
        else:
            self.heard.print(more)
        return bool(more)

    def _said_too_much(self) -> bool:
        heard = self.heard
        too_long = len(heard.reply) > MOST_REPLY_BYTES
        return too_long or heard.printed > self.limits.output_kb << 10


def end(started: Started) -> int:
    """Kill what is left of a child and all that it started; its exit code."""
    with suppress(ProcessLookupError):
        os.kill(started.pid, signal.SIGKILL)
    # What stands around the child ends after it, and only then is everything inside gone.
    with suppress(subprocess.TimeoutExpired):
        started.process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(started.process.pid, signal.SIGKILL)
    return started.process.wait()
