"""The agent's loop, one round of it: what is wanted, what is there, what is to do, do it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipelines.adapters.ledger import START, Head, Ledger
from pipelines.domain.decision import Escalate, RollBack
from pipelines.domain.deployment import (
    Action,
    Adopt,
    Bot,
    Close,
    Drain,
    Halt,
    Phase,
    Refuse,
    Restart,
    Resume,
    Start,
    Stop,
    Verify,
    Wanted,
    desired,
)
from pipelines.domain.entry import Entry, Escalated, Unverified, Verified
from pipelines.domain.lease import Taken, may_start_live
from pipelines.domain.planning import plan
from pipelines.domain.record import Record
from pipelines.errors import Refused, SluiceError
from runner.agent import declared, hands
from runner.agent.about import Key, about, key_of
from runner.agent.alerts import Alerts, Kind, Severity, alert_of
from runner.agent.clearance import Clearance, veiled
from runner.agent.crew import Crew
from runner.agent.declared import Declared
from runner.agent.muster import Member
from runner.agent.offering import foreseen, offer
from runner.agent.preparing import Deployable, deployable
from runner.agent.reconciling import Reconciling
from runner.agent.safety import Safety
from runner.agent.seat import Seat
from runner.agent.seeing import seen
from runner.agent.weighing import Scales
from runner.monitoring.observing import Observing

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""For how long an agent that no longer renews keeps others from trading live."""

BY = "agent"


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
    scales: Scales = field(init=False)
    known: Declared | None = None

    def __post_init__(self) -> None:
        self.scales = Scales(self.crew.house, self.seat, lambda: self.record)
        self.clearance = Clearance(self.crew.house.home, self.crew.hidden, self.crew.rehearsal)
        self.reconciling = Reconciling(self.crew.house, self.crew.rehearsal, self.alerts)
        self.safety = Safety(self.crew, self.alerts)
        looked = self.safety.guard, self.reconciling
        self.observing = Observing(self.crew, *looked, self.alerts, self.clock)

    def tick(self) -> tuple[Action, ...]:
        """One round, and a look at what it leaves.

        :raises SluiceError: when nothing can be told of the whole: then nothing was done.
        """
        now, whole = self.clock(), False
        try:
            self.known = self.declared()
            actions = self._round(self.known, now)
            whole = True
        finally:
            self.observing.look(lambda known: self.members(known, now), self.known, now, whole)
        return actions

    def _round(self, train: Declared, now: datetime) -> tuple[Action, ...]:
        """What goes wrong with one bot is told and does not keep others waiting."""
        self.read()
        has_lease = self._lease(now)
        offer(self, train, now)
        phases = {key: each.bot.phase for key, each in self.members(train, now).items()}
        # What another agent's bots do on an account is no orphan: nobody here could tell.
        manned = {environment for environment, _ in phases}
        own = {name: each for name, each in train.own.items() if has_lease or name in manned}
        if found := self.reconciling.round(own, self.record, phases, now):
            self._append(*found)
        self.safety.keep(self, train, now, has_lease=has_lease)
        actions = self._plan(train, now, has_lease=has_lease)
        self.refused = {}
        for action in actions:
            self._guarded(action, train, now)
        if there := tuple(seen(self.record, self.members(train, now).values(), now)):
            self._append(*there)
        return actions

    def planned(self) -> tuple[Action, ...]:
        """What a tick would do now; nothing is done.

        :raises SluiceError: when that cannot be told.
        """
        now, train = self.clock(), self.declared()
        self.read()
        lease = may_start_live(self.ledger.lease(), self.seat.holder, now)
        there = replace(self, record=foreseen(self, train, now))
        return there._plan(train, now, has_lease=lease)  # noqa: SLF001

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
        """Every bot that is here, by its seat, also of environments that are another host's now."""
        return {each.bot.seat: each for each in self.crew.members(train.environments, now)}

    def is_busy(self, train: Declared, now: datetime) -> bool:
        """True while a bot is being started: the next tick should not wait."""
        unsure = (Phase.STARTING, Phase.VERIFYING)
        return any(each.bot.phase in unsure for each in self.members(train, now).values())

    def _plan(self, train: Declared, now: datetime, *, has_lease: bool) -> tuple[Action, ...]:
        return plan(*self.weighed(train, now), now, has_lease=has_lease)

    def weighed(self, train: Declared, now: datetime) -> tuple[tuple[Wanted, ...], tuple[Bot, ...]]:
        """What is wanted here, and every bot with how it parts where it has to go."""
        running = self.members(train, now)

        def broken(key: Key, text: str) -> None:
            self._alert("money", key, text, now, "drift")

        wanted = desired(self.record, self.scales.placing(train, running, broken))
        by_key = {each.key: each for each in wanted}
        bots = (
            self.scales.weigh(train, self.record, each, by_key.get(each.bot.key))
            for each in running.values()
        )
        return wanted, tuple(bots)

    def _lease(self, now: datetime) -> bool:
        try:
            taken = self.ledger.take(self.seat.holder, now, LEASE)
        except SluiceError as error:
            self._alert("warning", ("", ""), error.message, now, "host")
            return False
        if isinstance(taken, Taken):
            self._alert("warning", ("", ""), f"{taken.reason}: {taken.hint}", now, "host")
            return False
        self.read()
        return may_start_live(taken, self.seat.holder, now)

    def _guarded(self, action: Action, train: Declared, now: datetime) -> None:
        key = key_of(action)
        try:
            self._do(action, train, now)
        except (SluiceError, OSError) as error:
            said = error.message if isinstance(error, SluiceError) else str(error)
            text = self.crew.hidden.text(said)
            logger.warning("%s %s: %s", type(action).__name__, ".".join(key), text)
            self.refused[key] = tuple(text.splitlines())
            self._alert("warning", key, f"{type(action).__name__}: {text}", now, "refusal")

    def _do(self, action: Action, train: Declared, now: datetime) -> None:
        match action:
            case Start(wanted, berth):
                self.crew.start(self._fresh(train, wanted, berth, now), now)
            case Restart(bot, drains):
                ended = f"it ended by itself: {bot.failures} in a row"
                self._alert("warning", bot.key, ended, now, "deployment")
                owner = self.scales.owner(self.members(train, now)[bot.seat])
                given = owner.environment, owner.promotion, train.trust, self.record, owner.berth
                of = self._cleared(train, deployable(self.crew.house, *given), now, again=True)
                self.crew.start(of, now, bot.failures, drains=drains)
            case Verify():
                self._verify(train, action, now)
            case Stop(bot):
                self.crew.stop(self.members(train, now)[bot.seat])
            case Halt(bot, reason):
                self.crew.halt(self.members(train, now)[bot.seat], now)
                self._alert("warning", bot.key, f"opens no more trades: {reason}", now, "halt")
            case Resume(bot):
                self._let_trade(self.members(train, now)[bot.seat], now)
            case Drain(bot, reason):
                self.crew.pause(self.members(train, now)[bot.seat], Phase.DRAINING, now)
                self._alert("notice", bot.key, f"drains: {reason}", now, "deployment")
            case Close(bot):
                closes = "its trades are closed at the market"
                self._alert("warning", bot.key, closes, now, "deployment")
                self.members(train, now)[bot.seat].record.rest.close_all()
            case Adopt(bot, wanted):
                of = self._fresh(train, wanted, bot.berth, now)
                self.crew.hand_over(self.members(train, now)[bot.seat], of, now)
            case Refuse():
                raise Refused(str(action))
            case RollBack():
                # Told before it is written down: killed in between, it is told twice, never not.
                self._alert("warning", key_of(action), "; ".join(action.reasons), now, "rollback")
                self._append(action.promotion(BY, now, automatic=True))
            case Escalate(environment, strategy, reasons):
                self._escalate((environment, strategy), "; ".join(reasons), now)

    def _fresh(self, train: Declared, wanted: Wanted, berth: int, now: datetime) -> Deployable:
        # Looked at anew before every start: what was verified once may have been changed since.
        promotion = wanted.promotion
        environment = train.environment(promotion.environment)
        given = environment, promotion, train.trust, self.record, berth
        return self._cleared(train, deployable(self.crew.house, *given), now)

    def _cleared(
        self, train: Declared, of: Deployable, now: datetime, *, again: bool = False
    ) -> Deployable:
        arranged = self.scales.arranged(train)
        for told in self.clearance.started(of, self.record, arranged, again=again):
            self._alert("money", (of.environment.name, of.strategy), told, now, "refusal")
        return of

    def _verify(self, train: Declared, action: Verify, now: datetime) -> None:
        key, member = key_of(action), self.members(train, now).get(action.seat)
        if member is None or member.bot.phase in (Phase.FAILED, Phase.ABSENT):
            return
        of = self.scales.of(train, member)
        if (differences := self.crew.read_back(member, of)) is None:
            return
        digest = of.release.digest
        if differences:
            mismatch = self.crew.hidden.text("; ".join(differences))
            self._alert("money", key, f"what runs is not the release: {mismatch}", now, "drift")
            self._append(Unverified(**about(key, digest), reason=mismatch, at=now))
            self.crew.distrust(member, mismatch, now)
            return
        if action.drains:
            self.crew.pause(member, Phase.DRAINING, now)
            return
        if not self.record.track(*key).is_verified(digest):
            self._append(Verified(**about(key, digest), at=now))
        if action.halted:
            self.alerts.over(*key)
            self.crew.halt(member, now)
        else:
            self._let_trade(member, now)

    def _let_trade(self, member: Member, now: datetime) -> None:
        """Let a bot enter trades, once it has those that are open in hand."""
        open_yet = hands.not_in_hand(member) if member.bot.phase is not Phase.RUNNING else ()
        if not open_yet:
            self.alerts.over(*member.bot.key)
            self.crew.let_trade(member, now)
            return
        text = f"enters no trades yet: {'; '.join(open_yet)}"
        self.refused[member.bot.key] = (text,)
        if member.bot.phase is Phase.PAUSED:
            self._alert("money", member.bot.key, text, now, "stop")
        else:
            self.crew.pause(member, Phase.PAUSED, now)

    def _escalate(self, key: Key, reason: str, now: datetime) -> None:
        current = self.record.track(*key).current
        if current is None or current.digest is None:
            return
        self._alert("money", key, f"no bot until somebody promotes: {reason}", now, "rollback")
        self._append(Escalated(**about(key, current.digest), reason=reason, at=now))

    def _append(self, *entries: Entry) -> None:
        told = (veiled(entry, self.crew.hidden) for entry in entries)
        self.ledger.append(*told, after=self.head)
        self.read()

    def _alert(
        self, severity: Severity, key: Key, text: str, now: datetime, kind: Kind = ""
    ) -> None:
        self.alerts.raise_(alert_of(severity, key, text, now, kind))
