"""What reconciling finds: what nobody looks after, what is not there, what heals by itself."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from pipelines.domain.account import ZERO, ExchangeOrder, Side

OURS = "sluice-"
"""How orders begin that the agent sent itself: no bot knows them, and nobody has to."""

CLOSING = f"{OURS}close-"
"""How those begin that end a trade whose bot could not."""


def orphan_id(account: str, pair: str, order: str) -> str:
    """The name of an orphan: the same for as long as it is there."""
    return sha256("\n".join((account, pair, order)).encode()).hexdigest()[:8]


def closing_name(orphan: str) -> str:
    """How orders begin that end this orphan."""
    return f"{OURS}orphan-{orphan}-"


@dataclass(frozen=True)
class Orphan:
    """A position or an order at the exchange that no bot knows.

    `amount` is what is there of it, in the base asset, `waiting` what its order may still add.
    Coins whose order nobody found have no `order`. `at` is when it was placed.
    """

    account: str
    pair: str
    side: Side
    amount: Decimal
    waiting: Decimal = ZERO
    order: str = ""
    price: Decimal | None = None
    at: datetime | None = None

    @classmethod
    def of(cls, account: str, order: ExchangeOrder, amount: Decimal) -> "Orphan":
        """The orphan that an order made."""
        return cls(
            account=account,
            pair=order.pair,
            side=order.side,
            amount=amount,
            waiting=order.remaining if order.is_open else ZERO,
            order=order.id,
            price=order.average or order.price,
            at=order.at,
        )

    @classmethod
    def coins(cls, account: str, pair: str, amount: Decimal) -> "Orphan":
        """Coins that no order explains."""
        return cls(account=account, pair=pair, side="buy", amount=amount)

    @property
    def id(self) -> str:
        return orphan_id(self.account, self.pair, self.order)

    @property
    def key(self) -> str:
        return f"orphan {self.id}"

    def __str__(self) -> str:
        what = f"{self.amount.normalize():f} {self.pair}" if self.amount else self.pair
        by = f" by order {self.order}" if self.order else ", of which no order is found"
        waits = f", {self.waiting.normalize():f} more may follow" if self.waiting else ""
        return f"orphan {self.id} on {self.account}: {what}{by}{waits}"


@dataclass(frozen=True)
class Missing:
    """Bots hold more of a pair, as they believe, than the account has."""

    account: str
    pair: str
    amount: Decimal

    @property
    def key(self) -> str:
        return f"missing {self.account} {self.pair}"

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} of {self.pair} are missing on {self.account}"


@dataclass(frozen=True)
class MissingStop:
    """An open trade whose stop does not rest at the exchange."""

    environment: str
    strategy: str
    pair: str
    trade: int
    amount: Decimal

    @property
    def key(self) -> str:
        return f"stop {self.environment}.{self.strategy} {self.trade}"

    def __str__(self) -> str:
        what = f"{self.amount.normalize():f} of {self.pair}"
        return f"trade {self.trade} has no stop at the exchange: {what}"


@dataclass(frozen=True)
class Stray:
    """An open exit of a trade that its bot does not know: its next attempt finds it."""

    account: str
    pair: str
    order: ExchangeOrder

    @property
    def key(self) -> str:
        return f"stray {self.account} {self.order.id}"

    def __str__(self) -> str:
        return f"the bot does not know its exit, order {self.order.id} of {self.pair}"


Finding = Orphan | Missing | MissingStop | Stray
