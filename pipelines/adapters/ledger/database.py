"""Connections to the ledger's database: SQLite in a file, or PostgreSQL by URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipelines.errors import BadInput, CannotTell

PATIENCE = 30
"""Seconds that a writer waits for another one."""

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


def connect(url: str) -> sa.Engine:
    """What connections come from; none is made yet.

    :raises BadInput: when the URL is neither SQLite's nor PostgreSQL's.
    """
    hint = "write sqlite:////path/to/ledger.sqlite or postgresql://user@host/name"
    try:
        parsed = sa.make_url(url)
        driver = _DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError):
        raise BadInput("ledger: the URL is none of a database that is known here", hint) from None
    parsed = parsed.set(drivername=driver)
    if driver == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise BadInput("ledger: the URL names no file", hint)
        engine = sa.create_engine(parsed, connect_args={"timeout": PATIENCE})
        event.listen(engine, "connect", _settle_sqlite)
    else:
        settings = f"-c synchronous_commit=on -c lock_timeout={PATIENCE}s"
        arguments = {"connect_timeout": 10, "options": settings}
        engine = sa.create_engine(parsed, connect_args=arguments, pool_pre_ping=True)
    event.listen(engine, "begin", _begin)
    return engine


def file_of(engine: sa.Engine) -> Path | None:
    """The file of a ledger in SQLite."""
    named = engine.url.database
    return Path(named) if engine.dialect.name == "sqlite" and named else None


def make_file(engine: sa.Engine) -> None:
    """Make the file of a ledger in SQLite, readable by its owner alone.

    :raises CannotTell: when it cannot be made.
    """
    if (file := file_of(engine)) is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise CannotTell(f"{file}: cannot be written: {error.strerror}") from None


def _settle_sqlite(connection: SQLiteConnection, record: Any) -> None:
    # Transactions begin where we say so; Python's own would begin at the first change.
    connection.isolation_level = None
    for setting in ("journal_mode = WAL", "synchronous = FULL", "recursive_triggers = ON"):
        connection.execute(f"PRAGMA {setting}").close()


def _begin(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: sa.Engine, *, writes: bool) -> Iterator[sa.Connection]:
    """One transaction, committed as a whole or not at all; writers come one after the other.

    :raises CannotTell: when the database does not do its part.
    """
    try:
        with engine.connect().execution_options(writes=writes) as connection, connection.begin():
            if writes and connection.dialect.name == "postgresql":
                # Held until the end of the transaction, by whoever writes a ledger here.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5417783)")
            yield connection
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        raise cannot_tell(engine, error) from None


def cannot_tell(engine: sa.Engine, error: Exception) -> CannotTell:
    """What the database complained about, without secrets of the URL."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    where = engine.url.render_as_string(hide_password=True)
    hint = "free some space, or see that the database runs and can be written"
    return CannotTell(f"{where}: {said[0] if said else type(error).__name__}", hint)
