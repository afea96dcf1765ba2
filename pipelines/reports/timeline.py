"""What happened on a train, in the order in which it did: as lines, as JSON, as a page."""

from decimal import Decimal

from pydantic import AwareDatetime

from pipelines.domain.document import Document

GENERATOR = '<meta name="generator" content="Sluice timeline">'


class Happened(Document):
    """One entry of the ledger in words. `release` is the one that it is about, empty for none.

    What the ledger does not have, since it was done to a bot from outside, has no `number`.
    """

    number: int | None
    at: AwareDatetime
    environment: str
    strategy: str
    what: str
    release: str = ""
    text: str = ""


class Standing(Document):
    """One strategy in one environment at a moment, as `sluice status` told it.

    `equity` is in the stake currency, null while nobody could tell. `pid` is its bot's process.
    """

    environment: str
    mode: str
    strategy: str
    hold: bool
    desired: str | None
    running: str | None
    verified: bool
    phase: str
    open_trades: int | None
    equity: Decimal | None
    pid: int | None = None


class Sample(Document):
    """How everything stood at a moment."""

    at: AwareDatetime
    standings: tuple[Standing, ...]


class Timeline(Document):
    """A whole run. Moments are the exchange's, `seconds` what it took by the wall's clock."""

    market: str
    synthetic: bool
    environments: tuple[str, ...]
    began: AwareDatetime
    ended: AwareDatetime
    hours: int
    seconds: float
    entries: tuple[Happened, ...]
    samples: tuple[Sample, ...]


def line(happened: Happened) -> str:
    """One entry for a terminal."""
    at = f"{happened.at:%Y-%m-%d %H:%M}"
    told = " ".join(part for part in (happened.release, happened.text) if part)
    return f"  {at}  {happened.environment:<8} {happened.what:<13} {told}".rstrip()
