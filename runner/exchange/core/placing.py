"""New orders and cancelled ones: what is accepted, and what Binance says to the rest."""

from dataclasses import dataclass, replace
from decimal import Decimal

from runner.exchange.core import matching
from runner.exchange.core.book import Book
from runner.exchange.core.orders import (
    ZERO,
    Accepted,
    Closed,
    Kind,
    Order,
    Side,
    Standing,
    TimeInForce,
    floor,
)
from runner.exchange.core.path import Candle
from runner.exchange.core.rejection import Rejection, closed, insufficient, missing


@dataclass(frozen=True)
class Wish:
    """An order as it was asked for; None where nothing was said.

    `spend` is the amount of quote asset that a MARKET order may cost instead of a quantity.
    """

    symbol: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    spend: Decimal | None = None
    client_id: str = ""


@dataclass(frozen=True)
class Market:
    """How a symbol stands: the last price, and the candle that is open, if there is one.

    `mean` is what its price was on average of late, where filters ask for that.
    """

    price: Decimal
    candle: Candle | None
    mean: Decimal | None = None

    @property
    def average(self) -> Decimal:
        """What filters compare with."""
        return self.price if self.mean is None else self.mean


def place(book: Book, account: str, wish: Wish, market: Market) -> Order:
    """Take an order into the book and fill what crosses the market.

    :raises Rejection: when the exchange does not take it; the book is then as it was.
    """
    order = _asked(book, account, wish, market)
    _check_filters(book, order, market)
    _check_market(book, order, market)
    _check_money(book, order, market)
    book.record(Accepted(order))
    if not order.waiting:
        matching.take(book, order.id, market.price, market.candle, book.now)
    return book.orders[order.id]


def cancel(book: Book, order: Order) -> Order:
    """Take an order out of the book.

    :raises Rejection: when it is no longer open.
    """
    if not order.is_open:
        raise Rejection(-2011, "Unknown order sent.")
    book.record(Closed(order.id, Standing.CANCELED, book.now))
    return book.orders[order.id]


def _asked(book: Book, account: str, wish: Wish, market: Market) -> Order:
    number = len(book.orders) + 1
    _check_shape(wish)
    order = Order(
        id=number,
        client_id=wish.client_id or f"x-{number}",
        account=account,
        symbol=wish.symbol,
        side=wish.side,
        kind=wish.kind,
        time_in_force=wish.time_in_force or TimeInForce.GTC,
        price=wish.price or ZERO,
        quantity=wish.quantity or ZERO,
        stop_price=wish.stop_price or ZERO,
        placed_at=book.now,
        updated_at=book.now,
        waiting=wish.kind is Kind.STOP_LOSS_LIMIT,
    )
    return order if wish.quantity is not None else _affordable(book, order, wish, market)


def _check_shape(wish: Wish) -> None:
    """What each type of order needs, and what it may not have."""
    limit = wish.kind is not Kind.MARKET
    timed = wish.kind in (Kind.LIMIT, Kind.STOP_LOSS_LIMIT)
    stop = wish.kind is Kind.STOP_LOSS_LIMIT
    given = {
        "timeInForce": (wish.time_in_force, timed),
        "price": (wish.price, limit),
        "stopPrice": (wish.stop_price, stop),
    }
    for name, (value, wanted) in given.items():
        if wanted and value is None:
            raise missing(name)
        if value is not None and not wanted:
            raise Rejection(-1106, f"Parameter '{name}' sent when not required.")
    if wish.quantity is None and (limit or wish.spend is None):
        raise missing("quantity")


def _affordable(book: Book, order: Order, wish: Wish, market: Market) -> Order:
    """The order with as much as can be had for what may be spent: rather less than more."""
    step, spend = book.rules[order.symbol].step, wish.spend or ZERO
    price = matching.touch(book, order, market.price, market.candle)
    order = replace(order, quantity=floor(spend / price, step))
    _, price = matching.offer(book, order, market.price, market.candle)
    return replace(order, quantity=floor(spend / price, step))


def _check_filters(book: Book, order: Order, market: Market) -> None:
    rules = book.rules[order.symbol]
    if not rules.trading:
        raise closed()
    rules.check_quantity(order.kind, order.quantity)
    if order.kind is Kind.MARKET:
        rules.worth.check(order.kind, market.average * order.quantity)
        return
    rules.check_price(order.price)
    if order.waiting:
        rules.check_price(order.stop_price, "stopPrice")
    rules.band.check(order.side, order.price, market.average)
    rules.worth.check(order.kind, order.price * order.quantity)
    mine = book.open_orders(order.symbol, order.account)
    rules.check_room(len(mine), sum(each.waiting for each in mine), stop=order.waiting)


def _check_market(book: Book, order: Order, market: Market) -> None:
    twin = (o for o in book.open_orders(account=order.account) if o.client_id == order.client_id)
    if next(twin, None):
        raise Rejection(-2010, "Duplicate order sent.")
    if order.kind is Kind.LIMIT_MAKER and matching.crosses(
        book, order, market.price, market.candle
    ):
        raise Rejection(-2010, "Order would immediately match and take.")
    if order.waiting and matching.reached(order, market.price):
        raise Rejection(-2010, "Stop price would trigger immediately.")


def _check_money(book: Book, order: Order, market: Market) -> None:
    rules = book.rules[order.symbol]
    if order.side is Side.SELL:
        asset, needed = rules.base, order.quantity
    elif order.kind is Kind.MARKET:
        _, price = matching.offer(book, order, market.price, market.candle)
        asset, needed = rules.quote, price * order.quantity
    else:
        asset, needed = rules.quote, order.price * order.quantity
    # A resting order locks whole units, so that is what has to be there.
    if book.balance(order.account, asset).free < max(needed, order.lock):
        raise insufficient()
