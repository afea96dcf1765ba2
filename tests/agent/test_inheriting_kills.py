"""kill -9 in the middle of an import over open trades: nothing is imported, or it is once.

The agent that dies and the one that goes on are real, so are ledger, locks and files, and so is the
process of the bot, which is light (stand_in.py). tests/agent/test_inheriting.py has a real one.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.adapters.agent import Asked, TakeOver
from pipelines.domain.entry import Seen, Verified
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.release import Release
from pipelines.errors import Refused
from runner.agent.launcher import Launcher
from runner.agent.verbs import Verbs
from tests.agent.doomed import Steps
from tests.agent.light import START, Light, files, launched_by, light, project
from tests.agent.train import Train

pytestmark = [pytest.mark.slow, pytest.mark.needs("ssh-keygen")]

CODE = "class Beat(IStrategy):\n    stoploss = -0.2\n"
COLUMNS = {
    "exchange": "binance",
    "stake_currency": "USDT",
    "trading_mode": "SPOT",
    "strategy": "Beat",
}


@dataclass(frozen=True)
class Ready:
    """A home that waits for nothing but the import, and what is imported."""

    train: Train
    launcher: Launcher
    release: Release
    database: Path

    def asked(self) -> Asked:
        given = TakeOver(
            environment="sandbox",
            strategy="beat",
            database=str(self.database),
            dry_run=False,
            release=str(self.release.id),
            source=str(self.train.project / "strategies" / "beat" / "strategy.py"),
        )
        return Asked(verb="take-over", args=given.model_dump(mode="json"))

    def home(self, folder: Path) -> Any:
        return light(self.train, self.launcher, folder)


@pytest.fixture(scope="module")
def ready(root: Path, approver: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    train = project(root, tmp_path_factory.mktemp("train"), approver)
    train.declare("test", host="elsewhere")
    launcher = launched_by(tmp_path_factory.mktemp("launcher"), root)
    release, tar, dsse = files(train, "1.0.0", CODE)
    base, database = tmp_path_factory.mktemp("base") / "home", train.project / "mine.sqlite"
    with light(train, launcher, base) as there:
        there.deliver((tar, dsse))
        soaked(there, release)
        there.approve(release, "sandbox")
        there.agent.tick()
        there.trades("sandbox", opened=2, closed=3)
        there.database("sandbox").rename(database)
        with closing(sqlite3.connect(database)) as opened, opened:
            for column, value in COLUMNS.items():
                opened.execute(f"ALTER TABLE trades ADD COLUMN {column} TEXT DEFAULT '{value}'")
    yield Ready(replace(train, home=base), launcher, release, database)
    launcher.close()


def soaked(there: Light, release: Release) -> None:
    about = {"environment": "test", "strategy": "beat", "digest": release.digest}
    promoted = Promotion(
        kind=Kind.PROMOTE,
        environment="test",
        strategy="beat",
        release=str(release.id),
        digest=release.digest,
        by="a test",
        at=START,
    )
    half = timedelta(minutes=30)
    seen = [Seen(**about, closed=1, at=START + n * half) for n in range(1, 30)]
    there.agent.ledger.append(promoted, Verified(**about, at=START), *seen)
    there.agent.read()
    there.now += 30 * half


def died(there: Light, asked: Asked, step: int) -> bool:
    """Ask an agent that is killed with -9 at a step; True when it came so far."""
    if (pid := os.fork()) == 0:
        steps, code = Steps(), 1
        sys.addaudithook(steps.hook)
        sa.event.listen(sa.Engine, "before_cursor_execute", steps.statement)
        sa.event.listen(sa.Engine, "commit", steps.one)
        try:
            verbs = Verbs(there.opened(), there.train.project)
            steps.last = step
            verbs.answer(asked, "ann")
            code = 0
        finally:
            os._exit(code)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert ended in (0, -signal.SIGKILL), there.told()
    return ended != 0


def promotions(there: Light) -> list[dict[str, Any]]:
    every = [entry for entry in there.entries() if entry["entry"] == "promotion"]
    return [entry for entry in every if entry["environment"] == "sandbox"]


def trades(path: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened:
        return opened.execute("SELECT id, is_open FROM trades ORDER BY id").fetchall()


def looked_after(there: Light, release: Release) -> bool:
    """One bot, of this release."""
    running = there.running().get("sandbox.beat", [])
    return len(running) == 1 and there.runs("sandbox") == release.digest


def stands(there: Light) -> str:
    """How far it came, by what outlives everybody."""
    there.open()
    there.agent.read()
    if promotions(there):
        return "wanted"
    return "here" if there.database("sandbox").exists() else "nothing"


def goes_on(there: Light, ready: Ready, how: str) -> None:
    """Whoever comes next looks after what is here, and the same again ends what was begun."""
    there.settle()
    assert looked_after(there, ready.release) == (how != "nothing"), there.told()
    if how == "wanted":
        with pytest.raises(Refused, match="is wanted in sandbox already"):
            there.ask("take-over", **ready.asked().args)
    else:
        there.ask("take-over", **ready.asked().args)
    there.settle()
    assert looked_after(there, ready.release), there.told()
    assert len(promotions(there)) == 1
    assert trades(there.database("sandbox")) == trades(ready.database)
    (member,) = there.agent.members(there.agent.declared(), there.now).values()
    assert member.bot.phase == "running"
    # What is over afterwards is not begun anew.
    there.ask("retire", environment="sandbox", strategy="beat")
    with pytest.raises(Refused, match="two histories are never mixed"):
        there.ask("take-over", **ready.asked().args)


def test_killed_at_any_step_nothing_is_imported_or_it_is_once(ready: Ready, tmp_path: Path) -> None:
    before, found, step, alive = ready.database.read_bytes(), list[str](), 0, True
    while alive:
        with ready.home(tmp_path / str(step)) as there:
            there.now = START + timedelta(hours=15)
            how = "nothing"
            # As long as it is nothing, what a dead one left is where the next one begins.
            while alive and how == "nothing":
                alive = died(there, ready.asked(), step := step + 1)
                how = stands(there)
                found.append(how)
            goes_on(there, ready, how)
    assert ready.database.read_bytes() == before
    order = ["nothing", "here", "wanted"]
    assert found == sorted(found, key=order.index)
    assert set(found) == set(order), "each of them is what some kill leaves"
    assert step > 15
