"""The exchange accounts of this host: who trades on each, and what opens it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import documents
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.budget import Priority
from pipelines.domain.candles import TradingMode
from pipelines.domain.deployment import Phase
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST, SECOND, berthed
from pipelines.domain.known import BotBook
from pipelines.domain.reconciliation import Declared as Belongings
from pipelines.domain.record import Record
from pipelines.domain.secret import Scope, SecretName
from pipelines.domain.strategy import Manifest
from pipelines.errors import CannotTell, SluiceError
from runner.agent.about import Key
from runner.agent.books.client import Client, client_for
from runner.agent.books.known import known
from runner.agent.house import House
from runner.agent.preparing import Rehearsal


@dataclass(frozen=True)
class Trader:
    """A strategy that trades on an account, or once did: its database, and what it may trade.

    `seat` is what its bot there is called.
    """

    strategy: str
    seat: str
    database: Path
    pairs: tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """One account with everybody who trades there."""

    environment: Environment
    name: str
    trading_mode: TradingMode
    priority: Priority
    traders: tuple[Trader, ...]

    @property
    def key(self) -> Key:
        return self.environment.name, self.name

    @property
    def belongings(self) -> Belongings:
        """What is on it that is no bot's."""
        environment = self.environment
        return Belongings(
            account=self.name,
            money=frozenset({environment.portfolio.stake_currency}),
            holdings=environment.holdings.get(self.name, {}),
            fee_asset=environment.fee_asset,
        )

    def books(self) -> tuple[BotBook, ...]:
        """What its bots know.

        :raises CannotTell: when a database cannot be read.
        """
        name, stops = self.environment.name, self.environment.stoploss_on_exchange
        return tuple(
            known(each.database, name, each.strategy, each.pairs, stops_on_exchange=stops)
            for each in self.traders
        )

    def owner(self, pair: str) -> str:
        """The strategy whose bot alone can have bought this; all where that is not sure."""
        found = {each.strategy for each in self.books() if pair in each.pairs}
        return found.pop() if len(found) == 1 else ALL

    def trader(self, strategy: str) -> Trader | None:
        """One of those who trade there."""
        return next((each for each in self.traders if each.strategy == strategy), None)


def accounts(
    house: House,
    environments: Mapping[str, Environment],
    record: Record,
    phases: Mapping[Key, Phase],
) -> Iterator[Account]:
    """Every account that money is traded on here; `phases` are those of the bots that are there."""
    for environment in environments.values():
        if environment.mode != "live":
            continue
        traders: defaultdict[str, list[Trader]] = defaultdict(list)
        for strategy, berth in sorted(_seats(house, environment, record)):
            name = environment.account_of(strategy, berth)
            if name:
                traders[name].append(_trader(house, environment, strategy, berth, record))
        for name, together in traders.items():
            mine = {p for (e, s), p in phases.items() if (e, s) in _keys(environment, together)}
            mode = _mode(together)
            yield Account(environment, name, mode, _priority(mine), tuple(together))


def joined(
    house: House, environment: Environment, record: Record, newcomer: Trader
) -> Account | None:
    """The account on which somebody would trade as well, with everybody who does; none on paper."""
    name = environment.account_of(newcomer.strategy)
    if environment.mode != "live" or not name:
        return None
    there = [
        a for a in accounts(house, {environment.name: environment}, record, {}) if a.name == name
    ]
    others = (t for each in there for t in each.traders if t.seat != newcomer.seat)
    together = [*others, newcomer]
    return Account(environment, name, _mode(together), Priority.CHANGED, tuple(together))


def client_of(house: House, account: Account, rehearsal: Rehearsal | None) -> Client:
    """A client for an account.

    :raises CannotTell: when nothing opens it, or nobody says where its exchange is.
    """
    environment = account.environment
    held = SecretStore(house.home).held(Scope(environment.name, account.name))
    opens = (SecretName.EXCHANGE_KEY, SecretName.EXCHANGE_SECRET)
    if missing := [name.value for name in opens if name not in held]:
        raise CannotTell(f"{environment.name}: {', '.join(missing)}: no such secret is kept here")
    settings: dict[str, object] = {"name": environment.exchange.name}
    if environment.exchange.rehearsal:
        if rehearsal is None:
            hint = "name its ready file with --exchange"
            raise CannotTell(f"{environment.name}: nobody says where its exchange is", hint)
        settings = dict(rehearsal.exchange)
    if SecretName.EXCHANGE_PASSWORD in held:
        settings["password"] = held[SecretName.EXCHANGE_PASSWORD].reveal()
    key, secret = (held[name].reveal() for name in opens)
    return client_for(settings, key, secret, account.trading_mode)


def _seats(house: House, environment: Environment, record: Record) -> set[tuple[str, int]]:
    """Who is wanted there now, and whoever has ever traded money there, with their berths."""
    wanted = {s for (e, s), track in record.tracks.items() if e == environment.name and track.stays}
    found = {(strategy, FIRST) for strategy in wanted}
    for database in house.home.glob(environment.database("*")):
        strategy, _, number = database.parent.name.partition(".")
        found.add((strategy, SECOND if number else FIRST))
    return found


def _trader(
    house: House, environment: Environment, strategy: str, berth: int, record: Record
) -> Trader:
    pairs: tuple[str, ...] = ()
    for stay in record.track(environment.name, strategy).stays[-2:]:
        if stay.digest is not None:
            path = house.deployed(stay.digest) / strategy / "strategy.yaml"
            pairs += _pairs(path)
    database = house.home / environment.database(strategy, berth)
    return Trader(strategy, berthed(strategy, berth), database, pairs)


def _pairs(path: Path) -> tuple[str, ...]:
    if not path.exists():
        # It was never unpacked here, so no bot ever ran it.
        return ()
    try:
        return documents.load(path, Manifest, str(path), topic="manifest").pairs
    except SluiceError as error:
        raise CannotTell(error.message, error.hint) from None


def _keys(environment: Environment, traders: list[Trader]) -> set[Key]:
    return {(environment.name, each.seat) for each in traders}


def _mode(traders: list[Trader]) -> TradingMode:
    return "futures" if any(":" in pair for each in traders for pair in each.pairs) else "spot"


def _priority(phases: set[Phase]) -> Priority:
    if Phase.RUNNING in phases:
        return Priority.LIVE
    return Priority.CHANGED if phases else Priority.OLD
