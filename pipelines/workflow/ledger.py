"""`sluice ledger`: what stands in the ledger, and whether it is what was written."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from pipelines.adapters.ledger import Head, Ledger, Verification
from pipelines.errors import BadInput, ExitCode
from pipelines.reports import plain


def address(home: Path) -> str:
    """Where the ledger lies when nobody names another."""
    return f"sqlite:///{home / 'ledger.sqlite'}"


def anchor(home: Path) -> Path:
    """The file that remembers the ledger's head."""
    return home / "ledger.head"


def verify(home: Path, url: str | None, head: str | None) -> Verification:
    """Recompute the whole chain; `head` is one that was written down, as `12:9f86d0…`.

    :raises BadInput: when there is no ledger, or the head is none.
    :raises CannotTell: when the database does not answer.
    """
    known = _read(head) if head else None
    with closing(Ledger.examine(url or address(home), anchor(home))) as ledger:
        return ledger.verify(known)


def tell(report: Verification, *, as_json: bool) -> ExitCode:
    """Say whether the ledger is what was written, and where it is not."""
    head, anchor, broken = report.head, report.anchor, report.broken
    if as_json:
        row = {
            "entries": head.count,
            "head": head.digest,
            "anchor": anchor.model_dump() if anchor else None,
            "broken": asdict(broken) if broken else None,
        }
        sys.stdout.write(json.dumps(row) + "\n")
    out = sys.stderr if as_json else sys.stdout
    if broken:
        print(f"entry {broken.number} {broken.reason}", file=out)
        print("what stands before it holds", file=out)
        return ExitCode.SAID_NO
    print(f"{plain.counted(head.count, 'entry', 'entries')} hold", file=out)
    print(f"head: {head.count}:{head.digest}", file=out)
    if head.count and anchor is None:
        print("nobody remembered a head: entries at the end may be missing", file=out)
        print("hint: give one that you wrote down with --head", file=out)
        return ExitCode.CANNOT_TELL
    return ExitCode.DONE


def _read(text: str) -> Head:
    count, _, digest = text.partition(":")
    try:
        return Head(count=int(count), digest=digest)
    except (ValueError, ValidationError):
        hint = "write it as 'sluice ledger verify' printed it, such as 12:9f86d0…"
        raise BadInput(f"--head: {text!r} is no head of a ledger", hint) from None
