"""How everything stands: what is wanted, what runs, and what keeps the two apart."""

from decimal import Decimal

from pipelines.adapters.agent import EnvironmentStatus, Status, StrategyStatus
from pipelines.domain.deployment import Bot, Phase
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.errors import CannotTell
from runner.agent.about import Key
from runner.agent.health import of_member
from runner.agent.muster import Member
from runner.agent.tick import BY, Agent


def status(agent: Agent) -> Status:
    """The environments of this host.

    :raises SluiceError: when what is declared is wrong.
    """
    train, now = agent.declared(), agent.clock()
    members = tuple(agent.members(train, now).values())
    wanted, bots = agent.weighed(train, now)
    going = tuple(
        bot for bot in bots if bot.has_trades and not any(bot.is_of(each) for each in wanted)
    )
    mine = (train.mine(name) for name in train.environments)
    told = tuple(_environment(agent, each, members, going) for each in mine if each)
    return Status(environments=told)


def _environment(
    agent: Agent, environment: Environment, members: tuple[Member, ...], going: tuple[Bot, ...]
) -> EnvironmentStatus:
    name = environment.name
    here = {s: track for (where, s), track in agent.record.tracks.items() if where == name}
    wanted = {s for s, track in here.items() if s != ALL and (track.current or track.given_up)}
    there = {each.bot.strategy for each in members if each.bot.environment == name}
    return EnvironmentStatus(
        name=name,
        mode=environment.mode,
        hold=any(track.hold or track.undone for track in here.values()),
        halted=any(track.halt for track in here.values()),
        strategies=tuple(
            _strategy(
                agent,
                (name, strategy),
                [each for each in members if each.bot.key == (name, strategy)],
                [bot for bot in going if bot.key == (name, strategy)],
            )
            for strategy in sorted(wanted | there)
        ),
    )


def _strategy(agent: Agent, key: Key, members: list[Member], going: list[Bot]) -> StrategyStatus:
    track = agent.record.track(*key)
    wanted = track.current
    # Of two bots the one that is wanted is told of; the other one stands under `handover`.
    members = sorted(members, key=lambda m: not wanted or m.bot.digest != wanted.digest)
    member = members[0] if members else None
    runs = member is not None and member.bot.phase not in (Phase.FAILED, Phase.ABSENT)
    running = member.record.promotion.release if member and runs else None
    decision = "; ".join(agent.refused.get(key, ()))
    halt = agent.record.halt(*key)
    if not decision and halt is not None and halt.by == BY:
        decision = halt.reason
    if not decision and track.given_up:
        decision = track.given_up.reason
    at_work = member is not None and member.bot.phase in (Phase.RUNNING, Phase.HALTED)
    health = of_member(agent.observing, member) if member else None
    return StrategyStatus(
        name=key[1],
        desired=wanted.promotion.release if wanted else None,
        running=running,
        verified=bool(wanted and wanted.verified),
        phase=(member.bot.phase if member else Phase.ABSENT).value,
        healthy=health is not None and health.healthy,
        open_trades=_open_trades(members),
        equity=_equity(member) if member and at_work else None,
        since=member.bot.since if member else None,
        decision=decision,
        handover="; ".join(_going(bot, members) for bot in going),
        pid=_pid(agent, member) if member else None,
        reasons=health.reasons if health else (),
    )


def _open_trades(members: list[Member]) -> int | None:
    counts = [each.bot.open_trades for each in members]
    return None if None in counts else sum(count or 0 for count in counts)


def _going(bot: Bot, members: list[Member]) -> str:
    """What is told of a bot that has to go."""
    releases = (m.record.promotion.release for m in members if m.bot.seat == bot.seat)
    count = "?" if bot.open_trades is None else bot.open_trades
    release = next(releases, None) or "nobody knows what"
    return f"{release} goes, open trades: {count}, way: {bot.farewell}"


def _pid(agent: Agent, member: Member) -> int | None:
    try:
        holder = agent.crew.house.lock(*member.bot.seat).holder()
    except CannotTell:
        return None
    return holder.pid if holder else None


def _equity(member: Member) -> Decimal | None:
    try:
        return member.record.rest.equity()
    except CannotTell:
        return None
