"""A bot's trades, read from its database: that answers also while the bot is dead."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    address = f"{database.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as opened:
            if opened.execute(_TABLES).fetchone()[0] < 2:
                # freqtrade was ended while it made its database: it never traded.
                return 0
            return opened.execute(query, given).fetchone()[0]
    except sqlite3.Error:
        return None
