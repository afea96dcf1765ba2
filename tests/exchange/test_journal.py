"""The journal: what is committed, when, and what a failed write leaves."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.errors import CannotTell
from runner.exchange.core.orders import Account, Advanced, Closed, Event, Opened, Standing
from runner.exchange.core.rejection import Rejection
from runner.exchange.journal import Journal

OPENED = Opened(Account("alice", "key", "secret"))
CLOSED = Closed(1, Standing.CANCELED, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Journal:
    return Journal(path)


def committed(path: Path) -> tuple[int, int]:
    """How many events and requests somebody else sees."""
    with closing(sqlite3.connect(path)) as other:
        tables = ("events", "requests")
        events, requests = (
            other.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables
        )
        return events, requests


def test_what_is_written_together_is_committed_at_once(journal: Journal, path: Path) -> None:
    with journal.together():
        journal.append([OPENED])
        journal.note(1, "alice", "POST", "/api/v3/order", 200)
        assert committed(path) == (0, 0)
    assert committed(path) == (1, 1)


def test_a_request_that_was_refused_is_noted(journal: Journal, path: Path) -> None:
    def refused() -> None:
        with journal.together():
            journal.note(1, "", "POST", "/api/v3/order", 400)
            raise Rejection(-2010, "no")

    with pytest.raises(Rejection):
        refused()
    assert committed(path) == (0, 1)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ([[Advanced(1)], [Advanced(2)], [Advanced(3)]], [Advanced(3)]),
        ([[OPENED, Advanced(1), Advanced(2)], [Advanced(3)]], [OPENED, Advanced(3)]),
        ([[Advanced(1)], [CLOSED], [Advanced(2)]], [Advanced(1), CLOSED, Advanced(2)]),
        ([[Advanced(1), CLOSED], [Advanced(2)]], [Advanced(1), CLOSED, Advanced(2)]),
        ([[Advanced(1)], [Advanced(2), CLOSED]], [Advanced(2), CLOSED]),
        ([[], [Advanced(1)], []], [Advanced(1)]),
    ],
)
def test_of_moments_that_follow_each_other_only_the_last_is_kept(
    written: list[list[Event]], kept: list[Event], journal: Journal, path: Path
) -> None:
    for events in written:
        journal.append(events)
    assert list(Journal(path).events()) == kept


def test_a_new_process_takes_away_nothing_that_it_found(journal: Journal, path: Path) -> None:
    journal.append([Advanced(1)])
    again = Journal(path)
    again.append([Advanced(2)])
    assert again.events() == (Advanced(1), Advanced(2))


def test_after_a_write_that_failed_nothing_is_taken_for_written(
    journal: Journal, path: Path
) -> None:
    journal.append([OPENED])
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CannotTell, match=r"journal\.sqlite: cannot be written: .* locked"):
            journal.append([CLOSED])
    with pytest.raises(CannotTell, match="cannot be written"), journal.together():
        pass
    with pytest.raises(CannotTell, match="cannot be written"):
        journal.append([CLOSED])
    assert committed(path) == (1, 0)


def test_a_write_that_fails_in_the_middle_commits_nothing(journal: Journal, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE requests")

    def both() -> None:
        with journal.together():
            journal.append([OPENED])
            journal.note(1, "alice", "POST", "/api/v3/order", 200)

    with pytest.raises(CannotTell, match="cannot be written: no such table"):
        both()
    with pytest.raises(CannotTell):
        both()
    journal.close()
    assert Journal(path).events() == ()
