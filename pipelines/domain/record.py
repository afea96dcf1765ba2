"""The record: what the ledger's entries, in their order, say about each strategy's way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipelines.domain.entry import (
    ALL,
    Acted,
    Delivered,
    Entry,
    Escalated,
    Flattened,
    Halted,
    Held,
    LeaseTaken,
    Orphaned,
    Resumed,
    Seen,
    Settled,
    Tripped,
    Unheld,
    Unverified,
    Verified,
)
from pipelines.domain.promotion import Approved, Kind, Promotion

MOST_UNSEEN = timedelta(hours=6)
"""Time counts as soaked while somebody looks. Of a longer silence, or a clock that jumped, nothing
is known, so nothing of it counts."""


@dataclass(frozen=True)
class Line:
    """An entry at its place in the ledger, counted from 1."""

    number: int
    entry: Entry


@dataclass(frozen=True)
class Stay:
    """The time between one promotion and the next: one release in one environment.

    `soaked` is what was seen of it while verified, `trades` what it closed in that time. `spoilt`
    says what took its verification away. `closed` is the last count, `void` what of it is void.
    """

    promotion: Promotion
    verified: bool = False
    soaked: timedelta = timedelta()
    trades: int = 0
    spoilt: str = ""
    seen: datetime | None = None
    closed: int = 0
    void: int = 0

    @property
    def digest(self) -> str | None:
        return self.promotion.digest


@dataclass(frozen=True)
class Track:
    """What one strategy went through in one environment.

    `promotions` counts all of them. `current` is what is wanted there now, null when retired or
    given up. `undone` is what the last rollback turned away from, until a hold is lifted.
    `used` are the identities of approvals that promotions used up. `orphans` are those that
    nothing was done about yet, by their names. `changed` is when what is wanted here changed last,
    retired and given up included. `flat` says that everything is to be sold, `resumed` when
    somebody last lifted a halt, and `resumes` how often.
    """

    past: tuple[Stay, ...] = ()
    current: Stay | None = None
    promotions: int = 0
    undone: Promotion | None = None
    given_up: Escalated | None = None
    hold: Held | None = None
    halt: Halted | Flattened | None = None
    flat: Flattened | None = None
    resumed: datetime | None = None
    resumes: int = 0
    approvals: tuple[Approved, ...] = ()
    used: frozenset[str] = frozenset()
    orphans: Mapping[str, Orphaned] = field(default_factory=dict)
    changed: datetime | None = None

    @property
    def stays(self) -> tuple[Stay, ...]:
        """Every stay, the current one last."""
        return (*self.past, self.current) if self.current else self.past

    def last_stay(self, digest: str) -> Stay | None:
        """The latest stay of a release."""
        return next((stay for stay in reversed(self.stays) if stay.digest == digest), None)

    def is_verified(self, digest: str) -> bool:
        """True when the latest stay of the release was verified, and nothing took that away."""
        stay = self.last_stay(digest)
        return stay is not None and stay.verified

    def soak(self, digest: str) -> tuple[timedelta, int]:
        """Time and trades that the release itself spent here verified, over all of its stays."""
        own = [stay for stay in self.stays if stay.digest == digest]
        return sum((stay.soaked for stay in own), timedelta()), sum(stay.trades for stay in own)

    def fallback(self) -> Stay | None:
        """The stay that a rollback leads back to: the last verified one of another release."""
        now = self.current.digest if self.current else None
        return next((s for s in reversed(self.past) if s.verified and s.digest != now), None)


_EMPTY = Track()


@dataclass(frozen=True)
class Record:
    """All tracks, by environment and strategy, and how far the ledger was read.

    `delivered` are the releases that were taken, each by the digest of what is signed about it.
    """

    tracks: Mapping[tuple[str, str], Track] = field(default_factory=dict)
    count: int = 0
    latest: datetime | None = None
    delivered: Mapping[str, Delivered] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Record":
        """What these lines say, in whatever order they come."""
        return cls().after(lines)

    def after(self, lines: Iterable[Line]) -> "Record":
        """The record with further lines; what it read before is passed over."""
        tracks, count, latest = dict(self.tracks), self.count, self.latest
        delivered = dict(self.delivered)
        for line in sorted(lines, key=lambda line: line.number):
            if line.number <= count:
                continue
            count, entry = line.number, line.entry
            latest = max(latest, entry.at) if latest else entry.at
            if isinstance(entry, Delivered):
                delivered.setdefault(entry.envelope, entry)
            for key in _meant(entry, tracks):
                tracks[key] = _follow(tracks.get(key, _EMPTY), entry)
        return Record(tracks, count, latest, delivered)

    def verified_at(self, envelope: str, now: datetime) -> datetime:
        """The system's time as of which signatures count: when they first held, else now.

        So a key that expires takes nothing away that it had let in. One that is revoked does.
        """
        first = self.delivered.get(envelope)
        return first.verified if first else now

    def track(self, environment: str, strategy: str) -> Track:
        """What a strategy went through in an environment, empty when it never was there."""
        return self.tracks.get((environment, strategy), _EMPTY)

    def hold(self, environment: str, strategy: str) -> Held | None:
        """The hold by hand that keeps releases of a strategy out."""
        own = self.track(environment, strategy).hold
        return own or self.track(environment, ALL).hold

    def halt(self, environment: str, strategy: str) -> Halted | Flattened | None:
        """The halt that keeps a strategy's bot from opening trades."""
        own = self.track(environment, strategy).halt
        return own or self.track(environment, ALL).halt

    def flat(self, environment: str, strategy: str) -> Flattened | None:
        """What says that everything a strategy's bot holds is to be sold."""
        own = self.track(environment, strategy).flat
        return own or self.track(environment, ALL).flat

    def resumes(self, environment: str, strategy: str) -> int:
        """How often somebody said so."""
        return sum(self.track(environment, each).resumes for each in (strategy, ALL))

    def resumed(self, environment: str, strategy: str) -> datetime | None:
        """When somebody last said that a strategy's bot may go on."""
        both = (self.track(environment, each).resumed for each in (strategy, ALL))
        return max((moment for moment in both if moment), default=None)


def _meant(entry: Entry, tracks: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The tracks that an entry is about. Who lifts something for all lifts it for each."""
    if isinstance(entry, LeaseTaken | Delivered | Acted):
        return set()
    lifts = isinstance(entry, Unheld | Resumed) and entry.strategy == ALL
    each = {key for key in tracks if lifts and key[0] == entry.environment}
    return each | {(entry.environment, entry.strategy)}


def _follow(track: Track, entry: Entry) -> Track:  # noqa: PLR0911, PLR0912
    match entry:
        case Promotion():
            return _promoted(track, entry)
        case Approved():
            return replace(track, approvals=(*track.approvals, entry))
        case Held():
            return replace(track, hold=entry)
        case Unheld():
            return replace(track, hold=None, undone=None)
        case Halted():
            # What is to be sold stays so, whoever halts it once more.
            return replace(track, halt=track.flat or entry)
        case Flattened():
            return replace(track, halt=entry, flat=entry)
        case Resumed():
            return _resumed(track, entry)
        case Verified() | Seen():
            return replace(track, current=_observed(track.current, entry))
        case Unverified():
            return _without(track, entry.digest, entry.reason)
        case Escalated():
            return _given_up(track, entry)
        case Orphaned():
            return replace(track, orphans={**track.orphans, entry.orphan: entry})
        case Settled():
            left = {name: each for name, each in track.orphans.items() if name != entry.orphan}
            return replace(track, orphans=left)
        case LeaseTaken() | Delivered() | Tripped() | Acted():
            return track


def _resumed(track: Track, entry: Resumed) -> Track:
    if not entry.lifts:
        resumes = track.resumes + 1
        return replace(track, halt=None, flat=None, resumed=entry.at, resumes=resumes)
    lifts = track.halt is not None and track.halt.limit == entry.lifts
    return replace(track, halt=None, flat=None) if lifts else track


def _promoted(track: Track, promotion: Promotion) -> Track:
    before = track.current
    if promotion.kind is Kind.ROLLBACK and before and before.digest:
        # What was turned away from is no longer good for any environment downstream.
        track = _without(track, before.digest, f"rolled back: {promotion.reason}".rstrip(": "))
    new = None if promotion.kind is Kind.RETIRE else Stay(promotion)
    undone = before.promotion if promotion.kind is Kind.ROLLBACK and before else None
    lasting = track.undone if promotion.kind is Kind.RETIRE else None
    return replace(
        track,
        past=track.stays,
        current=new,
        promotions=track.promotions + 1,
        undone=undone or lasting,
        given_up=None,
        approvals=tuple(a for a in track.approvals if a.identity not in promotion.approvals),
        used=track.used | set(promotion.approvals),
        changed=promotion.at,
    )


def _given_up(track: Track, entry: Escalated) -> Track:
    if not track.current or track.current.digest != entry.digest:
        return track
    emptied = _without(track, entry.digest, entry.reason)
    undone = emptied.undone or track.current.promotion
    told = replace(emptied, undone=undone, given_up=entry, changed=entry.at)
    return replace(told, past=emptied.stays, current=None)


def _without(track: Track, digest: str, reason: str) -> Track:
    """The track with every stay of a release worth nothing."""

    def spoil(stay: Stay) -> Stay:
        if stay.digest != digest:
            return stay
        return Stay(stay.promotion, spoilt=reason, closed=stay.closed, void=stay.closed)

    current = spoil(track.current) if track.current else None
    return replace(track, past=tuple(spoil(stay) for stay in track.past), current=current)


def _observed(stay: Stay | None, entry: Verified | Seen) -> Stay | None:
    if stay is None or stay.digest != entry.digest:
        return stay
    if isinstance(entry, Verified):
        return replace(stay, verified=True, spoilt="", seen=stay.seen or entry.at)
    closed = max(stay.closed, entry.closed)
    if stay.seen is None:
        return replace(stay, closed=closed, void=closed)
    # After a clock went back nothing counts until it is where it was: no hour counts twice.
    gap = entry.at - stay.seen
    counted = gap if timedelta() <= gap <= MOST_UNSEEN else timedelta()
    return replace(
        stay,
        soaked=stay.soaked + counted,
        trades=closed - stay.void,
        seen=max(stay.seen, entry.at),
        closed=closed,
    )
