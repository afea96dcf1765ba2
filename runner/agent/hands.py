"""Has a bot got its open trades in hand? What it says itself, held against its database."""

from contextlib import suppress

from pipelines.domain import adoption
from pipelines.domain.adoption import Facts
from pipelines.errors import CannotTell
from runner.agent.muster import Member
from runner.agent.trades import book


def not_in_hand(member: Member) -> tuple[str, ...]:
    """Why a bot must not open trades yet; nothing when it may."""
    return adoption.not_in_hand(facts(member))


def facts(member: Member) -> Facts:
    """What can be seen of a bot that was started over open trades, from this host."""
    found, rest, owner = book(member.database), member.record.rest, member.owner
    known, turned = None, False
    if found is None or found.open or member.record.inherited:
        with suppress(CannotTell):
            known = frozenset(trade.id for trade in rest.open_trades())
            turned = rest.processed() is not None
    return Facts(
        inherited=frozenset(member.record.inherited),
        known=known,
        kept=found.open if found else None,
        ids=found.ids if found else frozenset(),
        turned=turned,
        live=member.bot.settings.live,
        at_exchange=bool(owner and owner.environment.stoploss_on_exchange),
        accepted=member.record.promotion.accepts,
    )
