"""The lease: which agent may start bots that trade money."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field

from pipelines.domain.document import Document


class Lease(Document):
    """`holder` is one agent on one machine. `epoch` rises whenever the holder changes."""

    holder: Annotated[str, Field(min_length=1, max_length=200)]
    epoch: Annotated[int, Field(ge=1)]
    until: AwareDatetime


@dataclass(frozen=True)
class Taken:
    """Somebody else has the lease, or had it and nobody said that he is off."""

    lease: Lease
    reason: str
    hint: str


def claim(
    lease: Lease | None, holder: str, now: datetime, lasts: timedelta, *, fenced: bool = False
) -> Lease | Taken:
    """The lease that `holder` has after asking for it.

    That another's time is over does not show that its bots stand still: it may only have lost the
    way to the ledger. So a human has to say that it is off (`fenced`), and is believed only when it
    no longer renews.
    """
    until = now + lasts
    if lease is None:
        return Lease(holder=holder, epoch=1, until=until)
    if lease.holder == holder:
        return Lease(holder=holder, epoch=lease.epoch, until=max(lease.until, until))
    if now < lease.until:
        reason = f"{lease.holder} holds the lease until {lease.until:%Y-%m-%d %H:%M:%S} UTC"
        return Taken(lease, reason, "stop the other agent first")
    if not fenced:
        reason = f"{lease.holder} held the lease last, and nobody said that it is off"
        return Taken(
            lease,
            reason,
            "see that its bots stand still, then: sluice-agent fence --old-host-is-dead",
        )
    return Lease(holder=holder, epoch=lease.epoch + 1, until=until)


def may_start_live(lease: Lease | None, holder: str, now: datetime) -> bool:
    """True while the lease is this holder's; an agent that cannot renew starts nothing."""
    return lease is not None and lease.holder == holder and now < lease.until
