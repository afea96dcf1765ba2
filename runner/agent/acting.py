"""Verbs that have something done once, and change nothing of what is wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from pipelines.adapters.agent import Asked, read_args
from pipelines.adapters.agent_trades import Acknowledge, ForceExit
from pipelines.domain.entry import Acted
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent.clearance import veiled
from runner.agent.tick import Agent

_What = Literal["restart", "forceexit", "acknowledge"]


@dataclass(frozen=True)
class Acting:
    """Answers for `who` asks."""

    agent: Agent
    who: str

    @property
    def verbs(self) -> Mapping[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {"acknowledge": self._acknowledge, "forceexit": self._force_exit}

    def _acknowledge(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Acknowledge)
        known = {alert.id for alert in self.agent.alerts.every()}
        if strange := [each for each in given.alerts if each not in known]:
            raise BadInput(f"there is no alert {strange[0]}", "'sluice alerts --json' names them")
        return self._note("acknowledge", about=given.alerts)

    def _force_exit(self, asked: Asked) -> JsonValue:
        given = read_args(asked, ForceExit)
        train = self.agent.declared()
        key = train.environment(given.environment).name, given.strategy
        members = self.agent.members(train, self.agent.clock()).values()
        bots = [member for member in members if member.bot.key == key and member.bot.has_trades]
        if not bots:
            raise Refused(f"{'.'.join(key)}: no bot has an open trade", "see 'sluice status'")
        if given.trade is not None and len(bots) > 1:
            raise Refused(f"{'.'.join(key)}: two bots have trades", "close all of them, or flatten")
        trades = "all" if given.trade is None else str(given.trade)
        told = self._note("forceexit", *key, given.reason, (trades,))
        failed: list[str] = []
        for member in bots:
            try:
                member.record.rest.close(trades)
            except CannotTell as error:
                failed.append(error.message)
        if failed:
            raise CannotTell("\n".join(failed), "'flatten' goes around a bot that does not answer")
        return told

    def _note(
        self,
        what: _What,
        environment: str = "",
        strategy: str = "",
        reason: str = "",
        about: tuple[str, ...] = (),
    ) -> JsonValue:
        return note(self.agent, self.who, what, environment, strategy, reason, about)


def note(
    agent: Agent,
    who: str,
    what: _What,
    environment: str = "",
    strategy: str = "",
    reason: str = "",
    about: tuple[str, ...] = (),
) -> JsonValue:
    """Write down that somebody has something done, before it is."""
    entry = Acted(
        environment=environment,
        strategy=strategy,
        what=what,
        about=about,
        by=who,
        reason=reason,
        at=agent.clock(),
    )
    agent.ledger.append(veiled(entry, agent.crew.hidden), after=agent.head)
    agent.read()
    told: JsonValue = entry.model_dump(mode="json")
    return told
