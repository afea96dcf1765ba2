"""The book: accounts, balances, orders and fills, as their events made them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from runner.exchange.core.faults import Armed, Disarmed, Fault, Faults, Struck
from runner.exchange.core.orders import (
    ZERO,
    Accepted,
    Account,
    Advanced,
    Balance,
    Closed,
    Event,
    Fill,
    Filled,
    Funded,
    Kind,
    Opened,
    Order,
    Side,
    Standing,
    Triggered,
    ceiling,
    floor,
)
from runner.exchange.core.rules import Rules
from runner.exchange.core.terms import Terms

Price = Callable[[str, int], Decimal | None]
"""What a symbol is worth at a moment; None while nobody knows."""


class Book:
    """What the exchange knows. It changes by events only; `drain` hands over the new ones.

    `price` tells what the fee asset is worth; without it every fee is paid in what is received.
    """

    def __init__(
        self,
        rules: Mapping[str, Rules],
        terms: Terms,
        now: int,
        price: Price = lambda _symbol, _at: None,
    ) -> None:
        self.rules, self.terms, self.now = rules, terms, now
        self._price = price
        self.accounts: dict[str, Account] = {}
        self.balances: defaultdict[str, dict[str, Balance]] = defaultdict(dict)
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.faults = Faults()
        self._fills_of: defaultdict[int, list[Fill]] = defaultdict(list)
        self._open: dict[int, None] = {}
        self._taken: dict[str, tuple[int, Decimal]] = {}
        self._new: list[Event] = []

    def record(self, event: Event) -> None:
        """Let something happen, and keep it for the journal."""
        self._apply(event)
        self._new.append(event)

    def drain(self) -> tuple[Event, ...]:
        """What happened since the last time."""
        new, self._new = tuple(self._new), []
        return new

    def replay(self, events: Iterable[Event]) -> None:
        """Let everything happen again that a journal holds."""
        for event in events:
            self._apply(event)

    def account_of(self, key: str) -> Account | None:
        """Whose key this is."""
        return next((each for each in self.accounts.values() if each.key == key), None)

    def balance(self, account: str, asset: str) -> Balance:
        """What an account has of an asset."""
        return self.balances[account].get(asset, Balance())

    def open_orders(self, symbol: str = "", account: str = "") -> list[Order]:
        """Orders that may still be filled, the oldest first."""
        found = (self.orders[number] for number in self._open)
        return [o for o in found if symbol in ("", o.symbol) and account in ("", o.account)]

    def fills_of(self, order_id: int) -> list[Fill]:
        """The fills of an order, the oldest first."""
        return list(self._fills_of.get(order_id, ()))

    def left_of(self, symbol: str, candle: int, volume: Decimal) -> Decimal:
        """How much of a candle's volume may still be taken."""
        opened, taken = self._taken.get(symbol, (candle, ZERO))
        allowed = volume * self.terms.share(symbol, candle)
        return max(allowed - (taken if opened == candle else ZERO), ZERO)

    def fillable(self, order: Order) -> Decimal:
        """How much of an order may be filled now: what is left, unless a fault holds it back."""
        fault = self.faults.bound(order.id, self.now) or self._partial(order)
        if fault is None:
            return order.remaining
        most = ceiling(order.quantity * fault.by, self.rules[order.symbol].step)
        return max(min(order.remaining, most - order.executed), ZERO)

    def _partial(self, order: Order) -> Fault | None:
        return self.faults.find("partial_fill", self.now, order.account, order.symbol, order.side)

    def fill(
        self,
        order_id: int,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        at: int,
        candle: int,
    ) -> None:
        """Trade a part of an order. The fee is taken from what the account gets, or has."""
        order = self.orders[order_id]
        quote = floor(price * quantity)
        fault = None if self.faults.bound(order_id, self.now) else self._partial(order)
        if fault is not None:
            self.record(Struck(fault.id, order_id))
        asset, commission = self._commission(order, quantity, quote, at)
        fill = Fill(
            id=len(self.fills) + 1,
            order_id=order_id,
            price=price,
            quantity=quantity,
            quote=quote,
            commission=commission,
            commission_asset=asset,
            maker=maker,
            at=at,
            candle=candle,
        )
        self.record(Filled(fill))

    def _commission(
        self, order: Order, quantity: Decimal, quote: Decimal, at: int
    ) -> tuple[str, Decimal]:
        """The asset and the amount of a fee: the fee asset, when there is enough of it."""
        rules, terms = self.rules[order.symbol], self.terms
        buying = order.side is Side.BUY
        asset, received = (rules.base, quantity) if buying else (rules.quote, quote)
        reduced = terms.fee * (1 - terms.discount)
        if terms.fee_asset == asset:
            return asset, floor(received * reduced)
        worth = self._worth(terms.fee_asset, rules.quote, at)
        if worth:
            commission = floor(quote * reduced / worth)
            spent = self._spent(order) == terms.fee_asset and order.kind is Kind.MARKET
            paid = (quote if buying else quantity) if spent else ZERO
            if self.balance(order.account, terms.fee_asset).free - paid >= commission:
                return terms.fee_asset, commission
        return asset, floor(received * terms.fee)

    def _worth(self, asset: str, quote: str, at: int) -> Decimal | None:
        """What an asset is worth in another one; None where it is not traded against it."""
        if asset == quote:
            return Decimal(1)
        found = (r.symbol for r in self.rules.values() if (r.base, r.quote) == (asset, quote))
        symbol = next(found, None)
        return self._price(symbol, at) if symbol else None

    def _apply(self, event: Event) -> None:
        match event:
            case Opened(account):
                self.accounts[account.name] = account
            case Funded(account, asset, amount):
                self._move(account, asset, amount, ZERO)
            case Accepted(order):
                self._accept(order)
            case Triggered(order_id, at):
                self._put(replace(self.orders[order_id], waiting=False, updated_at=at))
            case Filled(fill):
                self._fill(fill)
            case Closed(order_id, standing, at):
                self._put(replace(self.orders[order_id], standing=standing, updated_at=at))
            case Advanced(at):
                self.now = at
            case Armed() | Struck() | Disarmed():
                self.faults.apply(event)

    def _accept(self, order: Order) -> None:
        self.orders[order.id] = order
        self._open[order.id] = None
        self._move(order.account, self._spent(order), -order.lock, order.lock)

    def _put(self, order: Order) -> None:
        """Replace an order by its next state; what it no longer locks becomes free."""
        released = self.orders[order.id].lock - order.lock
        self.orders[order.id] = order
        if not order.is_open:
            self._open.pop(order.id, None)
        self._move(order.account, self._spent(order), released, -released)

    def _fill(self, fill: Fill) -> None:
        order = self.orders[fill.order_id]
        executed = order.executed + fill.quantity
        whole = executed == order.quantity
        self.fills.append(fill)
        self._fills_of[order.id].append(fill)
        self._put(
            replace(
                order,
                executed=executed,
                quote=order.quote + fill.quote,
                standing=Standing.FILLED if whole else Standing.PARTIALLY_FILLED,
                updated_at=fill.at,
            )
        )
        rules = self.rules[order.symbol]
        sign = 1 if order.side is Side.BUY else -1
        self._move(order.account, rules.base, sign * fill.quantity, ZERO)
        self._move(order.account, rules.quote, -sign * fill.quote, ZERO)
        self._move(order.account, fill.commission_asset, -fill.commission, ZERO)
        opened, taken = self._taken.get(order.symbol, (fill.candle, ZERO))
        before = taken if opened == fill.candle else ZERO
        self._taken[order.symbol] = fill.candle, before + fill.quantity

    def _spent(self, order: Order) -> str:
        rules = self.rules[order.symbol]
        return rules.quote if order.side is Side.BUY else rules.base

    def _move(self, account: str, asset: str, free: Decimal, locked: Decimal) -> None:
        had = self.balance(account, asset)
        self.balances[account][asset] = Balance(had.free + free, had.locked + locked)
