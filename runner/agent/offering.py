"""Automatic promotions: what has soaked enters where the policy has it so, and nobody asks.

Only ever forward, once each, and never where people took something away: the rules of eligibility
say so, from the ledger alone. Killed before or after it writes, the next round finds what stands.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.adapters.ledger import Moved
from pipelines.domain.candidate import Candidate
from pipelines.domain.eligibility import Eligible, eligibility
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approval, Promotion, strategy_of, version_of
from pipelines.domain.record import Line, Record
from pipelines.errors import SluiceError
from runner.agent.alerts import Severity, alert_of
from runner.agent.declared import Declared
from runner.agent.entering import may_enter, promotion_of, store

if TYPE_CHECKING:
    from runner.agent.tick import Agent

BY = "agent"
_WHY = "it has soaked, and nothing speaks against it"

_Named = tuple[str, str]
"""A release's id and its digest."""


def offer(agent: "Agent", train: Declared, now: datetime) -> None:
    """Write down every promotion that is due. What keeps one out is told and harms no other."""
    found = due(agent, train, now)
    if not found:
        return
    try:
        agent.ledger.append(*found, after=agent.head)
        agent.read()
    except Moved:
        return  # somebody wrote meanwhile: the next round decides on what stands there then
    except SluiceError as error:
        for each in found:
            _alert(agent, "warning", each.environment, each.strategy, error.message, now)
        return
    for each in found:
        text = f"{each.release} enters by itself: {each.reason}"
        _alert(agent, "notice", each.environment, each.strategy, text, now)


def foreseen(agent: "Agent", train: Declared, now: datetime) -> Record:
    """The record as it would be after the promotions that are due; nothing is written."""
    lines = enumerate(due(agent, train, now), agent.record.count + 1)
    return agent.record.after(Line(number, promotion) for number, promotion in lines)


def due(agent: "Agent", train: Declared, now: datetime) -> tuple[Promotion, ...]:
    """The automatic promotions into environments of this host that nothing speaks against."""
    return tuple(
        found
        for name in sorted(train.environments)
        if (environment := train.mine(name)) is not None
        and environment.policy.approval is Approval.AUTOMATIC
        for strategy in _strategies(agent.record, environment)
        if (found := _next(agent, environment, strategy, train, now)) is not None
    )


def _strategies(record: Record, environment: Environment) -> list[str]:
    upstream = environment.policy.upstream
    if upstream is None:
        return sorted({strategy_of(each.release) for each in record.delivered.values()})
    return sorted(s for name, s in record.tracks if name == upstream and s != ALL)


def _next(
    agent: "Agent", environment: Environment, strategy: str, train: Declared, now: datetime
) -> Promotion | None:
    """The newest release that may enter, if there is one."""
    for named in _candidates(agent.record, environment, strategy):
        if not _promising(agent.record, environment, train, named, now):
            continue
        try:
            given = store(agent).stored(named[1])
            answer = may_enter(agent, given, environment, train, 1, now, automatic=True)
        except SluiceError as error:
            text = f"{named[0]} does not enter by itself: {error.message}"
            _alert(agent, "warning", environment.name, strategy, text, now)
            continue
        if isinstance(answer, Eligible):
            return promotion_of(
                given, environment, answer, 1, by=BY, reason=_WHY, at=now, automatic=True
            )
    return None


def _candidates(record: Record, environment: Environment, strategy: str) -> Iterator[_Named]:
    """The releases that were upstream, or that were delivered to the first environment."""
    upstream = environment.policy.upstream
    found: set[_Named] = set()
    if upstream is None:
        delivered = record.delivered.values()
        found = {(d.release, d.digest) for d in delivered if strategy_of(d.release) == strategy}
    else:
        for stay in record.track(upstream, strategy).stays:
            if stay.promotion.release and stay.promotion.digest:
                found.add((stay.promotion.release, stay.promotion.digest))
    yield from sorted(found, key=lambda named: version_of(named[0]), reverse=True)


def _promising(
    record: Record, environment: Environment, train: Declared, named: _Named, now: datetime
) -> bool:
    """False when the ledger alone keeps it out: then no file is looked at in every round."""
    wanted = record.track(environment.name, strategy_of(named[0])).current
    best = Candidate(*named, automatic=True, hotfix_of=wanted.digest if wanted else None)
    return isinstance(eligibility(best, environment, train.environments, record, now), Eligible)


def _alert(
    agent: "Agent", severity: Severity, environment: str, strategy: str, text: str, now: datetime
) -> None:
    agent.alerts.raise_(alert_of(severity, (environment, strategy), text, now, "promotion"))
