"""What a promotion into an environment takes."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from pipelines.domain.document import Document

_HOURS = 24


class Approval(StrEnum):
    """Who says that a release may go on."""

    MERGE = "merge"
    TAG = "tag"
    SIGNED = "signed"
    AUTOMATIC = "automatic"


class Soak(Document):
    """How long, and for how many closed trades, a release runs upstream before it may go on."""

    hours: Annotated[Decimal, Field(ge=0)]
    trades: Annotated[int, Field(ge=0)]

    @model_validator(mode="before")
    @classmethod
    def _in_hours(cls, given: object) -> object:
        """`{days: 14, trades: 30}` or `{hours: 6, trades: 3}`."""
        if not isinstance(given, dict):
            return given
        if len({"days", "hours"} & given.keys()) != 1:
            raise ValueError("should say either days or hours")
        rest = {name: value for name, value in given.items() if name not in {"days", "hours"}}
        unit, length = ("days", given["days"]) if "days" in given else ("hours", given["hours"])
        try:
            hours = Decimal(str(length)) * (_HOURS if unit == "days" else 1)
        except InvalidOperation:
            raise ValueError(f"{unit} should be a number") from None
        return {**rest, "hours": hours}


class PromotionPolicy(Document):
    """`policy` in an environment's file."""

    upstream: str | None = None
    soak: Soak | None = None
    approval: Approval
    signatures: Annotated[int, Field(ge=0)] = 0
