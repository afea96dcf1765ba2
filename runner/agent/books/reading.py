"""From what ccxt tells to what an account has. What is missing is an error, never zero.

Every function raises `LookupError`, `TypeError`, `ValueError` or `ArithmeticError` on what is not
as it should be.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.domain.account import ZERO, ExchangeOrder, Fill, Holding, Lot, Position, Side

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STANDINGS = ("open", "closed", "canceled", "expired", "rejected")


def balances(told: Mapping[str, Any]) -> dict[str, Holding]:
    """Assets that the account has something of."""
    free, used = told["free"], told["used"]
    found = {asset: Holding(number(free, asset), number(used, asset)) for asset in told["total"]}
    return {asset: held for asset, held in found.items() if held.total}


def order(row: Mapping[str, Any]) -> ExchangeOrder:
    """An order."""
    status, stop = row["status"], _given(row, "triggerPrice") or _given(row, "stopPrice")
    if status not in _STANDINGS:
        raise ValueError(f"order {row['id']} has the status {status!r}")
    return ExchangeOrder(
        id=_text(row, "id"),
        client_id=str(row["clientOrderId"] or ""),
        pair=_text(row, "symbol"),
        side=_side(row),
        kind=str(row["type"] or ""),
        status=status,
        amount=number(row, "amount"),
        filled=number(row, "filled"),
        at=_moment(row),
        price=_given(row, "price"),
        average=_given(row, "average"),
        stop_price=stop,
        reduce_only=bool(row.get("reduceOnly")),
    )


def fill(row: Mapping[str, Any]) -> Fill:
    """A part of an order that was traded."""
    fee = row["fee"]
    return Fill(
        id=_text(row, "id"),
        order_id=_text(row, "order"),
        pair=_text(row, "symbol"),
        side=_side(row),
        amount=number(row, "amount"),
        price=number(row, "price"),
        cost=number(row, "cost"),
        fee=number(fee, "cost"),
        fee_asset=_text(fee, "currency"),
        at=_moment(row),
    )


def position(row: Mapping[str, Any]) -> Position:
    """A position of futures, in the base asset."""
    side = row["side"]
    amount = number(row, "contracts") * (_given(row, "contractSize") or Decimal(1))
    if side not in ("long", "short") and amount:
        raise ValueError(f"a position of {row['symbol']} has the side {side!r}")
    return Position(
        pair=_text(row, "symbol"),
        side="short" if side == "short" else "long",
        amount=abs(amount),
        entry_price=_given(row, "entryPrice"),
        mark_price=_given(row, "markPrice"),
        leverage=_given(row, "leverage"),
        unrealised=_given(row, "unrealizedPnl"),
    )


def lot(market: Mapping[str, Any]) -> Lot:
    """What can be traded of a pair. A limit that is not told is none."""
    limits = market["limits"]
    return Lot(
        step=_given(market["precision"], "amount") or ZERO,
        least_amount=_given(limits["amount"], "min") or ZERO,
        least_cost=_given(limits["cost"], "min") or ZERO,
    )


def weight_limit(told: Any) -> int | None:
    """The request weight of a minute and address, as Binance's exchangeInfo tells it."""
    rows = told.get("rateLimits", ()) if isinstance(told, Mapping) else ()
    for row in rows:
        if row.get("rateLimitType") == "REQUEST_WEIGHT" and row.get("interval") == "MINUTE":
            return int(row["limit"]) // int(row["intervalNum"])
    return None


def number(row: Mapping[str, Any], name: str) -> Decimal:
    """A number that has to be there, exact."""
    found = _given(row, name)
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def _given(row: Mapping[str, Any], name: str) -> Decimal | None:
    value = row.get(name)
    if value is None:
        return None
    found = value if isinstance(value, Decimal) else Decimal(str(value))
    if not found.is_finite():
        raise ValueError(f"{name} is {found}")
    return found


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value in (None, ""):
        raise ValueError(f"{name} is missing")
    return str(value)


def _side(row: Mapping[str, Any]) -> Side:
    side: Side
    for side in ("buy", "sell"):
        if row["side"] == side:
            return side
    raise ValueError(f"side is {row['side']!r}")


def _moment(row: Mapping[str, Any]) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(row["timestamp"]))
