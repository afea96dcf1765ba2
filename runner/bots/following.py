"""A stock freqtrade whose clock follows the steps of a rehearsal exchange.

freqtrade's own worker runs, all of it but its sleep: where it would wait for the next candle, the
bot tells the exchange that it has processed, and waits until the clock has moved.
"""

import os
from datetime import datetime
from typing import Any, cast

import freqtrade.worker
import httpx
import time_machine

from runner.bots.messages import Follow
from runner.exchange.messages import Now, Turn

_PATIENCE = httpx.Timeout(10, read=None)


class Steps:
    """The clock of this process, from here on."""

    def __init__(self, name: str, follow: Follow) -> None:
        self._name = name
        self._client = httpx.Client(
            base_url=follow.control_url,
            headers={"Authorization": f"Bearer {follow.control_token}"},
            timeout=_PATIENCE,
            trust_env=False,
            # It is on this machine: certificates would be read for nothing.
            verify=False,
        )
        self._now = self._ask(None)
        self._travel = time_machine.travel(self._now, tick=False)
        self._traveller = self._travel.start()

    def next(self) -> None:
        """Say that all is done at this moment, and wait for the next one."""
        self._now = self._ask(self._now)
        self._traveller.move_to(self._now)

    def _ask(self, done: datetime | None) -> datetime:
        turn = Turn(name=self._name, pid=os.getpid(), done=done)
        answer = self._client.post("/turn", content=turn.model_dump_json())
        answer.raise_for_status()
        return Now.model_validate_json(answer.content).now


def follow(name: str, at: Follow) -> None:
    """Let the freqtrade that will run in this process follow an exchange."""
    steps = Steps(name, at)
    worker = cast(Any, freqtrade.worker)
    worker.Worker._sleep = staticmethod(lambda _: steps.next())  # noqa: SLF001
    # What went wrong is tried again at the next step: none can come while the bot sleeps.
    worker.RETRY_TIMEOUT = 0
