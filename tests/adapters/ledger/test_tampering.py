"""Whatever is changed in a ledger behind its back is found, and its place is named."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.adapters.ledger import START, Head, Ledger, database
from pipelines.adapters.ledger.chain import Row, follow, link
from pipelines.domain.entry import Entry, Held
from pipelines.errors import CannotTell

COUNT = 6


def held(reason: str) -> Held:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Held(environment="prod", strategy="*", by="ada", reason=reason, at=at)


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """A ledger of some entries, whose triggers somebody took away."""
    ledger.append(*(held(f"reason {number}") for number in range(1, COUNT + 1)))
    if ledger.engine.dialect.name == "sqlite":
        off = [f"DROP TRIGGER entries_{name}" for name in ("follow", "stay", "remain")]
    else:
        off = ["ALTER TABLE entries DISABLE TRIGGER ALL"]
    tamper(ledger, *off)
    assert ledger.verify().broken is None
    return ledger


def tamper(ledger: Ledger, *statements: str) -> None:
    with database.transaction(ledger.engine, writes=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("statement", "number", "reason"),
    [
        ("UPDATE entries SET entry = replace(entry, '3', '4') WHERE number = 3", 3, "its digest"),
        ("UPDATE entries SET entry = entry || ' ' WHERE number = 2", 2, "its digest"),
        ("UPDATE entries SET digest = 'x' WHERE number = 4", 4, "its digest"),
        ("UPDATE entries SET previous = digest WHERE number = 5", 5, "does not follow"),
        ("UPDATE entries SET number = 60 WHERE number = 6", 6, "60 stands in its place"),
        ("DELETE FROM entries WHERE number = 1", 1, "2 stands in its place"),
        ("DELETE FROM entries WHERE number = 4", 4, "5 stands in its place"),
        ("DELETE FROM entries WHERE number = 6", 6, "is missing: there were 6 entries"),
        ("DELETE FROM entries WHERE number > 2", 3, "is missing: there were 6 entries"),
        ("DELETE FROM entries", 1, "is missing: there were 6 entries"),
        ("UPDATE entries SET digest = 'x' WHERE number = 6", 6, "its digest"),
    ],
)
def test_finds_what_was_changed_or_removed(
    told: Ledger, statement: str, number: int, reason: str
) -> None:
    tamper(told, statement)
    broken = told.verify().broken
    assert broken is not None
    assert broken.number == number
    assert reason in broken.reason


def test_finds_a_chain_that_was_written_anew_from_one_entry_on(told: Ledger) -> None:
    chain = told.read()
    entries = [held("forged") if line.number == 3 else line.entry for line in chain.lines]
    rewrite(told, entries)
    broken = told.verify().broken
    assert broken is not None
    assert (broken.number, broken.reason) == (COUNT, "is not the one that was remembered")


def test_finds_a_shorter_chain_that_was_written_anew(told: Ledger) -> None:
    rewrite(told, [held("forged")])
    broken = told.verify().broken
    assert broken is not None
    assert broken.number == 2


def test_without_an_anchor_the_end_is_not_vouched_for(told: Ledger) -> None:
    head = told.head()
    told.anchor.unlink()
    tamper(told, "DELETE FROM entries WHERE number = 6")
    verified = told.verify()
    assert (verified.anchor, verified.broken) == (None, None)
    # A head that a person wrote down elsewhere vouches for it.
    broken = told.verify(head).broken
    assert broken is not None
    assert broken.number == 6


def test_an_older_anchor_vouches_for_its_part_only(told: Ledger) -> None:
    told.anchor.write_bytes(Head(count=2, digest=str(rows(told)[1].digest)).canonical())
    assert told.verify().broken is None
    tamper(told, "DELETE FROM entries WHERE number > 3")
    assert told.verify().broken is None
    tamper(told, "DELETE FROM entries WHERE number > 1")
    assert told.verify().broken is not None


def rows(ledger: Ledger) -> list[Row]:
    with database.transaction(ledger.engine, writes=False) as connection:
        asked = "SELECT number, previous, digest, entry FROM entries ORDER BY number"
        return [Row(*row) for row in connection.exec_driver_sql(asked)]


def rewrite(ledger: Ledger, entries: list[Entry]) -> None:
    head = START
    tamper(ledger, "DELETE FROM entries")
    for entry in entries:
        row = link(head, entry)
        values = f"{row.number}, '{row.previous}', '{row.digest}', '{row.entry}'"
        tamper(ledger, f"INSERT INTO entries VALUES ({values})")
        head = Head(count=head.count + 1, digest=str(row.digest))


def test_nothing_is_read_from_a_broken_chain(told: Ledger) -> None:
    tamper(told, "UPDATE entries SET entry = replace(entry, 'ada', 'eve') WHERE number = 3")
    with pytest.raises(CannotTell, match="entry 3 is not what was written") as caught:
        told.read()
    assert "sluice ledger verify" in caught.value.hint


def test_nothing_is_read_when_the_end_is_missing(told: Ledger) -> None:
    tamper(told, "DELETE FROM entries WHERE number = 6")
    with pytest.raises(CannotTell, match="entry 6 is missing: there were 6 entries"):
        told.read()


def test_a_kind_that_is_not_known_is_no_entry(told: Ledger) -> None:
    text = '{"entry": "surprise"}'
    head = told.head()
    forged = link(head, held("x"))
    from pipelines.domain.document import sha256

    digest = sha256(f"{head.digest} {forged.number} {text}".encode())
    tamper(told, f"INSERT INTO entries VALUES (7, '{head.digest}', '{digest}', '{text}')")
    with pytest.raises(CannotTell, match="entry 7 is of a kind that this version does not know"):
        told.read()


def test_a_broken_last_entry_is_not_built_upon(told: Ledger) -> None:
    tamper(told, "UPDATE entries SET digest = 'x' WHERE number = 6")
    with pytest.raises(CannotTell, match="its last entry is broken"):
        told.append(held("more"))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A ledger's file, everything in it and nothing beside it."""
    path = tmp_path / "whole.sqlite"
    ledger = Ledger.open(f"sqlite:///{path}", tmp_path / "whole.head")
    ledger.append(*(held(f"reason {number}") for number in range(1, COUNT + 1)))
    ledger.close()
    assert not path.with_name("whole.sqlite-wal").exists()
    return path


def after_flipping(file: Path, place: int) -> str:
    """What a ledger says about itself when one byte of its file is another."""
    content = bytearray(file.read_bytes())
    content[place] ^= 0x15
    copy = file.with_name("flipped.sqlite")
    for left in file.parent.glob("flipped.sqlite*"):
        left.unlink()
    copy.write_bytes(content)
    shutil.copy(file.with_name("whole.head"), file.with_name("flipped.head"))
    try:
        ledger = Ledger.examine(f"sqlite:///{copy}", file.with_name("flipped.head"))
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    with closing(ledger):
        try:
            lines = ledger.read().lines
        except CannotTell as error:
            return error.message
    assert [getattr(line.entry, "reason", "") for line in lines] == [
        f"reason {number}" for number in range(1, COUNT + 1)
    ]
    return "whole"


def test_no_byte_of_an_entry_changes_unseen(file: Path) -> None:
    content = file.read_bytes()
    for number in range(1, COUNT + 1):
        text = str(link(START, held(f"reason {number}")).entry).encode()
        start = content.index(text)
        for place in range(start, start + len(text), 5):
            said = after_flipping(file, place)
            assert said.startswith(f"ledger: entry {number} "), said


def test_any_other_byte_is_found_or_changes_nothing(file: Path) -> None:
    size = file.stat().st_size
    dice = random.Random(20260101)
    said = [after_flipping(file, dice.randrange(size)) for _ in range(250)]
    assert {each for each in said if each[0].isupper()} <= {"CannotTell", "BadInput"}


def test_a_page_that_was_torn_is_found(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    connection.close()
    content = file.read_bytes()
    start = content.index(b"reason 3") // size * size
    file.write_bytes(content[:start] + bytes(size) + content[start + size :])
    with pytest.raises(CannotTell):
        Ledger.examine(f"sqlite:///{file}", file.with_name("whole.head")).read()


# The chain by itself.

REASONS = st.lists(st.text(max_size=12), min_size=1, max_size=6)


def chained(reasons: list[str]) -> tuple[list[Row], Head]:
    made, head = [], START
    for reason in reasons:
        made.append(link(head, held(reason)))
        head = Head(count=head.count + 1, digest=str(made[-1].digest))
    return made, head


@given(REASONS)
def test_a_chain_gives_back_its_entries(reasons: list[str]) -> None:
    made, head = chained(reasons)
    chain = follow(made, START, head)
    assert chain.broken is None
    assert [getattr(line.entry, "reason", None) for line in chain.lines] == reasons
    assert chain.head == head


@given(REASONS, st.data())
def test_a_chain_whose_rows_are_not_all_there_in_order_is_broken(
    reasons: list[str], data: st.DataObject
) -> None:
    made, head = chained(reasons)
    chosen = data.draw(st.lists(st.sampled_from(made), max_size=len(made)))
    broken = follow(chosen, START, head).broken
    assert (broken is None) == (chosen == made)
