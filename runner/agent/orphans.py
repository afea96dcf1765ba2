"""Verbs for orphans: which there are, and what becomes of one.

Each can be killed at any moment and asked for again: an order that its bot knows already is not
written down twice, and what was sold already is not sold twice.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from pipelines.adapters.agent import Asked, OfOrphan, read_args
from pipelines.domain.candles import TIMEFRAMES
from pipelines.domain.entry import ALL, Orphaned, Settled
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent.books.accounts import Account, accounts, client_of
from runner.agent.books.client import Client
from runner.agent.books.closing import close
from runner.agent.books.looking import WINDOW
from runner.agent.crew import Member
from runner.agent.declared import Declared
from runner.agent.preparing import Deployable, deployable
from runner.agent.tick import Agent
from runner.bots.messages import Import

_CHILD_SECONDS = 180
"""How long importing freqtrade may take on a small machine."""

_BEFORE = timedelta(minutes=10)


@dataclass(frozen=True)
class Orphans:
    """Answers for `who` asks."""

    agent: Agent
    who: str

    @property
    def verbs(self) -> Mapping[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {
            "orphans": self._list,
            "orphan-import": self._import,
            "orphan-close": self._close,
        }

    def _every(self) -> dict[str, Orphaned]:
        tracks = self.agent.record.tracks.values()
        return {name: each for track in tracks for name, each in track.orphans.items()}

    def _list(self, _: Asked) -> JsonValue:
        every = sorted(self._every().values(), key=lambda each: (each.at, each.orphan))
        return [each.model_dump(mode="json", exclude={"entry"}) for each in every]

    def _import(self, asked: Asked) -> JsonValue:
        given = read_args(asked, OfOrphan)
        train, orphan = self.agent.declared(), self._named(given.orphan)
        strategy = orphan.strategy if orphan.strategy != ALL else given.strategy
        _refuse_import(orphan, strategy)
        account = self._account(train, orphan)
        key = orphan.environment, strategy
        member = self.agent.members(train, self.agent.clock()).get(key)
        if member is None or account.trader(strategy) is None:
            raise Refused(f"{'.'.join(key)}: there is no bot that could look after it")
        of = deployable(
            self.agent.crew.house,
            train.environment(orphan.environment),
            member.record.promotion,
            train.trust,
        )
        if orphan.pair not in of.manifest.pairs:
            raise Refused(f"{strategy} does not trade {orphan.pair}", _CLOSE.format(orphan.orphan))
        asked_for = _import_of(self._client(account), orphan, of, member.database)
        self._entrust(member, of, asked_for, orphan)
        return self._settle(orphan, "imported")

    def _entrust(self, member: Member, of: Deployable, asked: Import, orphan: Orphaned) -> None:
        """Write it into the database of a bot that does not run meanwhile, and start it again."""
        crew, key = self.agent.crew, member.bot.key
        lock = crew.house.lock(*key)
        crew.end(lock)
        held = lock.take()
        if held is None:
            raise CannotTell(f"{'.'.join(key)}: somebody started it again meanwhile")
        try:
            _copy(member.database, orphan.orphan)
            _child(asked)
        finally:
            os.close(held)
        crew.start(of, self.agent.clock(), member.bot.failures)

    def _close(self, asked: Asked) -> JsonValue:
        given = read_args(asked, OfOrphan)
        orphan = self._named(given.orphan)
        account = self._account(self.agent.declared(), orphan)
        if account.trading_mode == "futures":
            raise Refused(f"{orphan.pair}: a position of futures is closed at the exchange itself")
        since = (orphan.placed or orphan.at - WINDOW) - _BEFORE
        left = close(self._client(account), orphan, since)
        return {**self._settle(orphan, "closed"), "left": f"{left:f}"}

    def _settle(self, orphan: Orphaned, how: Literal["imported", "closed"]) -> dict[str, JsonValue]:
        settled = Settled(
            environment=orphan.environment,
            strategy=orphan.strategy,
            orphan=orphan.orphan,
            how=how,
            by=self.who,
            at=self.agent.clock(),
        )
        self.agent.ledger.append(settled, after=self.agent.head)
        self.agent.read()
        told: dict[str, JsonValue] = settled.model_dump(mode="json")
        return told

    def _named(self, name: str) -> Orphaned:
        found = [each for key, each in self._every().items() if key.startswith(name)]
        if len(found) != 1:
            what = "several orphans" if found else "no orphan"
            raise BadInput(f"there is {what} {name}", "'sluice orphan list' shows them")
        return found[0]

    def _account(self, train: Declared, orphan: Orphaned) -> Account:
        environment = train.mine(orphan.environment)
        if environment is None:
            raise Refused(f"{orphan.environment}: is another host's")
        here = accounts(
            self.agent.crew.house, {environment.name: environment}, self.agent.record, {}
        )
        found = next((each for each in here if each.name == orphan.account), None)
        if found is None:
            raise Refused(f"{orphan.account}: nobody trades on this account any more")
        return found

    def _client(self, account: Account) -> Client:
        return client_of(self.agent.crew.house, account, self.agent.crew.rehearsal)


_CLOSE = "'sluice orphan close {}' sells it"


def _refuse_import(orphan: Orphaned, strategy: str) -> None:
    hint = _CLOSE.format(orphan.orphan)
    if not orphan.order:
        hint = f"{hint}; or declare it as holdings"
        raise Refused("no order explains these coins, so no bot can have bought them", hint)
    if orphan.side != "buy" or ":" in orphan.pair:
        raise Refused("only what was bought on spot can be given to a bot", hint)
    if not strategy:
        raise Refused("several bots may have bought it", "say which with --strategy")


def _import_of(client: Client, orphan: Orphaned, of: Deployable, database: Path) -> Import:
    since = (orphan.placed or orphan.at - WINDOW) - _BEFORE
    orders = client.orders(orphan.pair, since)
    order = next((each for each in orders if each.id == orphan.order), None)
    price = (order.price or order.average) if order else None
    if order is None or not price:
        raise CannotTell(f"orphan {orphan.orphan}: the exchange does not tell of its order")
    return Import(
        database=str(database.absolute()),
        pair=order.pair,
        order=order.id,
        amount=float(order.amount),
        price=float(price),
        fee=float(of.environment.portfolio.fee),
        at=order.at,
        strategy=of.manifest.class_name,
        timeframe=TIMEFRAMES[of.manifest.timeframe] // 60_000,
        stake_currency=of.environment.portfolio.stake_currency,
        exchange=of.environment.exchange.name,
    )


def _copy(database: Path, name: str) -> None:
    """What the database was before, whole, beside it."""
    making, copy = (database.with_name(f"{n}before-{name}.sqlite") for n in (".", ""))
    try:
        with closing(sqlite3.connect(database)) as old, closing(sqlite3.connect(making)) as new:
            old.backup(new)
        if not copy.exists():
            making.replace(copy)
        making.unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        raise CannotTell(f"{database}: cannot be copied: {error}") from None


def _child(asked: Import) -> None:
    argv = [sys.executable, "-m", "runner.bots.importing"]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    try:
        ended = subprocess.run(
            argv,
            input=asked.model_dump_json(),
            capture_output=True,
            text=True,
            env={**kept, "TZ": "UTC"},
            timeout=_CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotTell("freqtrade did not take the trade in time") from None
    if ended.returncode or ended.stdout.strip() not in ("imported", "known"):
        said = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise CannotTell(f"freqtrade did not take the trade: {said[0]}")
