"""New orders, and what an account sets before it: what is accepted, and what is refused."""

from dataclasses import dataclass, replace
from decimal import Decimal

from runner.exchange.core import matching
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.events import (
    FIRST_CONDITIONAL,
    Awaited,
    Conditional,
    Ended,
    Levered,
    Order,
    Phase,
    Placed,
    Trigger,
    WorkingType,
)
from runner.exchange.core.orders import ZERO, Closed, Kind, Side, Standing, TimeInForce
from runner.exchange.core.path import Candle
from runner.exchange.core.rejection import Rejection, missing


@dataclass(frozen=True)
class Market:
    """How a contract stands: the last price, the mark price, and the open candle, if any."""

    price: Decimal
    mark: Decimal
    candle: Candle | None


@dataclass(frozen=True)
class Wish:
    """An order as it was asked for. With a `trigger` it waits for `trigger_price`."""

    symbol: str
    side: Side
    kind: Kind
    quantity: Decimal | None
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    reduce_only: bool = False
    client_id: str = ""
    trigger: Trigger | None = None
    trigger_price: Decimal | None = None
    working_type: WorkingType = WorkingType.CONTRACT_PRICE


def place(book: Book, account: str, wish: Wish, market: Market, now: int) -> Order:
    """Take an order into the book and fill what crosses the market.

    :raises Rejection: when the exchange does not take it; the book is then as it was.
    """
    _check_shape(wish)
    order = _asked(book, account, wish, now)
    _check_filters(book, order, market)
    if _is_twin(book, account, wish.client_id):
        raise Rejection(-4116, "ClientOrderId is duplicated.")
    if wish.post_only and matching.crosses(book, order, market.price, market.candle):
        text = "Due to the order could not be executed as maker, the Post Only order will be "
        raise Rejection(
            -5022, text + "rejected. The order will not be recorded in the order history"
        )
    check_margin(book, order, market.price, market.candle)
    return _enter(book, order, market.price, market.candle, now)


def await_price(book: Book, account: str, wish: Wish, market: Market, now: int) -> Conditional:
    """Take a conditional order.

    :raises Rejection: when the exchange does not take it; the book is then as it was.
    """
    if wish.trigger is None or wish.trigger_price is None:
        raise missing("triggerPrice" if wish.trigger else "type")
    _check_shape(wish)
    rules = book.rules[wish.symbol]
    rules.check_quantity(wish.quantity or ZERO)
    rules.check_price(wish.trigger_price)
    if wish.trigger is Trigger.STOP:
        rules.check_price(wish.price or ZERO)
    if any(c.client_id == wish.client_id for c in book.waiting(account=account)):
        raise Rejection(-4116, "ClientOrderId is duplicated.")
    by_mark = wish.working_type is WorkingType.MARK_PRICE
    if triggers(wish.side, wish.trigger_price, market.mark if by_mark else market.price):
        raise Rejection(-2021, "Order would immediately trigger.")
    number = FIRST_CONDITIONAL + len(book.conditionals) + 1
    conditional = Conditional(
        id=number,
        client_id=wish.client_id or f"x-{number}",
        account=account,
        symbol=wish.symbol,
        side=wish.side,
        kind=wish.trigger,
        working_type=wish.working_type,
        trigger_price=wish.trigger_price,
        price=wish.price or ZERO,
        quantity=wish.quantity or ZERO,
        reduce_only=wish.reduce_only,
        placed_at=now,
        updated_at=now,
    )
    book.record(Awaited(conditional))
    return conditional


def triggers(side: Side, level: Decimal, price: Decimal) -> bool:
    """True when the price is at or beyond what a stop of this side waits for."""
    return price >= level if side is Side.BUY else price <= level


def fire(book: Book, waiting: Conditional, candle: Candle, at: int, price: Decimal) -> None:
    """Let a conditional order become an order; what may not be ordered any more is rejected."""
    number = len(book.orders) + 1
    order = Order(
        id=number,
        client_id=waiting.client_id,
        account=waiting.account,
        symbol=waiting.symbol,
        side=waiting.side,
        kind=Kind.LIMIT if waiting.kind is Trigger.STOP else Kind.MARKET,
        time_in_force=TimeInForce.GTC,
        price=waiting.price,
        quantity=waiting.quantity,
        stop_price=waiting.trigger_price,
        placed_at=at,
        updated_at=at,
        reduce_only=waiting.reduce_only,
    )
    try:
        check_margin(book, order, price, candle)
    except Rejection as refused:
        gone = refused.code == -2022
        phase = Phase.EXPIRED if gone else Phase.REJECTED
        book.record(Ended(waiting.id, phase, None, at))
        return
    book.record(Ended(waiting.id, Phase.TRIGGERED, number, at))
    _enter(book, order, price, candle, at)


def cancel(book: Book, order: Order, now: int) -> Order:
    """Take an order out of the book.

    :raises Rejection: when it is no longer open.
    """
    if not order.is_open:
        raise unknown_order()
    book.record(Closed(order.id, Standing.CANCELED, now))
    return book.orders[order.id]


def drop(book: Book, waiting: Conditional, now: int) -> Conditional:
    """Let a conditional order wait no longer.

    :raises Rejection: when it does not wait.
    """
    if waiting.phase is not Phase.NEW:
        raise unknown_order()
    book.record(Ended(waiting.id, Phase.CANCELED, None, now))
    return book.conditionals[waiting.id]


def lever(book: Book, account: str, symbol: str, leverage: int, mark: Decimal) -> None:
    """Choose the leverage of a symbol, for what is opened from now on.

    :raises Rejection: when the contract does not allow it, or a position stands in the way.
    """
    rules, position = book.rules[symbol], book.position(account, symbol)
    if not 1 <= leverage <= min(rules.brackets[0].leverage, 125):
        raise Rejection(-4028, f"Leverage {leverage} is not valid")
    if position.is_open and leverage < book.leverage(account, symbol):
        text = "Leverage reduction is not supported in Isolated Margin Mode with open positions"
        raise Rejection(-4161, text)
    if abs(position.size) * mark > rules.largest(leverage):
        raise _too_large()
    if leverage != book.leverage(account, symbol):
        book.record(Levered(account, symbol, leverage))


def check_margin(book: Book, order: Order, price: Decimal, candle: Candle | None) -> None:
    """Refuse what the account cannot secure, or what has nothing to reduce.

    :raises Rejection: when it cannot be opened.
    """
    position = book.position(order.account, order.symbol)
    if order.reduce_only:
        if not position.reducible(order.side):
            raise Rejection(-2022, "ReduceOnly Order is rejected.")
        return
    rules = book.rules[order.symbol]
    bound = order.price or matching.offer(book, order, price, candle)[1]
    bounded = replace(order, price=bound)
    sign = 1 if order.side is Side.BUY else -1
    after = abs(position.size + sign * order.remaining) * bound
    if after > rules.largest(book.leverage(order.account, order.symbol)):
        raise _too_large()
    others = book.available(order.account, rules.settle)
    others += book.ordered(order.account, order.symbol)
    if others < book.ordered(order.account, order.symbol, bounded):
        raise Rejection(-2019, "Margin is insufficient.")


def _enter(book: Book, order: Order, price: Decimal, candle: Candle | None, at: int) -> Order:
    book.record(Placed(order))
    matching.take(book, order.id, price, candle, at)
    return book.orders[order.id]


def _check_shape(wish: Wish) -> None:
    """What each type of order needs, and what it may not have."""
    limit = wish.kind is Kind.LIMIT
    if wish.quantity is None:
        raise missing("quantity")
    if limit and wish.price is None:
        raise missing("price")
    if limit and wish.time_in_force is None:
        raise missing("timeInForce")
    if not limit and wish.price is not None:
        raise Rejection(-1106, "Parameter 'price' sent when not required.")


def _asked(book: Book, account: str, wish: Wish, now: int) -> Order:
    number = len(book.orders) + 1
    return Order(
        id=number,
        client_id=wish.client_id or f"x-{number}",
        account=account,
        symbol=wish.symbol,
        side=wish.side,
        kind=wish.kind,
        time_in_force=wish.time_in_force or TimeInForce.GTC,
        price=wish.price or ZERO,
        quantity=wish.quantity or ZERO,
        stop_price=ZERO,
        placed_at=now,
        updated_at=now,
        reduce_only=wish.reduce_only,
        post_only=wish.post_only,
    )


def _check_filters(book: Book, order: Order, market: Market) -> None:
    rules = book.rules[order.symbol]
    rules.check_quantity(order.quantity)
    if order.kind is Kind.LIMIT:
        rules.check_price(order.price)
        rules.check_distance(order.side, order.price, market.mark)
    if not order.reduce_only:
        rules.check_notional((order.price or market.price) * order.quantity)


def _is_twin(book: Book, account: str, client_id: str) -> bool:
    mine = book.open_orders(account=account)
    return bool(client_id) and any(order.client_id == client_id for order in mine)


def _too_large() -> Rejection:
    return Rejection(-2027, "Exceeded the maximum allowable position at current leverage.")


def unknown_order() -> Rejection:
    """There is no such open order."""
    return Rejection(-2011, "Unknown order sent.")
