"""The bots of this host: what there is, and what can be done with them.

Everything here can be killed at any moment and done again: a record is written before its bot is
started, and a bot that no record opens any more is ended and started anew.
"""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from pipelines.domain.deployment import Bot, Phase
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Promotion
from pipelines.errors import CannotTell
from runner.agent import records
from runner.agent.house import House, give, let_through
from runner.agent.launcher import Launcher
from runner.agent.locks import Lock
from runner.agent.preparing import Deployable, Rehearsal, prepare
from runner.agent.readback import differences
from runner.agent.records import BotRecord, Placed
from runner.agent.trades import open_trades
from runner.bots.messages import Holder, Loaded

PATIENCE = timedelta(seconds=180)
"""How long a bot may take until it can be read back, on a slow machine. Of the system's time."""

STEADY = timedelta(minutes=10)
"""After so long without ending by itself its failures are forgotten."""

_TERM_SECONDS, _KILL_SECONDS = 30.0, 10.0


@dataclass(frozen=True)
class Member:
    """A bot, what the agent knows of it, and where its trades are kept."""

    bot: Bot
    record: BotRecord
    database: Path


@dataclass
class Crew:
    """Starts, reads back, stops. `rehearsal` is the exchange in whose time bots live, if any."""

    house: House
    launcher: Launcher
    rehearsal: Rehearsal | None = None

    def members(self, environments: Mapping[str, Environment], now: datetime) -> Iterator[Member]:
        """Every bot that is there or should have been, as it is now."""
        for path in sorted((self.house.home / "locks").glob("*.*")):
            environment, _, strategy = path.name.partition(".")
            if environment in environments:
                found = self._member(environments[environment], strategy, now)
                if found is not None:
                    yield found

    def start(self, of: Deployable, now: datetime, failures: int = 0) -> None:
        """Start a bot that does not trade yet. Where one runs already nothing happens.

        :raises SluiceError: when it cannot be prepared or started; then none runs.
        """
        environment, strategy = of.environment.name, of.strategy
        prepared = prepare(self.house, of, self.rehearsal)
        home, user = self.house.home, prepared.launch.user
        own = home / of.environment.folder(strategy)
        give(own, user)
        for folder in (own, self.house.deployed(of.release.digest)):
            let_through(home, folder, user)
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
        )
        lock = self.house.lock(environment, strategy)
        if lock.held():
            return
        records.save(self.house.record(environment, strategy), record)
        self.launcher.launch(prepared.launch, prepared.told, lock)

    def read_back(self, member: Member, of: Deployable) -> tuple[str, ...] | None:
        """In what a bot differs from what it should be; None while that cannot be told yet."""
        record = member.record
        try:
            holder, loaded = self.house.lock(*member.bot.key).holder(), self._loaded(of)
            if holder is None or loaded is None or loaded.pid != holder.pid:
                return _out_of_patience(record)
            shown = record.rest.shown()
        except CannotTell:
            return _out_of_patience(record)
        return differences(of.expected(record.config, record.key), holder.pid, loaded, shown)

    def let_trade(self, member: Member, now: datetime) -> None:
        """Let a bot open trades.

        :raises CannotTell: when it does not answer.
        """
        member.record.rest.start()
        self._note(member, now, phase=Phase.RUNNING)

    def halt(self, member: Member, now: datetime) -> None:
        """Let it open no more trades; what is open stays looked after.

        :raises CannotTell: when it does not answer.
        """
        member.record.rest.stop_entries()
        self._note(member, now, phase=Phase.HALTED)

    def distrust(self, member: Member, mismatch: str, now: datetime) -> None:
        """Remember what reading it back found."""
        self._note(member, now, mismatch=mismatch)

    def stop(self, member: Member) -> None:
        """End a bot that has no open trades, and forget it.

        :raises CannotTell: when it opened one meanwhile, or cannot be ended.
        """
        lock = self.house.lock(*member.bot.key)
        # One that does not answer has to go as well.
        with suppress(CannotTell):
            if lock.holder() is not None:
                member.record.rest.stop_entries()
        self._refuse_over_trades(member)
        self.end(lock)
        # What it opened in its last moment is looked after by the same bot, started again.
        self._refuse_over_trades(member)
        self.house.record(*member.bot.key).unlink(missing_ok=True)

    def _refuse_over_trades(self, member: Member) -> None:
        if open_trades(member.database) != 0:
            raise CannotTell(f"{'.'.join(member.bot.key)}: has an open trade by now")

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

    def _member(self, environment: Environment, strategy: str, now: datetime) -> Member | None:
        lock = self.house.lock(environment.name, strategy)
        path = self.house.record(environment.name, strategy)
        record = records.load(path)
        try:
            holder = lock.holder()
        except CannotTell:
            # It is just starting: what it is will be seen the next time.
            return self._known(environment, strategy, record) if record else None
        if holder is not None and (record is None or record.launch != holder.identity["launch"]):
            self.end(lock)
            record = _lost(holder, now)
        elif holder is None and record is not None and record.phase is not Phase.FAILED:
            record = _failed(record, now)
        else:
            return self._known(environment, strategy, record) if record else None
        records.save(path, record)
        return self._known(environment, strategy, record)

    def _known(self, environment: Environment, strategy: str, record: BotRecord) -> Member:
        database = self.house.home / environment.database(strategy)
        bot = Bot(
            environment=environment.name,
            strategy=strategy,
            digest=record.promotion.digest or "",
            settings=record.placed.settings,
            phase=record.phase,
            since=record.since,
            open_trades=open_trades(database),
            failures=record.failures,
            mismatch=record.mismatch,
            identity=record.launch,
        )
        return Member(bot, record, database)

    def _note(self, member: Member, now: datetime, **changed: object) -> None:
        record = member.record.model_copy(update={**changed, "since": now})
        records.save(self.house.record(*member.bot.key), record)

    def _loaded(self, of: Deployable) -> Loaded | None:
        path = self.house.home / of.environment.folder(of.strategy) / "loaded.json"
        try:
            return Loaded.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


def _failed(record: BotRecord, now: datetime) -> BotRecord:
    """It ended by itself."""
    steady = record.phase is not Phase.VERIFYING and now - record.since > STEADY
    failures = 1 if steady else record.failures + 1
    return record.model_copy(update={"phase": Phase.FAILED, "since": now, "failures": failures})


def _lost(holder: Holder, now: datetime) -> BotRecord:
    """A bot that nobody could reach any more, and that was ended for it."""
    return BotRecord(
        promotion=Promotion.model_validate_json(holder.identity["promotion"]),
        placed=Placed.model_validate_json(holder.identity["placed"]),
        launch=holder.identity["launch"],
        config="0" * 64,
        key="",
        port=1,
        username="",
        password="",
        phase=Phase.FAILED,
        since=now,
        began=now,
    )


def _out_of_patience(record: BotRecord) -> tuple[str, ...] | None:
    # One that was read back before and is only silent now may still answer.
    if record.phase is not Phase.VERIFYING or datetime.now(UTC) - record.began < PATIENCE:
        return None
    return (f"it could not be read back within {PATIENCE.total_seconds():.0f} seconds",)
