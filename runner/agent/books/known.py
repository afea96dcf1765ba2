"""What a bot knows, read from its database: that answers also while the bot is dead."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.domain.known import BotBook, KnownOrder, KnownTrade, base
from pipelines.errors import CannotTell
from runner.agent.trades import address

_TABLES = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('trades', 'orders')"
_OPEN = """
SELECT t.id, t.pair, t.is_open, t.is_short, t.open_date,
       o.order_id, o.ft_order_side, o.ft_is_open, o.ft_amount, o.amount, o.filled, o.ft_fee_base
FROM trades t LEFT JOIN orders o ON o.ft_trade_id = t.id
WHERE t.is_open = 1 OR t.id IN (SELECT ft_trade_id FROM orders WHERE ft_is_open = 1)
ORDER BY t.id, o.id
"""
_LEFT = """
SELECT pair, SUM(MAX(left, 0)) FROM (
    SELECT t.pair AS pair, SUM(
        CASE WHEN o.ft_order_side = CASE WHEN t.is_short THEN 'sell' ELSE 'buy' END
             THEN COALESCE(o.filled, 0) - COALESCE(o.ft_fee_base, 0)
             ELSE -COALESCE(o.filled, 0) END) AS left
    FROM trades t JOIN orders o ON o.ft_trade_id = t.id
    WHERE t.is_open = 0 GROUP BY t.id)
GROUP BY pair
"""
_PAIRS = "SELECT DISTINCT pair FROM trades"
_ORDERS = "SELECT order_id FROM orders"


def known(
    database: Path,
    environment: str,
    strategy: str,
    pairs: Iterable[str],
    *,
    stops_on_exchange: bool,
) -> BotBook:
    """What the bot of a strategy knows; `pairs` are those that it trades now.

    :raises CannotTell: when its database cannot be read.
    """
    found: dict[str, Any] = {}
    if database.exists():
        try:
            with closing(sqlite3.connect(address(database), uri=True, timeout=5)) as opened:
                opened.row_factory = sqlite3.Row
                found = _read(opened)
        except (sqlite3.Error, ValueError) as error:
            raise CannotTell(f"{database}: cannot be read: {error}") from None
    return BotBook(
        environment=environment,
        strategy=strategy,
        pairs=frozenset(pairs) | found.get("pairs", frozenset()),
        trades=found.get("trades", ()),
        orders=found.get("orders", frozenset()),
        leftovers=found.get("leftovers", {}),
        stops_on_exchange=stops_on_exchange,
    )


def _read(opened: sqlite3.Connection) -> dict[str, Any]:
    if opened.execute(_TABLES).fetchone()[0] < 2:
        # freqtrade was ended while it made its database: it never traded.
        return {}
    # One moment for all of it: a bot may write in between.
    opened.execute("BEGIN")
    left: dict[str, Decimal] = {}
    for pair, amount in opened.execute(_LEFT):
        left[base(pair)] = left.get(base(pair), Decimal(0)) + _exact(amount)
    rows = opened.execute(_OPEN).fetchall()
    return {
        "pairs": frozenset(row[0] for row in opened.execute(_PAIRS)),
        "orders": frozenset(str(row[0]) for row in opened.execute(_ORDERS)),
        "leftovers": left,
        "trades": tuple(_trade(tuple(own)) for _, own in groupby(rows, key=lambda row: row["id"])),
    }


def _trade(rows: tuple[Mapping[str, Any], ...]) -> KnownTrade:
    first = rows[0]
    is_short = bool(first["is_short"])
    return KnownTrade(
        id=first["id"],
        pair=first["pair"],
        is_open=bool(first["is_open"]),
        is_short=is_short,
        opened_at=datetime.fromisoformat(first["open_date"]).replace(tzinfo=UTC),
        orders=tuple(_order(row, is_short) for row in rows if row["order_id"] is not None),
    )


def _order(row: Mapping[str, Any], is_short: bool) -> KnownOrder:
    fee = row["ft_fee_base"]
    return KnownOrder(
        id=str(row["order_id"]),
        is_entry=row["ft_order_side"] == ("sell" if is_short else "buy"),
        is_stop=row["ft_order_side"] == "stoploss",
        is_open=bool(row["ft_is_open"]),
        amount=_exact(row["amount"] or row["ft_amount"]),
        filled=_exact(row["filled"] or 0.0),
        fee=None if fee is None else _exact(fee),
    )


def _exact(amount: float) -> Decimal:
    """A number as freqtrade shows it: what it was before it became a float."""
    return Decimal(repr(float(amount)))
