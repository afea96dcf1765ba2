"""A bot's trades, read from its database: that answers also while the bot is dead."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

_OPEN = """
SELECT (SELECT COUNT(*) FROM trades WHERE is_open = 1)
     + (SELECT COUNT(*) FROM orders o JOIN trades t ON t.id = o.ft_trade_id
        WHERE o.ft_is_open = 1 AND t.is_open = 0)
"""
_CLOSED = "SELECT COUNT(*) FROM trades WHERE is_open = 0 AND open_date >= ?"
_TABLES = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('trades', 'orders')"


def open_trades(database: Path) -> int | None:
    """How many trades are open; none without a database, and None when nobody can tell."""
    return _count(database, _OPEN)


def closed_since(database: Path, since: datetime) -> int | None:
    """How many trades that were opened at or after a moment are closed by now."""
    moment = since.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return _count(database, _CLOSED, moment)


def _count(database: Path, query: str, *given: str) -> int | None:
    if not database.exists():
        return 0
    address = f"{database.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as opened:
            if opened.execute(_TABLES).fetchone()[0] < 2:
                # freqtrade was ended while it made its database: it never traded.
                return 0
            return int(opened.execute(query, given).fetchone()[0])
    except sqlite3.Error:
        return None
