"""An entry of the ledger: every kind of thing that is remembered for good."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from pipelines.domain.document import Digest, Document
from pipelines.domain.limits import Then
from pipelines.domain.promotion import Approved, Name, Promotion, ReleaseId

ALL = "*"
"""Every strategy of an environment."""


class _Told(Document):
    """What people say about a strategy in an environment, or about all of them (`*`)."""

    environment: Name
    strategy: Name | Literal["*"]
    by: str
    reason: str = ""
    at: AwareDatetime


class Held(_Told):
    """No release is to come in until a human lifts it."""

    entry: Literal["held"] = "held"


class Unheld(_Told):
    """A hold is lifted, the one that a rollback left as well."""

    entry: Literal["unheld"] = "unheld"


class Halted(_Told):
    """Bots are to open no more trades; what is open stays looked after.

    `limit` is the protection that halted them, empty when it was somebody.
    """

    entry: Literal["halted"] = "halted"
    limit: str = ""


class Flattened(_Told):
    """Bots are halted, and everything that they hold is to be sold at the market's price."""

    entry: Literal["flattened"] = "flattened"
    limit: str = ""


class Resumed(_Told):
    """A halt is over, and nothing is to be sold any more.

    `lifts` is the protection whose halt ended by itself: that lifts nobody else's.
    """

    entry: Literal["resumed"] = "resumed"
    lifts: str = ""


class Tripped(_Told):
    """A protection's limit is exceeded, or could not be evaluated for too long.

    `actual` is null when it could not be; `then` is what follows.
    """

    entry: Literal["tripped"] = "tripped"
    limit: str
    allowed: Decimal
    actual: Decimal | None
    then: Then


class _Observed(Document):
    """What the agent found out about a release where it runs."""

    environment: Name
    strategy: Name
    digest: Digest
    at: AwareDatetime


class Verified(_Observed):
    """What runs was read back and equals the release."""

    entry: Literal["verified"] = "verified"


class Unverified(_Observed):
    """A verification said no: what was known in this release's favour is void."""

    entry: Literal["unverified"] = "unverified"
    reason: str


class Seen(_Observed):
    """The release still runs. `closed` counts the trades it closed since it was put there."""

    entry: Literal["seen"] = "seen"
    closed: Annotated[int, Field(ge=0)]


class Escalated(_Observed):
    """Nothing is left to go back to: no bot until a human promotes, and he was told."""

    entry: Literal["escalated"] = "escalated"
    reason: str


class Delivered(Document):
    """A release was taken once everything that is signed about it held.

    `envelope` is the sha256 of the signed statement, signatures included. `verified` is the
    system's time, the one in which keys are valid; `at` is the agent's clock, as in every entry.
    """

    entry: Literal["delivered"] = "delivered"
    release: ReleaseId
    digest: Digest
    envelope: Digest
    verified: AwareDatetime
    by: str
    at: AwareDatetime


class _OfOrphan(Document):
    """What is said of an orphan. `strategy` is whose bot alone trades its pair, if one does."""

    environment: Name
    strategy: Name | Literal["*"]
    orphan: str
    at: AwareDatetime


class Orphaned(_OfOrphan):
    """At the exchange lies a position or an order that no bot knows.

    `amount` is what is there, `waiting` what its order may still add, in units of the base asset.
    Coins that no order explains have no `order`. `price` is what was paid for one, if known.
    """

    entry: Literal["orphaned"] = "orphaned"
    account: Name
    pair: str
    side: Literal["buy", "sell"]
    amount: Decimal
    waiting: Decimal
    order: str = ""
    price: Decimal | None = None
    placed: AwareDatetime | None = None


class Settled(_OfOrphan):
    """An orphan is none any more: a bot looks after it, it was closed, or it is gone."""

    entry: Literal["settled"] = "settled"
    how: Literal["imported", "closed", "gone"]
    by: str


class Acted(Document):
    """Somebody had something done that changes nothing of what is wanted.

    `about` names bots, trades or alerts; the names are empty for what is the host's.
    """

    entry: Literal["acted"] = "acted"
    environment: Name | Literal["", "*"] = ""
    strategy: Name | Literal["", "*"] = ""
    what: Literal["restart", "forceexit", "acknowledge"]
    about: tuple[str, ...] = ()
    by: str
    reason: str = ""
    at: AwareDatetime


class LeaseTaken(Document):
    """From now on this holder starts bots that trade money; whoever held an older epoch may not."""

    entry: Literal["lease"] = "lease"
    holder: str
    epoch: Annotated[int, Field(ge=1)]
    by: str = ""
    at: AwareDatetime


Entry = Annotated[
    Promotion
    | Approved
    | Held
    | Unheld
    | Halted
    | Flattened
    | Resumed
    | Tripped
    | Verified
    | Unverified
    | Seen
    | Escalated
    | Delivered
    | Orphaned
    | Settled
    | Acted
    | LeaseTaken,
    Field(discriminator="entry"),
]
"""Whatever stands in the ledger."""
