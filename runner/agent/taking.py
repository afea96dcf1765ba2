"""Taking over what a freqtrade of somebody's own has traded: its database, under its new bot.

What is looked at is a copy, taken while nobody could write; and that copy is what is given its
place, in one step. Of whoever traded it nothing is changed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import JsonValue

from pipelines.adapters.agent import Asked, TakenOver, TakeOver, read_args
from pipelines.domain.environment import Environment
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent import archive, inheriting, trades
from runner.agent.inheriting import Heir
from runner.agent.snapshot import snapshot
from runner.agent.staging import staging, synced
from runner.agent.tick import Agent

_COLUMNS = {
    "trades": {"id", "is_open", "open_date", "exchange", "stake_currency", "trading_mode"},
    "orders": {"ft_trade_id", "ft_is_open", "order_id"},
}
"""By these a file is known as freqtrade's."""

_PAPER = "dry_run_"
"""How freqtrade begins the name of every order that it only plays."""

_PING_SECONDS = 3.0


@dataclass(frozen=True)
class _Traded:
    """What a database says of itself. `paper` and `real` count its orders."""

    trades: int
    paper: int
    real: int
    exchanges: frozenset[str]
    currencies: frozenset[str]


def take_over(agent: Agent, by: str, asked: Asked) -> JsonValue:
    """Copy a database to where the bot of an environment looks for it; `by` is who asks.

    Open trades are a release's from then on, which is promoted.

    :raises BadInput: when it is no database of freqtrade.
    :raises Refused: when it may not be, with all reasons; nothing has changed then.
    :raises CannotTell: when it cannot be read or written.
    """
    given = read_args(asked, TakeOver)
    environment = agent.declared().environment(given.environment)
    target = agent.crew.house.home / environment.database(given.strategy)
    source = Path(given.database)
    if not source.is_file():
        raise BadInput(f"{source}: there is no such file")
    again = inheriting.begun(agent, given)
    taken = () if again else _taken(agent, environment, given)
    reasons = [*taken, *_at_work(source, given.api)]
    if reasons:
        raise Refused("\n".join(reasons), "nothing was changed")
    with _still(source), staging(agent.crew.house.home / "taking") as folder:
        copy = folder / target.name
        snapshot(source, copy)
        traded = _traded(copy, source)
        heir = inheriting.heir(agent, given, copy, by, again=again) if given.release else None
        left = heir.reasons if heir else _unfinished(copy)
        if reasons := [*_misplaced(traded, environment, given), *left]:
            raise Refused("\n".join(reasons), "nothing was changed")
        told = TakenOver(
            database=str(target),
            digest=archive.part_of(environment.database(given.strategy), copy).digest,
            trades=traded.trades,
            open=trades.open_trades(copy) or 0,
        )
        if not given.look:
            _do(agent, heir, folder, copy, None if again else target)
    return told.model_dump(mode="json")


def _do(agent: Agent, heir: Heir | None, folder: Path, copy: Path, target: Path | None) -> None:
    """What of it is to do; without `target` it is there already."""
    if heir and target:
        inheriting.own(agent, heir)
    if target:
        _place(folder, copy, target)
    if heir:
        inheriting.want(agent, heir)


def _place(folder: Path, copy: Path, target: Path) -> None:
    try:
        copy.chmod(0o600)
        synced(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy.rename(target)
        synced(target.parent)
    except OSError as error:
        raise CannotTell(f"{target}: cannot be written: {error.strerror}") from None


def _taken(agent: Agent, environment: Environment, given: TakeOver) -> Iterator[str]:
    """What is there already under this name."""
    house, key = agent.crew.house, (environment.name, given.strategy)
    if agent.declared().mine(environment.name) is None:
        yield f"{environment.name} is on {environment.host}, this is {agent.seat.host}"
    if house.lock(*key).held():
        yield f"a bot runs as {given.strategy} in {environment.name}"
    if agent.record.track(*key).current is not None:
        yield f"{given.strategy} is wanted in {environment.name} already"
    if (there := house.home / environment.database(given.strategy)).exists():
        yield f"{there}: is there already: two histories are never mixed"
    mode = "dry_run" if given.dry_run else "live"
    if environment.mode != mode:
        yield f"its configuration is for {_told(mode)}, {environment.name} {_trades(environment)}"


def _at_work(source: Path, api: str) -> Iterator[str]:
    """Whoever still trades with the database."""
    if pids := sorted(_holders(source)):
        told = ", ".join(map(str, pids))
        yield f"{source}: is in use: end the bot first, process {told}"
    if api and _answers(api):
        yield f"{api}: a freqtrade answers there: end it first"


def _holders(source: Path) -> Iterator[int]:
    """Processes of this machine that have a file open, as far as they can be looked at."""
    wanted = source.stat()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [each.stat() for each in (process / "fd").iterdir()]
        except OSError:
            continue
        if any((each.st_dev, each.st_ino) == (wanted.st_dev, wanted.st_ino) for each in opened):
            yield int(process.name)


def _answers(api: str) -> bool:
    try:
        answer = httpx.get(f"{api}/api/v1/ping", timeout=_PING_SECONDS, trust_env=False)
        return bool(answer.json() == {"status": "pong"})
    except (httpx.HTTPError, ValueError):
        return False


@contextmanager
def _still(source: Path) -> Iterator[None]:
    """While nobody else can write to a database. No byte of it is changed."""
    address = f"{source.absolute().as_uri()}?mode=rw"
    try:
        with (
            _as_it_was_left(source),
            closing(sqlite3.connect(address, uri=True, timeout=1)) as held,
        ):
            held.isolation_level = None
            held.execute("BEGIN IMMEDIATE")
            yield
            held.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Refused(f"{source}: is locked: a bot writes to it", "end it first") from None
        raise CannotTell(f"{source}: cannot be read: {error}") from None
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{source}: is no database of freqtrade: {error}") from None


@contextmanager
def _as_it_was_left(source: Path) -> Iterator[None]:
    """Keep what freqtrade wrote last where it is: beside its database, in SQLite's log.

    Whoever closes a database as the last one writes that into it. One that only reads cannot, and
    while it reads nobody else does.
    """
    log = source.with_name(f"{source.name}-wal")
    if not log.exists() or not log.stat().st_size:
        yield
        return
    address = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=1)) as reading:
        reading.isolation_level = None
        reading.execute("BEGIN")
        reading.execute("SELECT 1 FROM sqlite_master").fetchone()
        yield


def _traded(copy: Path, source: Path) -> _Traded:
    with closing(sqlite3.connect(copy)) as opened:
        for table, columns in _COLUMNS.items():
            there = {row[1] for row in opened.execute(f"PRAGMA table_info({table})")}
            if missing := columns - there:
                what = f"{table} without {', '.join(sorted(missing))}"
                hint = "start a freqtrade of this version with it once: that brings it up"
                raise BadInput(f"{source}: is no database of freqtrade: {what}", hint)
        like = f"{_PAPER}%"
        count = "SELECT COUNT(*) FROM orders WHERE order_id"
        return _Traded(
            trades=int(opened.execute("SELECT COUNT(*) FROM trades").fetchone()[0]),
            paper=int(opened.execute(f"{count} LIKE ?", (like,)).fetchone()[0]),
            real=int(opened.execute(f"{count} NOT LIKE ?", (like,)).fetchone()[0]),
            exchanges=_named(opened, "exchange"),
            currencies=_named(opened, "stake_currency"),
        )


def _named(opened: sqlite3.Connection, column: str) -> frozenset[str]:
    rows = opened.execute(f"SELECT DISTINCT {column} FROM trades WHERE {column} IS NOT NULL")
    return frozenset(str(row[0]) for row in rows)


def _misplaced(traded: _Traded, environment: Environment, given: TakeOver) -> Iterator[str]:
    """What in it belongs elsewhere: by freqtrade's own marks, whatever the file is called."""
    wrong = traded.real if environment.mode == "dry_run" else traded.paper
    if wrong:
        other = "with money" if environment.mode == "dry_run" else "on paper"
        told = f"{wrong} of its orders were made {other}"
        yield f"{given.database}: {told}, {environment.name} {_trades(environment)}"
    for what, there, own in (
        ("at", traded.exchanges, environment.exchange.name),
        ("in", traded.currencies, environment.portfolio.stake_currency),
    ):
        if others := sorted(there - {own}):
            told = f"traded {what} {', '.join(others)}"
            yield f"{given.database}: {told}, {environment.name} trades {what} {own}"


def _unfinished(copy: Path) -> Iterator[str]:
    """Open trades, which only a release can have."""
    count = trades.open_trades(copy)
    if count is None:
        yield "nobody can tell whether trades are open"
    elif count:
        what = "trade is" if count == 1 else "trades are"
        yield f"{count} {what} open: name the release that takes them over, with --release"


def _trades(environment: Environment) -> str:
    return f"trades {_told(environment.mode)}"


def _told(mode: str) -> str:
    return "with money" if mode == "live" else "on paper"
