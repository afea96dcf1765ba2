"""Agents that are killed with -9 at a chosen step, and agents that go on after them.

`python doomed.py ARGUMENTS` with JSON: what is to be done, deed by deed. Each deed is begun by an
agent that dies at its step, and done again by one that lives; both are forks of this process, which
keeps freqtrade loaded for all of them. For every deed one line of JSON is printed.

A step is whatever outlives a process: a file that is opened for writing, renamed or removed, a
statement to the ledger and its commit, a connection, a message to another process.
"""

import base64
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.adapters.agent import Asked
from pipelines.adapters.ledger import Ledger
from pipelines.errors import Refused
from runner.agent.alerts import Alerts
from runner.agent.crew import Crew
from runner.agent.house import House
from runner.agent.launcher import Launcher
from runner.agent.preparing import Rehearsal
from runner.agent.seat import Seat
from runner.agent.tick import Agent
from runner.agent.verbs import Verbs
from runner.bots.messages import Follow
from runner.exchange import remote
from runner.exchange.messages import Step
from runner.exchange.settings import freqtrade_settings

LASTING = {"os.rename", "os.remove", "os.mkdir", "os.chmod", "socket.sendmsg", "socket.connect"}


@dataclass
class Steps:
    """Steps of this process: none are counted before there is a last one."""

    last: int = 0
    gone: int = 0

    def one(self, *_: object) -> None:
        if self.last:
            self.gone += 1
        if self.last and self.gone == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, event: str, given: tuple[Any, ...]) -> None:
        opens = event == "open" and isinstance(given[2], int)
        if event in LASTING or (opens and given[2] & (os.O_WRONLY | os.O_RDWR)):
            self.one()

    def statement(self, *given: Any) -> None:
        if given[2].lstrip()[:6].upper() in {"INSERT", "UPDATE"}:
            self.one()


STEPS = Steps()


class Told:
    """What is to be done, and the parts that every agent has in common."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.project, self.deeds = Path(given["project"]), given["deeds"]
        self.releases = Path(given["releases"])
        self.house = House(Path(given["home"]))
        self.ready = remote.located(Path(given["ready"]))
        self.launcher = Launcher(bots=self.house.home, log=self.house.home / "preloaded.log")

    def share_launcher(self) -> None:
        """In a fork: what has freqtrade loaded is the parent's child, and looks dead from here."""
        self.launcher._process = None

    def agent(self) -> Agent:
        follow = Follow(control_url=self.ready.control_url, control_token=self.ready.control_token)
        settings = freqtrade_settings(self.ready.api_url, "", "")["exchange"]
        return Agent(
            Seat(self.project / "environments" / "demo", "demo", "doomed"),
            Ledger.open(self.house.ledger, self.house.anchor),
            Crew(self.house, self.launcher, Rehearsal(settings, follow)),
            Alerts(self.house.alerts),
            lambda: remote.ask(self.ready, "status").now,
        )

    def args(self, deed: str) -> dict[str, Any]:
        if deed == "rollback":
            return {"environment": "test"}
        files = {kind: self.releases / f"{deed}.{kind}" for kind in ("tar", "dsse")}
        return {kind: base64.b64encode(p.read_bytes()).decode() for kind, p in files.items()}

    def do(self, deed: str) -> None:
        """Ask for it, and go on until nothing is being started."""
        agent = self.agent()
        verb = "rollback" if deed == "rollback" else "deliver"
        # One that was done before it was killed is refused the second time.
        with suppress(Refused):
            Verbs(agent, self.project).answer(Asked(verb=verb, args=self.args(deed)), "ann")
        until = time.monotonic() + 120
        while time.monotonic() < until:
            agent.tick()
            if not agent.is_busy(agent.declared(), agent.clock()) and not self.failed(agent):
                return
            time.sleep(0.1)

    def failed(self, agent: Agent) -> bool:
        """A bot that has to wait for its next start: the exchange's clock goes on."""
        members = agent.members(agent.declared(), agent.clock()).values()
        waits = any(member.bot.phase.value == "failed" for member in members)
        if waits:
            remote.ask(self.ready, "step", Step(seconds=20))
        return waits

    def stands(self) -> dict[str, Any]:
        """How everything stands, seen by one who changes nothing."""
        ledger = Ledger.examine(self.house.ledger, self.house.anchor)
        agent = self.agent()
        agent.read()
        track = agent.record.track("test", "beat")
        broken = ledger.verify().broken
        ledger.close()
        lock = self.house.lock("test", "beat")
        until = time.monotonic() + 10
        while not lock.path.stat().st_size and lock.held() and time.monotonic() < until:
            time.sleep(0.05)
        holder = lock.holder()
        runs = json.loads(holder.identity["promotion"])["digest"] if holder else None
        return {
            "broken": str(broken) if broken else "",
            "wanted": track.current.digest if track.current else None,
            "verified": bool(track.current and track.current.verified),
            "runs": runs,
            "bots": sum(1 for each in Path("/proc").iterdir() if holds(each, lock.path)),
        }


def holds(process: Path, lock: Path) -> bool:
    """True when a process has the lock's file open."""
    try:
        return any(fd.resolve() == lock.resolve() for fd in (process / "fd").iterdir())
    except OSError:
        return False


def forked(told: Told, deed: str, at: int) -> tuple[int, int]:
    """How an agent ended that dies at a step, and how many steps there were; 0 lives."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            told.share_launcher()
            STEPS.last = at or sys.maxsize
            told.do(deed)
            os.write(writing, str(STEPS.gone).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reading) as file:
        counted = int(file.read() or 0)
    return os.waitstatus_to_exitcode(status), counted


def main() -> None:
    told = Told(json.loads(sys.argv[1]))
    sys.addaudithook(STEPS.hook)
    sa.event.listen(sa.Engine, "before_cursor_execute", STEPS.statement)
    sa.event.listen(sa.Engine, "commit", STEPS.one)
    told.launcher._loaded()
    total = 0
    for number, (deed, share) in enumerate(told.deeds):
        ended, counted = forked(told, deed, int(total * share))
        between = told.stands()
        healed, _ = forked(told, deed, 0)
        line = {"deed": deed, "ended": ended, "healed": healed, "at": int(total * share)}
        print(json.dumps({**line, "between": between, "after": told.stands()}), flush=True)
        total = total or counted
        assert number or counted
    told.launcher.close()


if __name__ == "__main__":
    main()
