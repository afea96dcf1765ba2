"""A promotion: the record that a release is wanted in an environment, and what it takes."""

import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from pipelines.domain.document import Digest, Document

_NUMBER = "(0|[1-9][0-9]*)"

ReleaseId = Annotated[
    str,
    StringConstraints(
        pattern=rf"^[A-Za-z_][A-Za-z0-9_]*@{_NUMBER}\.{_NUMBER}\.{_NUMBER}\+[0-9a-f]{{8}}$",
        max_length=120,
    ),
]
"""`name@1.4.0+3f9c2a1b`: strategy, version, the first eight letters of the release's digest."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=80)]
"""Of an environment or a strategy."""

Step = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=1, le=100)]


_HOURS = {"days": 24, "hours": 1}


class Approval(StrEnum):
    """Who has to agree before a release may enter an environment."""

    MERGE = "merge"
    TAG = "tag"
    SIGNED = "signed"
    AUTOMATIC = "automatic"


class Hours(Document):
    """A time, written with `days` or with `hours`; kept in hours."""

    hours: Annotated[Decimal, Field(ge=0)]

    @model_validator(mode="before")
    @classmethod
    def _in_hours(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        units = [unit for unit in _HOURS if unit in given]
        if len(units) != 1:
            raise ValueError("should have either days or hours")
        (unit,) = units
        if not re.fullmatch(r"\d+(\.\d+)?", str(given[unit])):
            raise ValueError(f"{unit} should be a number of at least 0, got {given[unit]!r}")
        rest = {key: value for key, value in given.items() if key != unit}
        return {"hours": Decimal(str(given[unit])) * _HOURS[unit], **rest}

    @property
    def time(self) -> timedelta:
        """The hours as a duration."""
        return timedelta(seconds=float(self.hours * 3600))


class Soak(Hours):
    """How long a release must have run upstream, verified, and how many trades it closed there."""

    trades: Annotated[int, Field(ge=0)]


class PromotionPolicy(Document):
    """What an environment asks of a release that wants to come in.

    `upstream` is the environment where it must be verified and have soaked, `signatures` how many
    different people must have signed.
    """

    upstream: str | None = None
    soak: Soak | None = None
    approval: Approval
    signatures: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _soak_somewhere(self) -> Self:
        if self.soak and not self.upstream:
            raise ValueError("a soak needs an upstream, the environment where it is spent")
        return self


class Risk(StrEnum):
    """What keeps a release out, or waiting, unless people sign that they know."""

    NO_IP_LIST = "no-ip-list"
    RESTRICTIONS_UNREAD = "restrictions-unread"
    LOOSER_STOP = "looser-stop"
    UNKNOWN_TRADE = "unknown-trade"
    LOST_ADJUSTMENT = "lost-adjustment"
    STOP_IN_BOT = "stop-in-bot"


class Kind(StrEnum):
    """What a promotion is for."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RETIRE = "retire"


class Promotion(Document):
    """One strategy in one environment shall run this release from now on; a retired one none.

    Appended, never edited. `step` counts the stake ramp from 1, `stake` is that step's percent of
    the environment's capital. `approvals` are the identities of the approvals that it used up,
    `accepts` the risks that were signed for in them.
    """

    entry: Literal["promotion"] = "promotion"
    kind: Kind
    environment: Name
    strategy: Name
    release: ReleaseId | None = None
    digest: Digest | None = None
    step: Step = 1
    stake: Percent = 100
    by: str
    reason: str = ""
    automatic: bool = False
    approvals: tuple[str, ...] = ()
    accepts: tuple[Risk, ...] = ()
    at: AwareDatetime

    @model_validator(mode="after")
    def _one_release(self) -> Self:
        if self.kind is Kind.RETIRE:
            if self.release or self.digest:
                raise ValueError("what retires a strategy names no release")
        elif not self.release or not self.digest:
            raise ValueError(f"a {self.kind} names a release and its digest")
        else:
            _same_release(self.release, self.digest)
            if strategy_of(self.release) != self.strategy:
                raise ValueError(f"{self.release} is no release of {self.strategy}")
        return self


class ApprovalStatement(Document):
    """What a person signs with `ssh-keygen -Y sign`; the namespace is the environment.

    `predecessor` is the digest that is wanted there when it is signed, null for none.
    `sequence` is the number of the promotion that it allows, counted from 1 for each strategy in
    each environment. Both together keep an old approval from being used again. `accepts` are the
    risks that the person knows and takes.
    """

    environment: Name
    release: ReleaseId
    digest: Digest
    step: Step = 1
    predecessor: Digest | None
    sequence: Annotated[int, Field(ge=1)]
    accepts: tuple[Risk, ...] = ()
    expires: AwareDatetime

    @model_validator(mode="after")
    def _one_release(self) -> Self:
        _same_release(self.release, self.digest)
        return self


class Approved(Document):
    """A signature that was verified: one person allows one promotion.

    A signed tag names no predecessor, step and sequence; it authorises once. `identity` is the
    digest of what was signed, `key` the key's fingerprint.
    """

    entry: Literal["approved"] = "approved"
    means: Literal["signature", "tag"]
    environment: Name
    release: ReleaseId
    digest: Digest
    step: Step | None = None
    predecessor: Digest | None = None
    sequence: Annotated[int, Field(ge=1)] | None = None
    accepts: tuple[Risk, ...] = ()
    expires: AwareDatetime
    identity: str
    by: str
    key: str
    at: AwareDatetime

    @property
    def strategy(self) -> str:
        """The strategy that it is about."""
        return strategy_of(self.release)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _same_release(self.release, self.digest)
        if self.means == "signature" and not (self.step and self.sequence):
            raise ValueError("an approval by signature has a step and a sequence")
        return self


def strategy_of(release: str) -> str:
    """The strategy of a release's id."""
    return release.partition("@")[0]


def version_of(release: str) -> tuple[int, ...]:
    """The version of a release's id as numbers, for comparing."""
    return tuple(int(part) for part in release.partition("@")[2].partition("+")[0].split("."))


def _same_release(release: str, digest: str) -> None:
    if not digest.startswith(release.rpartition("+")[2]):
        raise ValueError(f"{release} is not the id of a release with the digest {digest}")
