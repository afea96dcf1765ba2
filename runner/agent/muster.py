"""Which bots there are: by their locks, by what the agent wrote down, and by what they left behind.

A bot that is dead and has open trades is there as well, since somebody has to look after those.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.domain.deployment import Bot, Phase
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST, SECOND, berthed
from pipelines.domain.promotion import Kind, Promotion
from pipelines.errors import CannotTell
from runner.agent import owners, records
from runner.agent.house import House
from runner.agent.locks import Lock
from runner.agent.owners import Owner
from runner.agent.records import BotRecord, Placed
from runner.agent.trades import open_trades
from runner.bots.messages import Holder

STEADY = timedelta(minutes=10)
"""After so long without ending by itself its failures are forgotten."""

_NOTHING = "0" * 64


@dataclass(frozen=True)
class Member:
    """A bot, what the agent knows of it, where its trades are kept, and whose they are."""

    bot: Bot
    record: BotRecord
    database: Path
    owner: Owner | None = None


@dataclass(frozen=True)
class Muster:
    """Looks who is there. `end` ends whoever holds a lock."""

    house: House
    end: Callable[[Lock], None]

    def members(self, environments: Mapping[str, Environment], now: datetime) -> Iterator[Member]:
        """Every bot of this home, as it is now; `environments` are those that are declared."""
        names = set(self._named(environments))
        for environment, seat in sorted(names):
            found = self._member(environment, seat, environments.get(environment), now)
            if found is not None:
                yield found

    def _named(self, environments: Mapping[str, Environment]) -> Iterator[tuple[str, str]]:
        home = self.house.home
        files = [*(home / "locks").glob("*.*"), *(home / "owners").glob("*.*.json")]
        for path in files:
            environment, _, seat = path.name.removesuffix(".json").partition(".")
            yield environment, seat
        for name, declared in environments.items():
            for database in home.glob(declared.database("*")):
                yield name, database.parent.name

    def _member(
        self, environment: str, seat: str, declared: Environment | None, now: datetime
    ) -> Member | None:
        strategy, _, number = seat.partition(".")
        berth = SECOND if number else FIRST
        if berthed(strategy, berth) != seat:
            return None
        path, lock = self.house.record(environment, seat), self.house.lock(environment, seat)
        record, owner = records.load(path), owners.load(self.house.owner(environment, seat))
        try:
            holder = lock.holder()
        except CannotTell:
            # It is just starting: what it is will be seen the next time.
            return self._known(record, owner, berth) if record and owner else None
        if holder is not None and (record is None or record.launch != holder.identity["launch"]):
            self.end(lock)
            record = _lost(holder, now)
            records.save(path, record)
        elif holder is None and record is not None and record.phase is not Phase.FAILED:
            record = _failed(record, now)
            records.save(path, record)
        if record and not owner and declared:
            # Its bot was started by a Sluice that did not write down whose the trades are.
            owner = _owner(record, declared, berth)
            owners.save(self.house.owner(environment, seat), owner)
        if record and owner:
            return self._known(record, owner, berth)
        if owner:
            return self._left(_absent(owner, now), owner, berth)
        return self._stray(declared, strategy, berth, now) if declared else None

    def _left(self, record: BotRecord, owner: Owner, berth: int) -> Member | None:
        """One that nobody runs and that no record tells of, as after a reboot, if it has trades."""
        found = self._known(record, owner, berth)
        return found if found.bot.has_trades else None

    def _stray(
        self, declared: Environment, strategy: str, berth: int, now: datetime
    ) -> Member | None:
        """A database of which nobody knows whose it is, if there are trades in it."""
        nobody = Promotion(
            kind=Kind.RETIRE, environment=declared.name, strategy=strategy, by="nobody", at=now
        )
        live = declared.mode == "live"
        account = declared.account_of(strategy, berth) if live else None
        placed = Placed(config_digest=_NOTHING, live=live, account=account, shares_account=False)
        owner = Owner(promotion=nobody, placed=placed, environment=declared, berth=berth)
        found = self._left(_absent(owner, now), owner, berth)
        return Member(found.bot, found.record, found.database) if found else None

    def _known(self, record: BotRecord, owner: Owner, berth: int) -> Member:
        database = self.house.home / owner.database
        bot = Bot(
            environment=record.promotion.environment,
            strategy=record.promotion.strategy,
            digest=record.promotion.digest or "",
            settings=record.placed.settings,
            phase=record.phase,
            since=record.since,
            open_trades=open_trades(database),
            failures=record.failures,
            mismatch=record.mismatch,
            identity=record.launch,
            berth=berth,
        )
        return Member(bot, record, database, owner)


def _owner(record: BotRecord, declared: Environment, berth: int) -> Owner:
    return Owner(
        promotion=record.promotion, placed=record.placed, environment=declared, berth=berth
    )


def _failed(record: BotRecord, now: datetime) -> BotRecord:
    """It ended by itself."""
    steady = record.phase is not Phase.VERIFYING and now - record.since > STEADY
    failures = 1 if steady else record.failures + 1
    return record.model_copy(update={"phase": Phase.FAILED, "since": now, "failures": failures})


def _lost(holder: Holder, now: datetime) -> BotRecord:
    """A bot that nobody could reach any more, and that was ended for it."""
    promotion = Promotion.model_validate_json(holder.identity["promotion"])
    placed = Placed.model_validate_json(holder.identity["placed"])
    return _unreachable(promotion, placed, holder.identity["launch"], Phase.FAILED, now)


def _absent(owner: Owner, now: datetime) -> BotRecord:
    return _unreachable(owner.promotion, owner.placed, "", Phase.ABSENT, now)


def _unreachable(
    promotion: Promotion, placed: Placed, launch: str, phase: Phase, now: datetime
) -> BotRecord:
    return BotRecord(
        promotion=promotion,
        placed=placed,
        launch=launch,
        config=_NOTHING,
        key="",
        port=1,
        username="",
        password="",
        phase=phase,
        since=now,
        began=now,
    )
