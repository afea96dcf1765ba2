"""Open trades of a freqtrade of somebody's own: a release has them that may.

It has to be let in as by any promotion, it must be able to adopt the trades, and the exchange must
have what the database says. Whose they are is written down before they are here, and that the
release is wanted afterwards: killed in between, an agent looks after them, and the same again goes
on.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipelines.adapters.agent import TakeOver
from pipelines.adapters.releases import Stored
from pipelines.domain.adoption import OpenTrade
from pipelines.domain.candidate import Because
from pipelines.domain.eligibility import Eligibility, Eligible
from pipelines.domain.environment import Environment
from pipelines.domain.handover import Objection
from pipelines.domain.lease import may_start_live
from pipelines.domain.promotion import Promotion, Risk
from pipelines.errors import BadInput, CannotTell
from runner.agent import owners
from runner.agent.books.accounts import Trader, joined
from runner.agent.clearance import refusal
from runner.agent.entering import may_enter, promotion_of, stored
from runner.agent.owners import Owner
from runner.agent.preparing import Deployable, deployable
from runner.agent.tick import Agent
from runner.agent.trades import book

_MODES = "SELECT DISTINCT lower(trading_mode) FROM trades WHERE is_open = 1"
_CLASSES = "SELECT id, pair, strategy FROM trades WHERE is_open = 1 AND strategy IS NOT ?"


@dataclass(frozen=True)
class Heir:
    """Whose the trades become, and why that must not be."""

    owner: Owner
    reasons: tuple[str, ...]


def begun(agent: Agent, given: TakeOver) -> bool:
    """True when the same was killed after the trades were here, and before that was promoted."""
    house, key = agent.crew.house, (given.environment, given.strategy)
    owner, track = owners.load(house.owner(*key)), agent.record.track(*key)
    if not given.release or owner is None or track.current is not None:
        return False
    same = owner.promotion.digest == stored(agent, given.release).release.digest
    told = any(stay.promotion == owner.promotion for stay in track.stays)
    there = (house.home / owner.database).exists()
    return same and there and not told and owner.promotion.reason == _reason(agent, given)


def heir(agent: Agent, given: TakeOver, copy: Path, by: str, *, again: bool) -> Heir:
    """Who may have the trades of a copy; `again` says that they are here already.

    :raises BadInput: when there is no such release, or it is another strategy's.
    :raises Refused: when what is signed about the release does not hold.
    :raises CannotTell: when nobody says no, and something could not be looked at.
    """
    train, now = agent.declared(), agent.clock()
    environment, release = train.environment(given.environment), stored(agent, given.release)
    if release.release.name != given.strategy:
        raise BadInput(f"{release.release.id}: is no release of {given.strategy}")
    kept_in = None if again else str(copy)
    answer = may_enter(agent, release, environment, train, 1, now, kept_in=kept_in)
    promotion = _promotion(agent, given, release, environment, answer, by, now)
    of = deployable(agent.crew.house, environment, promotion, train.trust, agent.record)
    reasons = list(_against(answer))
    if not again:
        reasons += _objections(agent, given, copy, of)
        try:
            reasons += _disagreements(agent, copy, of, now)
        except CannotTell as error:
            if not reasons:
                raise
            reasons.append(error.message)
    return Heir(Owner(promotion=promotion, placed=of.placed, environment=environment), (*reasons,))


def own(agent: Agent, heir: Heir) -> None:
    """Write down whose the trades are. Before they are here it means nothing."""
    promotion = heir.owner.promotion
    owners.save(agent.crew.house.owner(promotion.environment, promotion.strategy), heir.owner)


def want(agent: Agent, heir: Heir) -> None:
    """Promote the release that has them."""
    agent.ledger.append(heir.owner.promotion, after=agent.head)
    agent.read()


def _reason(agent: Agent, given: TakeOver) -> str:
    return agent.crew.hidden.text(f"takes over what {given.database} traded")


def _promotion(
    agent: Agent,
    given: TakeOver,
    release: Stored,
    environment: Environment,
    answer: Eligibility,
    by: str,
    now: datetime,
) -> Promotion:
    # One that is refused never gets further than the objections to it.
    fit = answer if isinstance(answer, Eligible) else Eligible((), accepts=answer.accepts)
    return promotion_of(release, environment, fit, 1, by=by, reason=_reason(agent, given), at=now)


def _against(answer: Eligibility) -> Iterator[str]:
    reasons = () if isinstance(answer, Eligible) else answer.reasons
    if reasons and all(each.because is Because.KEY_UNREAD for each in reasons):
        raise refusal(reasons)
    yield from (f"{each.because}: {each.text}" for each in reasons)


def _objections(agent: Agent, given: TakeOver, copy: Path, of: Deployable) -> Iterator[str]:
    """What speaks against an adoption and nobody signed for."""
    try:
        source = Path(given.source).read_bytes()
    except OSError as error:
        raise BadInput(f"{given.source}: cannot be read: {error.strerror}") from None
    found = book(copy)
    if found is None:
        raise BadInput(f"{given.database}: its open trades cannot be read")
    modes, strangers = _opened_as(copy, of.manifest.class_name)
    objected = [
        each
        for mode in modes or {of.manifest.trading_mode}
        for each in agent.scales.strange(_adjusted(found.open, given), mode, of, source)
    ]
    for each in dict.fromkeys((*objected, *strangers)):
        if each.risk is None or each.risk not in of.promotion.accepts:
            yield str(each)


def _adjusted(trades: tuple[OpenTrade, ...], given: TakeOver) -> tuple[OpenTrade, ...]:
    """The trades; where the configuration let positions be adjusted, as if they had been."""
    if not given.adjusts:
        return trades
    return tuple(replace(each, entries=max(each.entries, 2)) for each in trades)


def _opened_as(copy: Path, class_name: str) -> tuple[frozenset[str], tuple[Objection, ...]]:
    """How open trades were traded, and those that another strategy opened."""
    with closing(sqlite3.connect(copy)) as opened:
        modes = frozenset(str(row[0]) for row in opened.execute(_MODES))
        rows = opened.execute(_CLASSES, (class_name,)).fetchall()
    return modes, tuple(
        Objection(Risk.UNKNOWN_TRADE, f"trade {number} ({pair}): {strategy} opened it")
        for number, pair, strategy in rows
    )


def _disagreements(agent: Agent, copy: Path, of: Deployable, now: datetime) -> Iterator[str]:
    """What keeps an agent from looking after them: another's lease, and a book that differs."""
    environment, house = of.environment, agent.crew.house
    if environment.mode != "live":
        return
    if not may_start_live(agent.ledger.lease(), agent.seat.holder, now):
        yield f"{environment.name}: another agent may trade live"
    trader = Trader(of.strategy, of.strategy, copy, of.manifest.pairs)
    account = joined(house, environment, agent.record, trader)
    if account:
        yield from agent.reconciling.disagreements(account, now)
