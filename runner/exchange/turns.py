"""Bots that follow a stepped clock: a step is over when all of them have processed it."""

import asyncio
import contextlib
import os
import select
from collections.abc import Callable
from dataclasses import dataclass

_LOOK_SECONDS = 0.1
"""How often it is looked whether a bot that owes an answer is still alive."""


@dataclass
class _Follower:
    pid: int
    done: int | None = None


class Turns:
    """Who follows, and what each has processed. Times are UTC milliseconds."""

    def __init__(self) -> None:
        self._followers: dict[str, _Follower] = {}
        self._changed = asyncio.Condition()

    @property
    def names(self) -> tuple[str, ...]:
        """The bots that follow and live."""
        self._bury()
        return tuple(sorted(self._followers))

    async def next(self, name: str, pid: int, done: int | None, now: Callable[[], int]) -> int:
        """A bot has processed everything at `done`: its next moment, once the clock is there.

        One that only begins (None) gets the moment at once.
        """
        follower = _Follower(pid, done)
        async with self._changed:
            self._followers[name] = follower
            self._changed.notify_all()
            if done is not None:
                await self._changed.wait_for(lambda: now() > done)
            return now()

    async def processed(self, moment: int) -> None:
        """Wait until every bot that lives has processed a moment to which the clock has come."""
        async with self._changed:
            self._changed.notify_all()
            while any(each.done is None or each.done < moment for each in self._followers.values()):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_SECONDS)
                self._bury()

    def _bury(self) -> None:
        dead = [name for name, each in self._followers.items() if not _lives(each.pid)]
        for name in dead:
            del self._followers[name]


def _lives(pid: int) -> bool:
    """False also for one who is dead and not yet buried: his parent may never ask."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        ended = select.poll()
        ended.register(process, select.POLLIN)
        return not ended.poll(0)
    finally:
        os.close(process)
