"""Stopping: no entries while a bot is halted, and nothing left once it is flattened.

Both are what the ledger wants until somebody resumes, so they are done again at every round. A bot
that answers does it itself. One that is dead or does not answer is gone around, straight to the
exchange, behind its lock where something is sold: so nobody else trades there at the same time.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipelines import documents
from pipelines.domain.deployment import Obstacle, Phase
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.domain.handover import berthed
from pipelines.domain.promotion import Promotion
from pipelines.domain.protections import Unknown
from pipelines.domain.record import Record
from pipelines.domain.strategy import Manifest
from pipelines.domain.worth import OpenTrade
from pipelines.errors import CannotTell, Refused, SluiceError
from pipelines.freqtrade.rest import Rest
from runner.agent.about import Key
from runner.agent.books.trading import Desk, Left, Owned, desk_for
from runner.agent.crew import PATIENCE, Crew
from runner.agent.house import House
from runner.agent.kept import Sheet, known, sheet
from runner.agent.records import BotRecord

_LOOKS, _LOOK_SECONDS = 3, 0.5
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Target:
    """One bot, also one that nobody has started since a reboot: then there is no record of it.

    `pairs` are those that its release trades.
    """

    environment: Environment
    strategy: str
    berth: int
    database: Path
    record: BotRecord | None
    pairs: frozenset[str]

    @property
    def key(self) -> Key:
        return self.environment.name, self.strategy

    @property
    def seat(self) -> Key:
        """What the host calls it."""
        return self.environment.name, berthed(self.strategy, self.berth)

    @property
    def live(self) -> bool:
        return self.environment.mode == "live"

    @property
    def phase(self) -> Phase:
        return self.record.phase if self.record else Phase.ABSENT

    def sheet(self) -> Sheet:
        """What it keeps.

        :raises CannotTell: when nobody can tell.
        """
        found = sheet(self.database, _EVER, _EVER)
        if isinstance(found, Unknown):
            raise CannotTell(f"{'.'.join(self.seat)}: {found.why}")
        return found


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
    """Keeps halted bots from entering, and flattened ones empty.

    `flat` says of which that was confirmed, `around` which were gone around.
    """

    crew: Crew
    flat: dict[Key, datetime] = field(default_factory=dict)
    around: set[Key] = field(default_factory=set)

    def keep(
        self, record: Record, targets: Iterable[Target], *, has_lease: bool
    ) -> dict[Key, Stopped]:
        """One round over these bots; what of each could not be done."""
        told = {}
        for target in targets:
            if record.halt(*target.key) is not None:
                told[target.seat] = self._stop(record, target, has_lease=has_lease)
            else:
                self.flat.pop(target.seat, None)
                self.around.discard(target.seat)
        return told

    def _stop(self, record: Record, target: Target, *, has_lease: bool) -> Stopped:
        flat = record.flat(*target.key)
        try:
            if flat is None:
                return self._halt(target)
            # Nothing enters a halted bot: what was empty once stays so.
            if self.flat.get(target.seat) == flat.at and not target.sheet().kept.open:
                return Stopped()
            done = self._flatten(target, has_lease=has_lease)
            stopped = Stopped((*done.left, *_orphans(record, target.key)), done.trouble)
        except (SluiceError, OSError) as error:
            return Stopped(trouble=error.message if isinstance(error, SluiceError) else str(error))
        if not stopped.texts:
            self.flat[target.seat] = flat.at
        return stopped

    def _halt(self, target: Target) -> Stopped:
        """Cancel entries that wait. A bot that trades all the same is told once more."""
        try:
            _stop_entries(target)
            for trade in sorted({order.trade for order in target.sheet().entries}):
                _rest(target).cancel_entry(trade)
        except CannotTell:
            entries = target.sheet().entries
            if entries and target.live:
                ids = frozenset(order.id for order in entries)
                pairs = {order.pair for order in entries}
                return Stopped(self._desk(target, pairs).cancel(pairs, ids))
        return Stopped()

    def _flatten(self, target: Target, *, has_lease: bool) -> Stopped:
        before = target.sheet()
        if self._asked(target):
            return self._confirmed(target, before)
        if not target.live:
            return _on_paper(target)
        if self._is_starting(target):
            return Stopped(trouble="the bot is just starting")
        if not has_lease:
            raise Refused(Obstacle.NO_LEASE.value)
        self.around.add(target.seat)
        return self._around(target)

    def _asked(self, target: Target) -> bool:
        """Let the bot itself exit everything; false when it does not answer."""
        try:
            _rest(target).stop_entries()
            _rest(target).exit_all()
        except CannotTell:
            return self._still_answers(target)
        return True

    def _still_answers(self, target: Target) -> bool:
        """One that answers and could not exit is asked again: the exchange may not let it."""
        try:
            return target.record is not None and bool(target.record.rest.shown().state)
        except CannotTell:
            return False

    def _is_starting(self, target: Target) -> bool:
        """One that was gone around and starts again is not ended once more."""
        if target.seat not in self.around or target.phase is not Phase.VERIFYING:
            return False
        assert target.record is not None
        held = self.crew.house.lock(*target.seat).held()
        return held and datetime.now(UTC) - target.record.began < PATIENCE

    def _around(self, target: Target) -> Stopped:
        """Straight at the exchange. The bot is ended first, and cannot be started meanwhile."""
        lock = self.crew.house.lock(*target.seat)
        self.crew.end(lock, politely=False)
        if (held := lock.take()) is None:
            raise CannotTell(f"{'.'.join(target.seat)}: somebody starts it just now")
        try:
            before = target.sheet()
            pairs = before.pairs | target.pairs
            desk = self._desk(target, pairs)
            refused = desk.cancel(pairs)
            closed = [desk.close(trade) for trade in _owned(target, before.kept.open)]
            return Stopped((*refused, *(left for left in closed if left)))
        finally:
            os.close(held)

    def _confirmed(self, target: Target, before: Sheet) -> Stopped:
        """What is left by the exchange's own book, of the trades that were open before or are."""
        if not target.live:
            return _on_paper(target)
        trades = {trade.id: trade for trade in (*before.kept.open, *target.sheet().kept.open)}
        pairs = before.pairs | target.pairs
        desk = self._desk(target, pairs)
        owned = _owned(target, trades.values())
        for _ in range(_LOOKS):
            held = [left for trade in owned if (left := desk.left(trade))]
            waiting = desk.client.open_orders(pairs)
            if not held and not waiting:
                break
            # What a market order takes a moment for is not left.
            time.sleep(_LOOK_SECONDS)
        orders = (Left(o.pair, o.remaining, f"order {o.id} is open") for o in waiting)
        return Stopped((*orders, *held))

    def _desk(self, target: Target, pairs: Iterable[str]) -> Desk:
        futures = any(":" in pair for pair in pairs)
        place = self.crew.house, target.environment, target.strategy, target.berth
        return desk_for(*place, self.crew.rehearsal, futures=futures)


def pairs_of(house: House, promotion: Promotion | None) -> frozenset[str]:
    """The pairs that a release trades; none when it lies broken on the disk."""
    if promotion is None or promotion.digest is None:
        return frozenset()
    manifest = house.deployed(promotion.digest) / promotion.strategy / "strategy.yaml"
    try:
        return frozenset(documents.load(manifest, Manifest).pairs)
    except SluiceError:
        return frozenset()


def _orphans(record: Record, key: Key) -> tuple[Left, ...]:
    """What no bot knows: it is not sold with what they hold."""
    both = {**record.track(key[0], ALL).orphans, **record.track(*key).orphans}
    why = "no bot knows it, 'sluice orphan close' sells it"
    return tuple(Left(o.pair, o.amount + o.waiting, f"{o.orphan}: {why}") for o in both.values())


def _rest(target: Target) -> Rest:
    if target.record is None:
        raise CannotTell(f"{'.'.join(target.seat)}: nobody has started it")
    return target.record.rest


def _stop_entries(target: Target) -> None:
    """Tell a bot that it is halted, also one that was, and trades again: somebody told it to."""
    if target.phase is Phase.RUNNING or _rest(target).shown().state == "running":
        _rest(target).stop_entries()


def _on_paper(target: Target) -> Stopped:
    still = target.sheet().kept.open
    return Stopped(tuple(Left(t.pair, t.held, "it is open, on paper") for t in still))


def _owned(target: Target, trades: Iterable[OpenTrade]) -> tuple[Owned, ...]:
    there = tuple(trades)
    found = known(target.database, (trade.id for trade in there)) if there else {}
    name = ".".join(target.seat)
    if isinstance(found, Unknown):
        raise CannotTell(f"{name}: {found.why}")
    return tuple(
        Owned(
            name=f"{name}.{trade.id}.{found[trade.id].opened.isoformat()}",
            pair=trade.pair,
            is_short=trade.is_short,
            opened=found[trade.id].opened,
            own=found[trade.id].own,
            others=found[trade.id].others,
            fees=found[trade.id].fees,
        )
        for trade in there
    )
