"""A release that wants into an environment, and the words in which that is answered."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from pipelines.domain.promotion import PromotionPolicy, strategy_of


class Place(Protocol):
    """What an environment tells of itself here. `ramp` is in percent of its capital."""

    @property
    def name(self) -> str: ...
    @property
    def mode(self) -> Literal["dry_run", "live"]: ...
    @property
    def demo(self) -> bool: ...
    @property
    def policy(self) -> PromotionPolicy: ...
    @property
    def ramp(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Candidate:
    """A release that wants in.

    `demo` says that its signed statement is labelled so. `hotfix_of` is the digest of the release
    from which it differs in nothing but freqtrade or ccxt, with identical trades on the same
    evidence. `step` counts the stake ramp from 1. `automatic` says that no human asked.
    """

    release: str
    digest: str
    demo: bool = False
    hotfix_of: str | None = None
    step: int = 1
    automatic: bool = False

    @property
    def strategy(self) -> str:
        return strategy_of(self.release)


class Because(StrEnum):
    """What a reason is about."""

    DEMO = "demo"
    ASKED = "asked"
    HOLD = "hold"
    HALT = "halt"
    VERSION = "version"
    UPSTREAM = "upstream"
    SOAK_TIME = "soak time"
    SOAK_TRADES = "soak trades"
    CROWDED = "crowded"
    RAMP = "ramp"
    APPROVAL = "approval"
    COUPLINGS = "couplings"
    KEY = "key"
    KEY_OPEN = "key open"
    KEY_UNREAD = "key unread"


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for or against a promotion."""

    because: Because
    text: str
    hint: str = ""
