"""How many orders a bot sends, cancels and has refused, written down where it happens.

freqtrade forgets an entry that was cancelled before anything was filled, and whatever the exchange
refused: nobody could count them from outside.
"""

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import ccxt
import freqtrade.worker

from runner.bots.messages import Deed, Done

LARGEST = 256 * 1024
"""Bytes of a tally; the one before is kept too. Together they reach back thousands of orders."""

_DEEDS: dict[str, Deed] = {
    "create_order": "sent",
    "create_stoploss": "sent",
    "cancel_order": "cancelled",
}


def count(to: Path) -> None:
    """Let the freqtrade that will run in this process write down what it does with orders."""
    worker = cast(Any, freqtrade.worker.Worker)
    initialise: Callable[..., None] = worker._init  # noqa: SLF001

    def then_count(self: Any, *given: Any) -> None:
        initialise(self, *given)
        exchange = self.freqtrade.exchange
        for name, deed in _DEEDS.items():
            setattr(exchange, name, _counted(getattr(exchange, name), deed, to))
        exchange.create_order = _placed(exchange.create_order, self.freqtrade, to)
        _write(Done(at=datetime.now(UTC), deed="began"), to)

    worker._init = then_count  # noqa: SLF001


def _counted(call: Callable[..., Any], deed: Deed, to: Path) -> Callable[..., Any]:
    @functools.wraps(call)
    def counted(*given: Any, **named: Any) -> Any:
        # Written before it is done: what is killed in between counts, too.
        _write(Done(at=datetime.now(UTC), deed=deed), to)
        try:
            return call(*given, **named)
        except Exception as error:
            if deed == "sent" and isinstance(error.__cause__, ccxt.ExchangeError):
                _write(Done(at=datetime.now(UTC), deed="rejected"), to)
            raise

    return counted


def _placed(call: Callable[..., Any], bot: Any, to: Path) -> Callable[..., Any]:
    """Write down by which candle an order was sent: what it cost more than that is slippage."""

    @functools.wraps(call)
    def placed(*given: Any, **named: Any) -> Any:
        order = call(*given, **named)
        table, _ = bot.dataprovider.get_analyzed_dataframe(named["pair"], bot.config["timeframe"])
        signal = None if table is None or table.empty else float(table["close"].iloc[-1])
        number = str(order["id"])
        _write(Done(at=datetime.now(UTC), deed="placed", order=number, signal=signal), to)
        return order

    return placed


def _write(done: Done, to: Path) -> None:
    line = done.model_dump_json(exclude_defaults=True).encode() + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        if to.exists() and to.stat().st_size > LARGEST:
            to.replace(to.with_name(f"{to.name}.1"))
        descriptor = os.open(to, flags, 0o644)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.write(line)
    except OSError:
        # A full disk stops no order. Who reads that no tally grows looks at the orders themselves.
        return
