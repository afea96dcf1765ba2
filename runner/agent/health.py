"""How healthy bots are, as the last round has seen them, for whoever asks."""

from dataclasses import dataclass

from pydantic import JsonValue

from pipelines.adapters.agent import Asked, read_args
from pipelines.adapters.health import BotHealth, Health, HealthReason, OfBots
from pipelines.domain.health import Ill, Standing
from runner.agent.muster import Member
from runner.agent.tick import Agent
from runner.monitoring.observing import HOST, Observing


@dataclass(frozen=True)
class Healths:
    """Answers what is asked about health."""

    agent: Agent

    def answer(self, asked: Asked) -> JsonValue:
        """Every bot that was there at the end of the last round."""
        given, observing = read_args(asked, OfBots), self.agent.observing
        bots = tuple(
            of_member(observing, seen.member)
            for key, seen in sorted(observing.bots.items())
            if given.environment in ("", key[0])
            and given.strategy in ("", seen.member.bot.strategy)
        )
        host = _reasons(observing.standing(HOST))
        return Health(bots=bots, host=host).model_dump(mode="json")


def of_member(observing: Observing, member: Member) -> BotHealth:
    """One bot. One that no round has seen yet is not healthy: nobody knows."""
    standing, seen = observing.standing(member.bot.seat), observing.bots.get(member.bot.seat)
    known = seen is not None and seen.member.record.launch == member.record.launch
    reasons = _reasons(standing) if known else (_unseen(member),)
    return BotHealth(
        environment=member.bot.environment,
        strategy=member.bot.strategy,
        release=member.record.promotion.release,
        healthy=not reasons,
        reasons=reasons,
    )


def _unseen(member: Member) -> HealthReason:
    text = "no round has seen it yet"
    return HealthReason(check="process", text=text, since=member.bot.since, state="unknown")


def _reasons(standing: Standing | None) -> tuple[HealthReason, ...]:
    return tuple(map(_reason, standing.ills.values())) if standing else ()


def _reason(ill: Ill) -> HealthReason:
    return HealthReason(
        check=ill.reason.check.value,
        text=ill.reason.text,
        since=ill.since,
        state="failed" if ill.reason.known else "unknown",
    )
