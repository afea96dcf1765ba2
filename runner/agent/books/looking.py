"""Looks at accounts, as often as the budget of the host allows, and says what stays wrong."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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

WHOLE_SECONDS = 60.0
"""So often the open orders are asked for, also while the balances stay as they are."""

PRICED_SECONDS = 300.0
"""Prices say what is dust, so they need not be new."""


@dataclass(frozen=True)
class Looked:
    """What is known of an account after a look. `sure` is what stays so, `seen` all of it.

    `trouble` says why there was no look, if there was none.
    """

    account: Account
    sure: tuple[Finding, ...] = ()
    seen: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    strange: tuple[tuple[str, Decimal], ...] = ()
    trouble: str = ""
    late: bool = False


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
    settled: dict[str, Unexplained] = field(default_factory=dict)
    trouble: str = ""


@dataclass
class Looking:
    """Looks, and remembers what it saw. `open_client` opens an account.

    `turn` are the seconds of a bot's turn: none where bots live in steps. There a minute may stand
    for any number of real ones, so nothing is `enforced`.
    """

    open_client: Callable[[Account], Client]
    turn: float
    enforced: bool
    real: Callable[[], float] = time.monotonic
    spent: Spent = field(default_factory=Spent)
    _memories: dict[Key, _Memory] = field(default_factory=dict, init=False)
    _told: int = field(default=0, init=False)

    def look(self, accounts: Iterable[Account], now: datetime) -> tuple[Looked, ...]:
        """Look at whoever's turn it is; of the others it is told when that is too long ago."""
        every = {each.key: each for each in accounts}
        real = self.real()
        for key in every:
            self._memories.setdefault(key, _Memory(began=real))
        wanted = (self._due(each) for each in every.values())
        turns = chosen(wanted, self._left(real), real)
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
                if "RequestTimeout" in error.message or "NetworkError" in error.message:
                    silent.add(exchange)
        return tuple(found.get(key) or self._not(account) for key, account in every.items())

    def _left(self, real: float) -> int:
        limits = [m.client.weight_limit for m in self._memories.values() if m.client]
        if not self.enforced:
            return 1 << 30
        return self.spent.left(real, min(limits, default=weights.LIMITS["futures"]), self._told)

    def _due(self, account: Account) -> Due:
        memory = self._memories[account.key]
        pairs = len({pair for each in account.traders for pair in each.pairs})
        weight = weights.look(pairs, account.trading_mode, orders=self._is_whole(memory))
        return Due(account.key, account.priority, weight, memory.last)

    def _is_whole(self, memory: _Memory) -> bool:
        """True when the open orders are asked for whatever the balances are."""
        if memory.whole is None or memory.sightings or not self.turn:
            return True
        return self.real() - memory.whole >= WHOLE_SECONDS

    def _not(self, account: Account) -> Looked:
        memory = self._memories[account.key]
        since = memory.began if memory.last is None else memory.last
        late = is_late(since, self.real())
        reason = memory.trouble or "there was no request weight left for it"
        return Looked(account, trouble=reason, late=late)

    def _one(self, account: Account, memory: _Memory, now: datetime) -> Looked:
        memory.client = memory.client or self.open_client(account)
        before = memory.client.spent
        try:
            return self._look(account, memory, memory.client, now)
        finally:
            self.spent = self.spent.after(self.real(), memory.client.spent - before)
            self._told = memory.client.used_weight or 0

    def _look(self, account: Account, memory: _Memory, client: Client, now: datetime) -> Looked:
        bots, own = account.books(), account.belongings
        pairs = sorted({pair for each in bots for pair in each.pairs})
        balances, positions = client.balances(), client.positions()
        whole = self._is_whole(memory) or balances != memory.balances
        book = Book(
            balances=balances,
            lots=client.lots(pairs),
            prices=self._prices(memory, client, pairs),
            open_orders=client.open_orders(pairs) if whole else None,
            positions=positions,
        )
        # Whatever a bot wrote down until now explains what was told before.
        bots = account.books()
        # What closed trades left behind was looked at before, and is no more now.
        puzzles = [e for e in unexplained(bots, book, own) if memory.settled.get(e.pair) != e]
        found, bots = self._examined(account, client, bots, book, puzzles, now)
        real = self.real()
        memory.sightings = sighted(memory.sightings, found, now, real)
        memory.last, memory.balances, memory.trouble = real, balances, ""
        memory.whole = real if whole else memory.whole
        odd = {each.pair for each in (*found, *findings(bots, book, own))}
        memory.settled |= {each.pair: each for each in puzzles if each.pair not in odd}
        return Looked(
            account,
            sure=tuple(s.finding for s in memory.sightings.values() if s.is_sure(real, self.turn)),
            seen=frozenset(memory.sightings),
            known=frozenset().union(*(each.orders for each in bots)),
            strange=strange_coins(bots, book, own),
        )

    def _examined(
        self,
        account: Account,
        client: Client,
        bots: tuple[BotBook, ...],
        book: Book,
        puzzles: list[Unexplained],
        now: datetime,
    ) -> tuple[tuple[Finding, ...], tuple[BotBook, ...]]:
        """Look at the orders of what does not add up, one by one, and then once more at it."""
        if not puzzles:
            return findings(bots, book, account.belongings), bots
        orders: dict[str, tuple[ExchangeOrder, ...]] = {}
        fees: dict[str, Decimal] = {}
        for each in puzzles:
            since = min(each.since or now, now - WINDOW)
            orders[each.pair] = client.orders(each.pair, since)
            for fill in client.fills(each.pair, since):
                if each.pair.startswith(f"{fill.fee_asset}/"):
                    fees[fill.order_id] = fees.get(fill.order_id, Decimal(0)) + fill.fee
        whole = Book(
            book.balances, book.lots, book.prices, book.open_orders, book.positions, orders, fees
        )
        bots = account.books()
        return findings(bots, whole, account.belongings), bots

    def _prices(self, memory: _Memory, client: Client, pairs: list[str]) -> Mapping[str, Decimal]:
        real = self.real()
        old = memory.priced is None or real - memory.priced >= PRICED_SECONDS or not self.turn
        if old or not set(pairs) <= set(memory.prices):
            memory.prices, memory.priced = client.prices(pairs), real
        return memory.prices
