"""What happened, in SQLite: what was committed survives a killed process."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import TypeAdapter

from pipelines.errors import CannotTell
from runner.exchange.core import orders
from runner.exchange.core.futures.events import OnFutures

Event = orders.Event | OnFutures

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)

_TABLES = """
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, account TEXT NOT NULL,
    method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL);
"""


class Journal:
    """Every event of the book in order, and every signed request that was answered.

    :raises CannotTell: when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.touch(mode=0o600)  # it holds the secrets of the accounts
            self._database = sqlite3.connect(path, timeout=1, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise CannotTell(f"{path}: cannot be opened: {error}") from None

    def events(self) -> tuple[Event, ...]:
        """Everything that was committed."""
        try:
            with closing(
                self._database.execute("SELECT event FROM events ORDER BY number")
            ) as all_:
                return tuple(_EVENT.validate_json(row[0]) for row in all_)
        except (sqlite3.Error, ValueError) as error:
            raise CannotTell(f"{self.path}: cannot be read: {error}") from None

    def append(self, events: Iterable[Event]) -> None:
        """Commit events, all or none."""
        rows = [(_EVENT.dump_json(event).decode(),) for event in events]
        if rows:
            self._write("INSERT INTO events (event) VALUES (?)", rows)

    def note(self, at: int, account: str, method: str, path: str, status: int) -> None:
        """Remember that a signed request came, and how it was answered."""
        row = (at, account, method, path, status)
        columns = "at, account, method, path, status"
        self._write(f"INSERT INTO requests ({columns}) VALUES (?, ?, ?, ?, ?)", [row])

    def requests(self, method: str = "", path: str = "") -> int:
        """How many signed requests came, of one method and to one path when these are named."""
        asked = "SELECT COUNT(*) FROM requests WHERE ? IN ('', method) AND ? IN ('', path)"
        return int(self._database.execute(asked, (method, path)).fetchone()[0])

    def _write(self, statement: str, rows: Sequence[tuple[str | int, ...]]) -> None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(statement, rows)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise CannotTell(f"{self.path}: cannot be written: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
