"""What was observed, kept for a year: `<home>/observations.sqlite`.

Each look stands for a day, each minute for two weeks, each hour for thirteen months. Tables only
grow at their end, so that a round costs a card a few pages. What was not seen is not there: a gap
is written down as one and never filled, and what could not be told is null, never zero.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from pipelines.domain.observation import Observation
from pipelines.errors import CannotTell

FILE = "observations.sqlite"

GAP = timedelta(minutes=2)
"""Between two looks of a bot: what is longer is a gap."""

PLACES = 8
"""Of money, which stands as a whole number of such parts."""


@dataclass(frozen=True)
class Level:
    """One resolution: spans of so many seconds, kept for so long."""

    table: str
    span: int
    kept: timedelta


LOOKS = Level("looks", 0, timedelta(days=1))
MINUTES = Level("minutes", 60, timedelta(days=14))
HOURS = Level("hours", 3600, timedelta(days=400))
LEVELS = (LOOKS, MINUTES, HOURS)

_JOURNAL_PAGES = 200
_LARGEST = 2**63
_BROKEN = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})

_SUMS = ("looks", "healthy", "calls", "failures", "call_seconds")
_LAST = ("open_trades", "closed_trades", "profit", "fees", "slippage", "exposure", "cpu", "uptime")
_MOST = ("orders", "rejections", "candle_lag", "memory", "private_age")
_EQUITY = ("equity", "equity_low", "equity_high")
_MONEY = frozenset({*_EQUITY, "profit", "fees", "slippage", "exposure"})
_COLUMNS = (*_SUMS, *_EQUITY, *_LAST, *_MOST)

_SERIES = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, environment TEXT NOT NULL, strategy TEXT NOT NULL,
    release TEXT NOT NULL, last INTEGER, UNIQUE (environment, strategy, release)
);
CREATE TABLE IF NOT EXISTS gaps (
    series INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS rolled (level TEXT PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS standing (
    environment TEXT NOT NULL, seat TEXT NOT NULL, told TEXT NOT NULL,
    PRIMARY KEY (environment, seat)
);
"""


@dataclass(frozen=True)
class Span:
    """What was seen in a span that begins `at`: `looks` times, `healthy` of these.

    Equity is the last, with the lowest and highest; other figures are the last, sums or the most,
    as `docs/health.md` has them. Money in the stake currency; none is what nobody could tell.
    """

    at: datetime
    looks: int
    healthy: int
    figures: dict[str, Decimal | float | None]


@dataclass
class Store:
    """Writes down, rolls up and forgets, one transaction a round."""

    path: Path
    _opened: sqlite3.Connection | None = field(default=None, init=False)
    _known: dict[tuple[str, str, str], tuple[int, int | None]] = field(
        default_factory=dict, init=False
    )
    """The number of each series and when it was seen last: empty again when a write failed."""

    def add(self, seen: Iterable[Observation]) -> None:
        """Write down what was seen in a round.

        :raises CannotTell: when it cannot be written; then nothing of it is.
        """
        rows = tuple(seen)
        if not rows:
            return
        with self._writing() as opened:
            values = [self._row(opened, each) for each in rows]
            marks = ", ".join("?" * (len(_COLUMNS) + 2))
            opened.executemany(f"INSERT INTO {LOOKS.table} VALUES ({marks})", values)
            last = [(at, series) for series, at, *_ in values]
            opened.executemany("UPDATE series SET last = ? WHERE id = ?", last)
            self._roll(opened, _seconds(max(each.at for each in rows)))

    def spans(
        self, level: Level, series: tuple[str, str, str], since: datetime
    ) -> tuple[Span, ...]:
        """What was seen of one release in one environment, the oldest first.

        :raises CannotTell: when it cannot be read.
        """
        names = ", ".join(_COLUMNS)
        query = f"SELECT at, {names} FROM {level.table} JOIN series ON series.id = series WHERE "
        whose = "environment = ? AND strategy = ? AND release = ? AND at >= ? ORDER BY at"
        with self._writing() as opened:
            rows = opened.execute(query + whose, (*series, _seconds(since))).fetchall()
        return tuple(_span(row) for row in rows)

    def gaps(
        self, series: tuple[str, str, str], since: datetime
    ) -> tuple[tuple[datetime, datetime], ...]:
        """When nobody looked: from the last look before until the first one after.

        :raises CannotTell: when it cannot be read.
        """
        query = "SELECT since, until FROM gaps JOIN series ON series.id = series WHERE "
        whose = "environment = ? AND strategy = ? AND release = ? AND until >= ? ORDER BY since"
        with self._writing() as opened:
            rows = opened.execute(query + whose, (*series, _seconds(since))).fetchall()
        return tuple((_moment(begins), _moment(ends)) for begins, ends in rows)

    def releases(self, environment: str, strategy: str) -> tuple[str, ...]:
        """Every release that was seen there, the one that was seen last at the end.

        :raises CannotTell: when it cannot be read.
        """
        query = "SELECT release FROM series WHERE environment = ? AND strategy = ? ORDER BY last"
        with self._writing() as opened:
            rows = opened.execute(query, (environment, strategy)).fetchall()
        return tuple(row[0] for row in rows)

    def standings(self) -> dict[tuple[str, str], str]:
        """What was remembered of each bot and of the host.

        :raises CannotTell: when it cannot be read.
        """
        with self._writing() as opened:
            rows = opened.execute("SELECT environment, seat, told FROM standing").fetchall()
        return {(environment, seat): told for environment, seat, told in rows}

    def remember(self, standings: dict[tuple[str, str], str]) -> None:
        """Remember these, in place of what was remembered.

        :raises CannotTell: when it cannot be written.
        """
        rows = [(*key, told) for key, told in standings.items()]
        with self._writing() as opened:
            opened.execute("DELETE FROM standing")
            opened.executemany("INSERT INTO standing VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Let go of the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._known.clear()

    def _row(self, opened: sqlite3.Connection, seen: Observation) -> tuple[int | float | None, ...]:
        """What is written down of a look; a gap before it is, too."""
        at = _seconds(seen.at)
        if seen.series not in self._known:
            added = "INSERT OR IGNORE INTO series (environment, strategy, release) VALUES (?, ?, ?)"
            opened.execute(added, seen.series)
            whose = "WHERE environment = ? AND strategy = ? AND release = ?"
            query = f"SELECT id, last FROM series {whose}"
            self._known[seen.series] = opened.execute(query, seen.series).fetchone()
        series, last = self._known[seen.series]
        if last is not None and at - last > GAP.total_seconds():
            opened.execute("INSERT INTO gaps VALUES (?, ?, ?)", (series, last, at))
        self._known[seen.series] = series, at
        return series, at, *_figures(seen)

    def _roll(self, opened: sqlite3.Connection, now: int) -> None:
        """Make minutes of looks and hours of minutes, as far as they are over."""
        for finer, level in pairwise(LEVELS):
            until = now - now % level.span
            query = "SELECT until FROM rolled WHERE level = ?"
            row = opened.execute(query, (level.table,)).fetchone()
            since = row[0] if row else 0
            # A clock that went back changes nothing of what was rolled up.
            if until <= since:
                continue
            opened.execute(_rolling(finer, level), {"since": since, "until": until})
            opened.execute("INSERT OR REPLACE INTO rolled VALUES (?, ?)", (level.table, until))
            self._forget(opened, finer, now)
            if level is HOURS:
                self._forget(opened, HOURS, now)

    def _forget(self, opened: sqlite3.Connection, level: Level, now: int) -> None:
        oldest = now - int(level.kept.total_seconds())
        opened.execute(f"DELETE FROM {level.table} WHERE at < ?", (oldest,))
        if level is HOURS:
            opened.execute("DELETE FROM gaps WHERE until < ?", (oldest,))
            opened.execute("DELETE FROM series WHERE last < ?", (oldest,))
            self._known.clear()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._opened is None:
                self._opened = _open(self.path)
            with self._opened as opened:
                yield opened
        except sqlite3.Error as error:
            self.close()
            if error.sqlite_errorname in _BROKEN:
                # Nobody can look at it any more: it is begun anew, and what was is put aside.
                self.path.replace(self.path.with_suffix(".broken"))
            raise CannotTell(f"{self.path}: {error}") from None


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = sqlite3.connect(path, timeout=5, check_same_thread=False)
    opened.execute("PRAGMA journal_mode = WAL")
    # What a power cut takes is a gap; what is there is whole.
    opened.execute("PRAGMA synchronous = NORMAL")
    opened.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
    opened.executescript(_SERIES)
    for level in LEVELS:
        columns = ", ".join(_COLUMNS)
        key = "series INTEGER NOT NULL, at INTEGER NOT NULL"
        opened.execute(f"CREATE TABLE IF NOT EXISTS {level.table} ({key}, {columns})")
        opened.execute(f"CREATE INDEX IF NOT EXISTS {level.table}_at ON {level.table} (at)")
    return opened


def _rolling(finer: Level, level: Level) -> str:
    """What makes spans of finer ones: what nobody could tell in all of one stays so."""
    latest = "(SELECT {0} FROM {1} AS l WHERE l.series = f.series AND l.at >= f.at / {2} * {2} AND "
    latest += "l.at < f.at / {2} * {2} + {2} AND {0} IS NOT NULL ORDER BY l.at DESC LIMIT 1)"
    picked = {name: f"SUM({name})" for name in _SUMS}
    picked |= {name: f"MAX({name})" for name in (*_MOST, "equity_high")}
    picked |= {"equity_low": "MIN(equity_low)"}
    for name in (*_LAST, "equity"):
        picked[name] = latest.format(name, finer.table, level.span)
    columns = ", ".join(picked[name] for name in _COLUMNS)
    return (
        f"INSERT INTO {level.table} SELECT series, at / {level.span} * {level.span}, {columns} "
        f"FROM {finer.table} AS f WHERE at >= :since AND at < :until "
        f"GROUP BY series, at / {level.span} ORDER BY at"
    )


def _figures(seen: Observation) -> Iterator[int | float | None]:
    told = {"looks": 1, "healthy": int(seen.healthy)}
    equity = dict.fromkeys(_EQUITY, seen.equity)
    for name in _COLUMNS:
        value = told.get(name, equity.get(name, getattr(seen, name, None)))
        whole = int(value.scaleb(PLACES)) if isinstance(value, Decimal) else value
        # Of what is too large for the file nobody can tell.
        yield whole if whole is None or abs(whole) < _LARGEST else None


def _span(row: tuple[int | float | None, ...]) -> Span:
    at, looks, healthy, *_ = row
    assert at is not None
    figures: dict[str, Decimal | float | None] = {}
    for name, value in zip(_COLUMNS, row[1:], strict=True):
        money = name in _MONEY and value is not None
        figures[name] = Decimal(int(value or 0)).scaleb(-PLACES) if money else value
    return Span(_moment(int(at)), int(looks or 0), int(healthy or 0), figures)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
