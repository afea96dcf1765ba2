"""What one release has traded in one environment: only what was opened since it came.

Never added up over releases: what another one did says nothing about this one.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from pipelines.domain.watch import PLACES
from runner.agent.trades import address
from runner.bots.messages import TALLY, Done

_CLOSED = """
SELECT COUNT(*), TOTAL(close_profit_abs) FROM trades WHERE is_open = 0 AND open_date >= ?
"""
_ORDERS = """
SELECT o.order_id, o.side, o.ft_order_side, o.filled, COALESCE(o.average, o.price) AS price,
       CASE WHEN o.ft_order_side = CASE WHEN t.is_short THEN 'sell' ELSE 'buy' END
            THEN t.fee_open ELSE t.fee_close END AS share
FROM orders o JOIN trades t ON t.id = o.ft_trade_id
WHERE t.open_date >= ? AND COALESCE(o.filled, 0) > 0
"""


@dataclass(frozen=True)
class Traded:
    """Closed trades, their profit, fees of all orders, and by how much they were worse filled."""

    closed: int = 0
    profit: Decimal = Decimal()
    fees: Decimal = Decimal()
    slippage: Decimal | None = None


@dataclass
class Trading:
    """Reads a bot's database and what it told of its orders, when either has changed."""

    _kept: dict[Path, tuple[object, Traded | None]] = field(default_factory=dict)

    def of(self, database: Path, since: datetime) -> Traded | None:
        """What was traded there since a moment; none when nobody can tell."""
        tallies = [database.with_name(f"{TALLY}.1"), database.with_name(TALLY)]
        journals = [database.with_name(f"{database.name}-wal")]
        state = since, *map(_stamp, (database, *journals, *tallies))
        kept = self._kept.get(database)
        if kept is None or kept[0] != state:
            kept = self._kept[database] = state, _traded(database, tallies, since)
        return kept[1]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _traded(database: Path, tallies: list[Path], since: datetime) -> Traded | None:
    if not database.exists():
        return Traded()
    moment = since.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    try:
        with closing(sqlite3.connect(address(database), uri=True, timeout=5)) as opened:
            opened.execute("BEGIN")
            closed, profit = opened.execute(_CLOSED, (moment,)).fetchone()
            rows = opened.execute(_ORDERS, (moment,)).fetchall()
    except sqlite3.Error:
        return None
    fees = sum((filled * price * (share or 0) for *_, filled, price, share in rows), 0.0)
    return Traded(closed, _exact(profit), _exact(fees), _slippage(rows, _signals(tallies)))


def _slippage(
    rows: list[tuple[str, str, str, float, float, float]], signals: Mapping[str, float]
) -> Decimal | None:
    """The mean share by which orders were worse filled than the close that they were sent by."""
    worse = [
        (price / signals[order] - 1) * (-1 if side == "sell" else 1)
        for order, side, kind, _, price, _ in rows
        if kind != "stoploss" and signals.get(order)
    ]
    return _exact(sum(worse) / len(worse)) if worse else None


def _signals(tallies: list[Path]) -> dict[str, float]:
    found = {}
    for path in tallies:
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except OSError:
            continue
        for line in lines:
            if b'"placed"' in line and line.endswith(b"\n"):
                try:
                    done = Done.model_validate_json(line)
                except ValidationError:
                    continue
                if done.signal is not None:
                    found[done.order] = done.signal
    return found


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number))).quantize(PLACES)
