"""The agent's loop, one round of it: what is wanted, what is there, what is to do, do it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.adapters.ledger import START, Head, Ledger
from pipelines.domain import couplings
from pipelines.domain.couplings.arrangement import Arrangement, Host
from pipelines.domain.couplings.arrangement import Bot as Placed
from pipelines.domain.decision import Escalate, RollBack
from pipelines.domain.deployment import (
    Action,
    Halt,
    Phase,
    Refuse,
    Restart,
    Resume,
    Settings,
    Start,
    Stop,
    Verify,
    Wanted,
    desired,
    plan,
)
from pipelines.domain.entry import Entry, Escalated, Seen, Unverified, Verified
from pipelines.domain.environment import Environment
from pipelines.domain.lease import Taken, may_start_live
from pipelines.domain.promotion import Promotion
from pipelines.domain.record import Record
from pipelines.errors import Refused, SluiceError
from runner.agent import declared
from runner.agent.about import Key, about, key_of
from runner.agent.alerts import Alert, Alerts, Severity
from runner.agent.crew import Crew, Member
from runner.agent.declared import Declared
from runner.agent.preparing import Deployable, deployable
from runner.agent.reconciling import Reconciling
from runner.agent.safety import Safety
from runner.agent.trades import closed_since

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""For how long an agent that no longer renews keeps others from trading live."""

SEEN_EVERY = timedelta(minutes=30)
"""How often a release that goes on unchanged is written down as seen."""
BY = "agent"


@dataclass(frozen=True)
class Seat:
    """Where an agent sits: `train` is the folder of its environments, `holder` its own name."""

    train: Path
    host: str
    holder: str


@dataclass
class Agent:
    """Keeps the bots of a host as the ledger wants them. `clock` tells the time of soaks."""

    seat: Seat
    ledger: Ledger
    crew: Crew
    alerts: Alerts
    clock: Callable[[], datetime]
    record: Record = field(default_factory=Record)
    head: Head = START
    refused: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    _deployables: dict[tuple[str, str, int, str], Deployable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reconciling = Reconciling(self.crew.house, self.crew.rehearsal, self.alerts)
        self.safety = Safety(self.crew, self.alerts)

    def tick(self) -> tuple[Action, ...]:
        """One round. What goes wrong with one bot is told and does not keep others waiting.

        :raises SluiceError: when nothing can be told of the whole: then nothing was done.
        """
        now = self.clock()
        train = self.declared()
        self.read()
        has_lease = self._lease(now)
        phases = {key: each.bot.phase for key, each in self.members(train, now).items()}
        if seen := self.reconciling.round(self._mine(train), self.record, phases, now):
            self._append(*seen)
        self.safety.keep(self, train, now, has_lease=has_lease)
        actions = self._plan(train, now, has_lease=has_lease)
        self.refused = {}
        for action in actions:
            self._guarded(action, train, now)
        self._see(train, now)
        return actions

    def planned(self) -> tuple[Action, ...]:
        """What a tick would do now; nothing is done.

        :raises SluiceError: when that cannot be told.
        """
        now, train = self.clock(), self.declared()
        self.read()
        lease = may_start_live(self.ledger.lease(), self.seat.holder, now)
        return self._plan(train, now, has_lease=lease)

    def declared(self) -> Declared:
        """What is declared now.

        :raises BadInput: when it is wrong.
        """
        return declared.load(self.seat.train, self.seat.host)

    def read(self) -> None:
        """Follow the ledger to its end.

        :raises CannotTell: when it cannot be read, or is broken.
        """
        chain = self.ledger.read(self.head)
        self.record, self.head = self.record.after(chain.lines), chain.head

    def members(self, train: Declared, now: datetime) -> dict[Key, Member]:
        """Every bot of this host."""
        return {each.bot.key: each for each in self.crew.members(self._mine(train), now)}

    def is_busy(self, train: Declared, now: datetime) -> bool:
        """True while a bot is being started: the next tick should not wait."""
        unsure = (Phase.STARTING, Phase.VERIFYING)
        return any(each.bot.phase in unsure for each in self.members(train, now).values())

    def _mine(self, train: Declared) -> dict[str, Environment]:
        own = (train.mine(name) for name in train.environments)
        return {each.name: each for each in own if each}

    def _plan(self, train: Declared, now: datetime, *, has_lease: bool) -> tuple[Action, ...]:
        running = self.members(train, now)
        bots = tuple(member.bot for member in running.values())
        return plan(self._wanted(train, running, now), bots, now, has_lease=has_lease)

    def _wanted(
        self, train: Declared, running: dict[Key, Member], now: datetime
    ) -> tuple[Wanted, ...]:

        def settings(promotion: Promotion) -> Settings | None:
            environment = train.mine(promotion.environment)
            if environment is None:
                return None
            try:
                return self._deployable(train, promotion).placed.settings
            except SluiceError as error:
                key = promotion.environment, promotion.strategy
                self._alert("money", key, error.message, now)
                member = running.get(key)
                # What runs already goes on: a release that lies broken on the disk ends no bot.
                same = member and member.bot.digest == promotion.digest
                return member.bot.settings if member and same else None

        return desired(self.record, settings)

    def _deployable(self, train: Declared, promotion: Promotion) -> Deployable:
        environment = train.environment(promotion.environment)
        content = environment.content_digest()
        key = (promotion.digest or "", promotion.environment, promotion.stake, content)
        if key not in self._deployables:
            made = deployable(self.crew.house, environment, promotion, train.trust)
            self._deployables[key] = made
        return self._deployables[key]

    def _lease(self, now: datetime) -> bool:
        try:
            taken = self.ledger.take(self.seat.holder, now, LEASE)
        except SluiceError as error:
            self._alert("warning", ("", ""), error.message, now)
            return False
        if isinstance(taken, Taken):
            self._alert("warning", ("", ""), f"{taken.reason}: {taken.hint}", now)
            return False
        self.read()
        return may_start_live(taken, self.seat.holder, now)

    def _guarded(self, action: Action, train: Declared, now: datetime) -> None:
        key = key_of(action)
        try:
            self._do(action, train, now)
        except (SluiceError, OSError) as error:
            text = error.message if isinstance(error, SluiceError) else str(error)
            logger.warning("%s %s: %s", type(action).__name__, ".".join(key), text)
            self.refused[key] = tuple(text.splitlines())
            self._alert("warning", key, f"{type(action).__name__}: {text}", now)

    def _do(self, action: Action, train: Declared, now: datetime) -> None:
        match action:
            case Start(wanted):
                self._start(train, wanted.promotion, now, 0)
            case Restart(bot):
                promotion = self.members(train, now)[bot.key].record.promotion
                self._start(train, promotion, now, bot.failures)
            case Verify(environment, strategy, halted):
                self._verify(train, (environment, strategy), now, halted=halted)
            case Stop(bot):
                self.crew.stop(self.members(train, now)[bot.key])
            case Halt(bot, reason):
                self.crew.halt(self.members(train, now)[bot.key], now)
                self._alert("warning", bot.key, f"opens no more trades: {reason}", now)
            case Resume(bot):
                self.crew.let_trade(self.members(train, now)[bot.key], now)
            case Refuse(environment, strategy, obstacle):
                raise Refused(obstacle.value)
            case RollBack():
                self._append(action.promotion(BY, now, automatic=True))
                self._alert("warning", key_of(action), "; ".join(action.reasons), now)
            case Escalate(environment, strategy, reasons):
                self._escalate((environment, strategy), "; ".join(reasons), now)

    def _start(self, train: Declared, promotion: Promotion, now: datetime, failures: int) -> None:
        # Looked at anew before every start: what was verified once may have been changed since.
        environment = train.environment(promotion.environment)
        of = deployable(self.crew.house, environment, promotion, train.trust)
        self._refuse_clashes(train)
        self.crew.start(of, now, failures)

    def _refuse_clashes(self, train: Declared) -> None:
        placed = []
        for (environment, strategy), track in self.record.tracks.items():
            if track.current is None or train.mine(environment) is None:
                continue
            try:
                other = self._deployable(train, track.current.promotion).manifest
            except SluiceError:
                continue
            placed.append(Placed(environment, strategy, other.pairs, other.trading_mode))
        files = {f"{self.seat.train / name}.yaml": e for name, e in train.environments.items()}
        names = frozenset(bot.strategy for bot in placed)
        found = couplings.clashes(Arrangement(files, names, tuple(placed), Host()))
        if found:
            told = (f"{c.where}: {c.key}: should be {c.expected}, got {c.actual}" for c in found)
            raise Refused("\n".join(told), "see 'sluice docs couplings'")

    def _verify(self, train: Declared, key: Key, now: datetime, *, halted: bool) -> None:
        member = self.members(train, now).get(key)
        if member is None or member.bot.phase is Phase.FAILED:
            return
        of = self._deployable(train, member.record.promotion)
        if (differences := self.crew.read_back(member, of)) is None:
            return
        digest = of.release.digest
        if differences:
            mismatch = "; ".join(differences)
            self._alert("money", key, f"what runs is not the release: {mismatch}", now)
            self._append(Unverified(**about(key, digest), reason=mismatch, at=now))
            self.crew.distrust(member, mismatch, now)
            return
        if not self.record.track(*key).is_verified(digest):
            self._append(Verified(**about(key, digest), at=now))
        self.alerts.over(*key)
        if halted:
            self.crew.halt(member, now)
        else:
            self.crew.let_trade(member, now)

    def _see(self, train: Declared, now: datetime) -> None:
        """Write down that releases still run, and what they have closed."""
        for key, member in self.members(train, now).items():
            stay = self.record.track(*key).current
            at_work = member.bot.phase in (Phase.RUNNING, Phase.HALTED)
            if stay is None or stay.digest != member.bot.digest or not at_work:
                continue
            closed = closed_since(member.database, stay.promotion.at)
            due = stay.seen is None or now - stay.seen >= SEEN_EVERY
            if closed is not None and (due or closed != stay.closed):
                self._append(Seen(**about(key, member.bot.digest), closed=closed, at=now))

    def _escalate(self, key: Key, reason: str, now: datetime) -> None:
        current = self.record.track(*key).current
        if current is None or current.digest is None:
            return
        self._append(Escalated(**about(key, current.digest), reason=reason, at=now))
        self._alert("money", key, f"no bot until somebody promotes: {reason}", now)

    def _append(self, *entries: Entry) -> None:
        self.ledger.append(*entries, after=self.head)
        self.read()

    def _alert(self, severity: Severity, key: Key, text: str, now: datetime) -> None:
        alert = Alert(at=now, severity=severity, environment=key[0], strategy=key[1], text=text)
        self.alerts.raise_(alert)
