"""Keeps the process that talks with Telegram: a child, and nothing that a round needs."""

import logging
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.domain.telegram import FILE
from runner.agent.seat import Seat

logger = logging.getLogger(__name__)

_FIRST_SECONDS, _MOST_SECONDS, _STEADY_SECONDS = 1.0, 300.0, 60.0
_END_SECONDS = 10.0


@dataclass
class Messenger:
    """Where the train has a telegram.yaml a child runs.

    It ends with the agent, also with one that is killed: it hears when nobody holds its standard
    input any more. What it is told of secrets it reads itself, from where they lie encrypted.
    """

    seat: Seat
    home: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    _wait: float = field(default=_FIRST_SECONDS, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def pid(self) -> int | None:
        """The one process that may say for whom it asks; None while there is none.

        The number is nobody else's as long as we have not waited for that child.
        """
        return self._process.pid if self._process else None

    def keep(self) -> None:
        """Start it where it is wanted and does not run; one that falls is started ever later."""
        if self._process is not None and self._process.poll() is not None:
            logger.warning("telegram: the process ended with %s", self._process.returncode)
            self._end()
            lasted = time.monotonic() - self._began
            self._wait = _FIRST_SECONDS if lasted > _STEADY_SECONDS else self._wait * 2
        if not (self.seat.train / FILE).exists():
            self._end()
        elif self._process is None and time.monotonic() - self._began >= self._pause():
            self._start()

    def _pause(self) -> float:
        return min(self._wait, _MOST_SECONDS) if self._began else 0.0

    def _start(self) -> None:
        argv = [sys.executable, "-m", "runner.telegram", str(self.home), str(self.seat.train)]
        self._began = time.monotonic()
        try:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            logger.warning("telegram: the process cannot be started: %s", error.strerror)

    def _end(self) -> None:
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
