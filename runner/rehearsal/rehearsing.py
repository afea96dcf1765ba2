"""A rehearsal: a live bot and a stepped exchange go on together until enough trades have closed."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.domain.candles import TIMEFRAMES
from pipelines.errors import CannotTell, Problem
from runner.exchange import remote
from runner.exchange.messages import AccountBook, Ready, Step
from runner.exchange.settings import freqtrade_settings
from runner.rehearsal.bot import stepped_bot
from runner.rehearsal.kept import Kept, kept
from runner.rehearsal.reconciliation import Difference, differences
from runner.rehearsal.turns import Done

DATABASE = "trades.sqlite"
_SETTINGS = "rehearsal.json"


@dataclass(frozen=True)
class Rehearsal:
    """What is to be rehearsed, in which folder, and until when by the exchange's clock.

    `strategy` and `strategy_path` may stand in one of the configurations instead.
    """

    ready: Ready
    key: str
    secret: str
    configs: tuple[Path, ...]
    strategy: str
    strategy_path: Path | None
    folder: Path
    until_closed: int
    longest: timedelta


@dataclass(frozen=True)
class Progress:
    """How far a rehearsal is after a turn; `trouble` is what freqtrade will try again."""

    now: datetime
    opened: int
    closed: int
    trouble: str


@dataclass(frozen=True)
class Rehearsed:
    """What came of it: the two accounts of what happened, and in what they differ."""

    began: datetime
    ended: datetime
    kept: Kept
    book: AccountBook
    differences: tuple[Difference, ...]


def rehearse(asked: Rehearsal, say: Callable[[Progress], None]) -> Rehearsed:
    """Rehearse, and compare; `say` is told after every turn. The folder keeps what freqtrade does.

    A rehearsal that was killed goes on where the exchange and the folder stand.

    :raises BadInput: when the exchange is not stepped, or does not know the key.
    :raises CannotTell: when freqtrade or the exchange end before it is over.
    """
    there = remote.ask(asked.ready, "status")
    if there.clock != "stepped":
        hint = "serve with --clock stepped"
        raise Problem(asked.ready.control_url, f"its clock is {there.clock}", hint=hint)
    remote.book(asked.ready, asked.key)
    settings = _prepared(asked)
    began, now = there.now, there.now
    with stepped_bot(asked.folder, (*asked.configs, settings)) as bot:
        while True:
            done = bot.turn(now)
            if done.state != "running":
                hint = f"{bot.log} says why"
                raise CannotTell(f"freqtrade is {done.state}: {done.trouble}", hint)
            trades = kept(asked.folder / DATABASE)
            open_ = len(trades.trades) - len(trades.closed)
            say(Progress(now, open_, len(trades.closed), done.trouble))
            ahead = min(next_candle(done), there.candles_end)
            if len(trades.closed) >= asked.until_closed or ahead > began + asked.longest:
                break
            if ahead <= now:
                break
            now = remote.ask(asked.ready, "step", Step(to=ahead)).now
    mine, theirs = kept(asked.folder / DATABASE), remote.book(asked.ready, asked.key)
    return Rehearsed(began, now, mine, theirs, differences(mine, theirs))


def compared(ready: Ready, account: str, database: Path) -> Rehearsed:
    """What a bot keeps that traded alone on an account since this was opened, and the book of it.

    :raises BadInput: when there is no such account.
    :raises CannotTell: when the database cannot be read, or nobody answers.
    """
    now = remote.ask(ready, "status").now
    mine, theirs = kept(database), remote.book_of(ready, account)
    return Rehearsed(now, now, mine, theirs, differences(mine, theirs))


def next_candle(done: Done) -> datetime:
    """When the next candle of a bot's timeframe begins.

    :raises BadInput: when it is not one that Sluice knows.
    """
    if done.timeframe not in TIMEFRAMES:
        hint = f"one of {', '.join(TIMEFRAMES)}"
        raise Problem("strategy", f"{done.timeframe} is no step", key="timeframe", hint=hint)
    length = timedelta(milliseconds=TIMEFRAMES[done.timeframe])
    begins = datetime.min.replace(tzinfo=done.now.tzinfo)
    return done.now + length - (done.now - begins) % length


def _prepared(asked: Rehearsal) -> Path:
    """Write what comes after the configurations: here it is live, and at the exchange."""
    settings: dict[str, Any] = freqtrade_settings(asked.ready.api_url, asked.key, asked.secret)
    settings |= {"dry_run": False, "db_url": f"sqlite:///{DATABASE}"}
    if asked.strategy:
        settings["strategy"] = asked.strategy
    if asked.strategy_path:
        settings["strategy_path"] = str(asked.strategy_path.resolve())
    path = asked.folder / _SETTINGS
    try:
        asked.folder.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".new")
        with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(settings, file, indent=2)
        making.replace(path)
    except OSError as error:
        raise CannotTell(f"{path}: cannot be written: {error.strerror}") from None
    return path
