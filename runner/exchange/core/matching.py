"""Orders meet the market: at once where they cross it, or along the path of a candle.

A resting order is filled at its own price, never better, for as long as the path lies beyond it.
An order that takes is filled at the market's price, never worse than its limit. Nobody gets more
than the share of the candle's volume that passed, nor all together more than the candle's share.
"""

from collections.abc import Callable
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
    floor,
)
from runner.exchange.core.path import Candle, Leg, legs
from runner.exchange.core.pit import Pit

Cut = tuple[int, Callable[[int, Decimal], None]]
"""A moment of a leg, and what happens then; it is told the moment and the price."""


def bid(price: Decimal, tick: Decimal, width: int = 1) -> Decimal:
    """What the market buys at when it last traded at `price`, which may lie between ticks."""
    return max(floor(price, tick) - (width - 1) // 2 * tick, tick)


def ask(price: Decimal, tick: Decimal, width: int = 1) -> Decimal:
    """What the market sells at: `width` ticks above its bid."""
    return bid(price, tick, width) + width * tick


def quotes(
    book: Pit, symbol: str, price: Decimal, candle: Candle | None
) -> tuple[Decimal, Decimal]:
    """What the market buys at, and what it sells at."""
    tick = book.rules[symbol].tick
    width = book.terms.width(symbol, candle.opens if candle else 0, price, tick)
    return bid(price, tick, width), ask(price, tick, width)


def touch(book: Pit, order: Order, price: Decimal, candle: Candle | None) -> Decimal:
    """The best price that an order would get if it took now."""
    return quotes(book, order.symbol, price, candle)[order.side is Side.BUY]


def crosses(book: Pit, order: Order, price: Decimal, candle: Candle | None) -> bool:
    """True when an order would be filled at once."""
    if order.kind is Kind.MARKET:
        return True
    offered = touch(book, order, price, candle)
    return order.price >= offered if order.side is Side.BUY else order.price <= offered


def reached(order: Order, price: Decimal) -> bool:
    """True when the price is at or beyond the stop of an order."""
    return price >= order.stop_price if order.side is Side.BUY else price <= order.stop_price


def available(book: Pit, symbol: str, candle: Candle | None) -> Decimal:
    """What may be taken now, in whole lots. Without a candle nothing is traded."""
    if candle is None:
        return ZERO
    left = book.left_of(symbol, candle.opens, candle.volume)
    return floor(left, book.rules[symbol].step)


def offer(
    book: Pit, order: Order, price: Decimal, candle: Candle | None
) -> tuple[Decimal, Decimal]:
    """How much of an order would be filled if it took now, and at which price."""
    best = touch(book, order, price, candle)
    quantity = min(book.fillable(order), available(book, order.symbol, candle))
    if candle is None or quantity <= 0 or not book.terms.slippage:
        return quantity, best
    return _slip(book, order, candle, quantity, best)


def _slip(
    book: Pit, order: Order, candle: Candle, quantity: Decimal, best: Decimal
) -> tuple[Decimal, Decimal]:
    """What is taken moves the price; as much is taken as the limit allows."""
    rules, terms = book.rules[order.symbol], book.terms
    allowed = candle.volume * terms.share(order.symbol, candle.opens)
    taken = allowed - book.left_of(order.symbol, candle.opens, candle.volume)
    if order.kind is not Kind.MARKET:
        room = abs(order.price - best) / (best * terms.slippage) * allowed - taken
        most = floor(max(room, ZERO), rules.step)
        if quantity >= most:
            return most, order.price
    return quantity, terms.slipped(order.side, best, (taken + quantity) / allowed, rules.tick)


def take(book: Pit, order_id: int, price: Decimal, candle: Candle | None, at: int) -> None:
    """Fill what crosses the market, as far as there is volume; what may not wait expires."""
    order = book.orders[order_id]
    if candle is not None and crosses(book, order, price, candle):
        quantity, offered = offer(book, order, price, candle)
        whole = quantity == order.remaining
        if quantity > 0 and (whole or order.time_in_force is not TimeInForce.FOK):
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

    def next_stop(part: Leg) -> Cut | None:
        found = _next_stop(book, symbol, part)
        return found and (
            found[0],
            lambda at, price: _trigger(book, found[1].id, candle, at, price),
        )

    follow(leg, next_stop, lambda part: rest(book, symbol, candle, part))


def follow(leg: Leg, cut: Callable[[Leg], Cut | None], fill: Callable[[Leg], None]) -> None:
    """One leg: `fill` gets its parts, and between them happens what `cut` finds."""
    while (found := cut(leg)) is not None:
        at, happen = found
        if at > leg.begins:
            fill(leg.part(leg.begins, at))
        # The moment is a whole millisecond: the price then may already be beyond the stop.
        happen(at, leg.price(at))
        if at >= leg.ends:
            return
        leg = leg.part(at, leg.ends)
    fill(leg)


def _trigger(book: Book, order_id: int, candle: Candle, at: int, price: Decimal) -> None:
    book.record(Triggered(order_id, at))
    take(book, order_id, price, candle, at)


def _next_stop(book: Book, symbol: str, leg: Leg) -> tuple[int, Order] | None:
    stops = [order for order in book.open_orders(symbol) if order.waiting]
    found = [
        (leg.reaches(order.stop_price, upwards=order.side is Side.BUY), order) for order in stops
    ]
    hit = [(at, order) for at, order in found if at is not None]
    return min(hit, key=lambda each: (each[0], each[1].id), default=None)


def rest(book: Pit, symbol: str, candle: Candle, leg: Leg) -> None:
    """Fill resting orders along a leg without stops, the better price first, then the older."""
    orders = [order for order in book.open_orders(symbol) if not order.waiting]
    buys = sorted((o for o in orders if o.side is Side.BUY), key=lambda o: (-o.price, o.id))
    sells = sorted((o for o in orders if o.side is Side.SELL), key=lambda o: (o.price, o.id))
    for side in (buys, sells):
        passed = ZERO
        for order in side:
            passed += _fill_resting(book, order, candle, leg, passed)


def _fill_resting(book: Pit, order: Order, candle: Candle, leg: Leg, passed: Decimal) -> Decimal:
    """Fill one order with what the leg traded beyond its price and others did not take."""
    share = book.terms.share(order.symbol, candle.opens)
    beyond = leg.share_below if order.side is Side.BUY else leg.share_above
    volume = beyond(order.price) * leg.volume * share - passed
    step = book.rules[order.symbol].step
    left = min(floor(volume, step), available(book, order.symbol, candle))
    quantity = min(book.fillable(order), left)
    if quantity <= 0:
        return ZERO
    book.fill(order.id, order.price, quantity, maker=True, at=leg.ends, candle=candle.opens)
    return quantity
