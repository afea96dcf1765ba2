"""Time passes: conditional orders are reached, positions liquidated, orders filled, funding paid.

The mark price has a path of its own where it was recorded as finely as prices; else it is the last
price.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_FLOOR, Decimal
from functools import partial

from runner.exchange.core import matching
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.events import (
    Cleared,
    Conditional,
    Ended,
    Funded,
    Order,
    Phase,
    Placed,
    WorkingType,
)
from runner.exchange.core.futures.placing import fire
from runner.exchange.core.orders import (
    UNIT,
    ZERO,
    Closed,
    Kind,
    Side,
    Standing,
    TimeInForce,
    ceiling,
    floor,
)
from runner.exchange.core.path import Candle, Leg, legs

Path = Callable[[int, int], Iterable[Leg]]
"""The mark price between two moments."""


def advance(
    book: Book, symbol: str, candle: Candle, begins: int, ends: int, marks: Path | None
) -> None:
    """Let happen what the path between two moments of a candle reaches."""
    cut = partial(_next, book, symbol, candle, marks)
    for leg in legs(candle, begins, ends):
        matching.follow(leg, cut, lambda part: matching.rest(book, symbol, candle, part))
        # What was opened on the way may be beyond its stop or its margin already.
        there = Leg(leg.ends, leg.ends, leg.end, leg.end, ZERO)
        while (found := cut(there)) is not None:
            found[1](leg.ends, leg.end)


def pay_funding(book: Book, symbol: str, rate: Decimal, mark: Decimal, at: int) -> None:
    """Who is long pays a share of the position's worth, who is short gets it; or the reverse."""
    for account, _ in book.held(symbol):
        owed = book.position(account, symbol).size * mark * rate
        amount = (-owed).quantize(UNIT, ROUND_FLOOR)
        book.record(Funded(account, symbol, amount, rate, mark, at))


def _next(
    book: Book, symbol: str, candle: Candle, marks: Path | None, leg: Leg
) -> matching.Cut | None:
    marked = [leg] if marks is None else list(marks(leg.begins, leg.ends))
    found: list[tuple[int, int, Callable[[int, Decimal], None]]] = []
    for account, _ in book.held(symbol):
        at = _liquidated_at(book, account, symbol, marked)
        if at is not None:
            found.append((at, 0, partial(_liquidate, book, account, symbol, candle)))
    for waiting in book.waiting(symbol):
        at = _triggered_at(waiting, leg, marked)
        if at is not None:
            found.append((at, waiting.id, partial(fire, book, waiting, candle)))
    first = min(found, key=lambda each: each[:2], default=None)
    return first and (first[0], first[2])


def _triggered_at(waiting: Conditional, leg: Leg, marked: list[Leg]) -> int | None:
    path = marked if waiting.working_type is WorkingType.MARK_PRICE else [leg]
    return _reached(path, waiting.trigger_price, upwards=waiting.side is Side.BUY)


def _liquidated_at(book: Book, account: str, symbol: str, marked: list[Leg]) -> int | None:
    position = book.position(account, symbol)
    level = position.liquidation(book.rules[symbol])
    return _reached(marked, level, upwards=position.size < 0) if level else None


def _reached(path: list[Leg], level: Decimal, *, upwards: bool) -> int | None:
    moments = (leg.reaches(level, upwards=upwards) for leg in path)
    return next((at for at in moments if at is not None), None)


def _liquidate(
    book: Book, account: str, symbol: str, candle: Candle, at: int, price: Decimal
) -> None:
    """Close a position whose margin is used up, with the orders beside it.

    The insurance fund takes its share of what is left, and pays what is lacking.
    """
    for order in book.open_orders(symbol, account):
        book.record(Closed(order.id, Standing.EXPIRED, at))
    for waiting in book.waiting(symbol, account):
        book.record(Ended(waiting.id, Phase.EXPIRED, None, at))
    rules, position = book.rules[symbol], book.position(account, symbol)
    side, quantity = position.closing, abs(position.size)
    offered = matching.quotes(book, symbol, price, candle)[side is Side.BUY]
    quote = floor(offered * quantity)
    _, realised, _ = position.trade(side, quantity, quote, at)
    left = position.margin + realised - ceiling(quote * book.fees.taker)
    book.record(Cleared(account, symbol, -min(left, ceiling(quote * rules.clearance)), at))
    order = Order(
        id=len(book.orders) + 1,
        client_id=f"autoclose-{at}",
        account=account,
        symbol=symbol,
        side=side,
        kind=Kind.LIMIT,
        time_in_force=TimeInForce.IOC,
        price=floor(position.bankruptcy(), rules.tick),
        quantity=quantity,
        stop_price=ZERO,
        placed_at=at,
        updated_at=at,
        reduce_only=True,
        liquidates=True,
    )
    book.record(Placed(order))
    book.fill(order.id, offered, quantity, maker=False, at=at, candle=candle.opens)
