"""Orders, conditional orders and fills of futures, and the events that their book is made of."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from runner.exchange.core import orders
from runner.exchange.core.orders import ZERO, Closed, Side


@dataclass(frozen=True)
class Order(orders.Order):
    """An order. `reduce_only`: it may make a position smaller, nothing else; `post_only`: it was
    accepted only because it did not take; `liquidates`: the exchange itself closes a position."""

    reduce_only: bool = False
    post_only: bool = False
    liquidates: bool = False


class Trigger(StrEnum):
    """The types of conditional orders: with a limit, or at the market's price."""

    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"


class WorkingType(StrEnum):
    """Which price triggers: that of the last trade, or the mark price."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class Phase(StrEnum):
    """Where a conditional order stands, in Binance's words."""

    NEW = "NEW"
    TRIGGERED = "TRIGGERED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


FIRST_CONDITIONAL = 10**12
"""Conditional orders are numbered from here: freqtrade keeps their numbers beside the others."""


@dataclass(frozen=True)
class Conditional:
    """An order that waits until a price is reached. `order_id` is the one that it then became.

    `price` is zero for STOP_MARKET; `triggered_at` as long as it waits.
    """

    id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    kind: Trigger
    working_type: WorkingType
    trigger_price: Decimal
    price: Decimal
    quantity: Decimal
    reduce_only: bool
    placed_at: int
    updated_at: int
    phase: Phase = Phase.NEW
    order_id: int | None = None
    triggered_at: int = 0


@dataclass(frozen=True)
class Fill(orders.Fill):
    """A part of an order that was traded. `realised` is the profit of what it closed."""

    realised: Decimal = ZERO


class Source(StrEnum):
    """Why a wallet changed, in Binance's words for income."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


@dataclass(frozen=True)
class Income:
    """One change of a wallet; negative is paid. `fill_id` is zero where no trade was its cause."""

    id: int
    account: str
    symbol: str
    source: Source
    asset: str
    amount: Decimal
    at: int
    fill_id: int = 0


@dataclass(frozen=True)
class Deposited:
    """A futures wallet was given money."""

    account: str
    asset: str
    amount: Decimal
    at: int
    event: Literal["deposited"] = "deposited"


@dataclass(frozen=True)
class Levered:
    """An account chose its leverage of a symbol."""

    account: str
    symbol: str
    leverage: int
    event: Literal["levered"] = "levered"


@dataclass(frozen=True)
class Placed:
    """An order was taken into the book."""

    order: Order
    event: Literal["placed"] = "placed"


@dataclass(frozen=True)
class Traded:
    """A part of an order was traded."""

    fill: Fill
    event: Literal["traded"] = "traded"


@dataclass(frozen=True)
class Awaited:
    """A conditional order was taken."""

    conditional: Conditional
    event: Literal["awaited"] = "awaited"


@dataclass(frozen=True)
class Ended:
    """A conditional order waits no longer; `order_id` is the order that it became, if it did."""

    conditional_id: int
    phase: Phase
    order_id: int | None
    at: int
    event: Literal["ended"] = "ended"


@dataclass(frozen=True)
class Funded:
    """Funding was paid (negative) or received for a position."""

    account: str
    symbol: str
    amount: Decimal
    rate: Decimal
    mark: Decimal
    at: int
    event: Literal["funding"] = "funding"


@dataclass(frozen=True)
class Cleared:
    """The insurance fund took (negative) or paid what a liquidation left."""

    account: str
    symbol: str
    amount: Decimal
    at: int
    event: Literal["cleared"] = "cleared"


FuturesEvent = Deposited | Levered | Placed | Traded | Closed | Awaited | Ended | Funded | Cleared


@dataclass(frozen=True)
class OnFutures:
    """Something happened in the book of futures: so it stands in the journal of all books."""

    what: FuturesEvent
    event: Literal["futures"] = "futures"
