"""What keeps money safe at every round, before anything else is done: protections, and stopping."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pipelines.adapters.ledger import Head, Ledger
from pipelines.domain.entry import ALL
from pipelines.domain.handover import FIRST, SECOND, berthed
from pipelines.domain.record import Record
from runner.agent.about import Key
from runner.agent.alerts import Alerts, alert_of
from runner.agent.crew import Crew
from runner.agent.declared import Declared
from runner.agent.guarding import Guard
from runner.agent.muster import Member
from runner.agent.stopping import Stopped, Stopping, Target, pairs_of


class Host(Protocol):
    """The agent, as far as it is needed here."""

    ledger: Ledger
    record: Record
    head: Head

    def read(self) -> None:
        """Follow the ledger to its end."""

    def members(self, train: Declared, now: datetime) -> dict[Key, Member]:
        """Every bot of this host."""


@dataclass
class Safety:
    """Measures bots, and stops those that are to be stopped."""

    crew: Crew
    alerts: Alerts
    guard: Guard = field(init=False)
    stopping: Stopping = field(init=False)

    def __post_init__(self) -> None:
        self.guard, self.stopping = Guard(self.crew, self.alerts), Stopping(self.crew)

    def keep(self, host: Host, train: Declared, now: datetime, *, has_lease: bool) -> None:
        """One round. What is tripped is written down before anything follows from it."""
        members = host.members(train, now)
        for entries in self.guard.look(host.record, members, train.own, now):
            host.ledger.append(*entries, after=host.head)
            host.read()
        self.stop(host, train, now, has_lease=has_lease)

    def stop(
        self,
        host: Host,
        train: Declared,
        now: datetime,
        *,
        has_lease: bool,
        is_meant: Callable[[Key], bool] = lambda _: True,
    ) -> dict[Key, Stopped]:
        """Stop what is to be stopped, of all or of those meant; what could not be done is told."""
        targets = [each for each in self._targets(host, train, now) if is_meant(each.key)]
        told = self.stopping.keep(host.record, targets, has_lease=has_lease)
        for key, each in told.items():
            for text in each.texts:
                self._alert(key, f"could not be stopped: {text}", now)
        return told

    def _targets(self, host: Host, train: Declared, now: datetime) -> Iterator[Target]:
        """Every bot that is there, and every one that ever was and left a database."""
        members, house = host.members(train, now), self.crew.house
        own, seats = train.own, set()
        for (environment, seat), member in sorted(members.items()):
            seats.add((environment, seat))
            if environment in own:
                where = own[environment], member.bot.strategy, member.bot.berth
                pairs = pairs_of(house, member.record.promotion)
                yield Target(*where, member.database, member.record, pairs)
        for (environment, strategy), track in sorted(host.record.tracks.items()):
            if strategy == ALL or environment not in own:
                continue
            promotion = track.current.promotion if track.current else None
            for berth in (FIRST, SECOND):
                database = house.home / own[environment].database(strategy, berth)
                if (environment, berthed(strategy, berth)) not in seats and database.exists():
                    where = own[environment], strategy, berth
                    yield Target(*where, database, None, pairs_of(house, promotion))

    def _alert(self, key: Key, text: str, now: datetime) -> None:
        self.alerts.raise_(alert_of("money", key, text, now, "halt"))
