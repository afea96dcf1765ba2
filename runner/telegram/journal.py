"""What is to be said on Telegram and what was: every step is on the disk before it is taken.

Killed at any moment nothing is lost. A message whose fate is not known is sent again, in its place,
with the same number and a remark.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.adapters.alerts import Alert
from pipelines.errors import CannotTell

FILE = "telegram.sqlite"
"""Its name in the agent's home."""

_KEPT_UPDATES = 2000

_TABLES = """
CREATE TABLE IF NOT EXISTS places (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alerts (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, alert TEXT NOT NULL, severity TEXT NOT NULL,
    said REAL, acknowledged TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (severity, acknowledged);
CREATE TABLE IF NOT EXISTS told (message INTEGER NOT NULL, alert INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY, key TEXT UNIQUE, text TEXT NOT NULL, loud INTEGER NOT NULL,
    asks INTEGER NOT NULL, picture BLOB
);
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY, message INTEGER NOT NULL, chat INTEGER NOT NULL,
    state TEXT NOT NULL, sent INTEGER
);
CREATE INDEX IF NOT EXISTS letters_waiting ON letters (chat, state, number);
CREATE TABLE IF NOT EXISTS updates (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS buttons (
    token TEXT PRIMARY KEY, user INTEGER NOT NULL, chat INTEGER NOT NULL, verb TEXT NOT NULL,
    args TEXT NOT NULL, about TEXT NOT NULL, expires REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open'
);
"""


@dataclass(frozen=True)
class Kept:
    """An alert at its place in this journal."""

    number: int
    alert: Alert


@dataclass(frozen=True)
class Letter:
    """A message on its way to one chat. `again` is true where it may have arrived before.

    `asks` is true where a button acknowledges what it tells of.
    """

    number: int
    message: int
    chat: int
    text: str
    loud: bool
    asks: bool
    picture: bytes | None
    again: bool


class Journal:
    """One file. `now` is given as seconds since 1970 wherever it is kept."""

    def __init__(self, path: Path) -> None:
        """
        :raises CannotTell: when it cannot be opened.
        """
        try:
            self.database = sqlite3.connect(path, isolation_level=None, timeout=10)
            self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
            self.database.executescript(_TABLES)
        except sqlite3.Error as error:
            raise CannotTell(f"{path}: cannot be opened: {error}") from None
        path.chmod(0o600)

    def close(self) -> None:
        """Nothing is read or written any more."""
        self.database.close()

    @contextmanager
    def whole(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield self.database
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    def place(self, name: str) -> int | None:
        """A number that was kept by a name."""
        row = self.database.execute("SELECT value FROM places WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def keep_place(self, name: str, value: int) -> None:
        """Keep a number by a name."""
        self.database.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (name, value))

    def take(self, alerts: Iterable[Alert], place: int) -> None:
        """Take over what the agent's journal has, up to a place in it."""
        rows = [(each.id, each.model_dump_json(), each.severity) for each in alerts]
        with self.whole() as database:
            database.executemany("INSERT INTO alerts (id, alert, severity) VALUES (?, ?, ?)", rows)
            self.keep_place("alerts", place)

    def unsaid(self) -> tuple[Kept, ...]:
        """Alerts that no message tells of yet, the oldest first."""
        return self._alerts("said IS NULL")

    def unacknowledged(self) -> tuple[Kept, ...]:
        """Alerts of money that were told, and that nobody has acknowledged."""
        return self._alerts("severity = 'money' AND acknowledged = '' AND said IS NOT NULL")

    def due_again(self, before: float) -> bool:
        """Whether one of them was told last before a moment."""
        row = self.database.execute(
            "SELECT COUNT(*) FROM alerts "
            "WHERE severity = 'money' AND acknowledged = '' AND said < ?",
            (before,),
        ).fetchone()
        return bool(row[0])

    def told_in(self, message: int) -> tuple[Kept, ...]:
        """The alerts that a message tells of."""
        return self._alerts("number IN (SELECT alert FROM told WHERE message = ?)", message)

    def _alerts(self, where: str, *given: int) -> tuple[Kept, ...]:
        query = f"SELECT number, alert FROM alerts WHERE {where} ORDER BY number"
        rows = self.database.execute(query, given).fetchall()
        return tuple(Kept(row[0], Alert.model_validate_json(row[1])) for row in rows)

    def acknowledge(self, ids: Iterable[str], by: str) -> None:
        """Somebody knows of these alerts."""
        with self.whole() as database:
            rows = [(by, each) for each in ids]
            database.executemany("UPDATE alerts SET acknowledged = ? WHERE id = ?", rows)

    def say(
        self,
        chats: Sequence[int],
        text: str,
        now: datetime,
        *,
        loud: bool = False,
        about: Sequence[Kept] = (),
        picture: bytes | None = None,
        key: str | None = None,
        asks: bool = False,
    ) -> bool:
        """Put a message on its way to every chat; false when one with this key was before."""
        with self.whole() as database:
            added = database.execute(
                "INSERT OR IGNORE INTO messages (key, text, loud, asks, picture) "
                "VALUES (?, ?, ?, ?, ?)",
                (key, text, loud, asks, picture),
            )
            if not added.rowcount:
                return False
            message, moment = added.lastrowid, now.timestamp()
            letters = [(message, chat) for chat in chats]
            database.executemany(
                "INSERT INTO letters (message, chat, state) VALUES (?, ?, 'waiting')", letters
            )
            database.executemany(
                "INSERT INTO told VALUES (?, ?)", [(message, each.number) for each in about]
            )
            database.executemany(
                "UPDATE alerts SET said = ? WHERE number = ?",
                [(moment, each.number) for each in about],
            )
        return True

    def next(self, chat: int) -> Letter | None:
        """What a chat gets next: first what was being sent when we were killed."""
        row = self.database.execute(
            "SELECT l.number, l.message, l.chat, m.text, m.loud, m.asks, m.picture, l.state "
            "FROM letters l JOIN messages m ON m.number = l.message "
            "WHERE l.chat = ? AND l.state IN ('waiting', 'trying') ORDER BY l.number LIMIT 1",
            (chat,),
        ).fetchone()
        if row is None:
            return None
        number, message, _, text, loud, asks, picture, state = row
        again = state == "trying"
        return Letter(number, message, chat, text, bool(loud), bool(asks), picture, again)

    def is_free(self, chats: Iterable[int]) -> bool:
        """Whether there is a chat with nothing on its way to it."""
        query = "SELECT DISTINCT chat FROM letters WHERE state IN ('waiting', 'trying')"
        busy = {row[0] for row in self.database.execute(query)}
        return not busy.issuperset(chats)

    def mark(self, letter: Letter, state: str, sent: int | None = None) -> None:
        """Where a message is: `waiting`, `trying`, `sent` or `given up`."""
        self.database.execute(
            "UPDATE letters SET state = ?, sent = ? WHERE number = ?", (state, sent, letter.number)
        )

    def instead(self, letter: Letter, texts: Sequence[str]) -> None:
        """Put other texts in the place of one that is not taken, before all that follows it."""
        with self.whole() as database:
            query = "SELECT number, message FROM letters WHERE chat = ? AND number > ? ORDER BY 1"
            later = database.execute(query, (letter.chat, letter.number)).fetchall()
            self.mark(letter, "given up")
            for text in texts:
                added = database.execute(
                    "INSERT INTO messages (text, loud, asks) VALUES (?, ?, ?)",
                    (text, letter.loud, letter.asks),
                ).lastrowid
                database.execute(
                    "INSERT INTO told SELECT ?, alert FROM told WHERE message = ?",
                    (added, letter.message),
                )
                database.execute(
                    "INSERT INTO letters (message, chat, state) VALUES (?, ?, 'waiting')",
                    (added, letter.chat),
                )
            # What was to follow follows still.
            for number, message in later:
                moved = database.execute(
                    "DELETE FROM letters WHERE number = ? AND state = 'waiting'", (number,)
                )
                if moved.rowcount:
                    database.execute(
                        "INSERT INTO letters (message, chat, state) VALUES (?, ?, 'waiting')",
                        (message, letter.chat),
                    )

    def is_new(self, update: int) -> bool:
        """Whether an update was not worked off before."""
        query = "SELECT COUNT(*) FROM updates WHERE id = ?"
        return not self.database.execute(query, (update,)).fetchone()[0]

    def worked_off(self, update: int) -> None:
        """Remember an update, also when it comes again or out of its order."""
        with self.whole() as database:
            database.execute("INSERT OR IGNORE INTO updates VALUES (?)", (update,))
            database.execute("DELETE FROM updates WHERE id < ?", (update - _KEPT_UPDATES,))
