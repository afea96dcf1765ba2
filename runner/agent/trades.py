"""A bot's trades, read from its database: that answers also while the bot is dead."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.domain.adoption import OpenTrade
from pipelines.domain.environment import Mode

_OPEN = """
SELECT (SELECT COUNT(*) FROM trades WHERE is_open = 1)
     + (SELECT COUNT(*) FROM orders o JOIN trades t ON t.id = o.ft_trade_id
        WHERE o.ft_is_open = 1 AND t.is_open = 0)
"""
_CLOSED = "SELECT COUNT(*) FROM trades WHERE is_open = 0 AND open_date >= ?"
# freqtrade names the orders that it only pretends so (`create_dry_run_order`).
_PRETENDED = "SELECT COUNT(*) FROM orders WHERE substr(order_id, 1, 8) = 'dry_run_'"
_PLACED = "SELECT COUNT(*) FROM orders WHERE substr(order_id, 1, 8) <> 'dry_run_'"
_TIED = "SELECT COALESCE(SUM(stake_amount), 0) FROM trades WHERE is_open = 1"
_EARNED = """
SELECT COALESCE(SUM(CASE WHEN is_open = 1 THEN realized_profit ELSE close_profit_abs END), 0)
FROM trades
"""
_STOP = "stoploss"
_PLACES, _STEP_SIZE = 2, 4
_STEPS = (_PLACES, _STEP_SIZE)
"""ccxt's ways to tell the step of a price."""

_TABLES = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('trades', 'orders')"


def open_trades(database: Path) -> int | None:
    """How many trades are open; none without a database, and None when nobody can tell."""
    return _count(database, _OPEN)


def closed_since(database: Path, since: datetime) -> int | None:
    """How many trades that were opened at or after a moment are closed by now."""
    moment = since.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return _count(database, _CLOSED, moment)


def used_in(database: Path) -> frozenset[Mode] | None:
    """The modes that a database was traded in so far; None when nobody can tell."""
    looks: dict[Mode, str] = {"dry_run": _PRETENDED, "live": _PLACED}
    counted = {mode: _count(database, query) for mode, query in looks.items()}
    if None in counted.values():
        return None
    return frozenset(mode for mode, count in counted.items() if count)


def tied(database: Path) -> Decimal | None:
    """What was paid for trades that are open, in stake currency; None when nobody can tell."""
    return _sum(database, _TIED)


def earned(database: Path) -> Decimal | None:
    """What trades have earned or lost so far, in stake currency; None when nobody can tell."""
    return _sum(database, _EARNED)


def _sum(database: Path, query: str) -> Decimal | None:
    found = _told(database, query)
    return None if found is None else round(Decimal(str(found)), 8)


def _count(database: Path, query: str, *given: str) -> int | None:
    found = _told(database, query, *given)
    return None if found is None else int(found)


def _told(database: Path, query: str, *given: str) -> Any:
    """One number, 0 without a database, None when it cannot be read."""
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(address(database), uri=True, timeout=5)) as opened:
            if opened.execute(_TABLES).fetchone()[0] < 2:
                # freqtrade was ended while it made its database: it never traded.
                return 0
            return opened.execute(query, given).fetchone()[0]
    except sqlite3.Error:
        return None


@dataclass(frozen=True)
class Book:
    """What a database holds: the open trades, and the ids of all trades that ever were."""

    open: tuple[OpenTrade, ...] = ()
    ids: frozenset[int] = frozenset()


def book(database: Path) -> Book | None:
    """A bot's trades; None when they cannot be read, or not as this freqtrade writes them."""
    if not database.exists():
        return Book()
    try:
        with closing(sqlite3.connect(address(database), uri=True, timeout=5)) as opened:
            opened.row_factory = sqlite3.Row
            if opened.execute(_TABLES).fetchone()[0] < 2:
                return Book()
            # One moment of it: a bot may write meanwhile.
            opened.execute("BEGIN")
            ids = frozenset(row["id"] for row in opened.execute("SELECT id FROM trades"))
            trades = opened.execute("SELECT * FROM trades WHERE is_open = 1 ORDER BY id").fetchall()
            return Book(tuple(_trade(opened, row) for row in trades), ids)
    except (sqlite3.Error, IndexError, ArithmeticError, TypeError):
        return None


def _trade(opened: sqlite3.Connection, row: sqlite3.Row) -> OpenTrade:
    orders = opened.execute("SELECT * FROM orders WHERE ft_trade_id = ?", (row["id"],)).fetchall()
    entry = "sell" if row["is_short"] else "buy"
    waiting = [o for o in orders if o["ft_is_open"] and o["ft_order_side"] != _STOP]
    filled = [o for o in orders if not o["ft_is_open"] and o["filled"]]
    notes = "SELECT cd_key FROM trade_custom_data WHERE ft_trade_id = ? ORDER BY cd_key"
    share = row["initial_stop_loss_pct"]
    return OpenTrade(
        id=row["id"],
        pair=row["pair"],
        amount=_decimal(row["amount"]),
        open_rate=_decimal(row["open_rate"]),
        stop=_decimal(row["stop_loss"]),
        stop_share=None if share is None else _decimal(share),
        tick=_tick(row["price_precision"], row["precision_mode_price"]),
        trailed=bool(row["is_stop_loss_trailing"]),
        is_short=bool(row["is_short"]),
        leverage=_decimal(row["leverage"] or 1),
        tag=row["enter_tag"],
        minutes=row["timeframe"],
        entries=sum(o["ft_order_side"] == entry for o in filled),
        stops=tuple(o["order_id"] for o in orders if o["ft_is_open"] and o not in waiting),
        orders=tuple(o["order_id"] for o in waiting),
        filled=any(o["filled"] for o in waiting),
        remembers=tuple(note["cd_key"] for note in opened.execute(notes, (row["id"],))),
    )


def _decimal(value: float | None) -> Decimal:
    return Decimal(repr(value or 0))


def _tick(precision: float | None, mode: int | None) -> Decimal:
    """The step of a price: ccxt tells decimal places, or the step itself."""
    if precision is None or mode not in _STEPS:
        return Decimal()
    return Decimal(1).scaleb(-int(precision)) if mode == _PLACES else _decimal(precision)


def address(database: Path) -> str:
    """How a database is opened to read what its bot may be opening at this moment.

    SQLite makes `-shm` beside one in WAL mode that nobody has open, and gives it to the bot's user
    only then: a bot that opens it in between cannot write, and ends. Whatever has no `-wal` is read
    as it lies there, for then nobody writes to the file itself.
    """
    beside = (database.with_name(f"{database.name}{end}") for end in ("-wal", "-shm"))
    rests = _in_wal(database) and not any(path.exists() for path in beside)
    return f"{database.absolute().as_uri()}?mode=ro{'&immutable=1' if rests else ''}"


def _in_wal(database: Path) -> bool:
    """As the file's header says: https://www.sqlite.org/fileformat.html, offsets 18 and 19."""
    try:
        with database.open("rb") as file:
            return file.read(20)[18:] == b"\2\2"
    except OSError:
        return False
