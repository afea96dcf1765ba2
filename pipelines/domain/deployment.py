"""A deployment: what is wanted, what runs, and what may be done about the difference."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pipelines.domain.decision import Escalate, RollBack, turn_back
from pipelines.domain.handover import FIRST, Farewell, berthed
from pipelines.domain.promotion import Promotion
from pipelines.domain.record import Record

MOST_FAILURES = 5
"""So often a bot is started again before its release is given up."""


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

    `verified` tells whether it was read back since it was wanted. `aside` is what the environment
    makes of it in the second berth, none where bots never run side by side.
    """

    promotion: Promotion
    settings: Settings
    halted: bool
    way_back: RollBack | Escalate
    verified: bool = True
    aside: Settings | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.promotion.environment, self.promotion.strategy

    def at(self, berth: int) -> Settings | None:
        """What the environment makes of it in a berth."""
        return self.settings if berth == FIRST else self.aside


@dataclass(frozen=True)
class Bot:
    """One bot that is there, or that should be: one that is absent has trades that nobody manages.

    `digest` is empty when nobody knows whose its trades are. `identity` is what the host calls it,
    `since` when its phase began, `failures` how often it ended by itself in a row, `open_trades`
    none when nobody knows. `mismatch` is what reading it back found to be another than the release
    says, empty as long as nothing was. `farewell` is how it parts with its trades where it has to
    go.
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
    berth: int = FIRST
    farewell: Farewell = field(default_factory=Farewell)

    @property
    def key(self) -> tuple[str, str]:
        return self.environment, self.strategy

    @property
    def seat(self) -> tuple[str, str]:
        """What it is called on its host: two bots of one key have two seats."""
        return self.environment, berthed(self.strategy, self.berth)

    @property
    def has_trades(self) -> bool:
        """True also when nobody knows."""
        return self.open_trades != 0

    def is_of(self, wanted: Wanted) -> bool:
        """True when it runs exactly what is wanted."""
        return self.digest == wanted.promotion.digest and self.settings == wanted.at(self.berth)


class Obstacle(StrEnum):
    """Why something is not done."""

    OPEN_TRADES = "open trades"
    UNKNOWN_TRADES = "nobody knows whether trades are open"
    OBJECTIONS = "its open trades must not be taken over"
    LEFT_ALONE = "nobody can look after its open trades"
    NO_LEASE = "another agent may trade live"
    ACCOUNT_TAKEN = "another bot trades on the account"


@dataclass(frozen=True)
class Start:
    """Start a bot that does not trade before it is verified."""

    wanted: Wanted
    berth: int = FIRST


@dataclass(frozen=True)
class Stop:
    """End a bot that has no open trades."""

    bot: Bot


@dataclass(frozen=True)
class Restart:
    """Start a bot that ended by itself again: the same release, so no deployment.

    One that `drains` opens no trades, whatever its settings say.
    """

    bot: Bot
    drains: bool = False


@dataclass(frozen=True)
class Verify:
    """Read back what runs, hold it against the release, and only then let it trade.

    One that is `halted` or that `drains` is not let.
    """

    environment: str
    strategy: str
    halted: bool
    berth: int = FIRST
    drains: bool = False

    @property
    def seat(self) -> tuple[str, str]:
        return self.environment, berthed(self.strategy, self.berth)


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
class Drain:
    """Open no more trades, also after a restart or a reload; what is open stays looked after."""

    bot: Bot
    reason: str


@dataclass(frozen=True)
class Close:
    """Close every open trade at the market's price."""

    bot: Bot


@dataclass(frozen=True)
class Adopt:
    """End a bot over its open trades, and start what is wanted on a database that was copied."""

    bot: Bot
    wanted: Wanted


@dataclass(frozen=True)
class Refuse:
    """What ought to be done and cannot be."""

    environment: str
    strategy: str
    obstacle: Obstacle
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join((self.obstacle.value, *self.reasons))


Action = (
    Start
    | Stop
    | Restart
    | Verify
    | Halt
    | Resume
    | Drain
    | Close
    | Adopt
    | Refuse
    | RollBack
    | Escalate
)

Placing = Callable[[Promotion], tuple[Settings, Settings | None] | None]
"""What this host makes of a release in both berths; none for what is another host's."""


def desired(record: Record, placing: Placing) -> tuple[Wanted, ...]:
    """Every bot that shall run on this host."""
    found = []
    for (environment, strategy), track in sorted(record.tracks.items()):
        if track.current is None:
            continue
        promotion = track.current.promotion
        if (made := placing(promotion)) is not None:
            halted = record.halt(environment, strategy) is not None
            way_back = turn_back(track, environment, strategy, ())
            verified = track.current.verified
            found.append(Wanted(promotion, made[0], halted, way_back, verified, made[1]))
    return tuple(found)
