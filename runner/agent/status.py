"""How everything stands: what is wanted, what runs, and what keeps the two apart."""

from decimal import Decimal

from pipelines.adapters.agent import EnvironmentStatus, Status, StrategyStatus
from pipelines.domain.deployment import Phase
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.errors import CannotTell
from runner.agent.about import Key
from runner.agent.crew import Member
from runner.agent.tick import Agent


def status(agent: Agent) -> Status:
    """The environments of this host.

    :raises SluiceError: when what is declared is wrong.
    """
    train, now = agent.declared(), agent.clock()
    members = agent.members(train, now)
    mine = (train.mine(name) for name in train.environments)
    told = tuple(_environment(agent, each, members) for each in mine if each)
    return Status(environments=told)


def _environment(
    agent: Agent, environment: Environment, members: dict[Key, Member]
) -> EnvironmentStatus:
    name = environment.name
    here = {s: track for (where, s), track in agent.record.tracks.items() if where == name}
    wanted = {s for s, track in here.items() if s != ALL and (track.current or track.given_up)}
    there = {strategy for where, strategy in members if where == name}
    return EnvironmentStatus(
        name=name,
        mode=environment.mode,
        hold=any(track.hold or track.undone for track in here.values()),
        halted=any(track.halt for track in here.values()),
        strategies=tuple(
            _strategy(agent, (name, strategy), members.get((name, strategy)))
            for strategy in sorted(wanted | there)
        ),
    )


def _strategy(agent: Agent, key: Key, member: Member | None) -> StrategyStatus:
    track = agent.record.track(*key)
    wanted = track.current
    runs = member is not None and member.bot.phase is not Phase.FAILED
    running = member.record.promotion.release if member and runs else None
    decision = "; ".join(agent.refused.get(key, ()))
    halt = agent.record.halt(*key)
    if not decision and halt is not None and halt.limit:
        decision = halt.reason
    if not decision and track.given_up:
        decision = track.given_up.reason
    at_work = member is not None and member.bot.phase in (Phase.RUNNING, Phase.HALTED)
    return StrategyStatus(
        name=key[1],
        desired=wanted.promotion.release if wanted else None,
        running=running,
        verified=bool(wanted and wanted.verified),
        phase=(member.bot.phase if member else Phase.ABSENT).value,
        healthy=at_work and not decision,
        open_trades=member.bot.open_trades if member else 0,
        equity=_equity(member) if member and at_work else None,
        since=member.bot.since if member else None,
        decision=decision,
    )


def _equity(member: Member) -> Decimal | None:
    try:
        return member.record.rest.equity()
    except CannotTell:
        return None
