"""Verbs of danger. What halt, resume and flatten ask for is written down before it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from pipelines.adapters.agent import About, Asked, Flattening, Halting, read_args
from pipelines.domain.entry import ALL, Entry, Flattened, Halted, Resumed
from pipelines.domain.lease import may_start_live
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent.about import Key
from runner.agent.acting import note
from runner.agent.clearance import veiled
from runner.agent.muster import Member
from runner.agent.stopping import Stopped
from runner.agent.tick import Agent

_HINT = "'sluice status' shows what there is"


@dataclass(frozen=True)
class Stop:
    """Answers for `who` asks."""

    agent: Agent
    who: str

    @property
    def verbs(self) -> dict[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {
            "halt": self._halt,
            "resume": self._resume,
            "flatten": self._flatten,
            "restart": self._restart,
        }

    def _halt(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Halting)
        entries = [Halted(**about) for about in self._abouts(given)]
        told = self._done(entries, given)
        # What cannot be reached now is told, and stopped in one of the next rounds.
        self._stop(given)
        return told

    def _resume(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Halting)
        abouts = self._abouts(given)
        # What was halted by itself alone is resumed with all of them.
        names = {about["environment"]: about for about in abouts}
        own = [
            {**names[key[0]], "strategy": key[1]}
            for key, track in sorted(self.agent.record.tracks.items())
            if track.halt and given.strategy == ALL != key[1] and key[0] in names
        ]
        entries = [Resumed(**about) for about in (*abouts, *own)]
        return self._done(entries, given)

    def _flatten(self, asked: Asked) -> JsonValue:
        about = read_args(asked, About)
        given = Halting(**about.model_dump())
        if given.environment == ALL:
            raise BadInput("flatten: environment: should be one environment", _HINT)
        entries = [Flattened(**about) for about in self._abouts(given)]
        self._note(*entries)
        return [
            Flattening(environment=key[0], strategy=key[1], left=each.texts).model_dump(mode="json")
            for key, each in self._stop(given).items()
        ]

    def _restart(self, asked: Asked) -> JsonValue:
        """End bots: the rounds that follow start them again, as any that ended by itself."""
        about = read_args(asked, About)
        given, train = Halting(**about.model_dump()), self.agent.declared()
        train.environment(given.environment)
        house = self.agent.crew.house
        meant = [
            (seat, member)
            for seat, member in sorted(self.agent.members(train, self.agent.clock()).items())
            if _is_meant(member.bot.key, given) and house.lock(*seat).held()
        ]
        if not meant:
            raise Refused("no bot runs there", _HINT)
        seats = tuple(".".join(seat) for seat, _ in meant)
        where = (given.environment, given.strategy)
        note(self.agent, self.who, "restart", *where, given.reason, seats)
        for seat, member in meant:
            self.agent.crew.end(house.lock(*seat), politely=_answers(member))
        return [{"environment": seat[0], "strategy": seat[1]} for seat, _ in meant]

    def _stop(self, given: Halting) -> dict[Key, Stopped]:
        """Do at once what every round does, for the bots that are meant."""
        train, now = self.agent.declared(), self.agent.clock()
        lease = may_start_live(self.agent.ledger.lease(), self.agent.seat.holder, now)
        return self.agent.safety.stop(
            self.agent, train, now, has_lease=lease, is_meant=lambda key: _is_meant(key, given)
        )

    def _done(self, entries: list[Halted] | list[Resumed], given: Halting) -> JsonValue:
        self._note(*entries)
        told: list[JsonValue] = [entry.model_dump(mode="json") for entry in entries]
        return told if given.environment == ALL or len(told) > 1 else told[0]

    def _abouts(self, given: Halting) -> list[dict[str, Any]]:
        """What each entry is about: one environment, or every one of this host."""
        train, now = self.agent.declared(), self.agent.clock()
        mine = [name for name in train.environments if train.mine(name)]
        if given.environment == ALL and not mine:
            hosts = ", ".join(sorted({each.host for each in train.environments.values()}))
            raise BadInput(f"{train.host}: no environment is this host's", f"--host: {hosts}")
        names = mine if given.environment == ALL else [train.environment(given.environment).name]
        about = {"strategy": given.strategy, "reason": given.reason, "by": self.who, "at": now}
        return [{"environment": name, **about} for name in names]

    def _note(self, *entries: Entry) -> None:
        told = (veiled(entry, self.agent.crew.hidden) for entry in entries)
        self.agent.ledger.append(*told, after=self.agent.head)
        self.agent.read()


def _answers(member: Member) -> bool:
    try:
        return bool(member.record.rest.shown().state)
    except CannotTell:
        return False


def _is_meant(key: Key, given: Halting) -> bool:
    return given.environment in (ALL, key[0]) and given.strategy in (ALL, key[1])
