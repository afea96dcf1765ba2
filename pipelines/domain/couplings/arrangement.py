"""Everything that is linted together: files, bots, and what is known of a host."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pipelines.domain.candles import TradingMode
from pipelines.domain.environment import Environment, Mode
from pipelines.domain.secret import Scope, SecretName


@dataclass(frozen=True, order=True)
class Clash:
    """One thing that does not go together with the rest.

    `where` is the file, `key` the path of keys in it.
    """

    where: str
    key: str
    expected: str
    actual: str
    hint: str


@dataclass(frozen=True, order=True)
class Bot:
    """A strategy in an environment, wanted or running.

    `percent` is the step of the ramp that it is on. `kept_in` is the file of its trades when it is
    not the derived one: an adopted bot's.
    """

    environment: str
    strategy: str
    pairs: tuple[str, ...]
    trading_mode: TradingMode = "spot"
    percent: int = 100
    kept_in: str | None = None

    @property
    def coins(self) -> frozenset[str]:
        """What it buys: on one account two bots would sell each other's."""
        return frozenset(pair.split("/")[0] for pair in self.pairs)

    def __str__(self) -> str:
        return f"{self.strategy} in {self.environment}"


@dataclass(frozen=True, order=True)
class Kept:
    """A secret that lies on the host. Equal fingerprints are equal values."""

    scope: Scope
    name: SecretName
    fingerprint: str


@dataclass(frozen=True)
class Pin:
    """Versions of freqtrade: the requirement as written, the locked and the installed one."""

    required: str
    locked: str
    installed: str


@dataclass(frozen=True)
class Host:
    """What is known of the machine. What is not known is not judged.

    `variables` are the names of its environment variables, `examined` the environments whose
    secrets were looked at, `balances` stake currency by exchange account, `databases` the mode
    that each file of trades was used in so far.
    """

    variables: frozenset[str] = frozenset()
    freqtrade: Pin | None = None
    examined: frozenset[str] = frozenset()
    kept: tuple[Kept, ...] = ()
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    databases: Mapping[str, Mode] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrangement:
    """One train: its environments by file, the strategies there are, bots, and the host."""

    environments: Mapping[str, Environment]
    strategies: frozenset[str] = frozenset()
    bots: tuple[Bot, ...] = ()
    host: Host = field(default_factory=Host)

    def every(self) -> Iterator[tuple[str, Environment]]:
        """Every environment with its file, in one order whatever order they came in."""
        yield from sorted(self.environments.items())

    def named(self, name: str | None) -> Environment | None:
        """The environment of that name."""
        return next((e for _, e in self.every() if e.name == name), None)

    def file_of(self, name: str) -> str:
        """The file of the environment of that name."""
        return next(where for where, environment in self.every() if environment.name == name)

    def placed(self) -> Iterator[tuple[Bot, Environment]]:
        """Every bot with its environment, in one order."""
        for bot in sorted(self.bots, key=str):
            environment = self.named(bot.environment)
            if environment:
                yield bot, environment
