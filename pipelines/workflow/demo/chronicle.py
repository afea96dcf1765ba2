"""What the agent's ledger and its status say while the demo goes on."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.errors import CannotTell
from pipelines.reports.timeline import Happened, Sample, Standing, Timeline, line
from pipelines.workflow.demo.programs import Programs

Stride = tuple[int, int]
"""How the exchange goes on between two looks: by so many seconds, so often."""

SIX_HOURS, HOUR, MINUTE = (3600, 6), (3600, 1), (60, 1)
"""Bots process every single hour, and the agent counts a soak only as far as it saw the bot every
six. Where something is about to happen it is looked at sooner."""

MOST_STRIDES = 120
"""So many, thirty days of six hours, the demo waits before it says that these days have none."""

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
    "orphaned": "orphan found",
    "imported": "imported",
    "resumed": "resumed",
    "verified": "verified",
    "unverified": "not verified",
    "escalated": "given up",
}
"""Entries of the ledger that are told; that a release still runs, and leases, are not."""

_HALTS = ("halted", "resumed")


@dataclass
class Chronicle:
    """Lets time pass at the exchange, and remembers what came of it.

    `now` is the exchange's time, `closed` counts the trades of a release in an environment.
    """

    programs: Programs
    now: datetime
    began: float = field(default_factory=time.monotonic)
    entries: list[Happened] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    closed: dict[tuple[str, str], int] = field(default_factory=dict)
    _told: int = 0
    _named: dict[str, str] = field(default_factory=dict)

    def look(self) -> Sample:
        """How everything stands now; what is new in the ledger is printed."""
        # One after the other: whoever was answered gives way to a round of the agent, so that what
        # it does about the last step stands in the ledger.
        status = self.programs.ask("sluice", "status", "--json").tree
        history = self.programs.ask("sluice", "history", "--limit", "10000", "--json").tree
        for happened in self._news(history):
            self._tell(happened)
        sample = Sample.model_validate(
            {"at": self.now, "standings": list(_standings(status))}, strict=False
        )
        self.samples.append(sample)
        return sample

    def note(self, standing: Standing, what: str, text: str) -> None:
        """Tell what the ledger does not."""
        self._tell(
            Happened(
                number=None,
                at=self.now,
                environment=standing.environment,
                strategy=standing.strategy,
                what=what,
                release=standing.running or "",
                text=text,
            )
        )

    def pass_time(self, stride: Stride = SIX_HOURS) -> None:
        """Let some time pass."""
        seconds, times = map(str, stride)
        words = ("--seconds", seconds, "--times", times, "--json")
        told = self.programs.ask("sluice-exchange", "step", *words).tree
        self.now = datetime.fromisoformat(told["now"])

    def pass_until(
        self, what: str, done: Callable[[Sample], bool], stride: Stride = SIX_HOURS
    ) -> Sample:
        """Let time pass until it is so, but none while the agent has something to start.

        :raises CannotTell: when it never is.
        """
        print(f"\n… until {what}", flush=True)
        begun, strides = self.now, 0
        while not done(sample := self.settled()):
            if strides == MOST_STRIDES:
                hint = "choose other days with --start"
                waited = self.now - begun
                raise CannotTell(f"in {waited} it did not come to it that {what}", hint)
            self.pass_time(stride)
            strides += 1
        return sample

    def halt(self, environment: str) -> str | None:
        """Why it is halted; None when it is not."""
        told = [e for e in self.entries if e.environment == environment and e.what in _HALTS]
        return told[-1].text if told and told[-1].what == "halted" else None

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
        began, ended = self.samples[0].at, self.samples[-1].at
        return Timeline(
            market=market,
            synthetic=synthetic,
            environments=tuple(names),
            began=began,
            ended=ended,
            hours=(ended - began) // timedelta(hours=1),
            seconds=round(time.monotonic() - self.began, 1),
            entries=tuple(self.entries),
            samples=tuple(self.samples),
        )

    def _tell(self, happened: Happened) -> None:
        print(line(happened), flush=True)
        self.entries.append(happened)

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
            word = _WORDS.get(entry.get("kind") or entry.get("how") or entry["entry"])
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


def standing(sample: Sample, environment: str) -> Standing:
    """How the demo's one strategy stands there.

    :raises CannotTell: when it does not.
    """
    found = next((each for each in sample.standings if each.environment == environment), None)
    if found is None:
        raise CannotTell(f"nothing stands in {environment}", "see agent.log")
    return found


def equity(sample: Sample, environment: str) -> Decimal:
    """What the demo's one strategy has there; nothing while nobody can tell."""
    return standing(sample, environment).equity or Decimal()


def runs(sample: Sample, environment: str, release: str) -> bool:
    """True when the release runs there and was verified."""
    found = [each for each in sample.standings if each.environment == environment]
    return any(
        each.running == each.desired == release
        and each.verified
        and each.phase in ("running", "halted")
        for each in found
    )


def trades(sample: Sample, environment: str, release: str) -> bool:
    """True when it runs there, and may open trades."""
    return runs(sample, environment, release) and standing(sample, environment).phase == "running"


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
    if entry["entry"] == "orphaned":
        return f"order {entry['order']} of {entry['pair']}"
    if entry["entry"] == "settled":
        return f"orphan {entry['orphan']}"
    said = [
        f"at {stake} % of its capital" if stake not in (None, 100) else "",
        f"by {entry['means']} of {entry['by']}" if entry["entry"] == "approved" else "",
        entry.get("reason") or "",
    ]
    return ", ".join(part for part in said if part)
