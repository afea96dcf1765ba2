"""The ledger: everything that was wanted and seen, appended and never edited, in one chain."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from pipelines import documents
from pipelines.adapters.ledger import database, schema
from pipelines.adapters.ledger.chain import ENTRY, START, Broken, Chain, Head, Row, follow, link
from pipelines.domain.entry import Entry, LeaseTaken
from pipelines.domain.lease import Lease, Taken, claim
from pipelines.errors import BadInput, CannotTell

__all__ = ["START", "Broken", "Chain", "Head", "Ledger", "Moved", "Verification"]

_LIVE = "live"
"""The name of the only lease there is."""


class Moved(CannotTell):
    """The ledger went on since the decision was made. Make it again on what stands there now."""


@dataclass(frozen=True)
class Verification:
    """What recomputing the chain showed.

    `anchor` is the head that was remembered beside the ledger; without one nobody can say whether
    entries at the end were removed.
    """

    head: Head
    anchor: Head | None
    broken: Broken | None


@dataclass(frozen=True)
class Ledger:
    """An append-only chain in a database. `anchor` is a file that remembers its head."""

    engine: sa.Engine
    anchor: Path

    @classmethod
    def open(cls, url: str, anchor: Path) -> "Ledger":
        """A ledger to write to, made or brought to this version's state first.

        :raises BadInput: when the URL is wrong, or a newer version wrote it.
        :raises CannotTell: when the database does not answer.
        """
        ledger = cls(database.connect(url), anchor)
        with ledger._closed_on_failure():
            database.make_file(ledger.engine)
            with database.transaction(ledger.engine, writes=True) as connection:
                schema.migrate(connection)
        return ledger

    @classmethod
    def examine(cls, url: str, anchor: Path) -> "Ledger":
        """A ledger to look at: nothing is made and nothing migrated.

        :raises BadInput: when there is none, or a newer version wrote it.
        :raises CannotTell: when the database does not answer.
        """
        ledger = cls(database.connect(url), anchor)
        file = database.file_of(ledger.engine)
        hint = "the agent makes it when it first runs; name another with --url"
        if file and not file.is_file():
            raise BadInput(f"{file}: there is no ledger", hint)
        with ledger._closed_on_failure():
            with database.transaction(ledger.engine, writes=False) as connection:
                found = schema.current(connection)
            if found is None:
                raise BadInput("ledger: there is none in this database", hint)
            schema.refuse_newer(found)
        return ledger

    def append(self, *entries: Entry, after: Head | None = None) -> Head:
        """Append entries, all or none, in one transaction; the new head.

        `after` is the head that a decision was made on: had the ledger gone on, nothing is written.

        :raises Moved: when it had.
        :raises CannotTell: when it cannot be written. What was there stays.
        """
        checked = [ENTRY.validate_python(entry) for entry in entries]
        with database.transaction(self.engine, writes=True) as connection:
            head = self._append(connection, checked, after)
        self._remember(head)
        return head

    def _append(
        self, connection: sa.Connection, entries: list[Entry], after: Head | None = None
    ) -> Head:
        head = _head(connection)
        if after and after != head:
            raise Moved(
                f"ledger: it has {head.count} entries, and this was decided on {after.count}",
                "ask again",
            )
        for entry in entries:
            row = link(head, entry)
            connection.execute(sa.insert(schema.ENTRIES).values(**vars(row)))
            head = Head(count=head.count + 1, digest=str(row.digest))
        return head

    def read(self, since: Head = START) -> Chain:
        """What was appended since a head that is known. Nothing that is broken is given out.

        :raises CannotTell: when the chain is broken, or its end is missing.
        """
        chain = self._follow(since, self._remembered())
        if chain.broken:
            raise CannotTell(
                f"ledger: entry {chain.broken.number} {chain.broken.reason}",
                "see 'sluice ledger verify' and 'sluice docs ledger'",
            )
        return chain

    def head(self) -> Head:
        """The end of the chain as it stands now."""
        with database.transaction(self.engine, writes=False) as connection:
            return _head(connection)

    def verify(self, anchor: Head | None = None) -> Verification:
        """Recompute the whole chain and hold it against a head that was remembered.

        :raises CannotTell: when the database cannot be read.
        """
        known = anchor or self._remembered()
        chain = self._follow(START, known)
        return Verification(chain.head, known, chain.broken)

    def lease(self) -> Lease | None:
        """Who may start bots that trade money, none while nobody ever asked."""
        with database.transaction(self.engine, writes=False) as connection:
            return _lease(connection)

    def take(
        self, holder: str, now: datetime, lasts: timedelta, fenced_by: str = ""
    ) -> Lease | Taken:
        """Ask for the lease, or renew it. `fenced_by` is who says that the last holder is off.

        A new holder is written into the chain.

        :raises CannotTell: when it cannot be written; the lease is then not given.
        """
        with database.transaction(self.engine, writes=True) as connection:
            before = _lease(connection)
            answer = claim(before, holder, now, lasts, fenced=bool(fenced_by))
            if isinstance(answer, Taken):
                return answer
            _keep(connection, answer)
            if before and before.epoch == answer.epoch:
                return answer
            taken = LeaseTaken(holder=holder, epoch=answer.epoch, by=fenced_by, at=now)
            head = self._append(connection, [taken])
        self._remember(head)
        return answer

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _follow(self, since: Head, anchor: Head | None) -> Chain:
        # The anchor was read before: whatever it knows of is committed by now.
        with database.transaction(self.engine, writes=False) as connection:
            return follow(_rows(connection, since.count), since, anchor)

    def _remembered(self) -> Head | None:
        try:
            return Head.model_validate_json(self.anchor.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise CannotTell(
                f"{self.anchor}: the ledger's head cannot be read",
                "without it nobody can say whether entries at the end were removed",
            ) from None

    def _remember(self, head: Head) -> None:
        # The entry is in the ledger by now. A head that lags behind still vouches for its part.
        with suppress(CannotTell):
            documents.write(self.anchor, head.canonical())


def _rows(connection: sa.Connection, after: int) -> Iterator[Row]:
    entries = schema.ENTRIES.c
    asked = sa.select(entries.number, entries.previous, entries.digest, entries.entry)
    for row in connection.execute(asked.where(entries.number > after).order_by(entries.number)):
        yield Row(*row)


def _head(connection: sa.Connection) -> Head:
    entries = schema.ENTRIES.c
    asked = sa.select(entries.number, entries.digest).order_by(entries.number.desc()).limit(1)
    row = connection.execute(asked).first()
    try:
        return Head(count=row.number, digest=row.digest) if row else START
    except ValueError:
        raise CannotTell("ledger: its last entry is broken", "see 'sluice ledger verify'") from None


def _lease(connection: sa.Connection) -> Lease | None:
    leases = schema.LEASES.c
    text = connection.execute(sa.select(leases.lease).where(leases.name == _LIVE)).scalar()
    return Lease.model_validate_json(text) if text else None


def _keep(connection: sa.Connection, lease: Lease) -> None:
    text = lease.canonical().decode()
    leases = schema.LEASES
    changed = connection.execute(sa.update(leases).where(leases.c.name == _LIVE).values(lease=text))
    if not changed.rowcount:
        connection.execute(sa.insert(leases).values(name=_LIVE, lease=text))
