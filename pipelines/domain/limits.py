"""The limits of an environment: what a bot may come to, and what follows beyond it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.domain.document import Document

Then = Literal["warn", "halt", "flatten"]
"""What follows: people are told; no more entries; and everything is sold."""

Part = Annotated[Decimal, Field(gt=0, le=1)]
Money = Annotated[Decimal, Field(gt=0)]
Rate = Annotated[int, Field(ge=0, le=2000)]
"""So many in an hour. What bots tell of their orders reaches back further than this many."""


class Limit(Document):
    """The most that is allowed. A number alone is a limit that halts."""

    limit: Any
    then: Then = "halt"

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, given: Any) -> Any:
        return given if isinstance(given, dict | Limit) else {"limit": given}


class _Exact(Limit):
    @field_validator("limit", mode="before")
    @classmethod
    def _exact(cls, given: Any) -> Any:
        return exact(given)


class PartLimit(_Exact):
    """A fraction."""

    limit: Part


class MoneyLimit(_Exact):
    """An amount of the stake currency."""

    limit: Money


class CountLimit(Limit):
    """A number."""

    limit: Annotated[int, Field(ge=1)]


class RateLimit(Limit):
    """A number in an hour."""

    limit: Rate


class Reference(Document):
    """Another exchange whose prices ours must agree with, by its ccxt id.

    `max_divergence` is a fraction of its price. Beyond it no trades are opened, until the prices
    have come together again. `address` is a rehearsal exchange on loopback that stands in its
    place.
    """

    exchange: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]
    max_divergence: Part
    then: Literal["warn", "halt"] = "halt"
    address: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:[0-9]{1,5}$")] | None = None


class Protections(Document):
    """What stops a bot from outside, whatever its strategy wants.

    Drawdown and daily loss are fractions of the capital that was declared when the release came.
    What is counted, it is of one bot; exposure is the worth of open trades and waiting entries: in
    one asset and in all over the bots of the environment, and over all environments of the host in
    this mode.
    """

    max_drawdown: PartLimit
    max_daily_loss: PartLimit | None = None
    max_orders_per_hour: RateLimit
    max_cancelled_per_hour: RateLimit | None = None
    max_rejected_per_hour: RateLimit | None = None
    max_open_trades: CountLimit | None = None
    max_asset_exposure: MoneyLimit | None = None
    max_exposure: MoneyLimit | None = None
    max_host_exposure: MoneyLimit | None = None
    reference: Reference | None = None


def exact(given: Any) -> Any:
    """A number as it was written; anything else as it is."""
    try:
        return Decimal(str(given))
    except InvalidOperation:
        return given
