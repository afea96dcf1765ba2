"""Orders, fills and balances, and the events that they are made of."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from enum import StrEnum
from typing import Literal

from runner.exchange.core.faults import Armed, Disarmed, Struck

UNIT = Decimal("1e-8")
"""The smallest part of an asset that the books keep."""

ZERO = Decimal(0)


def floor(amount: Decimal, step: Decimal = UNIT) -> Decimal:
    """The largest multiple of `step` that is not above `amount`."""
    return (amount / step).to_integral_value(ROUND_DOWN) * step


def ceiling(amount: Decimal, step: Decimal = UNIT) -> Decimal:
    """The smallest multiple of `step` that is not below `amount`."""
    return (amount / step).to_integral_value(ROUND_UP) * step


class Side(StrEnum):
    """What the account wants to do with the base asset."""

    BUY = "BUY"
    SELL = "SELL"


class Kind(StrEnum):
    """The types of orders that the exchange takes, in Binance's words."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"


class TimeInForce(StrEnum):
    """How long an order waits: until cancelled, not at all, or all of it at once."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Standing(StrEnum):
    """Where an order stands, in Binance's words."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


OPEN = (Standing.NEW, Standing.PARTIALLY_FILLED)


@dataclass(frozen=True)
class Order:
    """One order. `price` is zero for MARKET; `waiting` is a stop that was not reached yet.

    `executed` is what was filled in the base asset, `quote` what that cost or brought.
    """

    id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    price: Decimal
    quantity: Decimal
    stop_price: Decimal
    placed_at: int
    updated_at: int
    waiting: bool = False
    standing: Standing = Standing.NEW
    executed: Decimal = ZERO
    quote: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        """True while it may still be filled."""
        return self.standing in OPEN

    @property
    def remaining(self) -> Decimal:
        """What was not filled, in the base asset."""
        return self.quantity - self.executed

    @property
    def lock(self) -> Decimal:
        """What it keeps from being spent otherwise: quote for a purchase, base for a sale."""
        if not self.is_open or self.kind is Kind.MARKET:
            return ZERO
        return ceiling(self.price * self.remaining) if self.side is Side.BUY else self.remaining


@dataclass(frozen=True)
class Fill:
    """A part of an order that was traded. `candle` is the opening of the candle it came from."""

    id: int
    order_id: int
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    maker: bool
    at: int
    candle: int


@dataclass(frozen=True)
class Balance:
    """What an account has of one asset: free to spend, and locked by open orders."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


Permission = Literal[
    "read", "trade", "futures", "withdraw", "internal-transfer", "universal-transfer"
]
"""What a key may do. Nobody can move money away from here: it is only told."""


@dataclass(frozen=True)
class Account:
    """Somebody who trades here. The key names, the secret signs.

    Everybody may read. `addresses` are those that the key may be used from; none: from anywhere.
    """

    name: str
    key: str
    secret: str
    permissions: tuple[Permission, ...] = ("trade",)
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """An account was opened."""

    account: Account
    event: Literal["opened"] = "opened"


@dataclass(frozen=True)
class Funded:
    """An account was given money."""

    account: str
    asset: str
    amount: Decimal
    event: Literal["funded"] = "funded"


@dataclass(frozen=True)
class Accepted:
    """An order was taken into the book."""

    order: Order
    event: Literal["accepted"] = "accepted"


@dataclass(frozen=True)
class Triggered:
    """The price reached the stop of an order: from now on it is a limit order."""

    order_id: int
    at: int
    event: Literal["triggered"] = "triggered"


@dataclass(frozen=True)
class Filled:
    """A part of an order was traded."""

    fill: Fill
    event: Literal["filled"] = "filled"


@dataclass(frozen=True)
class Closed:
    """An order ended without being filled whole."""

    order_id: int
    standing: Standing
    at: int
    event: Literal["closed"] = "closed"


@dataclass(frozen=True)
class Advanced:
    """The exchange's clock went on to this time."""

    at: int
    event: Literal["advanced"] = "advanced"


Event = (
    Opened | Funded | Accepted | Triggered | Filled | Closed | Advanced | Armed | Struck | Disarmed
)
