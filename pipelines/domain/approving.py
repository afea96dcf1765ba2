"""What approvals are worth when a release wants in."""

from collections.abc import Iterable
from datetime import datetime

from pipelines.domain.candidate import Candidate, Place
from pipelines.domain.promotion import Approval, Approved, Risk
from pipelines.domain.record import Track


def needed(place: Place) -> int:
    """How many different people must have signed: for live at least one, whatever is written."""
    signed = place.policy.approval in (Approval.TAG, Approval.SIGNED)
    return max(1 if signed or place.mode == "live" else 0, place.policy.signatures)


def given(track: Track, digest: str) -> tuple[Approved, ...]:
    """The approvals of a release, whatever they are worth, each once."""
    mine = {each for each in track.approvals if each.digest == digest}
    return tuple(sorted(mine, key=lambda each: (each.at, each.by, each.identity, each.key)))


def signers(approvals: Iterable[Approved]) -> int:
    """Different people with different keys: neither two keys of one nor two names for a key."""
    every = tuple(approvals)
    return min(len({each.by for each in every}), len({each.key for each in every}))


def accepted(approvals: Iterable[Approved], place: Place) -> tuple[Risk, ...]:
    """The risks that as many people signed for as the environment asks of a promotion."""
    every = tuple(approvals)
    least = max(1, needed(place))
    return tuple(
        risk for risk in Risk if signers(each for each in every if risk in each.accepts) >= least
    )


def faults(
    approved: Approved, candidate: Candidate, place: Place, track: Track, now: datetime
) -> tuple[str, ...]:
    """Why an approval of this release counts for nothing now, all reasons; empty when it counts."""
    found = []
    if approved.identity in track.used:
        found.append("it was used before")
    if approved.expires <= now:
        found.append(f"it expired at {approved.expires:%Y-%m-%d %H:%M} UTC")
    if approved.means == "tag":
        if place.policy.approval is Approval.SIGNED:
            found.append("a tag is not enough here")
        return tuple(found)
    wanted, following = track.current, track.promotions + 1
    if approved.sequence is not None and approved.sequence < following:
        found.append(f"it was for promotion {approved.sequence}, the next is {following}")
    elif approved.sequence != following:
        found.append(f"it is for promotion {approved.sequence}, out of order: next is {following}")
    if approved.predecessor != (wanted.digest if wanted else None):
        found.append("another release is wanted here than when it was signed")
    if approved.step != candidate.step:
        found.append(f"it is for step {approved.step}")
    return tuple(found)
