"""A step is over once all who follow have processed it, and nobody waits for the dead."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from runner.exchange.turns import Turns

SOON = 0.3
"""Seconds in which what waits would have returned."""


@pytest.fixture
def other() -> Iterator["subprocess.Popen[bytes]"]:
    """Somebody who follows, and can die."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def test_one_who_begins_gets_the_moment_at_once() -> None:
    turns = Turns()

    assert asyncio.run(turns.next("a", os.getpid(), None, lambda: 7)) == 7
    assert turns.names == ("a",)


def test_a_step_waits_for_one_who_began_and_has_not_processed() -> None:
    async def story() -> bool:
        turns = Turns()
        await turns.next("a", os.getpid(), None, lambda: 7)
        return await returns(turns.processed(7))

    assert not asyncio.run(story())


def test_a_step_is_over_when_all_have_processed(other: "subprocess.Popen[bytes]") -> None:
    async def story() -> tuple[bool, bool, int]:
        turns, clock = Turns(), [7]
        await turns.next("a", os.getpid(), None, lambda: 7)
        await turns.next("b", other.pid, None, lambda: 7)
        waiting = [
            asyncio.create_task(turns.next("a", os.getpid(), 7, lambda: clock[0])),
            asyncio.create_task(turns.next("b", other.pid, 7, lambda: clock[0])),
        ]
        all_did = await returns(turns.processed(7))
        clock[0] = 9
        early = await returns(turns.processed(9))
        return all_did, early, sum(await asyncio.gather(*waiting))

    assert asyncio.run(story()) == (True, False, 18)


def test_one_who_dies_keeps_nobody_waiting(other: "subprocess.Popen[bytes]") -> None:
    async def story() -> bool:
        turns = Turns()
        await turns.next("b", other.pid, None, lambda: 7)
        waiting = asyncio.create_task(turns.processed(7))
        other.kill()
        other.wait()
        return await returns(waiting)

    assert asyncio.run(story())


def test_one_who_is_dead_and_not_yet_buried_keeps_nobody_waiting(
    other: "subprocess.Popen[bytes]",
) -> None:
    async def story() -> tuple[bool, tuple[str, ...]]:
        turns = Turns()
        await turns.next("b", other.pid, None, lambda: 7)
        other.kill()
        # Dead, but its parent has not asked: as the bots of an agent that was killed.
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        return await returns(turns.processed(7)), turns.names

    assert asyncio.run(story()) == (True, ())


def test_one_who_was_started_again_follows_in_place_of_the_dead(
    other: "subprocess.Popen[bytes]",
) -> None:
    async def story() -> tuple[str, ...]:
        turns = Turns()
        await turns.next("a", other.pid, None, lambda: 7)
        other.kill()
        other.wait()
        await turns.next("a", os.getpid(), None, lambda: 8)
        return turns.names

    assert asyncio.run(story()) == ("a",)


async def returns(what: "asyncio.Task[None] | asyncio.Future[None] | object") -> bool:
    """True when it is over soon."""
    task = asyncio.ensure_future(what)  # type: ignore[arg-type]
    with suppress(TimeoutError):
        await asyncio.wait_for(task, SOON * 5)
        return True
    return False
