"""The ledger on real databases: one chain, whoever writes and whatever ends."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from pipelines.adapters.ledger import START, Head, Ledger, Moved, database, schema
from pipelines.domain.document import Document
from pipelines.domain.entry import Held, LeaseTaken, Seen, Unheld
from pipelines.domain.lease import Lease, Taken
from pipelines.errors import BadInput, CannotTell

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def held(reason: str) -> Held:
    return Held(environment="prod", strategy="*", by="ada", reason=reason, at=NOW)


def reasons(ledger: Ledger) -> list[str]:
    return [str(getattr(line.entry, "reason", "")) for line in ledger.read().lines]


def test_reads_back_what_was_appended_in_its_order(ledger: Ledger) -> None:
    seen = Seen(environment="prod", strategy="calm", digest="a" * 64, closed=3, at=NOW)
    ledger.append(held("one"))
    ledger.append(seen, Unheld(environment="prod", strategy="*", by="bob", at=NOW))
    chain = ledger.read()
    assert [line.number for line in chain.lines] == [1, 2, 3]
    assert [line.entry for line in chain.lines[:2]] == [held("one"), seen]
    assert chain.head == ledger.head()


def test_reads_only_what_came_since(ledger: Ledger) -> None:
    head = ledger.append(held("one"), held("two"))
    ledger.append(held("three"))
    chain = ledger.read(head)
    assert [line.number for line in chain.lines] == [3]
    assert chain.head.count == 3


def test_an_empty_ledger_is_whole(ledger: Ledger) -> None:
    assert ledger.read().lines == ()
    assert ledger.verify().broken is None
    assert ledger.head() == START


def test_appends_all_or_nothing(ledger: Ledger) -> None:
    class Stranger(Document):
        entry: str = "stranger"

    with pytest.raises(ValueError, match="stranger"):
        ledger.append(held("one"), Stranger())  # type: ignore[arg-type]
    assert ledger.head() == START


def test_what_was_decided_on_an_older_head_is_not_written(ledger: Ledger) -> None:
    before = ledger.append(held("one"))
    ledger.append(held("two"), after=before)
    with pytest.raises(Moved, match="it has 2 entries, and this was decided on 1"):
        ledger.append(held("again"), after=before)
    assert reasons(ledger) == ["one", "two"]


def test_opens_again_where_it_was(ledger: Ledger, url: str, anchor: Path) -> None:
    head = ledger.append(held("one"))
    again = Ledger.open(url, anchor)
    assert again.append(held("two")).count == head.count + 1
    again.close()
    assert ledger.verify().broken is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET entry = '{}'",
        "UPDATE entries SET entry = entry WHERE number = 1",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE number = 2",
        "INSERT INTO entries VALUES (4, '{digest}', 'x', '{{}}')",
        "INSERT INTO entries VALUES (3, 'another', 'x', '{{}}')",
        "INSERT INTO entries VALUES (2, '{digest}', 'x', '{{}}')",
    ],
)
def test_the_database_itself_refuses_to_change_what_stands(ledger: Ledger, statement: str) -> None:
    head = ledger.append(held("one"), held("two"))
    text = statement.replace("{digest}", head.digest).replace("{{}}", "{}")
    with pytest.raises(CannotTell, match=r"never|follows|UNIQUE"):
        run(ledger, text)
    assert reasons(ledger) == ["one", "two"]


def run(ledger: Ledger, *statements: str) -> None:
    with database.transaction(ledger.engine, writes=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_replaces_nothing_either(ledger: Ledger) -> None:
    head = ledger.append(held("one"), held("two"))
    with pytest.raises(CannotTell, match="follows"):
        run(ledger, f"INSERT OR REPLACE INTO entries VALUES (2, '{head.digest}', 'x', 'y')")
    assert reasons(ledger) == ["one", "two"]


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgresql_truncates_nothing_either(ledger: Ledger) -> None:
    ledger.append(held("one"))
    with pytest.raises(CannotTell, match="never"):
        run(ledger, "TRUNCATE entries")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_writes_ahead_and_waits_for_the_disk(ledger: Ledger) -> None:
    with database.transaction(ledger.engine, writes=False) as connection:
        said = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        ]
    assert said == ["wal", 2]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_nobody_else_may_read_the_file(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append(held("one"))
    modes = {path.name: path.stat().st_mode & 0o77 for path in tmp_path.glob("ledger.sqlite*")}
    assert set(modes.values()) == {0}


# What opening makes, migrates and refuses.


def test_this_version_knows_the_revisions_that_there_are() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    walked = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(each.revision for each in walked)[::-1] == schema.REVISIONS


def test_an_old_ledger_is_migrated_and_keeps_its_entries(
    url: str, anchor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "REVISIONS", schema.REVISIONS[:1])
        old = Ledger.open(url, anchor)
        old.append(held("one"))
        with database.transaction(old.engine, writes=False) as connection:
            assert not sa.inspect(connection).has_table("leases")
        old.close()
    new = Ledger.open(url, anchor)
    assert reasons(new) == ["one"]
    assert isinstance(new.take("a", NOW, MINUTE), Lease)
    assert new.verify().broken is None
    new.close()


def test_a_newer_ledger_is_refused_and_stays_as_it_is(
    ledger: Ledger, url: str, anchor: Path
) -> None:
    ledger.append(held("one"))
    run(ledger, "UPDATE alembic_version SET version_num = '9999'")
    for way in (Ledger.open, Ledger.examine):
        with pytest.raises(BadInput, match="newer Sluice: revision 9999") as caught:
            way(url, anchor)
        assert "install that version" in caught.value.hint
    assert reasons(ledger) == ["one"]


def test_looking_makes_nothing(tmp_path: Path, anchor: Path) -> None:
    with pytest.raises(BadInput, match="there is no ledger"):
        Ledger.examine(f"sqlite:///{tmp_path}/none.sqlite", anchor)
    assert list(tmp_path.iterdir()) == []


def test_looking_into_an_empty_database_finds_no_ledger(url: str, anchor: Path) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    with pytest.raises(BadInput, match="there is none in this database"):
        Ledger.examine(url, anchor)


@pytest.mark.parametrize(
    "url", ["", "ledger.sqlite", "mysql://host/name", "sqlite://", "sqlite:///:memory:"]
)
def test_refuses_what_is_no_url_of_a_database(url: str, anchor: Path) -> None:
    with pytest.raises(BadInput, match="ledger: the URL") as caught:
        Ledger.open(url, anchor)
    assert "sqlite:////path/to/ledger.sqlite" in caught.value.hint


@pytest.mark.needs("postgresql")
def test_cannot_tell_without_a_server_and_never_shows_the_password(
    tmp_path: Path, anchor: Path
) -> None:
    with pytest.raises(CannotTell) as caught:
        Ledger.open(f"postgresql://me:geheim@/name?host={tmp_path}", anchor)
    assert "geheim" not in caught.value.message + caught.value.hint


def test_cannot_tell_when_the_file_is_no_database(tmp_path: Path, anchor: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database, however long it is" * 300)
    with pytest.raises(CannotTell, match="not a database"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", anchor)


# Several processes, and processes that end.

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.adapters.ledger import Ledger
from pipelines.domain.entry import Held
url, anchor, name, count = sys.argv[1:]
ledger = Ledger.open(url, Path(anchor))
at = datetime.now(UTC)
for number in range(int(count)):
    ledger.append(Held(environment="prod", strategy="*", by=name, reason=str(number), at=at))
    print(number, flush=True)
"""


def start(url: str, anchor: Path, name: str, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, url, str(anchor), name, str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_writers_at_once_make_one_chain_and_lose_nothing(url: str, anchor: Path) -> None:
    # They also make the tables at once.
    writers = {name: start(url, anchor, name, 25) for name in ("ada", "bob", "eve")}
    for writer in writers.values():
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    ledger = Ledger.examine(url, anchor)
    chain = ledger.read()
    for name in writers:
        own = [line.entry for line in chain.lines if getattr(line.entry, "by", "") == name]
        assert [getattr(entry, "reason", "") for entry in own] == [str(n) for n in range(25)]
    assert chain.head.count == 75
    ledger.close()


def test_a_writer_killed_at_any_moment_leaves_a_whole_chain(url: str, anchor: Path) -> None:
    Ledger.open(url, anchor).close()
    acknowledged = 0
    for after in (1, 3, 8, 13):
        writer = start(url, anchor, f"writer{after}", 100_000)
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(after)]
        # Each time at another point of an append.
        busy_for(after * 0.0007)
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.readlines()
        writer.stdout.close()
        writer.wait()
        acknowledged += len([line for line in told if line.endswith("\n")])
        ledger = Ledger.open(url, anchor)
        assert ledger.verify().broken is None
        assert ledger.read().head.count >= acknowledged
        ledger.append(held("still works"))
        acknowledged += 1
        ledger.close()


def busy_for(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


FILL = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from pipelines.adapters.ledger import Ledger
from pipelines.domain.entry import Held
from pipelines.errors import CannotTell
folder = Path(sys.argv[1])
ledger = Ledger.open(f"sqlite:///{folder}/ledger.sqlite", folder / "ledger.head")
spare = folder / "spare"
spare.write_bytes(bytes(60_000))
entry = Held(environment="prod", strategy="*", by="ada", reason="x" * 2000, at=datetime.now(UTC))
written = 0
try:
    while written < 10_000:
        ledger.append(entry)
        written += 1
except CannotTell as error:
    print(error.message)
assert ledger.verify().broken is None
assert ledger.read().head.count == written, written
again = Ledger.examine(f"sqlite:///{folder}/ledger.sqlite", folder / "ledger.head")
assert again.read().head.count == written
spare.unlink()
assert ledger.append(entry).count == written + 1
assert again.verify().broken is None
print("whole", written)
"""


@pytest.mark.needs("bubblewrap")
def test_a_full_disk_is_told_and_leaves_a_whole_chain(tmp_path: Path) -> None:
    inside = tmp_path / "small"
    inside.mkdir()
    walls = ["bwrap", "--dev-bind", "/", "/", "--size", "600000", "--tmpfs", str(inside)]
    ended = subprocess.run(
        [*walls, sys.executable, "-c", FILL, str(inside)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    complaint, whole = ended.stdout.splitlines()
    assert "full" in complaint
    assert int(whole.split()[1]) > 20


@pytest.mark.needs("postgresql")
def test_a_connection_that_the_server_closed_is_made_anew(
    postgresql: str, anchor: Path, server: Path
) -> None:
    ledger = Ledger.open(postgresql, anchor)
    ledger.append(held("one"))
    with psycopg.connect(f"user=postgres host={server}", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
    assert ledger.append(held("two")).count == 2
    ledger.close()


# The lease.


def test_only_one_of_two_agents_gets_the_lease(ledger: Ledger) -> None:
    mine = ledger.take("here", NOW, MINUTE)
    assert mine == Lease(holder="here", epoch=1, until=NOW + MINUTE)
    assert isinstance(ledger.take("there", NOW, MINUTE), Taken)
    assert ledger.lease() == mine


def test_a_new_holder_is_written_into_the_chain_and_a_renewal_is_not(ledger: Ledger) -> None:
    ledger.take("here", NOW, MINUTE)
    ledger.take("here", NOW + MINUTE, MINUTE)
    later = NOW + 10 * MINUTE
    assert isinstance(ledger.take("there", later, MINUTE), Taken)
    ledger.take("there", later, MINUTE, fenced_by="ada")
    assert [line.entry for line in ledger.read().lines] == [
        LeaseTaken(holder="here", epoch=1, at=NOW),
        LeaseTaken(holder="there", epoch=2, by="ada", at=later),
    ]


CLAIM = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pipelines.adapters.ledger import Ledger
from pipelines.domain.lease import Lease
url, anchor, name = sys.argv[1:]
ledger = Ledger.open(url, Path(anchor))
answer = ledger.take(name, datetime.now(UTC), timedelta(minutes=5))
print(isinstance(answer, Lease))
"""


def test_of_agents_that_ask_at_once_one_gets_it(url: str, anchor: Path) -> None:
    argv = [sys.executable, "-c", CLAIM, url, str(anchor)]
    asking = [subprocess.Popen([*argv, name], stdout=subprocess.PIPE, text=True) for name in "abc"]
    said = [process.communicate(timeout=60)[0].strip() for process in asking]
    assert sorted(said) == ["False", "False", "True"]


def test_the_anchor_follows_every_append(ledger: Ledger, anchor: Path) -> None:
    head = ledger.append(held("one"))
    assert Head.model_validate_json(anchor.read_bytes()) == head


def test_an_anchor_that_cannot_be_written_does_not_undo_an_entry(
    ledger: Ledger, anchor: Path
) -> None:
    ledger.append(held("one"))
    anchor.unlink()
    anchor.mkdir()
    (anchor / "in the way").touch()
    assert ledger.append(held("two")).count == 2
    with pytest.raises(CannotTell, match="the ledger's head cannot be read"):
        ledger.verify()
