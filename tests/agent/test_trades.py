"""A bot's trades, read from the tables that freqtrade makes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from runner.agent.trades import address, closed_since, open_trades

SINCE = datetime(2022, 3, 1, 12, tzinfo=UTC)

TABLES = """
CREATE TABLE trades (id INTEGER PRIMARY KEY, is_open BOOLEAN, open_date DATETIME);
CREATE TABLE orders (id INTEGER PRIMARY KEY, ft_trade_id INTEGER, ft_is_open BOOLEAN);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as opened:
        opened.executescript(TABLES)
    return path


def put(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as opened, opened:
        for statement in statements:
            opened.execute(statement)


def test_without_a_database_there_are_none(tmp_path: Path) -> None:
    assert open_trades(tmp_path / "live.sqlite") == 0
    assert closed_since(tmp_path / "live.sqlite", SINCE) == 0


def test_reading_leaves_nothing_beside_a_database_that_its_bot_is_about_to_open(
    database: Path,
) -> None:
    # What SQLite would make there is the agent's for a moment, in which the bot could not write.
    put(database, "PRAGMA journal_mode = WAL")
    put(database, "INSERT INTO trades VALUES (1, 1, '2022-03-01 12:00:00.000000')")
    assert [path.name for path in database.parent.iterdir()] == [database.name]
    made = []
    with closing(sqlite3.connect(address(database), uri=True)) as opened:
        assert opened.execute("SELECT COUNT(*) FROM trades").fetchone() == (1,)
        made = [path.name for path in database.parent.iterdir()]
    assert open_trades(database) == 1
    assert made == [path.name for path in database.parent.iterdir()] == [database.name]


def test_what_a_bot_has_just_written_is_read(database: Path) -> None:
    put(database, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(database)) as bot:
        with bot:
            bot.execute("INSERT INTO trades VALUES (1, 1, '2022-03-01 12:00:00.000000')")
        assert database.with_name(f"{database.name}-wal").stat().st_size
        assert open_trades(database) == 1


def test_open_trades_and_open_orders_of_closed_ones_are_counted(database: Path) -> None:
    assert open_trades(database) == 0
    put(
        database,
        "INSERT INTO trades VALUES (1, 1, '2022-03-01 12:00:00.000000')",
        "INSERT INTO trades VALUES (2, 0, '2022-03-01 12:00:00.000000')",
        "INSERT INTO orders VALUES (1, 1, 1)",
        "INSERT INTO orders VALUES (2, 2, 0)",
    )
    assert open_trades(database) == 1

    put(database, "UPDATE orders SET ft_is_open = 1 WHERE id = 2")
    assert open_trades(database) == 2


@pytest.mark.parametrize(
    ("opened", "counts"),
    [
        ("2022-03-01 11:59:59.999999", 0),
        ("2022-03-01 12:00:00.000000", 1),
        ("2022-03-01 12:00:00.000001", 1),
        ("2022-03-02 00:00:00.000000", 1),
    ],
)
def test_only_what_was_opened_since_counts_as_closed_since(
    database: Path, opened: str, counts: int
) -> None:
    put(database, f"INSERT INTO trades VALUES (1, 0, '{opened}')")
    put(database, "INSERT INTO trades VALUES (2, 1, '2022-03-01 13:00:00.000000')")

    elsewhere = SINCE.astimezone(timezone(timedelta(hours=5)))
    assert closed_since(database, SINCE) == closed_since(database, elsewhere) == counts


@pytest.fixture(params=["broken", "a folder", "locked"])
def unreadable(request: pytest.FixtureRequest, database: Path) -> Iterator[Path]:
    """A database that says nothing."""
    if request.param == "broken":
        database.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        yield database
    elif request.param == "a folder":
        database.unlink()
        database.mkdir()
        yield database
    else:
        with closing(sqlite3.connect(database, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            yield database


def test_what_cannot_be_read_is_unknown_and_not_none(unreadable: Path) -> None:
    assert open_trades(unreadable) is None


def test_closed_trades_that_cannot_be_read_are_unknown(database: Path) -> None:
    database.write_bytes(b"no database")
    assert closed_since(database, SINCE) is None


def test_looking_makes_and_changes_nothing(database: Path) -> None:
    before = database.read_bytes()
    open_trades(database)

    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_a_database_that_is_just_being_made_never_traded(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "live.sqlite").close()
    (tmp_path / "live.sqlite").touch()
    assert open_trades(tmp_path / "live.sqlite") == 0
