"""Tell people and machines about releases and keys."""

import json
import sys
from typing import Any, TextIO

from pipelines.adapters.verifying import Signer
from pipelines.domain.statement import ReleaseStatement
from pipelines.errors import ExitCode, Refused
from pipelines.workflow.keys import NewKey
from pipelines.workflow.pack import PackedRelease
from pipelines.workflow.verify import Listed, VerifiedFile

_SHOWN = 12


def made(key: NewKey, *, as_json: bool) -> ExitCode:
    """Say where a key lies, what to write into trust.yaml, and what to do with the private half."""
    out = _people(as_json)
    if as_json:
        _machine({"key": key.name, "path": str(key.path), "line": key.line})
    print(f"wrote {key.path}, readable by you alone", file=out)
    print(f"add this line below 'keys:' in {key.where} and commit it:", file=out)
    print(key.line, file=out)
    print(f"the private key: {key.advice}", file=out)
    return ExitCode.DONE


def packed(release: PackedRelease, *, as_json: bool) -> ExitCode:
    """Say what was packed and where it lies."""
    statement = release.statement
    out = _people(as_json)
    if as_json:
        _machine(
            {
                **_release(statement),
                "tar": str(release.tar),
                "tar_digest": statement.tar_digest,
                "evidence": str(release.evidence),
                "signed_by": release.signed_by,
                "anew": release.anew,
            }
        )
    told = statement.predicate.release
    print(f"{'packed' if release.anew else 'is packed already:'} {told.id}", file=out)
    print(f"digest: {told.digest}", file=out)
    if statement.predicate.label:
        print(f"labelled {statement.predicate.label}: {'; '.join(release.why)}", file=out)
        print("it runs in environments/demo/ only", file=out)
    print(f"signed by: {', '.join(release.signed_by)}", file=out)
    print(f"evidence: {release.evidence}", file=out)
    print(f"release: {release.tar}", file=out)
    return ExitCode.DONE


def verified(found: VerifiedFile, *, as_json: bool) -> ExitCode:
    """Say everything that was looked at.

    :raises Refused: when anything speaks against the release, with all reasons.
    """
    verification, out = found.verification, _people(as_json)
    if as_json:
        statement = verification.statement
        checked = [{"what": c.what, "reasons": c.reasons} for c in verification.checked]
        _machine(
            {
                **(_release(statement) if statement else {"release": None}),
                "verified": not verification.reasons,
                "checked": checked,
                "signed_by": [_signer(one) for one in verification.signers],
            }
        )
    for one in verification.checked:
        print(f"{'✗' if one.reasons else '✓'} {one.what}: {one.said or 'no'}", file=out)
    for signer in verification.signers:
        opens = ", ".join(signer.opens) or "nothing"
        print(f"{signer.name} by itself opens: {opens}", file=out)
    if verification.reasons:
        lines = "\n".join(f"{found.path}: {reason}" for reason in verification.reasons)
        raise Refused(lines, "don't run it; 'sluice docs releases' says what is looked at")
    return ExitCode.DONE


def listed(found: Listed, *, as_json: bool) -> ExitCode:
    """List what is packed; what cannot be read makes it unknown."""
    out = _people(as_json)
    if as_json:
        rows = [
            {
                **_release(one.statement),
                "tar": str(one.tar),
                "signed_by": [signature.keyid for signature in one.envelope.signatures],
            }
            for one in found.releases
        ]
        _machine({"releases": rows, "broken": found.broken})
    for one in found.releases:
        packed_at = one.statement.predicate.taken_at.strftime("%Y-%m-%d %H:%M UTC")
        label = one.statement.predicate.label or ""
        print(f"{one.release.id}  {packed_at}  {label}".rstrip(), file=out)
    for reason in found.broken:
        print(f"broken: {reason}", file=out)
    if not found.releases and not found.broken:
        print("nothing is packed yet: 'sluice pack NAME'", file=out)
    return ExitCode.CANNOT_TELL if found.broken else ExitCode.DONE


def _people(as_json: bool) -> TextIO:
    return sys.stderr if as_json else sys.stdout


def _machine(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told, separators=(",", ":")) + "\n")


def _release(statement: ReleaseStatement) -> dict[str, Any]:
    packed = statement.predicate
    return {
        "release": str(packed.release.id),
        "digest": packed.release.digest,
        "subject_digest": packed.release.subject_digest,
        "label": packed.label,
        "taken_at": packed.model_dump(mode="json")["taken_at"],
    }


def _signer(signer: Signer) -> dict[str, Any]:
    return {"key": signer.name, "role": signer.role.value, "opens": signer.opens}
