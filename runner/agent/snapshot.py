"""A copy of a SQLite database as it was at one moment, while others write to it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from pipelines.errors import CannotTell

PATIENCE_SECONDS = 60.0
"""How long somebody else may keep a database locked, or change it faster than it is copied."""

_PAGES = 2048
"""Of 4 KiB: so many at a time. In between whoever wants to write gets his turn."""

_PAUSE_SECONDS = 0.01


def snapshot(source: Path, target: Path) -> None:
    """Copy a database, and see that the copy is whole.

    It is opened for writing, since what a killed process left of a transaction has to be undone
    before anybody can read; otherwise nothing in it is changed.

    :raises CannotTell: when it cannot be read, is damaged, or is locked for too long.
    """
    until = time.monotonic() + PATIENCE_SECONDS

    def in_time(*_: int) -> None:
        if time.monotonic() > until:
            raise CannotTell(f"{source}: was locked or changed for {PATIENCE_SECONDS:.0f} seconds")

    address = f"{source.absolute().as_uri()}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, timeout=5)) as there,
            closing(sqlite3.connect(target)) as here,
        ):
            there.backup(here, pages=_PAGES, progress=in_time, sleep=_PAUSE_SECONDS)
            found = here.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise CannotTell(f"{source}: cannot be copied: {error}") from None
    if found != "ok":
        raise CannotTell(f"{source}: is damaged: {found}")
