"""How healthy bots are, as the agent answers it on its socket."""

from typing import Literal

from pydantic import AwareDatetime

from pipelines.domain.document import Document


class HealthReason(Document):
    """Why something is not healthy, and since when. `unknown` is what could not be evaluated."""

    check: str
    text: str
    since: AwareDatetime
    state: Literal["failed", "unknown"] = "failed"


class BotHealth(Document):
    """Whether one bot can manage its orders; every reason why not."""

    environment: str
    strategy: str
    release: str | None
    healthy: bool
    reasons: tuple[HealthReason, ...] = ()


class Health(Document):
    """The bots of a host, and what is wrong with the host itself."""

    bots: tuple[BotHealth, ...]
    host: tuple[HealthReason, ...] = ()


class OfBots(Document):
    """Some bots, by environment and strategy; empty names mean all."""

    environment: str = ""
    strategy: str = ""
