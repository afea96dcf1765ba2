"""`sluice-agent telegram`: the process that the agent keeps beside itself."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, Protocol

import click

from pipelines.adapters.redaction import Redactor
from pipelines.errors import CannotTell
from runner.agent.house import House
from runner.agent.locks import Lock
from runner.agent.seat import Seat

LOCK = "telegram"
KEPT = "--kept"


class Opening(Protocol):
    """What stands before the command."""

    house: House
    seat: Seat
    hidden: Redactor


@click.command()
@click.option(KEPT, is_flag=True, hidden=True, help="End when standard input does.")
@click.option("--faster", type=float, default=1.0, hidden=True, help="For tests.")
@click.pass_obj
def telegram(opening: Opening, kept: bool, faster: float) -> None:
    """Talk with Telegram, as telegram.yaml of the train says.

    'run' keeps this process by itself, and only what it keeps may ask for others.
    """
    # What imports Telegram's library is not loaded into an agent that does without.
    from runner.telegram.program import Program

    for name in ("httpx", "httpcore", "telegram"):
        # They log addresses, and Telegram's have the token in them.
        logging.getLogger(name).setLevel(logging.WARNING)
    held = Lock(opening.house.home / "locks" / LOCK).take()
    if held is None:
        raise CannotTell(f"{opening.house.home}: telegram is talked with already")
    try:
        program = Program(opening.house, opening.seat.train, opening.hidden, faster)
        asyncio.run(_until_left(program.run()) if kept else program.run())
    finally:
        os.close(held)


async def _until_left(running: Coroutine[Any, Any, None]) -> None:
    """Run, and no longer than who keeps us lives."""
    task = asyncio.ensure_future(running)
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            task.cancel()

    loop.add_reader(sys.stdin.fileno(), heard)
    with contextlib.suppress(asyncio.CancelledError):
        await task
