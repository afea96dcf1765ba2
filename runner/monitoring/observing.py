"""Observes every bot at the end of a round, keeps what was seen, and tells what changed.

What others have asked for already is used again: the guard's measures, the looks at accounts, what
bots say of themselves. Only the exchange's time is asked for, once a minute. It never ends a round:
what cannot be observed is not healthy.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipelines.domain.deployment import Phase
from pipelines.domain.environment import Environment
from pipelines.domain.health import (
    OF_HOST,
    Check,
    Host,
    Reason,
    Standing,
    followed,
    host_reasons,
    reasons,
)
from pipelines.domain.observation import Observation
from pipelines.domain.protections import Unknown
from pipelines.errors import SluiceError
from runner.agent.about import Key
from runner.agent.alerts import Alerts
from runner.agent.crew import Crew
from runner.agent.declared import Declared
from runner.agent.guarding import Guard
from runner.agent.muster import Member
from runner.agent.quotes import Market, market_of, settings_of
from runner.agent.reconciling import Reconciling
from runner.monitoring import machine, telling
from runner.monitoring.pulse import Pulse
from runner.monitoring.remembering import Memory
from runner.monitoring.signs import TURN, Accounts, Body, body, signs
from runner.monitoring.store import FILE, Store
from runner.monitoring.traded import Trading

logger = logging.getLogger(__name__)

HOST: Key = ("", "")

TIME_SECONDS = 60.0
"""So often an exchange is asked for its time."""

BOTS = frozenset(Check) - OF_HOST

_UNSEEN = Unknown("the host was not looked at yet")


@dataclass(frozen=True)
class Seen:
    """A bot at the end of a round."""

    member: Member
    environment: Environment
    body: Body
    standing: Standing
    observation: Observation


@dataclass
class Observing:
    """Observes. `bots` and `host` are how all stand since the last round."""

    crew: Crew
    guard: Guard
    reconciling: Reconciling
    alerts: Alerts
    clock: Callable[[], datetime]
    real: Callable[[], float] = time.monotonic
    bots: Mapping[Key, Seen] = field(default_factory=dict, init=False)
    host: Host = field(default_factory=lambda: Host(_UNSEEN, _UNSEEN), init=False)
    rounds: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    store: Store = field(init=False)
    memory: Memory = field(init=False)
    _accounts: Accounts = field(default_factory=Accounts, init=False)
    _trading: Trading = field(default_factory=Trading, init=False)
    _pulses: dict[Key, Pulse] = field(default_factory=dict, init=False)
    _skews: dict[Market, tuple[float, float | Unknown]] = field(default_factory=dict, init=False)
    _moved: tuple[datetime, float] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.crew.house.home / FILE)
        self.memory = Memory(self.store)

    def look(
        self,
        there: Callable[[Declared], Mapping[Key, Member]],
        known: Declared | None,
        now: datetime,
        whole: bool,
    ) -> None:
        """Observe who is `there`, by what was declared when that could last be read.

        After a round that was not `whole` nobody has measured the bots' limits.
        """
        self.rounds, self.failed = self.rounds + 1, self.failed + (not whole)
        try:
            members = there(known) if known else {}
            self._look(members, known.environments if known else {}, now, whole=whole)
        except (SluiceError, OSError) as error:
            self.bots = {}
            logger.warning("bots cannot be observed: %s", error)
        except Exception:
            # Whatever is wrong with watching, the agent goes on managing orders.
            self.bots = {}
            logger.exception("bots cannot be observed")

    def _look(
        self,
        members: Mapping[Key, Member],
        environments: Mapping[str, Environment],
        now: datetime,
        *,
        whole: bool,
    ) -> None:
        if self._moved is None or self._moved[0] != now:
            self._moved = now, self.real()
        if whole:
            self._accounts.saw(self.reconciling.looked, now)
        here = {
            key: member.owner.environment if member.owner else environments[member.bot.environment]
            for key, member in members.items()
            if member.owner or member.bot.environment in environments
        }
        self.host = self._host(members)
        self._follow_host(now)
        self.bots = {
            key: self._bot(members[key], environment, now, whole=whole)
            for key, environment in here.items()
        }
        self._keep()

    def standing(self, key: Key) -> Standing | None:
        """How a bot stands, by its seat; none when it was never observed."""
        return self.memory.standing(key) if key in self.bots or key == HOST else None

    def _bot(self, member: Member, environment: Environment, now: datetime, *, whole: bool) -> Seen:
        key, lives = member.bot.seat, body(self.crew.house, member, environment)
        noted = self.guard.noted.get(key) if whole else None
        moment = self._moment(lives.pulse, now)
        told = signs(member, lives, self._accounts, noted, moment)
        found = reasons(told, self.host)
        standing = self._follow(key, member, found, now)
        observation = self._observed(member, environment, lives, standing, now)
        return Seen(member, environment, lives, standing, observation)

    def _moment(self, said: Pulse | None, now: datetime) -> datetime:
        """The time by a bot's clock: where clocks step, for a moment it is behind."""
        if not self._is_stepped or said is None or self._moved is None or said.turned is None:
            return now
        recent = self.real() - self._moved[1] < TURN.total_seconds()
        return min(now, said.turned) if recent else now

    def _follow(
        self, key: Key, member: Member, found: tuple[Reason, ...], now: datetime
    ) -> Standing:
        standing, changed = followed(self.memory.standing(key), found, now, self.real(), mine=BOTS)
        self.memory.stand(key, standing)
        for alert in telling.of_bot(member, changed, now):
            self.alerts.over(alert.environment, alert.strategy, alert.text)
            self.alerts.raise_(alert)
        return standing

    def _follow_host(self, now: datetime) -> None:
        standing, changed = followed(
            self.memory.standing(HOST), host_reasons(self.host), now, self.real()
        )
        self.memory.stand(HOST, standing)
        for alert in telling.of_host(changed, now):
            self.alerts.over("", "", alert.text)
            self.alerts.raise_(alert)

    def _observed(
        self,
        member: Member,
        environment: Environment,
        lives: Body,
        standing: Standing,
        now: datetime,
    ) -> Observation:
        key, promotion = member.bot.seat, member.record.promotion
        noted, said = self.guard.noted.get(key), lives.pulse
        traded = self._trading.of(member.database, promotion.at)
        tally = noted.tally if noted and not isinstance(noted.tally, Unknown) else None
        calls, failures, seconds = self._calls(key, said)
        private = said.private if said else None
        return Observation(
            environment=key[0],
            strategy=member.bot.strategy,
            release=promotion.release or "",
            at=now,
            healthy=standing.is_healthy,
            equity=_money(noted.equity) if noted else None,
            open_trades=member.bot.open_trades,
            closed_trades=traded.closed if traded else None,
            profit=traded.profit if traded else None,
            fees=traded.fees if traded else None,
            slippage=traded.slippage if traded else None,
            exposure=None
            if noted is None or isinstance(noted.exposure, Unknown)
            else noted.exposure.whole,
            orders=tally.sent if tally else None,
            rejections=tally.rejected if tally else None,
            candle_lag=said.lag if said else None,
            calls=calls,
            failures=failures,
            call_seconds=seconds,
            memory=lives.process.memory if lives.process else None,
            cpu=lives.process.cpu if lives.process else None,
            uptime=lives.process.uptime if lives.process else None,
            private_age=max((now - private).total_seconds(), 0.0) if private else None,
        )

    def _calls(self, key: Key, said: Pulse | None) -> tuple[int | None, int | None, float | None]:
        """What was asked of the exchange since the look before."""
        before = self._pulses.pop(key, None)
        if said is None:
            return None, None, None
        self._pulses[key] = said
        if before is None or before.pid != said.pid:
            return said.calls, said.failures, said.seconds
        failures, seconds = said.failures - before.failures, said.seconds - before.seconds
        return said.calls - before.calls, failures, max(seconds, 0.0)

    def _host(self, members: Mapping[Key, Member]) -> Host:
        home = self.crew.house.home
        skews = dict(self._skew(member) for member in members.values() if _signs(member))
        return Host(machine.free_disk(home), machine.free_memory(), machine.heat(), skews)

    def _skew(self, member: Member) -> tuple[str, float | Unknown]:
        """How far the clock is ahead of an exchange's."""
        assert member.owner is not None
        environment, futures = member.owner.environment, not member.record.placed.shares_account
        market = market_of(environment, futures=futures)
        at, skew = self._skews.get(market, (None, Unknown("nobody asked yet")))
        unsure = isinstance(skew, Unknown) or self._is_stepped
        if at is None or unsure or self.real() - at >= TIME_SECONDS:
            skew = self._ahead(market, settings_of(environment, self.crew.rehearsal))
            self._skews[market] = self.real(), skew
        return environment.exchange.name, skew

    def _ahead(self, market: Market, settings: Any) -> float | Unknown:
        """The seconds that are sure: it was told at some moment between two looks at the clock."""
        try:
            before = self.clock()
            told = self.guard.quotes.time(market, settings)
            after = self.clock()
        except SluiceError as error:
            return Unknown(error.message)
        if isinstance(told, Unknown):
            return told
        nearest = min(max(told, before), after)
        return (nearest - told).total_seconds()

    @property
    def _is_stepped(self) -> bool:
        return self.crew.rehearsal is not None and self.crew.rehearsal.follow is not None

    def _keep(self) -> None:
        try:
            self.store.add(each.observation for each in self.bots.values())
            self.memory.save({*self.bots, HOST})
        except (SluiceError, OSError) as error:
            # On a full disk nothing is kept, and health is told all the same.
            logger.warning("observations are not kept: %s", error)


def _signs(member: Member) -> bool:
    """True for a bot whose requests an exchange holds against its clock."""
    at_work = member.bot.phase not in (Phase.FAILED, Phase.ABSENT)
    return member.record.placed.live and member.owner is not None and at_work


def _money(measure: Decimal | Unknown) -> Decimal | None:
    return None if isinstance(measure, Unknown) else measure
