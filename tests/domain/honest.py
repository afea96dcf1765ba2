"""An account at an exchange and the bot that trades on it, each with a book of its own."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from pipelines.domain.account import ZERO, ExchangeOrder, Holding, Lot
from pipelines.domain.known import BotBook, KnownOrder, KnownTrade, base
from pipelines.domain.orphan import Finding
from pipelines.domain.reconciliation import Book, Declared, findings, unexplained

PAIRS = ("BTC/USDT", "ETH/USDT")
STEP = Decimal("0.00001")
LOT = Lot(step=STEP, least_amount=STEP, least_cost=Decimal(5))
PRICE = Decimal(20_000)
DUST = Decimal(5) / PRICE
FEE = Decimal("0.001")
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Account:
    """What the exchange has. An order is one of nobody until a bot writes it down."""

    held: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000_000)})
    orders: dict[str, ExchangeOrder] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)

    def place(self, pair: str, side: str, amount: Decimal, stop: Decimal | None = None) -> str:
        number = str(len(self.orders) + 1)
        self.orders[number] = ExchangeOrder(
            id=number,
            client_id=f"x-{number}",
            pair=pair,
            side=side,  # type: ignore[arg-type]
            kind="limit",
            status="open",
            amount=amount,
            filled=ZERO,
            at=START + timedelta(seconds=len(self.orders)),
            price=PRICE,
            stop_price=stop,
        )
        return number

    def fill(self, number: str, amount: Decimal) -> None:
        """The fee is kept from what is bought; that of a sale is money, which nobody counts."""
        order = self.orders[number]
        amount = min(amount, order.remaining)
        filled = order.filled + amount
        status = "closed" if filled == order.amount else "open"
        self.orders[number] = replace(order, filled=filled, status=status)
        coin, sign = base(order.pair), 1 if order.side == "buy" else -1
        fee = _floor(amount * FEE, Decimal("1e-8")) if sign > 0 else ZERO
        self.fees[number] = self.fees.get(number, ZERO) + fee
        self.held[coin] = self.held.get(coin, ZERO) + sign * amount - fee
        assert self.held[coin] >= 0

    def cancel(self, number: str) -> None:
        self.orders[number] = replace(self.orders[number], status="canceled")

    def book(self, pairs: tuple[str, ...]) -> Book:
        """What it tells: always the balances, the orders of some pairs."""
        every = tuple(self.orders.values())
        return Book(
            balances={asset: Holding(amount, ZERO) for asset, amount in self.held.items()},
            lots=dict.fromkeys(PAIRS, LOT),
            prices=dict.fromkeys(PAIRS, PRICE),
            open_orders=tuple(o for o in every if o.is_open),
            orders={pair: tuple(o for o in every if o.pair == pair) for pair in pairs},
            fees={n: fee for n, fee in self.fees.items() if self.orders[n].pair in pairs},
        )


@dataclass
class Bot:
    """Trades as freqtrade does, and writes down late what became of its orders."""

    account: Account
    trades: dict[int, KnownTrade] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)
    count: int = 0

    def enter(self, pair: str, amount: Decimal) -> str:
        number = self.account.place(pair, "buy", amount)
        self.count += 1
        order = KnownOrder(number, True, False, True, amount, ZERO)
        self.trades[self.count] = KnownTrade(self.count, pair, True, False, START, (order,))
        self.ever.add(number)
        return number

    def amount(self, trade: KnownTrade) -> Decimal:
        """What it believes to hold."""
        got = (o.filled - (o.fee or ZERO) for o in trade.orders if o.is_entry)
        gone = (o.filled for o in trade.orders if not o.is_entry)
        return sum(got, ZERO) - sum(gone, ZERO)

    def claims(self, pair: str) -> Decimal:
        """What it holds of a pair, or will say so once it has looked."""
        found = ZERO
        for trade in self.trades.values():
            for order in trade.orders if trade.pair == pair and self._is_there(trade) else ():
                there = self.account.orders[order.id]
                fee = self.account.fees.get(order.id) if order.is_open else order.fee
                found += there.filled - (fee or ZERO) if order.is_entry else -there.filled
        return found

    def _is_there(self, trade: KnownTrade) -> bool:
        return trade.is_open or trade.is_unsettled

    def exit(self, number: int, share: Decimal, *, stop: bool = False, lost: bool = False) -> None:
        trade = self.trades[number]
        amount = _floor(self.amount(trade) * share, STEP)
        if amount <= 0 or any(order.is_open for order in trade.orders):
            return
        placed = self.account.place(trade.pair, "sell", amount, PRICE / 2 if stop else None)
        if not lost:
            self.knows(number, placed, stop=stop)

    def knows(self, number: int, order: str, *, stop: bool = False) -> None:
        there, trade = self.account.orders[order], self.trades[number]
        own = KnownOrder(order, False, stop, True, there.amount, ZERO)
        self.trades[number] = replace(trade, orders=(*trade.orders, own))
        self.ever.add(order)

    def process(self) -> None:
        """Write down what the exchange says of every order, as freqtrade does in its loop."""
        for number, trade in list(self.trades.items()):
            orders = tuple(self._updated(order, trade) for order in trade.orders)
            if all(not o.is_open and not o.filled for o in orders):
                # An entry that was cancelled before anything was filled is forgotten.
                del self.trades[number]
                self.ever -= {order.id for order in orders}
                continue
            after = replace(trade, orders=orders)
            settled = not any(order.is_open for order in orders)
            closed = settled and self.amount(after) < STEP
            self.trades[number] = replace(after, is_open=not closed)

    def _updated(self, order: KnownOrder, trade: KnownTrade) -> KnownOrder:
        there = self.account.orders[order.id]
        if not order.is_open or there.is_open:
            return order
        fee = self._fee(order, trade) if order.is_entry else None
        return replace(order, is_open=False, filled=there.filled, fee=fee)

    def _fee(self, order: KnownOrder, trade: KnownTrade) -> Decimal | None:
        there = self.account.orders[order.id]
        others = (self.amount(t) for t in self.trades.values() if t.is_open and t != trade)
        free = self.account.held.get(base(trade.pair), ZERO) - sum(others, ZERO)
        # Enough lies there already: the fee eats into dust.
        return None if free >= there.filled else self.account.fees.get(order.id, ZERO)

    def book(self, *, stops: bool = False) -> BotBook:
        left: dict[str, Decimal] = {}
        for trade in self.trades.values():
            if not trade.is_open:
                coin = base(trade.pair)
                left[coin] = left.get(coin, ZERO) + max(self.amount(trade), ZERO)
        shown = (t for t in self.trades.values() if t.is_open or t.is_unsettled)
        pairs, ids = frozenset(PAIRS), frozenset(self.ever)
        return BotBook("prod", "beat", pairs, tuple(shown), ids, left, stops)


def look(bots: tuple[BotBook, ...], account: Account, declared: Declared) -> tuple[Finding, ...]:
    """Both steps of a look: balances first, then the orders of what does not add up."""
    first = account.book(())
    pairs = tuple(each.pair for each in unexplained(bots, first, declared))
    return findings(bots, account.book(pairs), declared)


def _floor(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral_value(ROUND_DOWN) * step
