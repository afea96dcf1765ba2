"""What is printed goes through a redactor into files of a limited size.

A bot's pump is a thread of the bot itself: it lives exactly as long, and needs neither the agent
nor the process that the bot was forked from.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

from pipelines.adapters.redaction import Stream

LARGEST = 5 * 1024 * 1024
"""Bytes of one file."""

KEPT = 5
"""How many older files are kept, the newest as `.1`."""

_CHUNK = 64 * 1024


class Rotating:
    """A file that begins anew when it is full.

    A disk that is full loses lines and never stops the bot: it has trades to manage.
    """

    def __init__(self, path: Path, largest: int = LARGEST, kept: int = KEPT) -> None:
        self._path, self._largest, self._kept = path, largest, kept
        self._file: BinaryIO | None = None

    def write(self, chunk: bytes) -> None:
        """Append, in a new file where the old one is full."""
        try:
            self._opened().write(chunk)
        except OSError:
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        file = self._file or self._open()
        if file.tell() >= self._largest:
            self.close()
            self._shift()
            file = self._open()
        return file

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        return self._file

    def _shift(self) -> None:
        for number in range(self._kept, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def poured(reading: int, log: Rotating, redacted: Stream) -> threading.Thread:
    """A thread that writes down what comes out of a pipe, and ends with it."""

    def pour() -> None:
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            while chunk := pipe.read(_CHUNK):
                log.write(redacted.feed(chunk))
        log.write(redacted.close())
        log.close()

    thread = threading.Thread(target=pour, name="log", daemon=True)
    thread.start()
    return thread


class Pump:
    """Everything that this process prints, until `close`."""

    def __init__(self, log: Rotating, redacted: Stream) -> None:
        reading, writing = os.pipe()
        for descriptor in (1, 2):
            os.dup2(writing, descriptor)
        os.close(writing)
        self._thread = poured(reading, log, redacted)

    def close(self) -> None:
        """Write what is still on its way; nothing may be printed afterwards."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        # A child of the bot may still hold the other end: what it prints later is lost.
        self._thread.join(timeout=2)
