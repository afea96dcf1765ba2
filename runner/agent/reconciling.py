"""What follows from what the exchange's books say: entries of the ledger, and alerts.

An orphan halts entries, at its second look. What a bot can put right by itself it has two turns
for; then a human is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from pipelines.adapters.alerts import Kind
from pipelines.domain.budget import LATE
from pipelines.domain.deployment import Phase
from pipelines.domain.entry import ALL, Entry, Halted, Orphaned, Settled
from pipelines.domain.environment import Environment
from pipelines.domain.orphan import Finding, MissingStop, Orphan, Stray
from pipelines.domain.record import Record
from pipelines.domain.sighting import LOOKS
from pipelines.errors import CannotTell, SluiceError
from runner.agent.about import Key
from runner.agent.alerts import Alerts, Severity, alert_of
from runner.agent.books.accounts import Account, accounts, client_of
from runner.agent.books.looking import Looked, Looking
from runner.agent.house import House
from runner.agent.preparing import Rehearsal

BY = "agent"

TURN_SECONDS = 8.0
"""A bot processes every five seconds, and writes down what it did a moment later."""


@dataclass
class Reconciling:
    """Reconciles the accounts of a host, tick after tick. `looked` is what the last one saw."""

    house: House
    rehearsal: Rehearsal | None
    alerts: Alerts
    looking: Looking = field(init=False)
    looked: tuple[Looked, ...] = field(default=(), init=False)
    _gone: dict[str, int] = field(default_factory=dict, init=False)
    _told: dict[Key, frozenset[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        stepped = self.rehearsal is not None and self.rehearsal.follow is not None
        self.looking = Looking(
            lambda account: client_of(self.house, account, self.rehearsal),
            turn=0.0 if stepped else TURN_SECONDS,
            enforced=not stepped,
        )

    def round(
        self,
        environments: Mapping[str, Environment],
        record: Record,
        phases: Mapping[Key, Phase],
        now: datetime,
    ) -> tuple[Entry, ...]:
        """Look, tell what is wrong, and give what is to be written down."""
        try:
            every = tuple(accounts(self.house, environments, record, phases))
        except SluiceError as error:
            self._alert("money", ("", ""), f"could not be evaluated: {error.message}", now)
            return ()
        self.looked = self.looking.look(every, now)
        return tuple(entry for each in self.looked for entry in self._follow(each, record, now))

    def disagreements(self, account: Account, now: datetime) -> tuple[str, ...]:
        """In what an account's book differs from what its bots know, at one look.

        A stop that is missing is none: its bot puts it there.

        :raises CannotTell: when it could not be looked at.
        """
        # It remembers nothing, so no round is surer for it; what it weighs is counted.
        looking = replace(self.looking)
        (looked,) = looking.look((account,), now)
        self.looking.spent, self.looking.told = looking.spent, looking.told
        if looked.trouble:
            raise CannotTell(f"{account.name}: could not be evaluated: {looked.trouble}")
        return tuple(str(e) for e in looked.found if not isinstance(e, MissingStop))

    def _follow(self, looked: Looked, record: Record, now: datetime) -> Iterator[Entry]:
        environment, account = looked.account.environment.name, looked.account.name
        if looked.trouble:
            if looked.late:
                text = f"{account} could not be evaluated for {LATE:.0f} seconds: {looked.trouble}"
                self._alert("money", (environment, ALL), text, now)
            return
        self._forget(looked)
        for asset, amount in looked.strange:
            text = f"{amount.normalize():f} {asset} on {account} are neither declared nor a bot's"
            self._alert("warning", (environment, ALL), text, now)
        for finding in looked.sure:
            yield from self._found(finding, looked, record, now)
        yield from self._over(looked, record, now)

    def _found(
        self, finding: Finding, looked: Looked, record: Record, now: datetime
    ) -> Iterator[Entry]:
        environment = looked.account.environment.name
        match finding:
            case Orphan():
                yield from self._orphaned(finding, looked.account, record, now)
            case MissingStop():
                about = environment, finding.strategy
                self._alert("money", about, str(finding), now, kind="stop")
            case _:
                severity: Severity = "warning" if isinstance(finding, Stray) else "money"
                owner = looked.account.owner(finding.pair)
                self._alert(severity, (environment, owner), str(finding), now)

    def _orphaned(
        self, orphan: Orphan, account: Account, record: Record, now: datetime
    ) -> Iterator[Entry]:
        environment = account.environment.name
        known = {o for track in record.tracks.values() for o in track.orphans}
        owner = account.owner(orphan.pair)
        if orphan.id not in known:
            self._alert("money", (environment, owner), f"{orphan}: entries are halted", now)
            yield _entry(orphan, environment, owner, now)
            # Whatever was said before: entries of an account that is not understood are halted.
            if record.halt(environment, owner) is None:
                yield Halted(
                    environment=environment,
                    strategy=owner,
                    by=BY,
                    reason=f"{orphan}; import or close it, then resume",
                    at=now,
                )

    def _over(self, looked: Looked, record: Record, now: datetime) -> Iterator[Entry]:
        """Orphans that are none any more, once that was seen as often as they were."""
        for (environment, strategy), track in record.tracks.items():
            for each in track.orphans.values() if environment == looked.account.key[0] else ():
                if each.account != looked.account.name:
                    continue
                gone = f"orphan {each.orphan}" not in looked.seen
                self._gone[each.orphan] = self._gone.get(each.orphan, 0) + 1 if gone else 0
                if self._gone[each.orphan] < LOOKS:
                    continue
                yield Settled(
                    environment=environment,
                    strategy=strategy,
                    orphan=each.orphan,
                    how="imported" if each.order in looked.known else "gone",
                    by=BY,
                    at=now,
                )

    def _forget(self, looked: Looked) -> None:
        """What is over is news when it comes again."""
        key, sure = looked.account.key, frozenset(each.key for each in looked.sure)
        if self._told.get(key, frozenset()) - sure:
            for each in (*looked.account.traders, None):
                self.alerts.over(key[0], each.strategy if each else ALL)
        self._told[key] = sure

    def _alert(
        self, severity: Severity, key: Key, text: str, now: datetime, kind: Kind = "orphan"
    ) -> None:
        self.alerts.raise_(alert_of(severity, key, text, now, kind))


def _entry(orphan: Orphan, environment: str, owner: str, now: datetime) -> Orphaned:
    return Orphaned(
        environment=environment,
        strategy=owner,
        orphan=orphan.id,
        at=now,
        account=orphan.account,
        pair=orphan.pair,
        side=orphan.side,
        amount=_plain(orphan.amount),
        waiting=_plain(orphan.waiting),
        order=orphan.order,
        price=orphan.price,
        placed=orphan.at,
    )


def _plain(amount: Decimal) -> Decimal:
    """Without zeros that only an exchange needs."""
    return Decimal(f"{amount.normalize():f}")
