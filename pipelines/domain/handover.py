"""A handover: what becomes of open trades when their bot has to go."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from pipelines.domain.document import Document
from pipelines.domain.promotion import Hours, Risk
from pipelines.domain.secret import Name

FIRST, SECOND = 1, 2
"""The berths of a strategy in an environment: each has a database, a lock and an account."""


def berthed(strategy: str, berth: int) -> str:
    """What a strategy's bot is called in a berth: files, locks and records go by it."""
    return strategy if berth == FIRST else f"{strategy}.{berth}"


class Way(StrEnum):
    """How the next release gets the place of one that has open trades."""

    ADOPT = "adopt"
    DRAIN = "drain"
    SIDE_BY_SIDE = "side_by_side"


class Then(StrEnum):
    """What follows when what drains still has open trades at its deadline."""

    KEEP_DRAINING = "keep_draining"
    CLOSE_AT_MARKET = "close_at_market"
    ADOPT = "adopt"


class Handover(Document):
    """What an environment declares about open trades.

    `deadline` is how long what has to go may drain, counted from the promotion. `account` is the
    one that the other of two bots trades on while they run side by side.
    """

    way: Way = Way.DRAIN
    deadline: Hours | None = None
    then: Then = Then.KEEP_DRAINING
    account: Name | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.then is not Then.KEEP_DRAINING and self.deadline is None:
            raise ValueError(f"then: {self.then} needs a deadline")
        if self.then is Then.ADOPT and self.way is not Way.DRAIN:
            raise ValueError(f"then: adopt belongs to way: drain, not to {self.way}")
        if self.account and self.way is not Way.SIDE_BY_SIDE:
            raise ValueError("an account belongs to way: side_by_side")
        return self


@dataclass(frozen=True)
class Objection:
    """Why trades must not be taken over. People may sign for its risk; without one nobody may."""

    risk: Risk | None
    text: str

    def __str__(self) -> str:
        return f"{self.text} ({self.risk or 'nobody can sign for that'})"


@dataclass(frozen=True)
class Farewell:
    """How a bot that has to go parts with its open trades.

    `until` is when its time to drain is over, none for never. `objections` are those against
    adoption that nobody signed for.
    """

    way: Way = Way.DRAIN
    until: datetime | None = None
    then: Then = Then.KEEP_DRAINING
    objections: tuple[Objection, ...] = ()

    def is_over(self, now: datetime) -> bool:
        """True when its deadline has passed."""
        return self.until is not None and now >= self.until

    def adopts(self, now: datetime) -> bool:
        """True when its trades are meant to be taken over by now."""
        return self.way is Way.ADOPT or (self.then is Then.ADOPT and self.is_over(now))

    def closes(self, now: datetime) -> bool:
        """True when its trades are meant to be closed by now, whatever they bring."""
        return self.then is Then.CLOSE_AT_MARKET and self.is_over(now)

    def __str__(self) -> str:
        until = f", until {self.until:%Y-%m-%d %H:%M} UTC, then {self.then}" if self.until else ""
        return f"{self.way}{until}"


def farewell(
    declared: Handover,
    wish: Way,
    objections: Iterable[Objection],
    accepted: Container[Risk | None],
    since: datetime | None,
    *,
    restarts: bool = False,
) -> Farewell:
    """What is declared, made to fit the release that comes.

    Both have to agree: where the environment and the release's manifest (`wish`) say different
    things the bot drains. `restarts` is a release that takes its own place, with other settings.
    `since` is when it was decided; of a bot whose time is not known none is over.
    """
    way = declared.way if declared.way is wish else Way.DRAIN
    agreed = wish is Way.ADOPT or declared.then is not Then.ADOPT
    return Farewell(
        way=Way.ADOPT if restarts else way,
        until=since + declared.deadline.time if since and declared.deadline else None,
        then=declared.then if agreed else Then.KEEP_DRAINING,
        objections=tuple(each for each in objections if each.risk not in accepted),
    )
