"""The book of futures: wallets, positions and orders, as their events made them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from runner.exchange.core import orders
from runner.exchange.core.futures.contract import Contract, Fees
from runner.exchange.core.futures.events import (
    Awaited,
    Cleared,
    Conditional,
    Deposited,
    Ended,
    Fill,
    Funded,
    FuturesEvent,
    Income,
    Levered,
    OnFutures,
    Order,
    Phase,
    Placed,
    Source,
    Traded,
)
from runner.exchange.core.futures.position import Position, initial_margin
from runner.exchange.core.orders import ZERO, Closed, Side, Standing, ceiling, floor
from runner.exchange.core.terms import Terms

USUAL_LEVERAGE = 20

_COUNTERS = {
    Source.TRANSFER: "deposits",
    Source.REALIZED_PNL: "market",
    Source.COMMISSION: "fees",
    Source.FUNDING_FEE: "funding",
    Source.INSURANCE_CLEAR: "insurance",
}
"""Who pays an account what it gets, and gets what it pays."""


class Book:
    """What the exchange knows of futures. It changes by events only; `drain` hands them over."""

    def __init__(self, rules: Mapping[str, Contract], terms: Terms, fees: Fees) -> None:
        self.rules, self.terms, self.fees = rules, terms, fees
        self.wallets: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.counters: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.positions: defaultdict[tuple[str, str], Position] = defaultdict(Position)
        self.leverages: dict[tuple[str, str], int] = {}
        self.orders: dict[int, Order] = {}
        self.conditionals: dict[int, Conditional] = {}
        self.fills: list[Fill] = []
        self.incomes: list[Income] = []
        self._open: dict[int, None] = {}
        self._waiting: dict[int, None] = {}
        self._taken: dict[str, tuple[int, Decimal]] = {}
        self._new: list[OnFutures] = []

    def record(self, event: FuturesEvent) -> None:
        """Let something happen, and keep it for the journal."""
        self._apply(event)
        self._new.append(OnFutures(event))

    def drain(self) -> tuple[OnFutures, ...]:
        """What happened since the last time."""
        new, self._new = tuple(self._new), []
        return new

    def replay(self, events: Iterable[OnFutures]) -> None:
        """Let everything happen again that a journal holds."""
        for event in events:
            self._apply(event.what)

    def open_orders(self, symbol: str = "", account: str = "") -> list[Order]:
        """Orders that may still be filled, the oldest first."""
        found = (self.orders[number] for number in self._open)
        return [o for o in found if symbol in ("", o.symbol) and account in ("", o.account)]

    def waiting(self, symbol: str = "", account: str = "") -> list[Conditional]:
        """Conditional orders that were not reached yet, the oldest first."""
        found = (self.conditionals[number] for number in self._waiting)
        return [c for c in found if symbol in ("", c.symbol) and account in ("", c.account)]

    def fills_of(self, order_id: int) -> list[Fill]:
        """The fills of an order, the oldest first."""
        return [fill for fill in self.fills if fill.order_id == order_id]

    def left_of(self, symbol: str, candle: int, volume: Decimal) -> Decimal:
        """How much of a candle's volume may still be taken."""
        opened, taken = self._taken.get(symbol, (candle, ZERO))
        allowed = volume * self.terms.share(symbol, candle)
        return max(allowed - (taken if opened == candle else ZERO), ZERO)

    def fillable(self, order: orders.Order) -> Decimal:
        """How much of an order may be filled now: what is left."""
        return order.remaining

    def position(self, account: str, symbol: str) -> Position:
        """What an account holds of a symbol."""
        return self.positions.get((account, symbol), Position())

    def held(self, symbol: str = "") -> list[tuple[str, str]]:
        """The accounts and symbols with an open position."""
        return [key for key, p in self.positions.items() if p.is_open and symbol in ("", key[1])]

    def leverage(self, account: str, symbol: str) -> int:
        """The leverage that an account chose of a symbol."""
        return self.leverages.get((account, symbol), USUAL_LEVERAGE)

    def free(self, account: str, asset: str) -> Decimal:
        """What of a wallet secures no position."""
        margins = (
            position.margin
            for (name, symbol), position in self.positions.items()
            if name == account and self.rules[symbol].settle == asset
        )
        return self.wallets[account, asset] - sum(margins, ZERO)

    def ordered(self, account: str, symbol: str, *also: Order) -> Decimal:
        """The margin that open orders of a symbol ask for, as if `also` were among them."""
        worth = {Side.BUY: ZERO, Side.SELL: ZERO}
        for order in (*self.open_orders(symbol, account), *also):
            if not order.reduce_only:
                worth[order.side] += order.price * order.remaining
        held = self.position(account, symbol).cost
        largest = max(abs(held + worth[Side.BUY]), abs(held - worth[Side.SELL]))
        return initial_margin(max(largest - abs(held), ZERO), self.leverage(account, symbol))

    def available(self, account: str, asset: str) -> Decimal:
        """What of a wallet is free for new orders."""
        symbols = {order.symbol for order in self.open_orders(account=account)}
        mine = [symbol for symbol in symbols if self.rules[symbol].settle == asset]
        return self.free(account, asset) - sum(
            (self.ordered(account, symbol) for symbol in mine), ZERO
        )

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
        """Trade a part of an order; of one that only reduces, no more than there is to reduce."""
        order = self.orders[order_id]
        position = self.position(order.account, order.symbol)
        if order.reduce_only:
            quantity = min(quantity, position.reducible(order.side))
        if not order.is_open or not quantity:
            return
        quote = floor(price * quantity)
        commission = ceiling(quote * (self.fees.maker if maker else self.fees.taker))
        _, realised, _ = position.trade(order.side, quantity, quote, at)
        fill = Fill(
            id=len(self.fills) + 1,
            order_id=order_id,
            price=price,
            quantity=quantity,
            quote=quote,
            commission=commission,
            commission_asset=self.rules[order.symbol].settle,
            maker=maker,
            at=at,
            candle=candle,
            realised=realised,
        )
        self.record(Traded(fill))
        self._expire_idle(order.account, order.symbol, at)

    def _expire_idle(self, account: str, symbol: str, at: int) -> None:
        """Orders that only reduce end when there is nothing left to reduce."""
        position = self.position(account, symbol)
        for order in self.open_orders(symbol, account):
            if order.reduce_only and not position.reducible(order.side):
                self.record(Closed(order.id, Standing.EXPIRED, at))

    def _apply(self, event: FuturesEvent) -> None:
        match event:
            case Deposited(account, asset, amount, at):
                self._pay(account, "", asset, Source.TRANSFER, amount, at)
            case Levered(account, symbol, leverage):
                self.leverages[account, symbol] = leverage
            case Placed(order):
                self._put(order)
            case Traded(fill):
                self._trade(fill)
            case Closed(order_id, standing, at):
                self._put(replace(self.orders[order_id], standing=standing, updated_at=at))
            case Awaited(conditional):
                self._await(conditional)
            case Ended(number, phase, order_id, at):
                self._end(number, phase, order_id, at)
            case Funded(account, symbol, amount, _, _, at):
                asset = self.rules[symbol].settle
                self._pay(account, symbol, asset, Source.FUNDING_FEE, amount, at)
                self._cover(account, symbol, at)
            case Cleared(account, symbol, amount, at):
                asset = self.rules[symbol].settle
                self._pay(account, symbol, asset, Source.INSURANCE_CLEAR, amount, at)

    def _put(self, order: Order) -> None:
        self.orders[order.id] = order
        if order.is_open:
            self._open[order.id] = None
        else:
            self._open.pop(order.id, None)

    def _await(self, conditional: Conditional) -> None:
        self.conditionals[conditional.id] = conditional
        self._waiting[conditional.id] = None

    def _end(self, number: int, phase: Phase, order_id: int | None, at: int) -> None:
        self._waiting.pop(number, None)
        was = self.conditionals[number]
        fired = at if phase is Phase.TRIGGERED else 0
        self.conditionals[number] = replace(
            was, phase=phase, order_id=order_id, updated_at=at, triggered_at=fired
        )

    def _trade(self, fill: Fill) -> None:
        order = self.orders[fill.order_id]
        executed = order.executed + fill.quantity
        whole = executed == order.quantity
        standing = Standing.FILLED if whole else Standing.PARTIALLY_FILLED
        quote = order.quote + fill.quote
        self._put(
            replace(order, executed=executed, quote=quote, standing=standing, updated_at=fill.at)
        )
        self.fills.append(fill)
        self._settle(order, fill)
        opened, taken = self._taken.get(order.symbol, (fill.candle, ZERO))
        before = taken if opened == fill.candle else ZERO
        # What the exchange liquidates does not come out of the market's volume.
        volume = ZERO if order.liquidates else fill.quantity
        self._taken[order.symbol] = fill.candle, before + volume

    def _settle(self, order: Order, fill: Fill) -> None:
        """Move the position, and the money: profit, fee, and the margin of what was opened."""
        account, symbol, key = order.account, order.symbol, (order.account, order.symbol)
        asset = self.rules[symbol].settle
        position, _, opened = self.positions[key].trade(
            order.side, fill.quantity, fill.quote, fill.at
        )
        self.positions[key] = position
        self._pay(account, symbol, asset, Source.REALIZED_PNL, fill.realised, fill.at, fill.id)
        self._pay(account, symbol, asset, Source.COMMISSION, -fill.commission, fill.at, fill.id)
        needed = initial_margin(opened, self.leverage(account, symbol))
        put_up = max(min(needed, self.free(account, asset)), ZERO)
        self.positions[key] = replace(position, margin=position.margin + put_up)
        self._cover(account, symbol, fill.at)

    def _cover(self, account: str, symbol: str, at: int) -> None:
        """What a wallet lacks is taken from the margin, and then from the insurance fund."""
        asset, key = self.rules[symbol].settle, (account, symbol)
        lacking, position = -self.free(account, asset), self.positions[key]
        if lacking <= 0:
            return
        taken = min(lacking, position.margin)
        self.positions[key] = replace(position, margin=position.margin - taken)
        if lacking > taken:
            self._pay(account, symbol, asset, Source.INSURANCE_CLEAR, lacking - taken, at)

    def _pay(
        self,
        account: str,
        symbol: str,
        asset: str,
        source: Source,
        amount: Decimal,
        at: int,
        fill_id: int = 0,
    ) -> None:
        """Change a wallet; a counter of the exchange changes as much the other way."""
        if not amount:
            return
        self.wallets[account, asset] += amount
        self.counters[_COUNTERS[source]] -= amount
        number = len(self.incomes) + 1
        self.incomes.append(Income(number, account, symbol, source, asset, amount, at, fill_id))
