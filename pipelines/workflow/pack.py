"""`sluice pack`: passing evidence turns content into a signed release, which never changes."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.adapters import packing, pins, plugins, signing
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.signing import SigningKey
from pipelines.adapters.storage import EvidenceStore
from pipelines.adapters.verifying import objections
from pipelines.checks import CHECKS
from pipelines.domain.candles import DataLock
from pipelines.domain.document import sha256
from pipelines.domain.evidence import Evidence
from pipelines.domain.grounds import Grounds
from pipelines.domain.hotfix import remainder
from pipelines.domain.release import Pins, Release, conflicts, release_of
from pipelines.domain.statement import (
    DEMO,
    Envelope,
    Label,
    Packed,
    ReleaseStatement,
    release_statement,
    summary_of,
)
from pipelines.domain.strategy import Strategy
from pipelines.domain.trust import Role, Trust
from pipelines.errors import Problem, Refused
from pipelines.workflow import keys
from pipelines.workflow.docs import CHECKOUT
from pipelines.workflow.place import Place


@dataclass(frozen=True)
class PackedRelease:
    """What was packed, on which evidence and by whom.

    `why` says what its label comes from, `anew` whether anything was written.
    """

    statement: ReleaseStatement
    evidence: Path
    tar: Path
    signed_by: tuple[str, ...]
    why: tuple[str, ...]
    anew: bool


def pack(
    place: Place, name: str, key: str, trust_file: Path | None, now: datetime
) -> PackedRelease:
    """Pack a strategy, signed with the key of a role or in a file. Doing it again does no harm.

    :raises BadInput: when the strategy, the key or the project is wrong.
    :raises Refused: when there is no evidence for exactly this content, when it contradicts what
        is packed already, or when the key may not sign it; all reasons.
    """
    strategy, trust = plugins.read(place.root, name), place.trust(trust_file)
    signer = signing.load(keys.private(place, key))
    pinned = pins.read(place.root, CHECKOUT)
    path, evidence, against = _evidence(place, strategy, pinned)
    release, store = _release(strategy, pinned), ReleaseStore(place.home)
    label, why = _label(evidence, trust, signer)
    with store.alone():
        before = store.before(release.digest)
        reasons = [
            *against,
            *conflicts(release, (other.release for other in store.others(release.digest))),
            *trust.objections(signer.id, label, now, now),
            *_downgraded(before, label, trust, now),
        ]
        if evidence is None or reasons:
            raise _refused(release, reasons)
        tar = packing.pack(release, strategy)
        packed = Packed(
            release=release,
            label=label,
            evidence=summary_of(evidence),
            taken_at=now,
            remainder=remainder(strategy, pinned, pins.lock(CHECKOUT).decode()),
        )
        envelope = _signed(release_statement(packed, sha256(tar)), before, signer, trust, now)
        anew = store.save(release, tar, envelope)
    return PackedRelease(
        statement=ReleaseStatement.model_validate_json(envelope.content),
        evidence=path,
        tar=store.tar(release.digest),
        signed_by=tuple(found[0] for s in envelope.signatures if (found := trust.known(s.keyid))),
        why=why,
        anew=anew,
    )


def _refused(release: Release, reasons: list[str]) -> Refused:
    lines = "\n".join(f"{release.id}: {reason}" for reason in reasons)
    return Refused(lines, f"'sluice check {release.name}' takes evidence; 'sluice docs releases'")


def _evidence(
    place: Place, strategy: Strategy, pinned: Pins
) -> tuple[Path, Evidence | None, tuple[str, ...]]:
    """The evidence that speaks most for a release, where it lies, and what speaks against it."""
    grounds = Grounds(
        subject_digest=strategy.digest,
        thresholds_digest=place.door().thresholds_digest(),
        data_digests=_pinned_candles(place.data_lock(), strategy),
        checks=tuple(check.NAME for check in CHECKS),
        pins=pinned,
    )
    there = EvidenceStore(place.home).about(strategy.digest)
    if not there:
        return Path(), None, ("there is no evidence about this content",)
    path, best = max(there, key=lambda found: grounds.weight(found[1]))
    return path, best, tuple(f"evidence: {reason}" for reason in grounds.objections(best))


def _pinned_candles(lock: DataLock, strategy: Strategy) -> frozenset[str]:
    manifest, found = strategy.manifest, set()
    for data in lock.sets.values():
        try:
            found.add(data.digest_of(manifest.candle_pairs, manifest.timeframes))
        except KeyError:
            continue  # a set without one of its pairs: no evidence can be about that
    return frozenset(found)


def _release(strategy: Strategy, pinned: Pins) -> Release:
    try:
        return release_of(strategy, pinned)
    except ValueError:
        # All else that a release demands of paths, reading the plugin has demanded already.
        message = "holds a path of more than 89 characters, which no release can hold"
        raise Problem(f"strategies/{strategy.name}", message, hint="shorten its name") from None


def _label(
    evidence: Evidence | None, trust: Trust, signer: SigningKey
) -> tuple[Label | None, tuple[str, ...]]:
    why = evidence.limits if evidence else ()
    known = trust.known(signer.id)
    if known and known[1].role is Role.DEMO:
        why = (*why, f"{known[0]} is a key for the demo")
    return (DEMO if why else None), why


def _downgraded(
    before: Stored | None, label: Label | None, trust: Trust, now: datetime
) -> tuple[str, ...]:
    if label is None or before is None or before.statement.predicate.label is not None:
        return ()
    if not _standing(before, trust, now):
        return ()
    return (f"it is packed already without the label {label}: use another --home for the demo",)


def _standing(before: Stored, trust: Trust, now: datetime) -> set[str]:
    """The keys whose signatures under it still count."""
    envelope, statement = before.envelope, before.statement
    return {
        signature.keyid
        for signature in envelope.signatures
        if not objections(signature, envelope.content, statement, trust, now)
    }


def _signed(
    statement: ReleaseStatement,
    before: Stored | None,
    signer: SigningKey,
    trust: Trust,
    now: datetime,
) -> Envelope:
    """The statement signed, beside those who said the same before and still count."""
    if before and before.statement.says_the_same_as(statement):
        was = before.statement.predicate
        if not trust.objections(signer.id, was.label, was.taken_at, now):
            standing, payload = _standing(before, trust, now), before.envelope.content
            kept = tuple(s for s in before.envelope.signatures if s.keyid in standing)
            own = () if signer.id in standing else (signer.sign(payload),)
            return signing.sealed(payload, (*kept, *own))
    payload = statement.canonical()
    return signing.sealed(payload, (signer.sign(payload),))
