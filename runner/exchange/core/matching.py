"""Orders meet the market: at once where they cross it, or along the path of a candle.

A resting order is filled at its own price, never better, for as long as the path lies beyond it.
An order that takes is filled at the market's price, never worse than its limit. Nobody gets more
than the share of the candle's volume that passed, nor all together more than the candle's share.
"""

from decimal import Decimal

from runner.exchange.core.book import Book
from runner.exchange.core.orders import (
    ZERO,
    Closed,
    Kind,
    Order,
    Side,
    Standing,
    TimeInForce,
    Triggered,
    ceiling,
    floor,
)
from runner.exchange.core.path import Candle, Leg, legs


def bid(price: Decimal, tick: Decimal) -> Decimal:
    """What the market buys at when it last traded at `price`, which may lie between ticks."""
    return floor(price, tick)


def ask(price: Decimal, tick: Decimal) -> Decimal:
    """What the market sells at: one tick above its bid."""
    return bid(price, tick) + tick


def touch(book: Book, order: Order, price: Decimal) -> Decimal:
    """The price that an order would get if it took now."""
    tick = book.rules[order.symbol].tick
    return ask(price, tick) if order.side is Side.BUY else bid(price, tick)


def crosses(book: Book, order: Order, price: Decimal) -> bool:
    """True when an order would be filled at once."""
    if order.kind is Kind.MARKET:
        return True
    offered = touch(book, order, price)
    return order.price >= offered if order.side is Side.BUY else order.price <= offered


def reached(order: Order, price: Decimal) -> bool:
    """True when the price is at or beyond the stop of an order."""
    return price >= order.stop_price if order.side is Side.BUY else price <= order.stop_price


def available(book: Book, symbol: str, candle: Candle | None) -> Decimal:
    """What may be taken now, in whole lots. Without a candle nothing is traded."""
    if candle is None:
        return ZERO
    left = book.left_of(symbol, candle.opens, candle.volume)
    return floor(left, book.rules[symbol].step)


def take(book: Book, order_id: int, price: Decimal, candle: Candle | None, at: int) -> None:
    """Fill what crosses the market, as far as there is volume; what may not wait expires."""
    order = book.orders[order_id]
    quantity = min(book.fillable(order), available(book, order.symbol, candle))
    whole = quantity == order.remaining
    wanted = quantity > 0 and (whole or order.time_in_force is not TimeInForce.FOK)
    if candle is not None and wanted and crosses(book, order, price):
        offered = touch(book, order, price)
        book.fill(order_id, offered, quantity, maker=False, at=at, candle=candle.opens)
    waits = order.kind is not Kind.MARKET and order.time_in_force is TimeInForce.GTC
    if book.orders[order_id].is_open and not waits:
        book.record(Closed(order_id, Standing.EXPIRED, at))


def advance(book: Book, symbol: str, candle: Candle, begins: int, ends: int) -> None:
    """Fill and trigger what the path between two moments of a candle reaches."""
    if not book.open_orders(symbol):
        return
    for leg in legs(candle, begins, ends):
        _follow(book, symbol, candle, leg)


def _follow(book: Book, symbol: str, candle: Candle, leg: Leg) -> None:
    """One leg, cut wherever it reaches a stop."""
    while (found := _next_stop(book, symbol, leg)) is not None:
        at, order = found
        if at > leg.begins:
            _rest(book, symbol, candle, leg.part(leg.begins, at))
        book.record(Triggered(order.id, at))
        # The moment is a whole millisecond: the price then may already be beyond the stop.
        take(book, order.id, leg.price(at), candle, at)
        if at >= leg.ends:
            return
        leg = leg.part(at, leg.ends)
    _rest(book, symbol, candle, leg)


def _next_stop(book: Book, symbol: str, leg: Leg) -> tuple[int, Order] | None:
    stops = [order for order in book.open_orders(symbol) if order.waiting]
    found = [(_moment(leg, order), order) for order in stops]
    hit = [(at, order) for at, order in found if at is not None]
    return min(hit, key=lambda each: (each[0], each[1].id), default=None)


def _moment(leg: Leg, order: Order) -> int | None:
    """The first millisecond of a leg at which a stop is reached."""
    if reached(order, leg.start):
        return leg.begins
    if not reached(order, leg.end):
        return None
    passed = (order.stop_price - leg.start) / (leg.end - leg.start)
    return leg.begins + int(ceiling(passed * (leg.ends - leg.begins), Decimal(1)))


def _rest(book: Book, symbol: str, candle: Candle, leg: Leg) -> None:
    """Fill resting orders along a leg without stops, the better price first, then the older."""
    orders = [order for order in book.open_orders(symbol) if not order.waiting]
    buys = sorted((o for o in orders if o.side is Side.BUY), key=lambda o: (-o.price, o.id))
    sells = sorted((o for o in orders if o.side is Side.SELL), key=lambda o: (o.price, o.id))
    for side in (buys, sells):
        passed = ZERO
        for order in side:
            passed += _fill_resting(book, order, candle, leg, passed)


def _fill_resting(book: Book, order: Order, candle: Candle, leg: Leg, passed: Decimal) -> Decimal:
    """Fill one order with what the leg traded beyond its price and others did not take."""
    beyond = leg.share_below if order.side is Side.BUY else leg.share_above
    volume = beyond(order.price) * leg.volume * book.terms.volume_share - passed
    step = book.rules[order.symbol].step
    left = min(floor(volume, step), available(book, order.symbol, candle))
    quantity = min(book.fillable(order), left)
    if quantity <= 0:
        return ZERO
    book.fill(order.id, order.price, quantity, maker=True, at=leg.ends, candle=candle.opens)
    return quantity
