"""What an exchange tells of one account. Amounts are in units of the asset, all of them exact."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]

ZERO = Decimal(0)


@dataclass(frozen=True)
class Holding:
    """What an account has of one asset: free to spend, and bound by open orders."""

    free: Decimal
    used: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.used


@dataclass(frozen=True)
class ExchangeOrder:
    """An order as the exchange has it. `status` and `kind` are ccxt's words for them.

    `price` is its limit, `average` what it was filled at, `stop_price` what it waits for.
    """

    id: str
    client_id: str
    pair: str
    side: Side
    kind: str
    status: str
    amount: Decimal
    filled: Decimal
    at: datetime
    price: Decimal | None = None
    average: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False

    @property
    def is_open(self) -> bool:
        """True while it may still be filled."""
        return self.status == "open"

    @property
    def remaining(self) -> Decimal:
        """What was not filled."""
        return self.amount - self.filled

    @property
    def is_stop(self) -> bool:
        """True when it waits for a price."""
        return self.stop_price is not None


@dataclass(frozen=True)
class Fill:
    """A part of an order that was traded, and its fee in units of `fee_asset`."""

    id: str
    order_id: str
    pair: str
    side: Side
    amount: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


@dataclass(frozen=True)
class Position:
    """An open position of futures. `amount` is in the base asset and never negative."""

    pair: str
    side: Literal["long", "short"]
    amount: Decimal
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    leverage: Decimal | None = None
    unrealised: Decimal | None = None


@dataclass(frozen=True)
class Lot:
    """What can be traded of a pair: in which steps, at least how much, and worth how much."""

    step: Decimal = ZERO
    least_amount: Decimal = ZERO
    least_cost: Decimal = ZERO
