"""What a bot keeps of its trades and orders, read beside it: that answers while it is dead, too."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from pipelines.domain.protections import Unknown
from pipelines.domain.worth import ZERO, Kept, OpenTrade
from runner.agent.trades import address
from runner.bots.messages import TALLY, Done

_TABLES = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('trades', 'orders')"
_OPEN = """
SELECT id, pair, is_short, open_rate, fee_open, fee_close, realized_profit, funding_fees
FROM trades WHERE is_open = 1 ORDER BY id
"""
_REALIZED = """
SELECT TOTAL(close_profit_abs) FROM trades WHERE is_open = 0 AND close_date >= ?
"""
_ORDERS = """
SELECT order_id, ft_order_side, side, ft_is_open, COALESCE(filled, 0) AS filled,
       COALESCE(ft_fee_base, 0) AS fee, COALESCE(remaining, ft_amount, 0) AS remaining,
       COALESCE(price, ft_price, 0) AS price
FROM orders WHERE ft_trade_id = ? ORDER BY id
"""
_BEGAN = "SELECT open_date, pair FROM trades WHERE id = ?"
_OF_PAIR = """
SELECT order_id, ft_trade_id, ft_is_open, ft_fee_base FROM orders WHERE ft_pair = ?
"""
_PAIRS = "SELECT DISTINCT pair FROM trades"
_SENT = "SELECT COUNT(*) FROM orders WHERE order_date >= ?"
_CANCELLED = f"{_SENT} AND status IN ('canceled', 'expired') AND COALESCE(filled, 0) = 0"
_BROKEN = (sqlite3.Error, ArithmeticError, TypeError, ValueError)


@dataclass(frozen=True)
class Entry:
    """An entry order that may still be filled, as the bot knows it."""

    id: str
    trade: int
    pair: str


@dataclass(frozen=True)
class Sheet:
    """All of it. `entries` wait to be filled, `pairs` is every pair that was ever traded."""

    kept: Kept = field(default_factory=Kept)
    entries: tuple[Entry, ...] = ()
    pairs: frozenset[str] = frozenset()


def sheet(database: Path, promoted: datetime, since: datetime) -> Sheet | Unknown:
    """What a database holds: profit since the release came, orders since a moment.

    A bot that has none yet never traded.
    """
    if not database.exists():
        return Sheet()
    try:
        with _reading(database) as opened:
            if opened.execute(_TABLES).fetchone()[0] < 2:
                return Sheet()
            return _sheet(opened, promoted, since)
    except _BROKEN as error:
        return Unknown(f"the bot's trades cannot be read: {error}")


@dataclass(frozen=True)
class Known:
    """The orders of one trade, by their ids, and those of other trades of its pair.

    `fees` is what was taken off the coins of its closed orders.
    """

    opened: datetime
    own: frozenset[str]
    others: frozenset[str]
    fees: Mapping[str, Decimal]


def known(database: Path, trades: Iterable[int]) -> dict[int, Known] | Unknown:
    """What a bot knows of the orders of these trades, open or closed by now."""
    found = {}
    try:
        with _reading(database) as opened:
            for trade in trades:
                began, pair = opened.execute(_BEGAN, (trade,)).fetchone()
                rows = opened.execute(_OF_PAIR, (pair,)).fetchall()
                mine = [row for row in rows if row["ft_trade_id"] == trade]
                own = frozenset(row["order_id"] for row in mine)
                every = frozenset(row["order_id"] for row in rows)
                closed = (row for row in mine if not row["ft_is_open"])
                fees = {row["order_id"]: _exact(row["ft_fee_base"] or 0) for row in closed}
                found[trade] = Known(_read(began), own, every - own, fees)
    except _BROKEN as error:
        return Unknown(f"the bot's orders cannot be read: {error}")
    return found


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(address(database), uri=True, timeout=5)) as opened:
        opened.row_factory = sqlite3.Row
        # One moment of it, whatever the bot writes meanwhile.
        opened.execute("BEGIN")
        yield opened


def _sheet(opened: sqlite3.Connection, promoted: datetime, since: datetime) -> Sheet:
    trades, entries = [], []
    for row in opened.execute(_OPEN).fetchall():
        rows = opened.execute(_ORDERS, (row["id"],)).fetchall()
        trades.append(_trade(row, rows))
        entries += [
            Entry(each["order_id"], row["id"], row["pair"])
            for each in rows
            if each["ft_is_open"] and _is_entry(row, each)
        ]
    (realized,) = opened.execute(_REALIZED, (_written(promoted),)).fetchone()
    (sent,) = opened.execute(_SENT, (_written(since),)).fetchone()
    (cancelled,) = opened.execute(_CANCELLED, (_written(since),)).fetchone()
    pairs = frozenset(row["pair"] for row in opened.execute(_PAIRS))
    return Sheet(Kept(tuple(trades), _exact(realized), sent, cancelled), tuple(entries), pairs)


def _trade(row: sqlite3.Row, orders: list[sqlite3.Row]) -> OpenTrade:
    entries = [order for order in orders if _is_entry(row, order)]
    exits = [order for order in orders if not _is_entry(row, order)]
    # While an entry is filled in parts the trade itself says that it has nothing.
    bought = sum((_exact(order["filled"]) - _exact(order["fee"]) for order in entries), ZERO)
    sold = sum((_exact(order["filled"]) for order in exits), ZERO)
    open_ones = [order for order in entries if order["ft_is_open"]]
    waits = sum((_exact(order["remaining"]) * _exact(order["price"]) for order in open_ones), ZERO)
    return OpenTrade(
        id=row["id"],
        pair=row["pair"],
        held=max(bought - sold, ZERO),
        rate=_exact(row["open_rate"]),
        is_short=bool(row["is_short"]),
        fee_open=_exact(row["fee_open"] or 0),
        fee_close=_exact(row["fee_close"] or 0),
        realized=_exact(row["realized_profit"] or 0),
        funding=_exact(row["funding_fees"] or 0),
        waiting=waits,
    )


def _is_entry(trade: sqlite3.Row, order: sqlite3.Row) -> bool:
    return bool(order["ft_order_side"] == ("sell" if trade["is_short"] else "buy"))


def _exact(number: float) -> Decimal:
    return Decimal(str(number))


def _read(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def _written(moment: datetime) -> str:
    """As freqtrade writes times."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


@dataclass(frozen=True)
class Tally:
    """What a bot has done with orders since a moment."""

    sent: int = 0
    rejected: int = 0
    cancelled: int = 0


def tally(folder: Path, since: datetime) -> Tally | Unknown:
    """What a bot wrote down in its folder of its orders. A line that was cut off is left out."""
    deeds: list[str] = []
    found = [path for path in (folder / f"{TALLY}.1", folder / TALLY) if path.exists()]
    if not found:
        return Unknown("the bot does not tell of its orders")
    try:
        for path in found:
            lines = path.read_bytes().splitlines(keepends=True)
            told = (Done.model_validate_json(line) for line in lines if line.endswith(b"\n"))
            deeds += [done.deed for done in told if done.at >= since]
    except (OSError, ValidationError) as error:
        return Unknown(f"what the bot tells of its orders cannot be read: {type(error).__name__}")
    return Tally(*(deeds.count(deed) for deed in ("sent", "rejected", "cancelled")))
