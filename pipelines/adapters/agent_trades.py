"""What the agent tells of trades, by release, and what can be asked of single ones."""

from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, Field

from pipelines.domain.document import Document


class OfTrades(Document):
    """The trades of an environment and a strategy; empty names mean all."""

    environment: str = ""
    strategy: str = ""


class OneTrade(Document):
    """A trade. Money is in the stake currency; `share` is the profit in parts of the stake."""

    id: int
    pair: str
    is_short: bool = False
    stake: Decimal
    opened: AwareDatetime
    closed: AwareDatetime | None = None
    profit: Decimal | None = None
    share: Decimal | None = None


class Sum(Document):
    """So many closed trades, what they earned, and how many of them earned something."""

    of: str
    closed: int
    won: int
    profit: Decimal


class ReleaseTrades(Document):
    """What one release did in one environment: never added up with another's.

    `release` is null for trades that nobody knows the release of. `capital` is what the environment
    began with. `days` and `pairs` are sums of closed trades, days in UTC and in their order; the
    `latest` closed trades stand last first. `unread` says that a database could not be read.
    """

    environment: str
    mode: str
    strategy: str
    release: str | None
    currency: str
    capital: Decimal
    whole: Sum
    days: tuple[Sum, ...] = ()
    pairs: tuple[Sum, ...] = ()
    open: tuple[OneTrade, ...] = ()
    latest: tuple[OneTrade, ...] = ()
    unread: bool = False


class Trades(Document):
    """Every release that ever traded here, the ones that are wanted now included."""

    releases: tuple[ReleaseTrades, ...]


class Waiting(Document):
    """A release that nothing keeps out of an environment but people who agree, or who ask for it.

    `missing` are the reasons, empty where somebody only has to ask.
    """

    environment: str
    release: str
    digest: str
    missing: tuple[str, ...] = ()


class Standing(Document):
    """What is wanted somewhere, who asked for it, and whether it runs and was read back."""

    environment: str
    release: str
    kind: str
    by: str
    reason: str
    at: AwareDatetime
    verified: bool


class News(Document):
    """What people may not have heard of yet."""

    wanted: tuple[Standing, ...]
    waiting: tuple[Waiting, ...]


class Acknowledge(Document):
    """Somebody knows of these alerts, by their names."""

    alerts: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)]


class ForceExit(Document):
    """Trades of a bot are closed at the market's price: one by its number, or all of them."""

    environment: str
    strategy: str
    trade: int | None = None
    reason: str = ""
