"""What a rehearsal came to, for people and for machines."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.domain.document import Document
from pipelines.reports.plain import plain
from runner.rehearsal.kept import KeptOrder, KeptTrade
from runner.rehearsal.reconciliation import Difference
from runner.rehearsal.rehearsing import Rehearsed

WIDTH = 110
"""Columns that the tables need; a narrower terminal breaks lines rather than cutting numbers."""

_TRADES = ("trade", "pair", "opened", "at", "closed", "at", "profit", "reason")
_ORDERS = ("order", "trade", "pair", "side", "type", "status", "amount", "filled", "at")


class Told(Document):
    """A rehearsal: what freqtrade keeps, and in what the exchange's book differs."""

    equal: bool
    closed: int
    began: datetime
    ended: datetime
    trades: tuple[KeptTrade, ...]
    orders: tuple[KeptOrder, ...]
    balances: dict[str, Decimal]
    differences: tuple[Difference, ...]


def told(rehearsed: Rehearsed) -> Told:
    """A rehearsal, as machines read it."""
    return Told(
        equal=not rehearsed.differences,
        closed=len(rehearsed.kept.closed),
        began=rehearsed.began,
        ended=rehearsed.ended,
        trades=rehearsed.kept.trades,
        orders=rehearsed.kept.orders,
        balances=rehearsed.book.balances,
        differences=rehearsed.differences,
    )


def show(rehearsed: Rehearsed, console: Console) -> None:
    """The trades, the orders, and how they compare with the exchange's book."""
    kept, book = rehearsed.kept, rehearsed.book
    console.print(_table(_TRADES, map(_trade, kept.trades)))
    console.print(_table(_ORDERS, map(_order, kept.orders)))
    for asset, amount in sorted(book.balances.items()):
        console.print(f"{book.account} has {amount:f} {asset}", highlight=False)
    for difference in rehearsed.differences:
        console.print(Text(plain(str(difference)), style="red"))
    counted = f"{len(kept.orders)} orders of {len(kept.trades)} trades"
    console.print(f"{counted}: {_verdict(len(rehearsed.differences))}", highlight=False)


def _verdict(differences: int) -> str:
    if not differences:
        return "freqtrade and the exchange's book are equal to the last unit"
    return f"freqtrade and the exchange's book differ in {differences} places"


def _trade(trade: KeptTrade) -> tuple[object, ...]:
    return (
        trade.id,
        trade.pair,
        _minute(trade.open_date),
        trade.open_rate,
        _minute(trade.close_date),
        trade.close_rate,
        None if trade.close_profit_abs is None else f"{trade.close_profit_abs:+.2f}",
        trade.exit_reason,
    )


def _order(order: KeptOrder) -> tuple[object, ...]:
    return (
        order.order_id,
        order.ft_trade_id,
        order.ft_pair,
        order.ft_order_side,
        order.order_type,
        order.status,
        order.amount,
        order.filled,
        order.average or order.price,
    )


def _minute(moment: str | None) -> str | None:
    return moment and moment[5:16]


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(Text("" if cell is None else plain(str(cell))) for cell in row))
    return table
