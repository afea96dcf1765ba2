"""Ends an orphan straight at the exchange: cancels its order, and sells what it bought.

Orders that are sent from here carry the orphan's name, so that whoever comes after a kill -9, or
after an answer that was lost, sells nothing twice.
"""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from pipelines.domain.account import ZERO, ExchangeOrder, Lot
from pipelines.domain.entry import Orphaned
from pipelines.domain.known import base
from pipelines.domain.orphan import closing_name
from pipelines.errors import CannotTell
from runner.agent.books.client import Client

_TRIES = 5
"""A market order gets what the market has: the rest is sold by the next one."""


def close(client: Client, orphan: Orphaned, since: datetime) -> Decimal:
    """End it; what is left of it, in the base asset: less than can be sold.

    :raises CannotTell: when the exchange does not confirm that.
    """
    _cancel(client, orphan)
    lot, price = client.lots([orphan.pair])[orphan.pair], client.prices([orphan.pair])[orphan.pair]
    why = ""
    for _ in range(_TRIES):
        left, sent = _left(client, orphan, since)
        amount = _whole(min(left, _free(client, orphan)), lot)
        if left < lot.step or left < lot.least_amount or left * price < lot.least_cost:
            return left
        if not amount:
            break
        try:
            _sell(client, orphan, amount, sent)
        except CannotTell as error:
            # The answer alone may be lost: whether it was sold is asked again.
            why = f": {error.message}"
    raise CannotTell(f"orphan {orphan.orphan}: {left:f} of {orphan.pair} is not sold{why}")


def _cancel(client: Client, orphan: Orphaned) -> None:
    for order in client.open_orders([orphan.pair]):
        if order.id == orphan.order:
            client.ask("cancel_order", order.id, order.pair)


def _left(client: Client, orphan: Orphaned, since: datetime) -> tuple[Decimal, int]:
    """What is still there of it, by the exchange's own fills, and how many orders were sent."""
    if orphan.side == "sell":
        return ZERO, 0
    orders = client.orders(orphan.pair, since)
    own = {order.id for order in orders if order.id == orphan.order}
    ours = {order.id for order in orders if _is_ours(order, orphan)}
    # Of coins without an order only the amount is known; of an order it may have grown.
    there = ZERO if own else orphan.amount
    for fill in client.fills(orphan.pair, since) if own or ours else ():
        fee = fill.fee if fill.fee_asset == base(fill.pair) else ZERO
        there += fill.amount - fee if fill.order_id in own else ZERO
        there -= fill.amount if fill.order_id in ours else ZERO
    if orphan.order and not own:
        raise CannotTell(f"orphan {orphan.orphan}: its order {orphan.order} is not told any more")
    # Since then a bot may have paid fees of its own with it.
    return (min(there, orphan.amount) if own and not orphan.waiting else there), len(ours)


def _is_ours(order: ExchangeOrder, orphan: Orphaned) -> bool:
    return order.client_id.startswith(closing_name(orphan.orphan))


def _free(client: Client, orphan: Orphaned) -> Decimal:
    held = client.balances().get(base(orphan.pair))
    return held.free if held else ZERO


def _whole(amount: Decimal, lot: Lot) -> Decimal:
    steps = (amount / lot.step).to_integral_value(ROUND_DOWN) if lot.step else amount
    return steps * (lot.step or 1)


def _sell(client: Client, orphan: Orphaned, amount: Decimal, number: int) -> None:
    name = {"clientOrderId": f"{closing_name(orphan.orphan)}{number}"}
    client.ask("create_order", orphan.pair, "market", "sell", float(amount), None, params=name)
