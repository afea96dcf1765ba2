"""What freqtrade keeps: the trades and orders in its own database."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipelines.errors import CannotTell


@dataclass(frozen=True)
class KeptTrade:
    """A trade in freqtrade's words. Fees are shares of what was traded, in units of an asset."""

    id: int
    pair: str
    is_open: bool
    amount: float
    open_date: str
    open_rate: float
    fee_open: float
    fee_open_currency: str | None
    close_date: str | None
    close_rate: float | None
    close_profit_abs: float | None
    fee_close: float
    fee_close_currency: str | None
    exit_reason: str | None


@dataclass(frozen=True)
class KeptOrder:
    """An order in freqtrade's words. `ft_fee_base` is the fee that it took off the amount."""

    order_id: str
    ft_trade_id: int
    ft_order_side: str
    ft_pair: str
    side: str
    status: str
    order_type: str
    price: float | None
    stop_price: float | None
    average: float | None
    amount: float
    filled: float | None
    cost: float | None
    ft_fee_base: float | None


@dataclass(frozen=True)
class Kept:
    """All that freqtrade knows of its trading."""

    trades: tuple[KeptTrade, ...] = ()
    orders: tuple[KeptOrder, ...] = ()

    @property
    def closed(self) -> tuple[KeptTrade, ...]:
        """Trades that have come to their end."""
        return tuple(trade for trade in self.trades if not trade.is_open)


_KEPT = TypeAdapter(Kept)


def kept(database: Path) -> Kept:
    """What stands in freqtrade's database; nothing where there is none yet.

    :raises CannotTell: when it cannot be read.
    """
    if not database.exists():
        return Kept()
    read_only = f"{database.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(read_only, uri=True)) as opened:
            opened.row_factory = sqlite3.Row
            found = {
                "trades": _rows(opened, "trades", KeptTrade),
                "orders": _rows(opened, "orders", KeptOrder),
            }
            return _KEPT.validate_python(found)
    except (sqlite3.Error, ValidationError) as error:
        raise CannotTell(f"{database}: cannot be read: {error}") from None


def _rows(database: sqlite3.Connection, table: str, kind: type) -> tuple[dict[str, object], ...]:
    columns = ", ".join(field.name for field in fields(kind))
    rows = database.execute(f"SELECT {columns} FROM {table} ORDER BY id")
    return tuple(dict(row) for row in rows)
