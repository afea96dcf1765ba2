"""freqtrade's database is read, and what cannot be read is never taken for nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.errors import CannotTell
from runner.rehearsal.kept import Kept, kept


def test_where_there_is_no_database_yet_nothing_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path / "trades.sqlite") == Kept()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_cannot_be_read(tmp_path: Path) -> None:
    database = tmp_path / "trades.sqlite"
    database.write_text("nonsense " * 100)
    with pytest.raises(CannotTell, match=r"trades.sqlite: cannot be read: file is not a database"):
        kept(database)


def test_another_freqtrade_s_tables_cannot_be_read(tmp_path: Path) -> None:
    database = tmp_path / "a ? # name.sqlite"
    with closing(sqlite3.connect(database)) as made, made:
        made.execute("CREATE TABLE trades (id INTEGER, pair TEXT)")
    with pytest.raises(CannotTell, match="no such column: is_open"):
        kept(database)
