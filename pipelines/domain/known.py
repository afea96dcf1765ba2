"""What a bot knows of its own trading: its trades and orders, as it wrote them down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class KnownOrder:
    """An order of a trade. `fee` is what was kept of what it bought, none while that is unknown."""

    id: str
    is_entry: bool
    is_stop: bool
    is_open: bool
    amount: Decimal
    filled: Decimal
    fee: Decimal | None = None


@dataclass(frozen=True)
class KnownTrade:
    """A trade, with its orders in their order."""

    id: int
    pair: str
    is_open: bool
    is_short: bool
    opened_at: datetime
    orders: tuple[KnownOrder, ...] = ()

    @property
    def is_unsettled(self) -> bool:
        """True while one of its orders may still be filled, as far as its bot knows."""
        return any(order.is_open for order in self.orders)


@dataclass(frozen=True)
class BotBook:
    """What one bot knows. `trades` are those that are open, or have an open order.

    `orders` are the numbers of all orders ever, `pairs` what it trades now or ever did, `leftovers`
    the most that its closed trades can have left of each asset. `stops_on_exchange` says that each
    open trade has to have its stop there.
    """

    environment: str
    strategy: str
    pairs: frozenset[str]
    trades: tuple[KnownTrade, ...] = ()
    orders: frozenset[str] = frozenset()
    leftovers: Mapping[str, Decimal] = field(default_factory=dict)
    stops_on_exchange: bool = False


def base(pair: str) -> str:
    """The asset that is bought with a pair."""
    return pair.partition("/")[0]


def known_ids(books: Iterable[BotBook]) -> frozenset[str]:
    """The numbers of all orders that any of these bots knows."""
    return frozenset().union(*(each.orders for each in books))
