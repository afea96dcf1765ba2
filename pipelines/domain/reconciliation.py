"""Holds an account's book at the exchange against everything that its bots know. Pure.

The exchange is right. What it has beyond trades, declared holdings, fee asset and dust is an
orphan: nobody looks after it. Where the two differ, the orders of that pair are looked at one by
one, as the exchange has them, before anything is said: a bot writes down late what it did.

freqtrade forgets entries that were cancelled before anything was filled, so an order that only the
exchange knows is nothing when it is closed and nothing of it was executed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain

from pipelines.domain.account import ZERO, ExchangeOrder, Holding, Lot, Position, Side
from pipelines.domain.known import BotBook, KnownTrade, base, known_ids
from pipelines.domain.orphan import (
    CLOSING,
    OURS,
    Finding,
    Missing,
    MissingStop,
    Orphan,
    Stray,
    closing_name,
    orphan_id,
)


@dataclass(frozen=True)
class Declared:
    """What is on an account that is no bot's: its owner's coins, and what fees are paid in.

    `money` are the currencies that bots pay with: how much there is of them nobody foretells.
    """

    account: str
    money: frozenset[str]
    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    fee_asset: str | None = None


@dataclass(frozen=True)
class Book:
    """What the exchange told of an account.

    `orders` has those of the pairs that were looked at one by one, of so long as was asked, and
    `fees` what was kept of what each bought.
    """

    balances: Mapping[str, Holding]
    lots: Mapping[str, Lot]
    prices: Mapping[str, Decimal]
    open_orders: tuple[ExchangeOrder, ...] = ()
    positions: tuple[Position, ...] = ()
    orders: Mapping[str, tuple[ExchangeOrder, ...]] = field(default_factory=dict)
    fees: Mapping[str, Decimal] = field(default_factory=dict)

    def got(self, order: ExchangeOrder) -> Decimal:
        """What an order brought of the coins, or took."""
        return order.filled - self.fees.get(order.id, ZERO)

    def order(self, pair: str, number: str) -> ExchangeOrder | None:
        """An order, if it was told."""
        told = chain(self.orders.get(pair, ()), self.open_orders)
        return next((each for each in told if (each.pair, each.id) == (pair, number)), None)

    def dust(self, pair: str) -> Decimal:
        """What is too little to be traded of a pair, in its base asset."""
        lot, price = self.lots[pair], self.prices[pair]
        least = lot.least_cost / price if price > 0 else ZERO
        return max(lot.step, lot.least_amount, least)


@dataclass(frozen=True)
class Unexplained:
    """A pair whose balance does not add up, and since when its orders matter, if that is known."""

    pair: str
    since: datetime | None
    over: Decimal
    short: Decimal


@dataclass(frozen=True)
class _Span:
    """How much of something there should be: exactly that is not known before fees are."""

    least: Decimal = ZERO
    most: Decimal = ZERO

    def __add__(self, other: "_Span") -> "_Span":
        return _Span(self.least + other.least, self.most + other.most)


_FEE_SHARE = Decimal("0.005")
"""The most that an exchange keeps of what is bought, as a share of it."""


def unexplained(bots: Iterable[BotBook], book: Book, declared: Declared) -> tuple[Unexplained, ...]:
    """The pairs whose orders have to be looked at one by one: the balances alone do not tell."""
    books = tuple(bots)
    found = []
    for pair in _pairs(books):
        over, short = _off(pair, books, book, declared)
        dust, strangers = book.dust(pair), tuple(_unknown(pair, books, book))
        if over > dust or short > dust or strangers or _lags(pair, books, book):
            found.append(Unexplained(pair, _since(pair, books), over, short))
    return tuple(found)


def findings(bots: Iterable[BotBook], book: Book, declared: Declared) -> tuple[Finding, ...]:
    """Everything in which the two differ, once the orders of such pairs were looked at."""
    books = tuple(bots)
    found: list[Finding] = []
    for pair in _pairs(books):
        found += _of_pair(pair, books, book, declared)
    return (*found, *_stops(books, book))


def strange_coins(
    bots: Iterable[BotBook], book: Book, declared: Declared
) -> tuple[tuple[str, Decimal], ...]:
    """Coins that no bot here can trade and nobody has declared. No bot of ours bought them."""
    ours = {base(pair) for pair in _pairs(tuple(bots))}
    known = ours | declared.money | {declared.fee_asset}
    over = (
        (asset, held.total - declared.holdings.get(asset, ZERO))
        for asset, held in book.balances.items()
        if asset not in known
    )
    return tuple((asset, amount) for asset, amount in sorted(over) if amount > 0)


def _pairs(books: tuple[BotBook, ...]) -> tuple[str, ...]:
    return tuple(sorted({pair for each in books for pair in each.pairs}))


def _since(pair: str, books: tuple[BotBook, ...]) -> datetime | None:
    opened = (t.opened_at for each in books for t in each.trades if t.pair == pair)
    return min(opened, default=None)


def _off(
    pair: str, books: tuple[BotBook, ...], book: Book, declared: Declared
) -> tuple[Decimal, Decimal]:
    """How much there is too much, and too little, of a pair's coins or of its position."""
    trades = [t for each in books for t in each.trades if t.pair == pair]
    if ":" in pair:
        return _position_off(pair, trades, book)
    held = book.balances.get(base(pair), Holding(ZERO, ZERO)).total
    # Another pair of the same coins explains them as well.
    same = [t for each in books for t in each.trades if base(t.pair) == base(pair)]
    span = sum((_span(trade, book) for trade in same), _Span())
    own = declared.holdings.get(base(pair), ZERO)
    paid = base(pair) in declared.money or base(pair) == declared.fee_asset
    over = ZERO if paid else held - own - span.most
    return over, span.least - held


def _position_off(pair: str, trades: list[KnownTrade], book: Book) -> tuple[Decimal, Decimal]:
    there: Decimal = sum(
        (-p.amount if p.side == "short" else p.amount for p in book.positions if p.pair == pair),
        ZERO,
    )
    believed = [(trade, _span(trade, book).most) for trade in trades]
    expected: Decimal = sum((-held if trade.is_short else held for trade, held in believed), ZERO)
    if there * expected < 0:
        return abs(there), abs(expected)
    return abs(there) - abs(expected), abs(expected) - abs(there)


def _span(trade: KnownTrade, book: Book) -> _Span:
    """What a trade holds by its own orders, each filled as far as the exchange says."""
    least = most = ZERO
    for order in trade.orders:
        there = book.order(trade.pair, order.id)
        filled = there.filled if there else order.filled
        if not order.is_entry:
            least, most = least - filled, most - filled
            continue
        fee = book.fees.get(order.id) if order.is_open else order.fee
        least += filled - (filled * _FEE_SHARE if fee is None else fee)
        # Without a fee it was paid out of what lay there already, or in another asset.
        most += filled - (fee or ZERO)
    if not trade.is_open:
        # What it left behind is dust, and counted as such.
        return _Span(min(least, ZERO), max(most, ZERO)) if trade.is_unsettled else _Span()
    return _Span(max(least, ZERO), max(most, ZERO))


def _unknown(pair: str, books: tuple[BotBook, ...], book: Book) -> Iterator[ExchangeOrder]:
    """Orders that no bot knows, the oldest first."""
    known = known_ids(books)
    told = {o.id: o for o in chain(book.orders.get(pair, ()), book.open_orders)}
    for order in sorted(told.values(), key=lambda order: (order.at, order.id)):
        ours = order.id in known or order.client_id.startswith(OURS)
        if order.pair == pair and not ours:
            yield order


def _lags(pair: str, books: tuple[BotBook, ...], book: Book) -> bool:
    """True when a bot does not know yet how far an order is: that would hide what is over."""
    orders = (o for each in books for t in each.trades if t.pair == pair for o in t.orders)
    waiting = ((order, book.order(pair, order.id)) for order in orders if order.is_open)
    return any(there is None or there.filled > order.filled for order, there in waiting)


def _closed(account: str, order: ExchangeOrder, book: Book) -> Decimal:
    """What was sold of an orphan already, straight at the exchange."""
    name = closing_name(orphan_id(account, order.pair, order.id))
    told = (o for o in book.orders.get(order.pair, ()) if o.client_id.startswith(name))
    return sum((each.filled for each in told), ZERO)


def _of_pair(
    pair: str, books: tuple[BotBook, ...], book: Book, declared: Declared
) -> Iterator[Finding]:
    over, short = _off(pair, books, book, declared)
    dust, strangers = book.dust(pair), list(_unknown(pair, books, book))
    exits = [order for order in strangers if _ends(order, pair, books, book)]
    entries = [order for order in strangers if order not in exits]
    yield from (Stray(declared.account, pair, order) for order in exits if order.is_open)
    left = _left(declared.account, entries, over if over > dust else ZERO, book)
    for order, amount in left:
        yield Orphan.of(declared.account, order, amount)
    rest = over - sum((amount for _, amount in left), ZERO) - _leftovers(pair, books)
    if rest > dust:
        yield Orphan.coins(declared.account, pair, rest)
    if short - _ended(pair, books, book) > dust:
        yield Missing(declared.account, pair, short)


def _ends(order: ExchangeOrder, pair: str, books: tuple[BotBook, ...], book: Book) -> bool:
    """True when it is the exit of a trade, whose answer its bot has lost: that heals by itself."""
    trades = [t for each in books for t in each.trades if t.pair == pair and t.is_open]
    for trade in trades:
        exit_side = "buy" if trade.is_short else "sell"
        if order.side == exit_side and order.amount <= _span(trade, book).most:
            return True
    return False


def _left(
    account: str, entries: list[ExchangeOrder], over: Decimal, book: Book
) -> list[tuple[ExchangeOrder, Decimal]]:
    """Entries that nobody knows, with what is there of each."""
    found = []
    # Of what was bought before, some may have been declared or sold since.
    for order in reversed(entries):
        there = book.got(order) - _closed(account, order, book)
        adds = order.side == _entry_side(order.pair, book)
        amount = min(there, over) if adds else ZERO
        over -= amount
        if order.is_open or amount > 0:
            found.append((order, amount))
    return found[::-1]


def _entry_side(pair: str, book: Book) -> Side:
    """What adds to what is there: a sale where a position of futures is short."""
    short = any(p.pair == pair and p.side == "short" and p.amount for p in book.positions)
    return "sell" if short else "buy"


def _ended(pair: str, books: tuple[BotBook, ...], book: Book) -> Decimal:
    """What the agent sold of trades itself, of which their bots have not heard yet."""
    known, told = known_ids(books), book.orders.get(pair, ())
    closing = (o for o in told if o.client_id.startswith(CLOSING) and o.id not in known)
    return sum((order.filled for order in closing), ZERO)


def _leftovers(pair: str, books: tuple[BotBook, ...]) -> Decimal:
    """The most that closed trades can have left behind, over all time."""
    return sum((each.leftovers.get(base(pair), ZERO) for each in books), ZERO)


def _stops(books: tuple[BotBook, ...], book: Book) -> Iterator[MissingStop]:
    """Open trades whose stop ought to be at the exchange, and is not."""
    for each in books:
        for trade in each.trades if each.stops_on_exchange else ():
            need = _span(trade, book).least
            there = [
                book.order(trade.pair, order.id) for order in trade.orders if not order.is_entry
            ]
            # An exit takes the place of the stop: the coins can be sold once only.
            bound = sum((o.remaining for o in there if o is not None and o.is_open), ZERO)
            if bound + book.dust(trade.pair) < need:
                yield MissingStop(each.environment, each.strategy, trade.pair, trade.id, need)
