"""Everything that the exchange's book knows of one account, for whoever compares it."""

from collections import defaultdict
from decimal import Decimal

from pipelines.errors import Problem
from runner.exchange import answers
from runner.exchange.core.orders import ZERO, Funded, Order
from runner.exchange.messages import AccountBook, BookedFill, BookedOrder, Whose
from runner.exchange.venue import Venue


def account_book(venue: Venue, whose: Whose) -> AccountBook:
    """The book of the account that is meant.

    :raises BadInput: when there is none.
    """
    book = venue.book
    if whose.account is None:
        account, asked = book.account_of(whose.key or ""), "has this key"
    else:
        account, asked = book.accounts.get(whose.account), f"is called {whose.account!r}"
    if account is None:
        raise Problem("book", f"no account {asked}", hint=f"there are {', '.join(book.accounts)}")
    mine = [order for order in book.orders.values() if order.account == account.name]
    numbers = {order.id for order in mine}
    held = book.balances[account.name].items()
    return AccountBook(
        account=account.name,
        deposits=_deposits(venue, account.name),
        balances={asset: balance.free + balance.locked for asset, balance in held},
        orders=tuple(_order(venue, order) for order in mine),
        fills=tuple(
            BookedFill(
                order=fill.order_id,
                quantity=fill.quantity,
                quote=fill.quote,
                commission=fill.commission,
                asset=answers.trade(book, fill)["commissionAsset"],
            )
            for fill in book.fills
            if fill.order_id in numbers
        ),
    )


def _order(venue: Venue, order: Order) -> BookedOrder:
    rules = venue.book.rules[order.symbol]
    return BookedOrder(
        id=order.id,
        base=rules.base,
        quote_asset=rules.quote,
        side=order.side,
        kind=order.kind,
        standing=order.standing,
        price=order.price,
        stop_price=order.stop_price,
        quantity=order.quantity,
        executed=order.executed,
        quote=order.quote,
    )


def _deposits(venue: Venue, account: str) -> dict[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for event in venue.journal.events():
        if isinstance(event, Funded) and event.account == account:
            found[event.asset] += event.amount
    return dict(found)
