"""What goes over the control port, and what `serve` writes once it is ready."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from pipelines.domain.document import Document
from runner.exchange.clock import ClockName
from runner.exchange.core import orders
from runner.exchange.core.faults import FaultName, Side
from runner.exchange.core.orders import Permission


class Ready(Document):
    """Where a running exchange is, and the token that its control port asks for."""

    api_url: str
    control_url: str
    control_token: str
    pid: int


class Step(Document):
    """Move the clock to a moment, or on by so many seconds."""

    to: datetime | None = None
    seconds: int | None = Field(default=None, ge=1)


class Turn(Document):
    """A bot has processed all there is at `done`, or only begins. It asks for its next moment."""

    name: str = Field(min_length=1)
    pid: int = Field(ge=1)
    done: datetime | None = None


class Now(Document):
    """The exchange's time."""

    now: datetime


class Fault(Document):
    """Let a fault happen: so many times, or for so many seconds of the exchange's clock.

    `times` of zero ends it. `by` is a share of the price or of the order, or the milliseconds that
    the client's clock is ahead.
    """

    name: FaultName
    times: int | None = Field(default=None, ge=0)
    seconds: int | None = Field(default=None, ge=1)
    account: str = ""
    symbol: str = ""
    side: Side = ""
    by: Decimal | None = None
    code: Literal[-2010, -1013] | None = None


class Clear(Document):
    """End every fault."""


class Standing(Document):
    """A fault that is armed: how often it still happens, and until when."""

    name: FaultName
    since: datetime
    until: datetime | None
    left: int | None
    account: str
    symbol: str
    side: Side
    by: Decimal


class NewAccount(Document):
    """An account with what it has of each asset, on spot and in its futures wallet.

    `permissions` are what its key may do, and `addresses` from where. When nothing is said it may
    trade, and trade futures where it has money for that.
    """

    name: str = Field(min_length=1)
    key: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    permissions: tuple[Permission, ...] | None = None
    addresses: tuple[str, ...] = ()
    funds: dict[str, Decimal] = Field(default_factory=dict)
    futures: dict[str, Decimal] = Field(default_factory=dict)


class NewKey(Document):
    """Another key for an account, with what the one before may do; that one is gone."""

    name: str = Field(min_length=1)
    key: str = Field(min_length=1)
    secret: str = Field(min_length=1)


class Held(Document):
    """What an account has of one asset."""

    free: Decimal
    locked: Decimal


class FuturesState(Document):
    """How futures stand. `counters` is what the exchange has taken for each reason, net."""

    symbols: tuple[str, ...]
    orders: int
    open_orders: int
    waiting: int
    fills: int
    wallets: dict[str, dict[str, Decimal]]
    positions: dict[str, dict[str, Decimal]]
    counters: dict[str, Decimal]


class State(Document):
    """How the exchange stands. `orders_sent` counts requests for new orders, refused ones too.

    `speed` is how many seconds pass by themselves there in one second here: none when stepped.
    `followers` are bots whose clock follows its steps.
    """

    now: datetime
    candles_end: datetime
    clock: ClockName
    speed: int
    synthetic: bool
    symbols: tuple[str, ...]
    orders: int
    open_orders: int
    fills: int
    orders_sent: int
    faults: tuple[Standing, ...]
    accounts: dict[str, dict[str, Held]]
    followers: tuple[str, ...] = ()
    futures: FuturesState | None = None


class Whose(Document):
    """The account of this name, or the one that a key belongs to."""

    key: str | None = Field(default=None, min_length=1)
    account: str | None = Field(default=None, min_length=1)


class BookedOrder(Document):
    """An order as it stands. `quote` is what `executed` cost or brought in the quote asset."""

    id: int
    base: str
    quote_asset: str
    side: orders.Side
    kind: orders.Kind
    standing: orders.Standing
    price: Decimal
    stop_price: Decimal
    quantity: Decimal
    executed: Decimal
    quote: Decimal


class BookedFill(Document):
    """A part of an order that was traded, and its fee in units of `asset`."""

    order: int
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    asset: str


class AccountBook(Document):
    """One account: what was put in, what became of it, and what it has, free and locked."""

    account: str
    deposits: dict[str, Decimal]
    balances: dict[str, Decimal]
    orders: tuple[BookedOrder, ...]
    fills: tuple[BookedFill, ...]
