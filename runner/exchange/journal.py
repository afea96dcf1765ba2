"""What happened, in SQLite: what was committed survives a killed process."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import zip_longest
from pathlib import Path

from pydantic import TypeAdapter

from pipelines.errors import CannotTell
from runner.exchange.core import orders
from runner.exchange.core.futures.events import OnFutures
from runner.exchange.core.orders import Advanced

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
        self._failed: sqlite3.Error | None = None
        self._moment_last = False  # so that a new process keeps what it found
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
        """Commit events, all or none. Of moments that follow each other only the last is kept."""
        new = [*events]
        kept = [each for each, after in zip_longest(new, new[1:]) if not _passing(each, after)]
        if not kept:
            return
        with self.together():
            if self._moment_last and isinstance(kept[0], Advanced):
                self._run("DELETE FROM events WHERE number = (SELECT MAX(number) FROM events)")
            rows = [(_EVENT.dump_json(event).decode(),) for event in kept]
            self._run("INSERT INTO events (event) VALUES (?)", *rows)
        self._moment_last = isinstance(kept[-1], Advanced)

    def note(self, at: int, account: str, method: str, path: str, status: int) -> None:
        """Remember that a signed request came, and how it was answered."""
        columns = "at, account, method, path, status"
        statement = f"INSERT INTO requests ({columns}) VALUES (?, ?, ?, ?, ?)"
        with self.together():
            self._run(statement, (at, account, method, path, status))

    def requests(self, method: str = "", path: str = "") -> int:
        """How many signed requests came, of one method and to one path when these are named."""
        asked = "SELECT COUNT(*) FROM requests WHERE ? IN ('', method) AND ? IN ('', path)"
        return int(self._database.execute(asked, (method, path)).fetchone()[0])

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit at the end, and once, what is written in here; whatever else goes wrong in it.

        After a write that failed nothing is written any more: the process is about to end, and
        until then nobody may be told of what will not survive.
        """
        if self._database.in_transaction and not self._failed:
            yield
            return
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._run("COMMIT")

    def _run(self, statement: str, *rows: tuple[str | int, ...]) -> None:
        try:
            if self._failed:
                raise self._failed
            if rows:
                self._database.executemany(statement, rows)
            else:
                self._database.execute(statement)
        except sqlite3.Error as error:
            self._failed = error
            raise CannotTell(f"{self.path}: cannot be written: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _passing(event: Event, after: Event | None) -> bool:
    """True for a moment that the next one follows directly."""
    return isinstance(event, Advanced) and isinstance(after, Advanced)
