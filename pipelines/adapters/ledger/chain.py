"""The chain: every entry's digest covers the digest before it, so that nothing changes unseen."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from pipelines.domain.document import Digest, Document, sha256
from pipelines.domain.entry import Entry
from pipelines.domain.record import Line

ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)

FIRST = "0" * 64
"""What the first entry follows."""


class Head(Document):
    """The end of the chain: how many entries there are, and the digest of the last one."""

    count: int
    digest: Digest


START = Head(count=0, digest=FIRST)


@dataclass(frozen=True)
class Row:
    """An entry as the database gives it. Who tampers may leave anything in any column."""

    number: object
    previous: object
    digest: object
    entry: object


@dataclass(frozen=True)
class Broken:
    """The first place at which the chain does not hold."""

    number: int
    reason: str


@dataclass(frozen=True)
class Chain:
    """What was read, up to the first place where it is broken."""

    lines: tuple[Line, ...]
    head: Head
    broken: Broken | None = None


def link(head: Head, entry: Entry) -> Row:
    """The row that makes an entry follow the head of a chain."""
    text = ENTRY.dump_json(entry).decode()
    number = head.count + 1
    return Row(number, head.digest, _digest(head.digest, number, text), text)


def follow(rows: Iterable[Row], since: Head = START, anchor: Head | None = None) -> Chain:
    """Recompute every digest, from a head that is known.

    `anchor` is a head that was remembered elsewhere: who rewrites the whole chain, or cuts its end
    off, cannot do the same there.
    """
    lines: list[Line] = []
    head = since
    for row in rows:
        number = head.count + 1
        if reason := _wrong(row, head, number):
            return Chain(tuple(lines), head, Broken(number, reason))
        try:
            entry = ENTRY.validate_json(str(row.entry))
        except ValidationError:
            reason = "is of a kind that this version does not know"
            return Chain(tuple(lines), head, Broken(number, reason))
        lines.append(Line(number, entry))
        head = Head(count=number, digest=str(row.digest))
        if anchor and anchor.count == number and anchor != head:
            return Chain(tuple(lines), head, Broken(number, "is not the one that was remembered"))
    if anchor and anchor.count > head.count:
        reason = f"is missing: there were {anchor.count} entries"
        return Chain(tuple(lines), head, Broken(head.count + 1, reason))
    return Chain(tuple(lines), head)


def _wrong(row: Row, head: Head, number: int) -> str:
    if row.number != number:
        return f"is missing: {row.number!r} stands in its place"
    if row.previous != head.digest:
        return "does not follow the entry before it"
    if not isinstance(row.entry, str) or row.digest != _digest(head.digest, number, row.entry):
        return "is not what was written: its digest is another"
    return ""


def _digest(previous: str, number: int, text: str) -> str:
    return sha256(f"{previous} {number} {text}".encode())
