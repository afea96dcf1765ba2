"""Ending every bot of a home, for somebody who means it: bots outlive their agent otherwise."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from pipelines.errors import CannotTell
from runner.agent import records
from runner.agent.house import House
from runner.agent.locks import Lock

_SECONDS = {signal.SIGTERM: 30.0, signal.SIGKILL: 10.0}
"""How long bots may take after each signal."""

_LOOK_SECONDS = 0.05


def down(house: House) -> tuple[str, ...]:
    """Let no bot open trades any more, then end all of them; what they are called.

    Open trades stay open, with the stops that rest at the exchange. What is wanted stays as the
    ledger has it: the next agent starts every bot again.

    :raises CannotTell: when an agent runs, which would start them again, or a bot does not die.
    """
    agent = Lock(house.home / "locks" / "agent").take()
    if agent is None:
        hint = "end it first with SIGTERM: it would start them again"
        raise CannotTell(f"{house.home}: an agent runs with this home", hint)
    try:
        bots = dict(_running(house))
        for name in bots:
            _stop_entries(house, name)
        for number, seconds in _SECONDS.items():
            if _ended(tuple(bots.values()), number, seconds):
                return tuple(bots)
        left = ", ".join(name for name, lock in bots.items() if lock.held())
        raise CannotTell(f"{left}: cannot be ended")
    finally:
        os.close(agent)


def _running(house: House) -> Iterator[tuple[str, Lock]]:
    for path in sorted((house.home / "locks").glob("*.*")):
        if (lock := Lock(path)).held():
            yield path.name, lock


def _stop_entries(house: House, name: str) -> None:
    # One that does not answer is ended all the same.
    with contextlib.suppress(CannotTell):
        record = records.load(house.record(*name.split(".", 1)))
        if record is not None:
            record.rest.stop_entries()


def _ended(bots: tuple[Lock, ...], number: signal.Signals, seconds: float) -> bool:
    """Send all of them a signal, once each; true when none runs any more."""
    told: set[Lock] = set()
    until = time.monotonic() + seconds
    while left := [bot for bot in bots if bot.held()]:
        if time.monotonic() > until:
            return False
        for bot in left:
            # One that is just starting has not said yet who it is.
            with contextlib.suppress(CannotTell):
                if bot not in told and bot.signal(number):
                    told.add(bot)
        time.sleep(_LOOK_SECONDS)
    return True
