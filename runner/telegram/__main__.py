"""`python -m runner.telegram HOME TRAIN`: what the agent keeps beside itself.

It loads nothing of the agent's own work, so that two processes need little more than one, and ends
when its standard input does: with the agent, also with one that is killed.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from pipelines.adapters.redaction import Redacting, Redactor
from pipelines.errors import CannotTell, SluiceError
from runner.agent.house import House
from runner.agent.locks import Lock
from runner.telegram.program import Program

LOCK = "telegram"
_LINE = "%(asctime)s %(levelname)s telegram: %(message)s"


def main() -> None:
    """Talk with Telegram until standard input ends. Only here it is caught what went wrong."""
    hidden = Redactor()
    lines = logging.StreamHandler()
    lines.setFormatter(Redacting(logging.Formatter(_LINE), hidden))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    for name in ("httpx", "httpcore", "telegram"):
        # They log addresses, and Telegram's have the token in them.
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        _talk(Path(sys.argv[1]), Path(sys.argv[2]), hidden)
    except SluiceError as error:
        logging.getLogger(__name__).critical("%s", error.message)
        sys.exit(int(error.code))
    except Exception:
        logging.getLogger(__name__).critical("It fell.", exc_info=True)
        sys.exit(1)


def _talk(home: Path, train: Path, hidden: Redactor) -> None:
    held = Lock(home / "locks" / LOCK).take()
    if held is None:
        raise CannotTell(f"{home}: another process talks with Telegram")
    try:
        asyncio.run(_until_left(Program(House(home), train, hidden).run()))
    finally:
        os.close(held)


async def _until_left(running: Coroutine[Any, Any, None]) -> None:
    """Run, and no longer than who keeps us lives."""
    task, loop = asyncio.ensure_future(running), asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            task.cancel()

    loop.add_reader(sys.stdin.fileno(), heard)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    main()
