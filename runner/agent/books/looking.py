"""Looks at accounts, as often as the budget of the host allows, and says what stays wrong."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from pipelines.domain.account import ExchangeOrder, Holding
from pipelines.domain.budget import Due, Spent, chosen, is_late
from pipelines.domain.known import BotBook
from pipelines.domain.orphan import Finding
from pipelines.domain.reconciliation import Book, Unexplained, findings, strange_coins, unexplained
from pipelines.domain.sighting import Sighting, sighted
from pipelines.errors import CannotTell
from runner.agent.about import Key
from runner.agent.books import weights
from runner.agent.books.accounts import Account
from runner.agent.books.client import Client

WINDOW = timedelta(days=7)
"""How far back orders are looked at one by one, at least."""

WHOLE_SECONDS = 300.0
"""So often the open orders are asked for, also while the balances stay as they are."""

PRICED_SECONDS = 300.0
"""Prices say what is dust, so they need not be new."""

_OF_THE_KEY = ("AuthenticationError", "PermissionDenied", "-2015")
"""What is said of a key that the exchange does not take; ccxt calls Binance's by another name."""

_ENOUGH = 1 << 30


@dataclass(frozen=True)
class Looked:
    """What is known of an account after a look. `found` is all of it, `sure` what stays so.

    `trouble` says why there was no look, if there was none.
    """

    account: Account
    found: tuple[Finding, ...] = ()
    sure: tuple[Finding, ...] = ()
    known: frozenset[str] = frozenset()
    strange: tuple[tuple[str, Decimal], ...] = ()
    trouble: str = ""
    late: bool = False

    @property
    def seen(self) -> frozenset[str]:
        """All that was found, by name."""
        return frozenset(each.key for each in self.found)


@dataclass(frozen=True)
class _Examined:
    """The orders of a pair, one by one, and what was kept of what each bought."""

    orders: tuple[ExchangeOrder, ...]
    fees: Mapping[str, Decimal]


@dataclass
class _Memory:
    """What is remembered of an account. Moments are the system's monotonic seconds."""

    client: Client | None = None
    began: float = 0.0
    last: float | None = None
    whole: float | None = None
    balances: Mapping[str, Holding] = field(default_factory=dict)
    priced: float | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    sightings: dict[str, Sighting] = field(default_factory=dict)
    open_orders: tuple[ExchangeOrder, ...] = ()
    examined: dict[Unexplained, _Examined] = field(default_factory=dict)
    trouble: str = ""


@dataclass
class Looking:
    """Looks, and remembers what it saw. `open_client` opens an account.

    `turn` are the seconds of a bot's turn: none where bots live in steps. There a minute may stand
    for any number of real ones, so nothing is `enforced`. `told` is what the exchange counts for
    the whole host in this minute.
    """

    open_client: Callable[[Account], Client]
    turn: float
    enforced: bool
    real: Callable[[], float] = time.monotonic
    spent: Spent = field(default_factory=Spent)
    _memories: dict[Key, _Memory] = field(default_factory=dict, init=False)
    _whole: Key | None = field(default=None, init=False)
    _urgent: bool = field(default=False, init=False)
    told: int = field(default=0, init=False)

    def look(self, accounts: Iterable[Account], now: datetime) -> tuple[Looked, ...]:
        """Look at whoever's turn it is; of the others it is told when that is too long ago."""
        every = {each.key: each for each in accounts}
        real = self.real()
        for key in every:
            self._memories.setdefault(key, _Memory(began=real))
        self._whole = self._longest(every, real)
        wanted = (self._due(each) for each in every.values())
        turns = chosen(wanted, self._left(real), self._routine(real), real)
        silent: set[str] = set()
        found: dict[Key, Looked] = {}
        for each in turns:
            account, memory = every[each.key], self._memories[each.key]
            exchange = account.environment.exchange.name
            # One that says nothing is not waited for once for every account.
            if exchange in silent:
                memory.trouble = f"{exchange}: did not answer for another account"
                continue
            try:
                found[each.key] = self._one(account, memory, now)
            except CannotTell as error:
                memory.trouble = error.message
                if is_of_the_key(error.message):
                    # Another one may be on the host by the next look.
                    memory.client = None
                if "RequestTimeout" in error.message or "NetworkError" in error.message:
                    silent.add(exchange)
        return tuple(found.get(key) or self._not(account) for key, account in every.items())

    def _left(self, real: float) -> int:
        left = self.spent.left(real, self._limit, self.told)
        return left if self.enforced else _ENOUGH

    def _routine(self, real: float) -> int:
        return self.spent.routine(real, self._limit) if self.enforced else _ENOUGH

    @property
    def _limit(self) -> int:
        """What the strictest of the exchanges allows an address in a minute."""
        limits = [m.client.weight_limit for m in self._memories.values() if m.client]
        return min(limits, default=weights.LIMITS["futures"])

    def _due(self, account: Account) -> Due:
        memory = self._memories[account.key]
        pairs = len({pair for each in account.traders for pair in each.pairs})
        whole = self._is_whole(account.key)
        weight = weights.look(pairs, account.trading_mode, orders=whole)
        return Due(account.key, account.priority, weight, memory.last, self._is_unsure(memory))

    def _is_whole(self, key: Key) -> bool:
        """True when the open orders are asked for whatever the balances are."""
        memory = self._memories[key]
        never = memory.whole is None or not self.turn
        return never or key == self._whole or self._is_unsure(memory)

    def _longest(self, keys: Iterable[Key], real: float) -> Key | None:
        """Whose open orders were asked for longest ago, if that is long: one account at a time."""
        asked = ((self._memories[key].whole, key) for key in keys)
        old = [(at, key) for at, key in asked if at is not None and real - at >= WHOLE_SECONDS]
        return min(old)[1] if old else None

    def _is_unsure(self, memory: _Memory) -> bool:
        """True while something was seen that may be on its way only."""
        real = self.real()
        return any(not each.is_sure(real, self.turn) for each in memory.sightings.values())

    def _not(self, account: Account) -> Looked:
        memory = self._memories[account.key]
        since = memory.began if memory.last is None else memory.last
        late = is_late(since, self.real())
        reason = memory.trouble or "there was no request weight left for it"
        return Looked(account, trouble=reason, late=late)

    def _one(self, account: Account, memory: _Memory, now: datetime) -> Looked:
        client = memory.client = memory.client or self.open_client(account)
        client.charge, self._urgent = self._charge, self._is_unsure(memory)
        try:
            return self._look(account, memory, client, now)
        finally:
            self.told = client.used_weight or 0

    def _charge(self, weight: int) -> None:
        real = self.real()
        if weight > self._left(real):
            raise CannotTell("there was no request weight left for it")
        self.spent = self.spent.after(real, weight, urgent=self._urgent)

    def _look(self, account: Account, memory: _Memory, client: Client, now: datetime) -> Looked:
        own, pairs = account.belongings, sorted({p for e in account.books() for p in e.pairs})
        balances, positions = client.balances(), client.positions()
        # While nothing moved and nothing is bound otherwise, the same orders are open.
        whole = self._is_whole(account.key) or balances != memory.balances
        open_orders = client.open_orders(pairs) if whole else memory.open_orders
        lots, prices = client.lots(pairs), self._prices(memory, client, pairs)
        book = Book(balances, lots, prices, open_orders, positions)
        # Whatever a bot wrote down until now explains what was told before.
        puzzles = unexplained(_books(account, pairs), book, own)
        memory.examined = {each: self._examined(memory, client, each, now) for each in puzzles}
        orders = {each.pair: found.orders for each, found in memory.examined.items()}
        fees = {o: fee for found in memory.examined.values() for o, fee in found.fees.items()}
        book, bots = replace(book, orders=orders, fees=fees), _books(account, pairs)
        real = self.real()
        memory.sightings = sighted(memory.sightings, findings(bots, book, own), now, real)
        memory.last, memory.balances, memory.open_orders = real, balances, open_orders
        memory.whole, memory.trouble = (real if whole else memory.whole), ""
        sightings = memory.sightings.values()
        return Looked(
            account,
            found=tuple(each.finding for each in sightings),
            sure=tuple(each.finding for each in sightings if each.is_sure(real, self.turn)),
            known=frozenset().union(*(each.orders for each in bots)),
            strange=strange_coins(bots, book, own),
        )

    def _examined(
        self, memory: _Memory, client: Client, puzzle: Unexplained, now: datetime
    ) -> _Examined:
        """Look at the orders of what does not add up, unless it is the same as the last time."""
        if puzzle in memory.examined:
            return memory.examined[puzzle]
        since = min(puzzle.since or now, now - WINDOW)
        fees: dict[str, Decimal] = {}
        for fill in client.fills(puzzle.pair, since):
            if puzzle.pair.startswith(f"{fill.fee_asset}/"):
                fees[fill.order_id] = fees.get(fill.order_id, Decimal(0)) + fill.fee
        return _Examined(client.orders(puzzle.pair, since), fees)

    def _prices(self, memory: _Memory, client: Client, pairs: list[str]) -> Mapping[str, Decimal]:
        real = self.real()
        old = memory.priced is None or real - memory.priced >= PRICED_SECONDS or not self.turn
        if old or not set(pairs) <= set(memory.prices):
            memory.prices, memory.priced = client.prices(pairs), real
        return memory.prices


def is_of_the_key(trouble: str) -> bool:
    """True when the exchange does not take the key: asking again will not help."""
    return any(kind in trouble for kind in _OF_THE_KEY)


def _books(account: Account, pairs: Iterable[str]) -> tuple[BotBook, ...]:
    """What bots know by now, of the pairs that the exchange was asked for."""
    books = account.books()
    if new := sorted({pair for each in books for pair in each.pairs} - set(pairs)):
        raise CannotTell(f"{account.name}: {', '.join(new)}: is traded only since a moment ago")
    return books
