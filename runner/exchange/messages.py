"""What goes over the control port, and what `serve` writes once it is ready."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from pipelines.domain.document import Document

FaultName = Literal["lost_answer"]
"""`lost_answer`: an order is accepted and committed, and then the connection is dropped."""


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
    """Let a fault happen at the next so many occasions."""

    name: FaultName
    times: int = Field(default=1, ge=0)


class NewAccount(Document):
    """An account with what it has of each asset."""

    name: str = Field(min_length=1)
    key: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    funds: dict[str, Decimal] = Field(default_factory=dict)


class Held(Document):
    """What an account has of one asset."""

    free: Decimal
    locked: Decimal


class State(Document):
    """How the exchange stands.

    `orders_sent` counts requests for new orders, refused ones too; `followers` are bots whose clock
    follows its steps.
    """

    now: datetime
    candles_end: datetime
    clock: Literal["real", "stepped"]
    synthetic: bool
    symbols: tuple[str, ...]
    orders: int
    open_orders: int
    fills: int
    orders_sent: int
    faults: dict[FaultName, int]
    accounts: dict[str, dict[str, Held]]
    followers: tuple[str, ...] = ()
