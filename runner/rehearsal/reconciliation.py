"""Holds what freqtrade keeps against the exchange's book, to the last unit. Pure.

freqtrade forgets entries that were cancelled before anything was filled: an order that only the
exchange knows is no difference when nothing of it was executed and it is closed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, localcontext

from runner.exchange.core.orders import OPEN, UNIT, ZERO, Kind, Side, Standing
from runner.exchange.messages import AccountBook, BookedFill, BookedOrder
from runner.rehearsal.kept import Kept, KeptOrder, KeptTrade

STATUS = {
    Standing.NEW: "open",
    Standing.PARTIALLY_FILLED: "open",
    Standing.FILLED: "closed",
    Standing.CANCELED: "canceled",
    Standing.EXPIRED: "expired",
}
"""How ccxt, and so freqtrade, calls Binance's states of an order."""

_RATE = Decimal("1e-8")  # to which freqtrade rounds the share that a fee is
_DIGITS = Decimal("1e-18")  # of an average price, as ccxt divides


@dataclass(frozen=True)
class Difference:
    """Something that freqtrade keeps in one way, and the exchange's book in another."""

    what: str
    key: str
    kept: str
    booked: str

    def __str__(self) -> str:
        return f"{self.what}: {self.key}: freqtrade {self.kept}, the exchange {self.booked}"


def differences(kept: Kept, book: AccountBook) -> tuple[Difference, ...]:
    """Everything in which the two are not equal: orders, fees and balances."""
    booked = {str(order.id): order for order in book.orders}
    fills: defaultdict[str, list[BookedFill]] = defaultdict(list)
    for fill in book.fills:
        fills[str(fill.order)].append(fill)
    found: list[Difference] = []
    for order in kept.orders:
        there = booked.get(order.order_id)
        if there is None:
            found.append(Difference(f"order {order.order_id}", "is there", "yes", "no"))
        else:
            found += _order(order, there, fills[order.order_id])
    found += _unknown(booked, {order.order_id for order in kept.orders})
    for trade in kept.trades:
        own = [order for order in kept.orders if order.ft_trade_id == trade.id]
        found += _fees(trade, own, fills)
    return (*found, *_balances(kept, book), *_open_amounts(kept, book))


def _order(order: KeptOrder, there: BookedOrder, fills: list[BookedFill]) -> Iterator[Difference]:
    average = _average(there)
    price: float | None = float(there.price)
    if there.kind is Kind.MARKET:
        price = order.price if average is None else average
    rows = {
        "pair": (order.ft_pair, f"{there.base}/{there.quote_asset}"),
        "side": (order.side, there.side.lower()),
        "status": (order.status, STATUS[there.standing]),
        "amount": (order.amount, float(there.quantity)),
        "filled": (order.filled or 0.0, float(there.executed)),
        "cost": (order.cost or 0.0, float(there.quote)),
        "average": (order.average, average),
        "price": (order.price, price),
        "stop_price": (order.stop_price or 0.0, float(there.stop_price)),
    }
    fee = sum((fill.commission for fill in fills if fill.asset == there.base), ZERO)
    if order.ft_fee_base is not None:
        # None where the account held so much dust that the amount need not be less.
        rows["fee"] = (float(_units(order.ft_fee_base)), float(fee))
    for key, (mine, theirs) in rows.items():
        if mine != theirs:
            yield Difference(f"order {order.order_id}", key, str(mine), str(theirs))


def _average(there: BookedOrder) -> float | None:
    if not there.executed:
        return None
    with localcontext(prec=50, rounding=ROUND_DOWN):
        return float((there.quote / there.executed).quantize(_DIGITS))


def _units(amount: float) -> Decimal:
    """A number of freqtrade's in the units that the exchange counts in."""
    with localcontext(prec=50):
        return Decimal(repr(amount)).quantize(UNIT)


def _unknown(booked: Mapping[str, BookedOrder], known: set[str]) -> Iterator[Difference]:
    for number, there in booked.items():
        if number not in known and (there.executed or there.standing in OPEN):
            told = f"{there.standing.lower()}, {there.side.lower()} {there.executed:f} {there.base}"
            yield Difference(f"order {number}", "is there", "no", told)


def _fees(
    trade: KeptTrade, orders: Iterable[KeptOrder], fills: Mapping[str, list[BookedFill]]
) -> Iterator[Difference]:
    """The share that was paid, where freqtrade need not guess what the fee's asset is worth."""
    sides = {"open": ("buy", trade.fee_open, trade.fee_open_currency)}
    if not trade.is_open:
        sides["close"] = ("sell", trade.fee_close, trade.fee_close_currency)
    for name, (side, rate, currency) in sides.items():
        paid = [fill for order in orders if order.side == side for fill in fills[order.order_id]]
        assets = {fill.asset for fill in paid}
        if paid and assets != {currency}:
            told = ", ".join(sorted(assets))
            yield Difference(f"trade {trade.id}", f"fee_{name}_currency", str(currency), told)
        elif paid and currency in trade.pair.split("/"):
            got = [fill.quantity if side == "buy" else fill.quote for fill in paid]
            share = sum((fill.commission for fill in paid), ZERO) / sum(got, ZERO)
            # The mean of shares, of which each was rounded to a unit.
            slack = _RATE + sum((UNIT / each for each in got), ZERO)
            if abs(Decimal(repr(rate)) - share) > slack:
                told = f"{share:.8f}"
                yield Difference(f"trade {trade.id}", f"fee_{name}", str(rate), told)


def _balances(kept: Kept, book: AccountBook) -> Iterator[Difference]:
    """What was put in, and moved by freqtrade's own figures, has to be what is there."""
    expected: defaultdict[str, Decimal] = defaultdict(lambda: ZERO, book.deposits)
    for order in kept.orders:
        base, quote = order.ft_pair.split("/")
        sign = 1 if order.side == Side.BUY.lower() else -1
        expected[base] += sign * _units(order.filled or 0.0)
        expected[quote] -= sign * _units(order.cost or 0.0)
    for fill in book.fills:
        expected[fill.asset] -= fill.commission
    for asset in sorted({*expected, *book.balances}):
        mine, theirs = expected[asset], book.balances.get(asset, ZERO)
        if mine != theirs:
            yield Difference(f"balance of {asset}", "amount", f"{mine:f}", f"{theirs:f}")


def _open_amounts(kept: Kept, book: AccountBook) -> Iterator[Difference]:
    amounts: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for trade in kept.trades:
        if trade.is_open:
            amounts[trade.pair.split("/")[0]] += _units(trade.amount)
    for asset, amount in sorted(amounts.items()):
        there = book.balances.get(asset, ZERO)
        if amount > there:
            yield Difference(f"open trades of {asset}", "amount", f"{amount:f}", f"{there:f}")
