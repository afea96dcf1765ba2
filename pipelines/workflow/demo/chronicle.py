"""What the agent's ledger and its status say while the demo goes on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipelines.errors import CannotTell
from pipelines.reports.timeline import Happened, Sample, Standing, Timeline, line
from pipelines.workflow.demo.programs import Programs

STEP_HOURS = 6
"""The exchange goes on by so many hours between two looks; bots process every single one. The
agent counts a soak only as far as it saw the bot every six hours."""

MOST_HOURS = 24 * 30
"""So long the demo waits for trades before it says that these days have none."""

_STARTED_SECONDS = 180.0
_LOOK_SECONDS = 1.0

_WORDS = {
    "promote": "promoted",
    "rollback": "rolled back",
    "retire": "retired",
    "approved": "approved",
    "held": "on hold",
    "unheld": "hold lifted",
    "halted": "halted",
    "resumed": "resumed",
    "verified": "verified",
    "unverified": "not verified",
    "escalated": "given up",
}
"""Entries of the ledger that are told; that a release still runs, and leases, are not."""


@dataclass
class Chronicle:
    """Lets time pass at the exchange, and remembers what came of it.

    `now` is the exchange's time, `closed` counts the trades of a release in an environment.
    """

    programs: Programs
    now: str
    began: float = field(default_factory=time.monotonic)
    hours: int = 0
    entries: list[Happened] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    closed: dict[tuple[str, str], int] = field(default_factory=dict)
    _told: int = 0
    _named: dict[str, str] = field(default_factory=dict)

    def look(self) -> Sample:
        """How everything stands now; what is new in the ledger is printed."""
        commands = (
            ("sluice", "status", "--json"),
            ("sluice", "history", "--limit", "10000", "--json"),
        )
        with ThreadPoolExecutor(len(commands)) as pool:
            status, history = pool.map(lambda c: self.programs.ask(*c).tree, commands)
        for happened in self._news(history):
            print(line(happened), flush=True)
            self.entries.append(happened)
        sample = Sample.model_validate(
            {"at": self.now, "standings": list(_standings(status))}, strict=False
        )
        self.samples.append(sample)
        return sample

    def pass_time(self) -> None:
        """Let some hours pass."""
        words = ("--seconds", "3600", "--times", str(STEP_HOURS))
        self.now = self.programs.ask("sluice-exchange", "step", *words, "--json").tree["now"]
        self.hours += STEP_HOURS

    def pass_until(self, what: str, done: Callable[[Sample], bool]) -> Sample:
        """Let time pass until it is so, but none while the agent has something to start.

        :raises CannotTell: when it never is.
        """
        print(f"\n… until {what}", flush=True)
        begun = self.hours
        while not done(sample := self.settled()):
            if self.hours - begun >= MOST_HOURS:
                days = MOST_HOURS // 24
                hint = "choose other days with --start"
                raise CannotTell(f"in {days} days it did not come to it that {what}", hint)
            self.pass_time()
        return sample

    def has_traded(self, now: Sample, environment: str, release: str) -> bool:
        """True when a release has opened a trade, or closed one already."""
        open_there = any(s.environment == environment and s.open_trades for s in now.standings)
        return open_there or self.closed.get((environment, release), 0) > 0

    def settled(self) -> Sample:
        """How everything stands once the agent has started what it can start.

        :raises CannotTell: when it does not come so far.
        """
        until = time.monotonic() + _STARTED_SECONDS
        while True:
            sample = self.look()
            if not any(map(_is_beginning, sample.standings)):
                return sample
            if time.monotonic() > until:
                raise CannotTell("the agent did not start a bot in time", "see agent.log")
            time.sleep(_LOOK_SECONDS)

    def ends(self, market: str, *, synthetic: bool) -> Timeline:
        """The whole of it."""
        # As the releases went through them, not by the alphabet.
        names = dict.fromkeys(entry.environment for entry in self.entries)
        return Timeline(
            market=market,
            synthetic=synthetic,
            environments=tuple(names),
            began=self.samples[0].at,
            ended=self.samples[-1].at,
            hours=self.hours,
            seconds=round(time.monotonic() - self.began, 1),
            entries=tuple(self.entries),
            samples=tuple(self.samples),
        )

    def _news(self, history: list[dict[str, Any]]) -> Iterator[Happened]:
        for entry in history:
            if entry["number"] <= self._told:
                continue
            self._told = entry["number"]
            if entry.get("release"):
                self._named[entry["digest"]] = entry["release"]
            if entry["entry"] == "seen":
                key = entry["environment"], self._named[entry["digest"]]
                self.closed[key] = entry["closed"]
            word = _WORDS.get(entry.get("kind") or entry["entry"])
            if word:
                yield Happened(
                    number=entry["number"],
                    at=datetime.fromisoformat(entry["at"]),
                    environment=entry["environment"],
                    strategy=entry.get("strategy") or entry["release"].partition("@")[0],
                    what=word,
                    release=self._named.get(entry.get("digest") or "", ""),
                    text=_text(entry),
                )


def equity(sample: Sample, environment: str) -> Decimal:
    """What the demo's one strategy has there; nothing while nobody can tell."""
    found = (each.equity for each in sample.standings if each.environment == environment)
    return next((each for each in found if each is not None), Decimal())


def runs(sample: Sample, environment: str, release: str) -> bool:
    """True when the release runs there and was verified."""
    found = [each for each in sample.standings if each.environment == environment]
    return any(
        each.running == each.desired == release
        and each.verified
        and each.phase in ("running", "halted")
        for each in found
    )


def _is_beginning(each: Standing) -> bool:
    """True while time need not pass for the agent to go on."""
    if each.phase in ("starting", "verifying"):
        return True
    waits = each.phase == "failed" or each.open_trades
    return each.desired != each.running and not waits


def _standings(status: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for environment in status["environments"]:
        about = {"environment": environment["name"], "mode": environment["mode"]}
        for each in environment["strategies"]:
            kept = {k: v for k, v in each.items() if k in Standing.model_fields}
            yield {**about, "hold": environment["hold"], "strategy": each["name"], **kept}


def _text(entry: dict[str, Any]) -> str:
    stake = entry.get("stake")
    said = [
        f"at {stake} % of its capital" if stake not in (None, 100) else "",
        f"by {entry['means']} of {entry['by']}" if entry["entry"] == "approved" else "",
        entry.get("reason") or "",
    ]
    return ", ".join(part for part in said if part)
