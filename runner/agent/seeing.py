"""What is written down of releases that run: that they still do, and what they have closed."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pipelines.domain.deployment import Phase
from pipelines.domain.entry import Seen
from pipelines.domain.record import Record
from runner.agent.about import about
from runner.agent.muster import Member
from runner.agent.trades import closed_since

SEEN_EVERY = timedelta(minutes=30)
"""How often a release that goes on unchanged is written down as seen."""


def seen(record: Record, members: Iterable[Member], now: datetime) -> Iterator[Seen]:
    """An entry for every release of which there is something new, or of which none was for long."""
    for member in members:
        key = member.bot.key
        stay = record.track(*key).current
        at_work = member.bot.phase in (Phase.RUNNING, Phase.HALTED)
        if stay is None or stay.digest != member.bot.digest or not at_work:
            continue
        closed = closed_since(member.database, stay.promotion.at)
        due = stay.seen is None or now - stay.seen >= SEEN_EVERY
        if closed is not None and (due or closed != stay.closed):
            yield Seen(**about(key, member.bot.digest), closed=closed, at=now)
