"""Drives a stepped bot from outside: starts it, gives it turns, and leaves nothing behind.

The bot ends when its input ends, which the system sees to when we are killed. freqtrade itself is
imported there only.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from logging import makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Thread
from typing import IO

from pydantic import ValidationError

from pipelines.errors import CannotTell
from runner.rehearsal.turns import Done, Turn

LOG = "log"
LOG_BYTES = 4 << 20
"""Of a log; a second one holds what stood before."""

_LINE = 1 << 16  # characters of one line that are kept together
_STOP_SECONDS = 30
_LAST_LINES = 5


class SteppedBot:
    """A real freqtrade in a process of its own that processes once for every turn.

    :raises CannotTell: by its methods, when the process is gone.
    """

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self.log = process, log
        self.pid = process.pid

    def turn(self, now: datetime) -> Done:
        """Let the bot see that it is `now`, and process once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(Turn(now=now).model_dump_json() + "\n")
            self._process.stdin.flush()
        try:
            return Done.model_validate_json(self._process.stdout.readline())
        except ValidationError:
            raise self.gone() from None

    def gone(self) -> CannotTell:
        """Why there are no more answers, in its own last words."""
        self._process.wait(_STOP_SECONDS)
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        said = "\n".join(lines) or "it said nothing"
        code = self._process.returncode
        return CannotTell(f"freqtrade ended with {code}:\n{said}", f"{self.log} has all of it")


@contextmanager
def stepped_bot(folder: Path, configs: Sequence[Path]) -> Iterator[SteppedBot]:
    """A bot that lives in `folder`, with these configurations; it has ended when this ends.

    :raises CannotTell: when it cannot be started, or did not end well.
    """
    # What freqtrade would take for settings of its own, stronger than the files.
    kept = {name: v for name, v in os.environ.items() if not name.startswith("FREQTRADE__")}
    argv = [sys.executable, "-m", "runner.bots.stepped", *(str(path.resolve()) for path in configs)]
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=kept,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Ctrl-C is for us: in the middle of an order it would make a bot forget that order.
        start_new_session=True,
    )
    bot = SteppedBot(process, folder / LOG)
    writer = Thread(target=_write_down, args=(process.stderr, bot.log), daemon=True)
    writer.start()
    try:
        yield bot
    finally:
        _end(process)
        writer.join(_STOP_SECONDS)
    if process.returncode:
        raise bot.gone()


def _end(process: subprocess.Popen[str]) -> None:
    """Let it finish its turn and clean up; it has ended when this returns, whatever happens."""
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    finally:
        process.kill()
        process.wait()


def _write_down(said: IO[str], log: Path) -> None:
    """Keep what a bot says in a log that does not grow for ever."""
    handler = RotatingFileHandler(log, maxBytes=LOG_BYTES, backupCount=1)
    with said, closing(handler):
        while line := said.readline(_LINE):
            handler.emit(makeLogRecord({"msg": line.rstrip("\n")}))
