"""The futures wallets of accounts, as the control port sees them."""

from collections import defaultdict
from decimal import Decimal

from pipelines.errors import Problem
from runner.exchange.core.futures.events import Deposited
from runner.exchange.futures.floor import Floor
from runner.exchange.messages import FuturesState, NewAccount
from runner.exchange.venue import Venue


def deposits(venue: Venue, asked: NewAccount) -> tuple[Deposited, ...]:
    """What a new account has in its futures wallet.

    :raises BadInput: when no futures are served, or none in that asset.
    """
    rules = venue.futures.book.rules.values() if venue.futures else ()
    settles = {each.settle for each in rules}
    for asset, amount in asked.futures.items():
        if asset not in settles:
            raise Problem(asked.name, f"there are no futures in {asset} here", key="futures")
        if amount < 0 or amount != round(amount, 8):
            raise Problem(asked.name, "should be a positive amount with 8 decimals", key=asset)
    return tuple(
        Deposited(asked.name, asset, amount, venue.now) for asset, amount in asked.futures.items()
    )


def futures_state(floor: Floor) -> FuturesState:
    """How futures stand."""
    book = floor.book
    wallets: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    positions: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    for (name, asset), amount in sorted(book.wallets.items()):
        wallets[name][asset] = amount
    for name, symbol in sorted(book.held()):
        positions[name][symbol] = book.position(name, symbol).size
    return FuturesState(
        symbols=tuple(floor.marks),
        orders=len(book.orders),
        open_orders=len(book.open_orders()),
        waiting=len(book.waiting()),
        fills=len(book.fills),
        wallets=dict(wallets),
        positions=dict(positions),
        counters=dict(sorted(book.counters.items())),
    )
