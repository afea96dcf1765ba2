"""`sluice ledger verify` as a person runs it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters.ledger import Ledger
from pipelines.domain.entry import Held
from pipelines.errors import ExitCode
from pipelines.workflow import ledger as workflow

Verify = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def verify(project: Path, home: Path) -> Verify:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = "from pipelines.cli import main; main()"
        where = ["--root", str(project), "--home", str(home)]
        argv = [sys.executable, "-c", program, *where, "ledger", "verify", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    """Three entries."""
    opened = Ledger.open(workflow.address(home), workflow.anchor(home))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    about = {"environment": "prod", "strategy": "*", "by": "ada", "at": at}
    opened.append(*(Held(reason=reason, **about) for reason in ("one", "two", "three")))
    with closing(opened):
        yield opened


def tamper(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(home / "ledger.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_whole_ledger_holds_and_names_its_head(verify: Verify, ledger: Ledger) -> None:
    ended = verify()
    head = ledger.head()
    assert ended.returncode == ExitCode.DONE, ended.stderr
    assert ended.stdout == f"3 entries hold\nhead: 3:{head.digest}\n"
    assert verify("--head", f"3:{head.digest}").returncode == ExitCode.DONE


def test_says_the_same_to_machines_on_one_line(verify: Verify, ledger: Ledger) -> None:
    ended = verify("--json")
    head = ledger.head()
    assert ended.stdout.count("\n") == 1
    assert json.loads(ended.stdout) == {
        "entries": 3,
        "head": head.digest,
        "anchor": {"count": 3, "digest": head.digest},
        "broken": None,
    }


def test_names_the_first_entry_that_is_broken(verify: Verify, ledger: Ledger, home: Path) -> None:
    tamper(
        home,
        "DROP TRIGGER entries_stay",
        "UPDATE entries SET entry = replace(entry, 'two', 'six')",
    )
    ended = verify("--json")
    assert ended.returncode == ExitCode.SAID_NO
    reason = "is not what was written: its digest is another"
    assert json.loads(ended.stdout)["broken"] == {"number": 2, "reason": reason}
    assert ended.stderr == f"entry 2 {reason}\nwhat stands before it holds\n"


def test_finds_that_the_end_is_missing(verify: Verify, ledger: Ledger, home: Path) -> None:
    head = ledger.head()
    tamper(home, "DROP TRIGGER entries_remain", "DELETE FROM entries WHERE number = 3")
    assert verify().returncode == ExitCode.SAID_NO
    workflow.anchor(home).unlink()
    without = verify()
    assert without.returncode == ExitCode.CANNOT_TELL
    assert "entries at the end may be missing" in without.stdout
    told = verify("--head", f"3:{head.digest}")
    assert told.returncode == ExitCode.SAID_NO
    assert "entry 3 is missing: there were 3 entries" in told.stdout


def test_refuses_where_there_is_no_ledger(verify: Verify, home: Path) -> None:
    ended = verify()
    assert ended.returncode == ExitCode.BAD_INPUT
    assert "there is no ledger\nhint: the agent makes it when it first runs" in ended.stderr
    assert not home.exists()


@pytest.mark.parametrize("head", ["3", "x:y", "-1:x", ":"])
def test_refuses_a_head_that_is_none(head: str, home: Path) -> None:
    with pytest.raises(workflow.BadInput, match="is no head of a ledger"):
        workflow.verify(home, None, head)


def test_cannot_tell_when_the_file_is_damaged(verify: Verify, ledger: Ledger, home: Path) -> None:
    ledger.close()
    (home / "ledger.sqlite").write_bytes(b"x" * 9000)
    ended = verify()
    assert ended.returncode == ExitCode.CANNOT_TELL
    assert "not a database" in ended.stderr
