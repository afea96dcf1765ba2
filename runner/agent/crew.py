"""What can be done with a bot of this host: start it, read it back, pause it, end it.

Everything here can be killed at any moment and done again: a record is written before its bot is
started, and a bot that no record opens any more is ended and started anew.
"""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from pipelines import documents
from pipelines.adapters.redaction import Redactor
from pipelines.domain import adoption
from pipelines.domain.deployment import Phase
from pipelines.domain.environment import Environment
from pipelines.domain.handover import berthed
from pipelines.domain.secret import Secret
from pipelines.errors import CannotTell
from runner.agent import copies, owners, records, venvs
from runner.agent.house import House, give, let_through
from runner.agent.launcher import Launcher
from runner.agent.locks import Lock
from runner.agent.muster import Member, Muster
from runner.agent.owners import Owner
from runner.agent.preparing import PAUSED, Deployable, Rehearsal, prepare
from runner.agent.readback import differences
from runner.agent.records import BotRecord
from runner.agent.trades import book, open_trades
from runner.bots.messages import Loaded

PATIENCE = timedelta(seconds=180)
"""How long a bot may take until it can be read back, on a slow machine. Of the system's time."""

_TERM_SECONDS, _KILL_SECONDS = 30.0, 10.0


@dataclass
class Crew:
    """Starts, reads back, stops. `rehearsal` is the exchange in whose time bots live, if any.

    `hidden` knows what no log, alert or entry may show.
    """

    house: House
    launcher: Launcher
    rehearsal: Rehearsal | None = None
    hidden: Redactor = field(default_factory=Redactor)

    def members(self, environments: Mapping[str, Environment], now: datetime) -> Iterator[Member]:
        """Every bot that is there or should have been, as it is now."""
        return Muster(self.house, self.end).members(environments, now)

    def start(
        self, of: Deployable, now: datetime, failures: int = 0, *, drains: bool = False
    ) -> None:
        """Start a bot that does not trade yet. Where one runs already nothing happens.

        One that `drains`, and one that finds open trades, enters none before it is told to.

        :raises SluiceError: when it cannot be prepared or started; then none runs.
        """
        seat = of.environment.name, berthed(of.strategy, of.berth)
        prepared = prepare(self.house, of, self.rehearsal)
        lock = self.house.lock(*seat)
        if lock.held():
            return
        self.hidden.know(map(Secret, prepared.told.hidden), prepared.launch.name)
        home, user = self.house.home, prepared.launch.user
        own = home / of.environment.folder(of.strategy, of.berth)
        found = book(home / of.environment.database(of.strategy, of.berth))
        _pause(own, drains or found is None or bool(found.open))
        give(own, user)
        for folder in (own, self.house.deployed(of.release.digest)):
            let_through(home, folder, user)
        owner = Owner(
            promotion=of.promotion, placed=of.placed, environment=of.environment, berth=of.berth
        )
        owners.save(self.house.owner(*seat), owner)
        record = BotRecord(
            promotion=of.promotion,
            placed=of.placed,
            launch=prepared.launch.identity["launch"],
            config=prepared.config,
            key=prepared.key,
            port=prepared.access.port,
            username=prepared.access.username,
            password=prepared.access.password.reveal(),
            phase=Phase.VERIFYING,
            since=now,
            began=datetime.now(UTC),
            failures=failures,
            inherited=adoption.inherited(found.open) if found else (),
        )
        records.save(self.house.record(*seat), record)
        self.launcher.launch(prepared.launch, prepared.told, lock, prepared.python)

    def read_back(self, member: Member, of: Deployable) -> tuple[str, ...] | None:
        """In what a bot differs from what it should be; None while that cannot be told yet."""
        record = member.record
        try:
            holder, loaded = self.house.lock(*member.bot.seat).holder(), self._loaded(of)
            if holder is None or loaded is None or loaded.pid != holder.pid:
                return _out_of_patience(record)
            shown = record.rest.shown()
        except CannotTell:
            return _out_of_patience(record)
        python = venvs.needed(self.house.home, of.release.pins.requirements).python
        expected = of.expected(record.config, record.key, python)
        return differences(expected, holder.pid, loaded, shown)

    def let_trade(self, member: Member, now: datetime) -> None:
        """Let a bot open trades.

        :raises CannotTell: when it does not answer.
        """
        _pause(member.database.parent, False)
        member.record.rest.start()
        self._note(member, now, phase=Phase.RUNNING)

    def pause(self, member: Member, phase: Phase, now: datetime) -> None:
        """Let it open no more trades, whatever it reads again; what is open stays looked after.

        :raises CannotTell: when it does not answer.
        """
        _pause(member.database.parent, True)
        member.record.rest.stop_entries()
        self._note(member, now, phase=phase)

    def halt(self, member: Member, now: datetime) -> None:
        """Let it open no more trades until the reason is gone.

        :raises CannotTell: when it does not answer.
        """
        self.pause(member, Phase.HALTED, now)

    def hand_over(self, member: Member, to: Deployable, now: datetime) -> bool:
        """End a bot over its open trades, and start another on them; false while it is at work.

        What can be refused is refused before anything ends, and the database is copied.

        :raises SluiceError: when it cannot be done.
        """
        prepare(self.house, to, self.rehearsal)
        seat, lock = member.bot.seat, self.house.lock(*member.bot.seat)
        if lock.held() and not _has_come_to_rest(member):
            return False
        release = member.record.promotion.release or ""
        copies.keep(member.database, self.house.copies(*seat), release, now)
        self.end(lock)
        self.house.record(*seat).unlink(missing_ok=True)
        self.start(to, now)
        return True

    def distrust(self, member: Member, mismatch: str, now: datetime) -> None:
        """Remember what reading it back found."""
        self._note(member, now, mismatch=mismatch)

    def stop(self, member: Member) -> None:
        """End a bot that has no open trades, and forget it.

        :raises CannotTell: when it opened one meanwhile, or cannot be ended.
        """
        lock = self.house.lock(*member.bot.seat)
        # One that does not answer has to go as well.
        with suppress(CannotTell):
            if lock.holder() is not None:
                member.record.rest.stop_entries()
        self._refuse_over_trades(member)
        self.end(lock)
        # What it opened in its last moment is looked after by the same bot, started again.
        self._refuse_over_trades(member)
        self.house.record(*member.bot.seat).unlink(missing_ok=True)
        self.house.owner(*member.bot.seat).unlink(missing_ok=True)

    def _refuse_over_trades(self, member: Member) -> None:
        if open_trades(member.database) != 0:
            raise CannotTell(f"{'.'.join(member.bot.seat)}: has an open trade by now")

    def end(self, lock: Lock, *, politely: bool = True) -> None:
        """End whoever holds a lock: asked first, then killed.

        :raises CannotTell: when it does not die.
        """
        asked = ((signal.SIGTERM, _TERM_SECONDS),) if politely else ()
        for number, seconds in (*asked, (signal.SIGKILL, _KILL_SECONDS)):
            if not lock.signal(number):
                return
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if lock.holder() is None:
                    return
                time.sleep(0.05)
        raise CannotTell(f"{lock.path.name}: cannot be ended")

    def _note(self, member: Member, now: datetime, **changed: object) -> None:
        record = member.record.model_copy(update={**changed, "since": now})
        records.save(self.house.record(*member.bot.seat), record)

    def _loaded(self, of: Deployable) -> Loaded | None:
        path = self.house.home / of.environment.folder(of.strategy, of.berth) / "loaded.json"
        try:
            return Loaded.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


def _pause(folder: Path, paused: bool) -> None:
    """Let a bot enter no trades, whenever it reads its configuration; or let it again."""
    marker = folder / PAUSED
    if paused:
        documents.write(marker, "")
    else:
        marker.unlink(missing_ok=True)


def _has_come_to_rest(member: Member) -> bool:
    """False while a bot may still be in the round in which it was paused: with an entry on its way.

    One that does not answer is not waited for.
    """
    try:
        processed = member.record.rest.processed()
    except CannotTell:
        return True
    return processed is not None and processed >= member.bot.since


def _out_of_patience(record: BotRecord) -> tuple[str, ...] | None:
    # One that was read back before and is only silent now may still answer.
    if record.phase is not Phase.VERIFYING or datetime.now(UTC) - record.began < PATIENCE:
        return None
    return (f"it could not be read back within {PATIENCE.total_seconds():.0f} seconds",)
