"""`serve`: opens the candles and the journal, listens, and says where."""

import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pipelines.adapters import lockfile
from pipelines.adapters.candles import CandleShelf, open_shelf
from pipelines.domain.candles import TradingMode, milliseconds
from pipelines.errors import CannotTell, Problem
from runner.exchange.api import Api
from runner.exchange.control import Control, open_account
from runner.exchange.core.book import Book
from runner.exchange.core.terms import Terms
from runner.exchange.futures.floor import Floor
from runner.exchange.futures.opening import open_floor
from runner.exchange.journal import Journal
from runner.exchange.listening import listen, room
from runner.exchange.messages import NewAccount, Ready
from runner.exchange.symbols import Symbols, symbols
from runner.exchange.tape import Reel, Tape, utc
from runner.exchange.venue import Venue
from runner.exchange.weights import Limits
from runner.exchange.winding import wound

LOOPBACK = "127.0.0.1"
_BEHIND = timedelta(days=30)
_TICK_SECONDS = 1.0


@dataclass(frozen=True)
class Serving:
    """What `serve` was asked for.

    A `speed` of 0 is a stepped clock. Without a journal's path it is kept only while it runs.
    """

    root: Path
    home: Path
    candles: Path | None
    markets: Path | None
    start: datetime | None
    speed: int
    port: int
    control_port: int
    listen: str
    journal: Path | None
    ready_file: Path | None
    terms: Terms
    accounts: tuple[NewAccount, ...]
    modes: tuple[TradingMode, ...] = ("spot",)
    weight_limit: int | None = None

    @property
    def limits(self) -> Limits:
        """No time passes between two steps: there only a limit that was asked for holds."""
        enforced = self.speed > 0 or self.weight_limit is not None
        return Limits(self.weight_limit, enforced=enforced)


Say = Callable[[Ready, datetime, int], None]
"""Is told where it answers, what time it is there, and for how many connections there is room."""


def serve(asked: Serving, say: Say) -> None:
    """Serve until SIGTERM or SIGINT; `say` is told once everything answers.

    :raises BadInput: when what was asked for is not there.
    :raises CannotTell: when a port is taken, or the journal cannot be written.
    """
    now = datetime.now(UTC)
    shelves = {mode: _shelf(asked, mode, now) for mode in asked.modes}
    with ExitStack() as stack:
        path = asked.journal
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-exchange-"))
            path = Path(folder, "journal.sqlite")
        journal = Journal(path)
        stack.callback(journal.close)
        venue, served = open_venue(asked, shelves, journal)
        for account in asked.accounts:
            open_account(venue, account)
        synthetic = any(shelf.data.synthetic for shelf in shelves.values())
        asyncio.run(_run(asked, venue, served, say, synthetic=synthetic))


def _shelf(asked: Serving, mode: TradingMode, now: datetime) -> CandleShelf:
    lock, cache = lockfile.load(asked.root), asked.home / "candles"
    return open_shelf(asked.candles, lock, cache, now, mode)


def open_venue(
    asked: Serving, shelves: Mapping[TradingMode, CandleShelf], journal: Journal
) -> tuple[Venue, Symbols]:
    """The exchange on these candles, as its journal left it.

    :raises BadInput: when there are no candles at the start.
    """
    served, tape, floor = Symbols({}, {}), Tape({}), None
    if "spot" in shelves:
        served, tape = _spot(asked, shelves["spot"])
    if "futures" in shelves:
        floor = open_floor(shelves["futures"], asked.markets, asked.terms)
    _check_fee_asset(asked.terms.fee_asset, served)
    book = Book(
        served.rules,
        asked.terms,
        _start(asked.start, tape, floor),
        lambda symbol, at: tape.reels[symbol].price(at),
    )
    try:
        return Venue(book, journal, tape, speed=asked.speed, futures=floor), served
    except KeyError as error:
        message = f"holds orders for {error}, which is not served"
        hint = "serve what it was made with, or name another --journal"
        raise Problem(str(journal.path), message, hint=hint) from None


def _spot(asked: Serving, shelf: CandleShelf) -> tuple[Symbols, Tape]:
    served = symbols(shelf.data.series, asked.markets)
    pairs = [f"{rules.base}/{rules.quote}" for rules in served.rules.values()]
    candles = wound(shelf, [(pair, tf) for pair in pairs for tf in shelf.data.series[pair]])
    reels = {
        rules.symbol: Reel(
            rules.symbol,
            rules.tick,
            tuple(shelf.data.series[f"{rules.base}/{rules.quote}"]),
            partial(candles, f"{rules.base}/{rules.quote}"),
        )
        for rules in served.rules.values()
    }
    return served, Tape(reels)


def _check_fee_asset(asset: str, served: Symbols) -> None:
    bases = sorted(each.base for each in served.rules.values())
    if asset and asset not in bases:
        message = f"there are no candles of {asset}, which fees would be paid in"
        there = f"there are those of {', '.join(bases)}"
        raise Problem("--fee-asset", message, hint=there if bases else "futures have no fee asset")


def _start(asked: datetime | None, tape: Tape, floor: Floor | None) -> int:
    reels = list(tape.reels.values())
    reels += [marks.reel for marks in floor.marks.values()] if floor else []
    spans = [reel.span() for reel in reels]
    if asked is None:
        return max(begin for begin, _ in spans) + int(_BEHIND.total_seconds() * 1000)
    start = milliseconds(asked.replace(tzinfo=asked.tzinfo or UTC))
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    if not first <= start < last:
        there = f"candles are from {utc(first):%Y-%m-%d} to {utc(last):%Y-%m-%d}"
        raise Problem("--start", f"there are no candles then; {there}")
    return start


async def _run(
    asked: Serving,
    venue: Venue,
    served: Symbols,
    say: Say,
    *,
    synthetic: bool,
) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: CannotTell | None = None) -> None:
        if not ended.done():
            ended.set_exception(error) if error else ended.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    token = secrets.token_urlsafe(24)
    api = Api(venue, served, asked.limits, end).application()
    control = Control(venue, token, end, synthetic=synthetic).application()
    async with AsyncExitStack() as stack:
        ready = Ready(
            api_url=await listen(stack, api, asked.listen, asked.port),
            control_url=await listen(stack, control, LOOPBACK, asked.control_port),
            control_token=token,
            pid=os.getpid(),
        )
        if asked.ready_file:
            _write_private(asked.ready_file, ready.model_dump_json() + "\n")
        say(ready, utc(venue.now), room())
        while not ended.done():
            await asyncio.wait([ended], timeout=_TICK_SECONDS)
            venue.tick()
        await ended


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads: all of it or nothing."""
    try:
        handle, making = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(making).replace(path)
    except OSError as error:
        raise CannotTell(f"{path}: cannot be written: {error.strerror}") from None
