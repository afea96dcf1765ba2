"""A deployment: what is wanted, what runs, and what is to be done about the difference."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pipelines.domain.decision import Escalate, RollBack, turn_back
from pipelines.domain.entry import ALL
from pipelines.domain.promotion import Promotion
from pipelines.domain.record import Record

MOST_FAILURES = 5
"""So often a bot is started again before its release is given up."""

_FIRST_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=10)


class Phase(StrEnum):
    """How far a bot is."""

    ABSENT = "absent"
    STARTING = "starting"
    VERIFYING = "verifying"
    RUNNING = "running"
    DRAINING = "draining"
    PAUSED = "paused"
    HALTED = "halted"
    FAILED = "failed"


@dataclass(frozen=True)
class Settings:
    """What an environment makes of a release on this host.

    `account` is the exchange account, none on paper. `shares_account` says that the linter of
    couplings lets its bots share one.
    """

    config_digest: str
    live: bool
    account: str | None
    shares_account: bool = False


@dataclass(frozen=True)
class Wanted:
    """One bot that shall run. `way_back` is what follows when it turns out to be no good.

    `verified` tells whether it was read back since it was wanted.
    """

    promotion: Promotion
    settings: Settings
    halted: bool
    way_back: RollBack | Escalate
    verified: bool = True

    @property
    def key(self) -> tuple[str, str]:
        return self.promotion.environment, self.promotion.strategy


@dataclass(frozen=True)
class Bot:
    """One bot that is there.

    `identity` is what the host calls it, `since` when its phase began, `failures` how often it
    ended by itself in a row, `open_trades` none when nobody knows. `mismatch` is what reading it
    back found to be another than the release says, empty as long as nothing was.
    """

    environment: str
    strategy: str
    digest: str
    settings: Settings
    phase: Phase
    since: datetime
    open_trades: int | None = 0
    failures: int = 0
    mismatch: str = ""
    identity: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.environment, self.strategy

    def is_of(self, wanted: Wanted) -> bool:
        """True when it runs exactly what is wanted."""
        return self.digest == wanted.promotion.digest and self.settings == wanted.settings


class Obstacle(StrEnum):
    """Why something is not done."""

    OPEN_TRADES = "open trades"
    UNKNOWN_TRADES = "nobody knows whether trades are open"
    NO_LEASE = "another agent may trade live"
    ACCOUNT_TAKEN = "another bot trades on the account"


@dataclass(frozen=True)
class Start:
    """Start a bot that does not trade before it is verified."""

    wanted: Wanted


@dataclass(frozen=True)
class Stop:
    """End a bot that has no open trades."""

    bot: Bot


@dataclass(frozen=True)
class Restart:
    """Start a bot that ended by itself again: the same release, so no deployment."""

    bot: Bot


@dataclass(frozen=True)
class Verify:
    """Read back what runs, hold it against the release, and only then let it trade."""

    environment: str
    strategy: str
    halted: bool


@dataclass(frozen=True)
class Halt:
    """Open no more trades."""

    bot: Bot
    reason: str


@dataclass(frozen=True)
class Resume:
    """Open trades again."""

    bot: Bot


@dataclass(frozen=True)
class Refuse:
    """What ought to be done and cannot be."""

    environment: str
    strategy: str
    obstacle: Obstacle


Action = Start | Stop | Restart | Verify | Halt | Resume | Refuse | RollBack | Escalate


def desired(record: Record, settings: Callable[[Promotion], Settings | None]) -> tuple[Wanted, ...]:
    """Every bot that shall run on this host; `settings` answers none for what is another host's."""
    found = []
    for (environment, strategy), track in sorted(record.tracks.items()):
        if strategy == ALL or track.current is None:
            continue
        promotion = track.current.promotion
        if (made := settings(promotion)) is not None:
            halted = record.halt(environment, strategy) is not None
            way_back = turn_back(track, environment, strategy, ())
            found.append(Wanted(promotion, made, halted, way_back, track.current.verified))
    return tuple(found)


def plan(
    wanted: Iterable[Wanted], bots: Iterable[Bot], now: datetime, *, has_lease: bool
) -> tuple[Action, ...]:
    """What to do, in this order. Carried out, it leaves nothing but what is refused."""
    by_key = {each.key: each for each in wanted}
    work = _Work(now, has_lease)
    staying: dict[tuple[str, str], Bot] = {}
    # Of two bots of one release the one with trades stays.
    for bot in sorted(bots, key=lambda bot: (bot.key, bot.open_trades == 0)):
        mine = by_key.get(bot.key)
        if mine and bot.is_of(mine) and bot.key not in staying:
            staying[bot.key] = bot
        else:
            work.end(bot)
    for key, bot in staying.items():
        work.keep(by_key[key], bot)
    for key, each in by_key.items():
        if key not in staying and key not in work.stuck:
            work.start(each)
    return tuple(work.actions)


@dataclass
class _Work:
    """A plan in the making. `stuck` are bots that had to go and could not."""

    now: datetime
    has_lease: bool
    actions: list[Action] = field(default_factory=list)
    stuck: set[tuple[str, str]] = field(default_factory=set)
    accounts: list[Settings] = field(default_factory=list)

    def end(self, bot: Bot) -> None:
        if bot.open_trades == 0:
            self.actions.append(Stop(bot))
            return
        self._refuse_over_trades(bot)
        self.stuck.add(bot.key)
        self.accounts.append(bot.settings)
        if bot.phase is Phase.FAILED:
            # Somebody has to look after its trades. The same release again is no deployment.
            self._restart(bot, halted=True)

    def keep(self, wanted: Wanted, bot: Bot) -> None:
        self.accounts.append(bot.settings)
        halted = wanted.halted or (wanted.settings.live and not self.has_lease)
        worn = bot.phase is Phase.FAILED and bot.failures > MOST_FAILURES
        if bot.mismatch or (worn and bot.open_trades == 0):
            self._give_up(wanted, bot)
        elif bot.phase is Phase.FAILED:
            self._restart(bot, halted=halted)
        elif bot.phase in (Phase.STARTING, Phase.VERIFYING) or not wanted.verified:
            self.actions.append(Verify(*bot.key, halted))
        elif halted and bot.phase is Phase.RUNNING:
            reason = "it was asked" if wanted.halted else Obstacle.NO_LEASE.value
            self.actions.append(Halt(bot, reason))
        elif not halted and bot.phase is Phase.HALTED:
            self.actions.append(Resume(bot))

    def start(self, wanted: Wanted) -> None:
        mine = wanted.settings
        if mine.live and not self.has_lease:
            self._refuse(wanted.key, Obstacle.NO_LEASE)
        elif any(_collide(mine, other) for other in self.accounts):
            self._refuse(wanted.key, Obstacle.ACCOUNT_TAKEN)
        else:
            self.accounts.append(mine)
            self.actions += [Start(wanted), Verify(*wanted.key, wanted.halted)]

    def _give_up(self, wanted: Wanted, bot: Bot) -> None:
        reason = bot.mismatch or f"it ended by itself {bot.failures} times"
        if bot.open_trades != 0:
            if bot.phase is not Phase.HALTED:
                self.actions.append(Halt(bot, reason))
            self._refuse_over_trades(bot)
            return
        back = wanted.way_back
        reasons = (reason, *back.reasons)
        # Written down first: killed in between, the agent goes on from the decision.
        if isinstance(back, RollBack):
            self.actions.append(RollBack(back.environment, back.strategy, back.to, reasons))
        else:
            self.actions.append(Escalate(back.environment, back.strategy, reasons))
        self.actions.append(Stop(bot))

    def _restart(self, bot: Bot, *, halted: bool) -> None:
        waited = self.now - bot.since
        # A clock that went back makes nobody wait for ever.
        if timedelta() <= waited < back_off(bot.failures):
            return
        if bot.settings.live and not self.has_lease:
            self._refuse(bot.key, Obstacle.NO_LEASE)
        else:
            self.actions += [Restart(bot), Verify(*bot.key, halted)]

    def _refuse_over_trades(self, bot: Bot) -> None:
        unknown = bot.open_trades is None
        self._refuse(bot.key, Obstacle.UNKNOWN_TRADES if unknown else Obstacle.OPEN_TRADES)

    def _refuse(self, key: tuple[str, str], obstacle: Obstacle) -> None:
        self.actions.append(Refuse(*key, obstacle))


def back_off(failures: int) -> timedelta:
    """How long to wait before a bot that ended so often in a row is started again."""
    doubled = _FIRST_WAIT * (1 << min(max(failures - 1, 0), 16))
    return min(doubled, _LONGEST_WAIT)


def _collide(one: Settings, other: Settings) -> bool:
    shared = one.shares_account and other.shares_account
    return one.account is not None and one.account == other.account and not shared
