"""A train whose bots are light: the agent, launcher, locks, ledger and disk are the real ones."""

import base64
import json
import shutil
import signal
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipelines.adapters import approvals
from pipelines.adapters.agent import Asked, Explained
from pipelines.adapters.ledger import Ledger
from pipelines.adapters.versions import tool_versions
from pipelines.domain.deployment import Refuse
from pipelines.domain.entry import Entry
from pipelines.domain.promotion import ApprovalStatement
from pipelines.domain.protections import Unknown
from pipelines.domain.release import Release
from runner.agent.about import Key
from runner.agent.alerts import Alerts
from runner.agent.clearance import Looked
from runner.agent.crew import Crew
from runner.agent.house import House
from runner.agent.launcher import Launcher
from runner.agent.locks import Lock
from runner.agent.preparing import Rehearsal
from runner.agent.seat import Seat
from runner.agent.stopping import Stopped
from runner.agent.tick import Agent
from runner.agent.verbs import Verbs
from runner.bots.messages import Launch, Told
from runner.monitoring.noted import Noted
from tests.agent.train import Train, laid, made

START = datetime(2022, 3, 1, tzinfo=UTC)
SETTLED_SECONDS = 20

_TABLES = """
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER PRIMARY KEY, is_open INTEGER, open_date TEXT, close_date TEXT,
    pair TEXT DEFAULT 'BTC/USDT',
    amount FLOAT DEFAULT 1, open_rate FLOAT DEFAULT 100, stop_loss FLOAT DEFAULT 80,
    initial_stop_loss_pct FLOAT DEFAULT -0.2, price_precision FLOAT DEFAULT 0.01,
    precision_mode_price INTEGER DEFAULT 4, is_stop_loss_trailing INTEGER DEFAULT 0,
    is_short INTEGER DEFAULT 0, leverage FLOAT DEFAULT 1, enter_tag TEXT,
    timeframe INTEGER DEFAULT 60, stake_amount FLOAT DEFAULT 100,
    realized_profit FLOAT DEFAULT 0, close_profit_abs FLOAT DEFAULT 0
);
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT, ft_is_open INTEGER, ft_trade_id INTEGER, ft_order_side TEXT, filled FLOAT
);
CREATE TABLE IF NOT EXISTS trade_custom_data (ft_trade_id INTEGER, cd_key TEXT);
"""
"""What the agent reads of freqtrade's."""


def launched_by(folder: Path, root: Path) -> Launcher:
    """The real launcher, whose Python turns out to be one that starts light bots."""
    python = folder / "python"
    script = Path(__file__).with_name("stand_in.py")
    python.write_text(
        f"#!/bin/sh\nSTAND_IN_FREQTRADE={tool_versions()['freqtrade']} PYTHONPATH='{root}' "
        f"exec '{sys.executable}' '{script}' \"$@\"\n"
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return _OnePython(bots=folder, python=str(python), log=folder / "preloaded.log")


class _OnePython(Launcher):
    """Whatever packages a release is pinned to, its bot is a light one."""

    def launch(self, launch: Launch, told: Told, lock: Lock, python: str = "") -> int | None:
        return super().launch(launch, told, lock)


class _NoExchange:
    """Light bots trade nowhere: nothing is asked of an exchange about them."""

    looked: tuple[Looked, ...] = ()

    def __init__(self) -> None:
        self.noted: dict[Key, Noted] = {}

    @property
    def quotes(self) -> "_NoExchange":
        return self

    def time(self, *_: object) -> Unknown:
        return Unknown("there is no exchange")

    def started(self, *_: object, **__: object) -> tuple[str, ...]:
        return ()

    def look(self, *_: object) -> Looked:
        return Looked((), (), ())

    def round(self, *_: object) -> tuple[Entry, ...]:
        return ()

    def disagreements(self, *_: object) -> tuple[str, ...]:
        return ()

    def keep(self, *_: object, **__: object) -> None: ...

    def stop(self, *_: object, **__: object) -> dict[Key, Stopped]:
        return {}


def project(root: Path, folder: Path, approver: Path | None) -> Train:
    """Environments and keys; nobody runs in it yet, and no exchange is needed."""
    train = laid(root, folder, None, approver)  # type: ignore[arg-type]
    train.home.mkdir()
    for environment, key in (("sandbox", "key"), ("prod", "pkey")):
        train.secret(environment, key)
    Ledger.open(train.house.ledger, train.house.anchor).close()
    return train


@dataclass
class Light:
    """One home of a train: an agent in this process, in a time of its own, and its bots."""

    train: Train
    launcher: Launcher
    home: Path
    now: datetime = START
    agent: Agent = field(init=False)

    def __post_init__(self) -> None:
        shutil.copytree(self.train.home, self.home, dirs_exist_ok=True)
        self.open()

    @property
    def house(self) -> House:
        return House(self.home)

    def opened(self) -> Agent:
        """A new agent, which remembers nothing."""
        agent: Any = Agent(
            Seat(self.train.project / "environments" / "demo", "demo", "light"),
            Ledger.open(self.house.ledger, self.house.anchor),
            Crew(self.house, self.launcher, Rehearsal({"name": "binance"}, None)),
            Alerts(self.house.alerts),
            lambda: self.now,
        )
        agent.clearance = agent.reconciling = agent.safety = _NoExchange()
        agent.observing.guard = agent.observing.reconciling = agent.safety
        return agent  # type: ignore[no-any-return]

    def open(self) -> None:
        """The agent that goes on after one that is gone."""
        self.agent = self.opened()

    def ask(self, verb: str, **args: JsonValue) -> Any:
        """What somebody gets who asks the agent for something."""
        return Verbs(self.agent, self.train.project).answer(Asked(verb=verb, args=args), "ann")

    def deliver(self, files: tuple[bytes, bytes]) -> Any:
        tar, dsse = (base64.b64encode(content).decode() for content in files)
        return self.ask("deliver", tar=tar, dsse=dsse)

    def approve(
        self, release: Release, environment: str, step: int = 1, key: Path | None = None
    ) -> Any:
        """Sign, as `sluice approve` does, and hand it in."""
        key = key or self.train.approver
        assert key is not None
        told = self.ask("explain", release=str(release.id), environment=environment, step=step)
        stands = Explained.model_validate(told, strict=False)
        statement = ApprovalStatement(
            environment=environment,
            release=stands.release,
            digest=stands.digest,
            step=step,
            predecessor=stands.predecessor,
            sequence=stands.sequence,
            expires=stands.at + timedelta(days=7),
        )
        signature = approvals.sign(statement, key).decode()
        signed = statement.canonical().decode()
        return self.ask("approve", environment=environment, statement=signed, signature=signature)

    def settle(self) -> None:
        """Rounds until one has nothing to do but what it refuses."""
        until = time.monotonic() + SETTLED_SECONDS
        while any(not isinstance(action, Refuse) for action in self.agent.tick()):
            assert time.monotonic() < until, self.told()
            time.sleep(0.01)

    def pass_hours(self, hours: int) -> None:
        for _ in range(hours):
            self.now += timedelta(hours=1)
            self.agent.tick()

    def database(self, environment: str) -> Path:
        mode = "dry_run" if environment == "test" else "live"
        return self.home / "bots" / f"demo.{environment}" / "beat" / f"{mode}.sqlite"

    def trades(self, environment: str, *, opened: int = 0, closed: int = 0) -> None:
        """So many more trades that are closed, and exactly so many open ones."""
        path = self.database(environment)
        path.parent.mkdir(parents=True, exist_ok=True)
        when = self.now.replace(tzinfo=None).isoformat(" ", "microseconds")
        with closing(sqlite3.connect(path)) as database, database:
            database.executescript(_TABLES)
            database.execute("DELETE FROM orders")
            database.execute("DELETE FROM trades WHERE is_open = 1")
            for is_open, count in ((1, opened), (0, closed)):
                rows = [(is_open, when)] * count
                database.executemany("INSERT INTO trades (is_open, open_date) VALUES (?, ?)", rows)
            # Each open one has its stop at the exchange.
            stop = "INSERT INTO orders SELECT 'stop ' || id, 1, id, 'stoploss', 0 FROM trades"
            database.execute(f"{stop} WHERE is_open = 1")

    def soak(self, environment: str) -> None:
        """Half a day and a trade."""
        self.pass_hours(1)
        self.trades(environment, closed=1)
        self.pass_hours(12)

    def running(self) -> Mapping[str, list[int]]:
        """The processes of light bots that have each lock open."""
        found: dict[str, list[int]] = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if b"stand_in.py" not in (process / "cmdline").read_bytes():
                    continue
                files = [descriptor.readlink() for descriptor in (process / "fd").iterdir()]
            except OSError:
                continue
            for file in files:
                if file.parent == self.home / "locks" and "." in file.name:
                    found.setdefault(file.name, []).append(int(process.name))
        return found

    def runs(self, environment: str) -> str | None:
        """The digest that a bot was started with, which runs."""
        holder = self.lock(environment).holder()
        if holder is None:
            return None
        return str(json.loads(holder.identity["promotion"])["digest"])

    def lock(self, environment: str) -> Lock:
        return self.house.lock(environment, "beat")

    def entries(self) -> list[dict[str, Any]]:
        """Every entry of the ledger, whose chain holds."""
        lines = self.agent.ledger.read().lines
        return [line.entry.model_dump(mode="json") for line in lines]

    def alerts(self) -> list[str]:
        return [alert.text for alert in Alerts(self.house.alerts).every()]

    def end_bot(self, environment: str) -> None:
        """kill -9."""
        self.until(lambda: not self.lock(environment).signal(signal.SIGKILL))

    def until(self, is_so: Callable[[], Any]) -> None:
        until = time.monotonic() + SETTLED_SECONDS
        while not is_so():
            assert time.monotonic() < until, self.told()
            time.sleep(0.01)

    def told(self) -> str:
        logs = [self.house.alerts, self.launcher.log or self.house.alerts]
        return "\n".join(path.read_text()[-3000:] for path in logs if path.exists())

    def close(self) -> None:
        """No process is left."""
        self.agent.ledger.close()
        for path in (self.home / "locks").glob("*.*"):
            self.end_bot(path.name.partition(".")[0])


@contextmanager
def light(train: Train, launcher: Launcher, home: Path) -> Iterator[Light]:
    """A home of its own; whatever was started in it has ended when this ends."""
    there = Light(train, launcher, home)
    try:
        yield there
    finally:
        there.close()


def files(train: Train, version: str, code: str) -> tuple[Release, bytes, bytes]:
    """A release, and what is handed to the agent of it."""
    return made(train.project, train.key, version, code)
