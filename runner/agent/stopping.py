"""Stopping: no entries while a bot is halted, and nothing left once it is flattened.

Both are what the ledger wants until somebody resumes, so they are done again at every round. A bot
that answers does it itself. One that is dead or does not answer is gone around, straight to the
exchange, behind its lock where something is sold: so nobody else trades there at the same time.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipelines import documents
from pipelines.domain.deployment import Phase
from pipelines.domain.environment import Environment
from pipelines.domain.protections import Unknown
from pipelines.domain.record import Record
from pipelines.domain.strategy import Manifest
from pipelines.domain.worth import OpenTrade
from pipelines.errors import CannotTell, SluiceError
from runner.agent.about import Key
from runner.agent.books.trading import Desk, Left, Owned, desk_for
from runner.agent.crew import PATIENCE, Crew, Member
from runner.agent.kept import Sheet, known, sheet
from runner.agent.preparing import Rehearsal

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Stopped:
    """How far a bot is. `left` is what could not be closed, `trouble` what could not be told."""

    left: tuple[Left, ...] = ()
    trouble: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The same for people; nothing when nothing is left."""
        return (*(left.text for left in self.left), *((self.trouble,) if self.trouble else ()))


@dataclass
class Stopping:
    """Keeps halted bots from entering, and flattened ones empty. `flat` are those that are."""

    crew: Crew
    rehearsal: Rehearsal | None
    flat: dict[Key, datetime] = field(default_factory=dict)
    around: set[Key] = field(default_factory=set)

    def keep(
        self,
        record: Record,
        members: Mapping[Key, Member],
        environments: Mapping[str, Environment],
        only: Iterable[Key] | None = None,
    ) -> dict[Key, Stopped]:
        """One round over these bots, or all of them; what of each could not be done."""
        told = {}
        for key in members if only is None else only:
            if record.halt(*key) is None:
                self.flat.pop(key, None)
                self.around.discard(key)
            elif key in members and key[0] in environments:
                told[key] = self._stop(record, members[key], environments[key[0]])
        return told

    def _stop(self, record: Record, member: Member, environment: Environment) -> Stopped:
        flat = record.flat(*member.bot.key)
        try:
            if flat is None:
                return self._halt(member, environment)
            # Nothing enters a halted bot: what was empty once stays so.
            if self.flat.get(member.bot.key) == flat.at and not _knows_trades(member):
                return Stopped()
            stopped = self._flatten(member, environment)
        except (SluiceError, OSError) as error:
            return Stopped(trouble=error.message if isinstance(error, SluiceError) else str(error))
        if not stopped.texts:
            self.flat[member.bot.key] = flat.at
        return stopped

    def _halt(self, member: Member, environment: Environment) -> Stopped:
        """Cancel entries that wait. A bot that trades all the same is told once more."""
        try:
            if member.bot.phase is Phase.RUNNING or _has_drifted(member):
                member.record.rest.stop_entries()
            for trade in sorted({order.trade for order in _sheet(member).entries}):
                member.record.rest.cancel_entry(trade)
        except CannotTell:
            entries = _sheet(member).entries
            if not entries or not member.record.placed.live:
                return Stopped()
            ids = frozenset(order.id for order in entries)
            desk = self._desk(member, environment)
            return Stopped(desk.cancel({order.pair for order in entries}, ids))
        return Stopped()

    def _flatten(self, member: Member, environment: Environment) -> Stopped:
        before = _sheet(member)
        if self._asked(member):
            if not member.record.placed.live:
                return _on_paper(_sheet(member))
            desk = self._desk(member, environment)
            return Stopped(_confirmed(desk, member, before, self._pairs(member, before)))
        if not member.record.placed.live:
            return _on_paper(before)
        if self._is_starting(member):
            return Stopped(trouble="the bot is just starting")
        self.around.add(member.bot.key)
        return self._around(member, environment)

    def _asked(self, member: Member) -> bool:
        """Let the bot itself exit everything; false when it does not answer."""
        try:
            member.record.rest.stop_entries()
        except CannotTell:
            return False
        member.record.rest.exit_all()
        return True

    def _is_starting(self, member: Member) -> bool:
        """One that was gone around and starts again is not ended once more."""
        if member.bot.key not in self.around or member.bot.phase is not Phase.VERIFYING:
            return False
        lock = self.crew.house.lock(*member.bot.key)
        return lock.held() and datetime.now(UTC) - member.record.began < PATIENCE

    def _around(self, member: Member, environment: Environment) -> Stopped:
        """Straight at the exchange. The bot is ended first, and cannot be started meanwhile."""
        desk = self._desk(member, environment)
        lock = self.crew.house.lock(*member.bot.key)
        self.crew.end(lock, politely=False)
        if (held := lock.take()) is None:
            raise CannotTell(f"{'.'.join(member.bot.key)}: somebody starts it just now")
        try:
            before = _sheet(member)
            refused = desk.cancel(self._pairs(member, before))
            closed = [desk.close(trade) for trade in _owned(member, before.kept.open)]
            return Stopped((*refused, *(left for left in closed if left)))
        finally:
            os.close(held)

    def _desk(self, member: Member, environment: Environment) -> Desk:
        futures = not member.record.placed.shares_account
        strategy = member.bot.strategy
        return desk_for(self.crew.house, environment, strategy, self.rehearsal, futures=futures)

    def _pairs(self, member: Member, before: Sheet) -> frozenset[str]:
        """Every pair that the bot may have orders of."""
        promotion = member.record.promotion
        folder = self.crew.house.deployed(promotion.digest or "") / promotion.strategy
        return before.pairs | _declared(folder / "strategy.yaml")


def _declared(manifest: Path) -> frozenset[str]:
    # A release that lies broken on the disk keeps nobody from selling.
    try:
        return frozenset(documents.load(manifest, Manifest).pairs)
    except SluiceError:
        return frozenset()


def _sheet(member: Member) -> Sheet:
    found = sheet(member.database, _EVER, _EVER)
    if isinstance(found, Unknown):
        raise CannotTell(f"{'.'.join(member.bot.key)}: {found.why}")
    return found


def _knows_trades(member: Member) -> bool:
    return member.bot.open_trades != 0


def _has_drifted(member: Member) -> bool:
    """True when a bot that was halted opens trades again: somebody told it to, or reloaded it."""
    return member.bot.phase is Phase.HALTED and member.record.rest.shown().state == "running"


def _on_paper(sheet_: Sheet) -> Stopped:
    open_ones = sheet_.kept.open
    return Stopped(tuple(Left(t.pair, t.held, "it is open, on paper") for t in open_ones))


def _owned(member: Member, trades: Iterable[OpenTrade]) -> tuple[Owned, ...]:
    there = tuple(trades)
    found = known(member.database, (trade.id for trade in there)) if there else {}
    if isinstance(found, Unknown):
        raise CannotTell(f"{'.'.join(member.bot.key)}: {found.why}")
    return tuple(
        Owned(
            name=f"{'.'.join(member.bot.key)}.{trade.id}.{found[trade.id].opened.isoformat()}",
            pair=trade.pair,
            is_short=trade.is_short,
            opened=found[trade.id].opened,
            own=found[trade.id].own,
            others=found[trade.id].others,
        )
        for trade in there
    )


def _confirmed(
    desk: Desk, member: Member, before: Sheet, pairs: frozenset[str]
) -> tuple[Left, ...]:
    """What is left by the exchange's own book, of the trades that were open before, or are now."""
    both = (*before.kept.open, *_sheet(member).kept.open)
    trades = {trade.id: trade for trade in both}.values()
    waiting = desk.client.open_orders(pairs)
    held = [desk.left(trade) for trade in _owned(member, trades)]
    orders = (Left(o.pair, o.remaining, f"order {o.id} is open") for o in waiting)
    return (*orders, *(left for left in held if left))
