"""Handovers in which the agent, the bots or both are killed with -9 at a chosen step.

Or the line to the exchange is cut there: connections are reset, new ones refused, for a while.

`python -m tests.agent.doomed_handing ARGUMENTS` with JSON. Each case is a promotion over trades in
some state: begun by an agent that dies, or whose bots die, at a step, and finished by another one.
What stands afterwards is read from the exchange's book and the databases: a line of JSON each.
"""

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.adapters.ledger import Ledger
from pipelines.domain.deployment import Phase
from pipelines.domain.promotion import Kind, Promotion
from pipelines.errors import CannotTell
from runner.agent import clearance, records
from runner.agent.alerts import Alert, Alerts
from runner.agent.tick import Agent
from runner.agent.trades import Book, book
from runner.exchange import remote
from runner.exchange.core.faults import Side
from runner.exchange.messages import Clear, Fault, Step
from tests.agent import doomed
from tests.agent.line import Line

LASTING = {"os.rename", "os.remove", "socket.sendmsg"}
SEATS = {"beat": "key", "beat.2": "akey"}
PATIENCE_SECONDS = 150
CUT_OFF = timedelta(seconds=90)
TICK_SECONDS = 10
TICKS = 2
"""Within so many somebody looks after a position, or a human knows."""
VICTIMS = ("agent", "both", "bot", "exchange")

Stand = tuple[dict[str, list[int]], list[str]]
"""Every position, and what humans were told in this case so far."""


class Stage(doomed.Told):
    """The train that cases are played on. `releases` are the ids and digests of two releases."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__({**given, "deeds": []})
        self.versions: list[tuple[str, str]] = [tuple(each) for each in given["versions"]]
        self.line = Line(**given["line"])
        self.mended: datetime | None = None
        self.stands: list[Stand] = []
        self.before = 0
        self.wanted = 1

    def agent(self) -> Agent:
        # In real seconds nobody waits here for an exchange that did not answer a moment ago.
        clearance.SILENCE_SECONDS = 0.5
        return super().agent()

    def step(self, seconds: int) -> None:
        now = remote.ask(self.ready, "step", Step(seconds=seconds)).now
        if self.mended and self.mended <= now:
            self.line.mend()
            self.mended = None

    def want(self) -> None:
        """The other release from now on: forwards one time, and back the next."""
        self.wanted = 1 - self.wanted
        release, digest = self.versions[self.wanted]
        now = remote.ask(self.ready, "status").now
        kind = Kind.PROMOTE if self.wanted else Kind.ROLLBACK
        promotion = Promotion(
            kind=kind, environment="sandbox", strategy="beat", release=release, digest=digest,
            by="a test", at=now,
        )  # fmt: skip
        ledger = Ledger.open(self.house.ledger, self.house.anchor)
        ledger.append(promotion)
        ledger.close()

    def books(self) -> dict[str, Book]:
        """What each database says."""
        found = {}
        for seat in SEATS:
            path = self.house.home / "bots" / "demo.sandbox" / seat / "live.sqlite"
            told = book(path)
            assert told is not None
            found[seat] = told
        return found

    def kill_bots(self) -> None:
        for seat in SEATS:
            lock = self.house.lock("sandbox", seat)
            until = time.monotonic() + 10
            while lock.held() and time.monotonic() < until:
                # One that is just starting has not said yet who it is.
                with suppress(CannotTell):
                    lock.signal(signal.SIGKILL)
                time.sleep(0.02)

    def cut_off(self) -> None:
        """Nobody reaches the exchange, until some time has passed there."""
        self.line.cut()
        self.mended = remote.ask(self.ready, "status").now + CUT_OFF

    def settle(self, agent: Agent, *, ticks: int = 0) -> None:
        """Rounds until what is wanted trades and nothing else is there; or only so many."""
        until, count = time.monotonic() + PATIENCE_SECONDS, 0
        while time.monotonic() < until:
            if ticks:
                self.step(TICK_SECONDS)  # a round of an agent that waits between them
            agent.tick()
            count += 1
            if count == ticks:
                return
            if self.mended and len(self.stands) <= TICKS:
                self.stands.append(self.stand())
                self.step(TICK_SECONDS)
                continue
            bots = [m.bot for m in agent.members(agent.declared(), agent.clock()).values()]
            digest = self.versions[self.wanted][1]
            if [(b.digest, b.phase) for b in bots] == [(digest, Phase.RUNNING)]:
                return
            phases = {bot.phase for bot in bots}
            if phases & {Phase.STARTING, Phase.VERIFYING}:
                time.sleep(0.1)
            elif Phase.PAUSED in phases:
                self.step(300)  # an order in flight comes to its end
            else:
                self.step(1800 if Phase.DRAINING in phases and ticks == 0 else 20)
        raise AssertionError(f"never at rest: {phases}")

    def play(self, state: str) -> None:
        """Bring the trades of the bot that runs into a state; the exchange is reached again."""
        remote.ask(self.ready, "clear", Clear())
        self.line.mend()
        seat = next(seat for seat in SEATS if self.house.lock("sandbox", seat).held())
        record = records.load(self.house.record("sandbox", seat))
        assert record is not None
        rest = record.rest
        if state in ("none", "partial entry"):
            rest.close_all()
            self.step(60)
            if state == "none":
                return
            # The rest of such an order waits for as long as the fault lasts.
            self._partly("BUY", 12 * 3600)
            self._until(lambda b: any(trade.filled for trade in b.open), seat, rest.close_all)
            return
        self._until(lambda b: len(b.open) == 2 and all(trade.stops for trade in b.open), seat)
        if state == "stop":
            return
        price = 1.3 if state == "exit in flight" else 0.85
        if state == "partial exit":
            self._partly("SELL", 1500)
        for trade in self.books()[seat].open:
            asked = {"tradeid": str(trade.id), "ordertype": "limit"}
            rest._post("forceexit", {**asked, "price": float(trade.open_rate) * price})
        held = self.books()[seat].open
        assert len(held) == 2, held
        assert all(trade.orders and not trade.stops for trade in held), held

    def _partly(self, side: Side, seconds: int) -> None:
        remote.ask(self.ready, "clear", Clear())
        fault = Fault(name="partial_fill", side=side, seconds=seconds, by=Decimal("0.5"))
        remote.ask(self.ready, "fault", fault)

    def _until(self, so: Any, seat: str, otherwise: Any = None) -> None:
        # What nobody has taken after ten minutes is cancelled: it is looked at before that.
        looks, seconds = (6, 95) if otherwise else (1, 60)
        for _ in range(10):
            if so(self.books()[seat]):
                return
            # A little after the hour, while orders of that hour may still be open.
            now = remote.ask(self.ready, "status").now
            self.step(3600 - now.minute * 60 - now.second + 1)
            for _ in range(looks):
                if so(self.books()[seat]):
                    return
                self.step(seconds)
            if otherwise and not so(self.books()[seat]):
                # It was filled too late, or at once: another hour, another order.
                otherwise()
                self.step(60)
        raise AssertionError(f"{self.books()[seat].open}")

    def stand(self) -> Stand:
        """Every position at the exchange: how many bots that live know of it, and has it a stop."""
        books, positions = self.books(), {}
        for seat, key in SEATS.items():
            told = remote.book(self.ready, key)
            bought = {o.base: o.executed for o in told.orders if o.side == "BUY" and o.executed}
            stops = [
                o.base for o in told.orders if o.standing == "NEW" and o.kind == "STOP_LOSS_LIMIT"
            ]
            known = [trade.pair.split("/")[0] for trade in books[seat].open]
            lives = self.house.lock("sandbox", seat).held()
            for coin, size in bought.items():
                if told.balances.get(coin, 0) > size / 10:
                    managers = known.count(coin) if lives else 0
                    positions[f"{key} {coin}"] = [managers, stops.count(coin)]
        return positions, [f"{each.severity}: {each.text}" for each in self.alerts[self.before :]]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return tuple(Alerts(self.house.alerts).every())

    def bots(self) -> int:
        """The most processes that hold one seat."""
        processes = [each for each in Path("/proc").iterdir() if each.name.isdigit()]
        paths = [self.house.lock("sandbox", seat).path for seat in SEATS]
        return max(sum(doomed.holds(each, path) for each in processes) for path in paths)


@dataclass
class Deadly:
    """The step of this process that is deadly, and for whom; none before there is a stage."""

    stage: Stage | None = None
    at: int = 0
    victim: str = ""
    gone: int = 0

    def one(self, *_: object) -> None:
        """A step is about to happen."""
        if self.stage is None:
            return
        self.gone += 1
        if self.gone == self.at:
            if self.victim == "exchange":
                self.stage.cut_off()
            if self.victim in ("bot", "both"):
                self.stage.kill_bots()
            if self.victim in ("agent", "both"):
                os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, event: str, _: tuple[Any, ...]) -> None:
        if event in LASTING:
            self.one()


DEADLY = Deadly()


def forked(stage: Stage, at: int, victim: str, ticks: int = 0) -> tuple[int, int, list[Stand]]:
    """How an agent ended whose step `at` was deadly for `victim`; how many steps it went.

    And how everything stood after each of the first rounds in which the line was cut.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            stage.share_launcher()
            DEADLY.stage, DEADLY.at, DEADLY.victim = stage, at, victim
            stage.settle(stage.agent(), ticks=ticks)
            with os.fdopen(writing, "w") as file:
                json.dump((DEADLY.gone, stage.stands), file)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        gone, stands = json.loads(file.read() or "[0, []]")
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), gone, stands


def case(stage: Stage, state: str, at: int, victim: str) -> dict[str, Any]:
    stage.play(state)
    stage.before = len(stage.alerts)
    stage.want()
    ended, counted, stands = forked(stage, at, victim)
    if not stands:
        stands = [stage.stand()]
        forked(stage, 0, "", ticks=TICKS)
        stands.append(stage.stand())
    bots = stage.bots()
    healed, *_ = forked(stage, 0, "")
    # What the new release has just bought itself gets its stop in the bot's next turn.
    stage.step(60)
    return {
        "state": state, "at": at, "victim": victim, "ended": ended, "counted": counted,
        "between": stands[0][0], "second": stands[-1][0], "told": stands[-1][1],
        "after": stage.stand()[0], "bots": max(bots, stage.bots()), "healed": healed,
    }  # fmt: skip


def main() -> None:
    given = json.loads(sys.argv[1])
    stage, dice = Stage(given), random.Random(given["seed"])
    sys.addaudithook(DEADLY.hook)
    sa.event.listen(sa.Engine, "commit", DEADLY.one)
    stage.launcher._loaded()
    stage.want()
    begun, *_ = forked(stage, 0, "")
    assert begun == 0, "the first release does not trade"
    # One undisturbed, to count the steps.
    steps = case(stage, "stop", 0, "agent")["counted"]
    chosen = sorted(dice.sample(range(1, steps + 1), min(given["most"], steps)))
    cases = [("stop", at) for at in chosen]
    cases += [(state, dice.randint(1, steps)) for state in given["states"] if state != "stop"]
    for number, (state, at) in enumerate(cases):
        victim = VICTIMS[(number + given["seed"]) % len(VICTIMS)]
        print(json.dumps({"of": steps, **case(stage, state, at, victim)}), flush=True)
    stage.launcher.close()


if __name__ == "__main__":
    main()
