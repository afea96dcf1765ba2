"""Straight at the exchange, for when a bot cannot: cancel its orders, sell what its trades hold.

Sold is what a trade bought and did not sell again, by the exchange's own fills: never what else
lies on the account. Each order that is sent from here carries a name made of its trade, so that
whoever comes after a kill -9, or after an answer that was lost, counts it as that trade's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from pipelines.domain.account import ZERO, ExchangeOrder, Fill, Lot
from pipelines.domain.budget import Priority
from pipelines.domain.candles import TradingMode
from pipelines.domain.document import sha256
from pipelines.domain.environment import Environment
from pipelines.domain.orphan import CLOSING, OURS
from pipelines.errors import CannotTell
from runner.agent.books.accounts import Account, client_of
from runner.agent.books.client import Client
from runner.agent.house import House
from runner.agent.preparing import Rehearsal

_BEFORE = timedelta(minutes=10)
"""An order may be older at the exchange than its trade is in the bot's words."""

_MARK = CLOSING

_TRIES = 5
"""A market order gets what the market has: the rest is sold by the next one."""


@dataclass(frozen=True)
class Owned:
    """A trade of a bot. `own` are its orders as the bot knows them, `others` those of other trades.

    What sold its coins and belongs to no other trade, it sold itself: the bot may have been killed
    before it wrote that down. `fees` is what the bot took off the coins of each order for its fee:
    nothing where dust on the account paid for it, and then the trade holds that dust.
    """

    name: str
    pair: str
    is_short: bool
    opened: datetime
    own: frozenset[str]
    others: frozenset[str]
    fees: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """How orders that are sent for it from here begin."""
        return f"{_MARK}{sha256(self.name.encode())[:16]}"

    def has(self, order: ExchangeOrder) -> bool:
        if order.client_id.startswith(OURS):
            return order.client_id.startswith(self.mark)
        exits = (order.side == "buy") is self.is_short
        return order.id in self.own or (exits and order.id not in self.others)


@dataclass(frozen=True)
class Left:
    """What could not be closed of a pair, in units of its base asset, and why."""

    pair: str
    amount: Decimal
    why: str

    @property
    def text(self) -> str:
        """The same for people."""
        return f"{self.pair}: {self.amount.normalize():f} left: {self.why}"


@dataclass(frozen=True)
class Desk:
    """One account, to trade by hand."""

    client: Client

    def cancel(self, pairs: Iterable[str], only: frozenset[str] | None = None) -> tuple[Left, ...]:
        """Cancel the open orders of these pairs, or only those with these ids; what stays open.

        :raises CannotTell: when the exchange does not tell what is open.
        """
        refused: dict[str, str] = {}
        for order in self._open(pairs, only):
            try:
                self.client.ask("cancel_order", order.id, order.pair, params=self._kind(order))
            except CannotTell as error:
                # It may just have been filled, or be gone: what is open is asked again.
                refused[order.id] = error.message
        if not refused:
            return ()
        still = self._open(pairs, only)
        return tuple(Left(o.pair, o.remaining, refused.get(o.id, "it is open")) for o in still)

    def close(self, trade: Owned) -> Left | None:
        """Sell all that a trade holds at the market's price, or buy back what it sold short.

        :raises CannotTell: when the exchange does not tell what it holds.
        """
        lot, why = self.client.lots([trade.pair])[trade.pair], ""
        for _ in range(_TRIES):
            held, sent = self.held(trade)
            amount = self._possible(trade, held, lot)
            if amount <= 0 or self._is_dust(trade.pair, amount, lot):
                break
            try:
                self._send(trade, amount, f"{trade.mark}-{sent}")
            except CannotTell as error:
                why = error.message
                break
        return self.left(trade, why)

    def left(self, trade: Owned, why: str = "") -> Left | None:
        """What a trade still holds by the exchange's own fills; None when that is nothing.

        :raises CannotTell: when the exchange does not tell.
        """
        held, _ = self.held(trade)
        lot = self.client.lots([trade.pair])[trade.pair]
        if held <= 0 or held < lot.step:
            return None
        if not why and self._is_dust(trade.pair, held, lot):
            why = "too little to be sold: dust"
        return Left(trade.pair, held, why or "it is not sold yet")

    def held(self, trade: Owned) -> tuple[Decimal, int]:
        """What a trade holds, and how many orders were sent for it from here."""
        since = trade.opened - _BEFORE
        orders = {o.id: o for o in self.client.orders(trade.pair, since) if trade.has(o)}
        fills = [fill for fill in self.client.fills(trade.pair, since) if fill.order_id in orders]
        sent = sum(order.client_id.startswith(trade.mark) for order in orders.values())
        taken = sum((fee for order, fee in trade.fees.items() if order in orders), ZERO)
        whole = sum((_moved(fill, trade) for fill in fills), ZERO) - taken
        return max(whole, ZERO), sent

    def _possible(self, trade: Owned, held: Decimal, lot: Lot) -> Decimal:
        if self.client.trading_mode == "futures":
            positions = (p.amount for p in self.client.positions() if p.pair == trade.pair)
            have = sum(positions, ZERO)
        else:
            holding = self.client.balances().get(trade.pair.partition("/")[0])
            have = holding.free if holding else ZERO
        amount = min(held, have)
        steps = (amount / lot.step).to_integral(rounding=ROUND_DOWN) if lot.step else amount
        return steps * lot.step if lot.step else amount

    def _is_dust(self, pair: str, amount: Decimal, lot: Lot) -> bool:
        if amount < lot.least_amount:
            return True
        return self.client.trading_mode == "spot" and (
            amount * self.client.prices([pair])[pair] < lot.least_cost
        )

    def _send(self, trade: Owned, amount: Decimal, name: str) -> None:
        side = "buy" if trade.is_short else "sell"
        params: dict[str, Any] = {"clientOrderId": name}
        if self.client.trading_mode == "futures":
            params["reduceOnly"] = True
        self.client.ask("create_order", trade.pair, "market", side, amount, None, params)

    def _open(self, pairs: Iterable[str], only: frozenset[str] | None) -> list[ExchangeOrder]:
        every = self.client.open_orders(pairs)
        return [order for order in every if only is None or order.id in only]

    def _kind(self, order: ExchangeOrder) -> dict[str, Any]:
        futures = self.client.trading_mode == "futures"
        return {"trigger": True} if futures and order.is_stop else {}


def _moved(fill: Fill, trade: Owned) -> Decimal:
    """What a fill added to a trade, in its base asset."""
    added = fill.amount if (fill.side == "sell") is trade.is_short else -fill.amount
    in_coins = fill.fee_asset == fill.pair.partition("/")[0] and fill.order_id not in trade.fees
    return added - fill.fee if in_coins else added


def desk_for(
    house: House,
    environment: Environment,
    strategy: str,
    berth: int,
    rehearsal: Rehearsal | None,
    *,
    futures: bool,
) -> Desk:
    """The account of a bot.

    :raises CannotTell: when nothing opens it, or nobody says where its exchange is.
    """
    name = environment.account_of(strategy, berth) or ""
    mode: TradingMode = "futures" if futures else "spot"
    account = Account(environment, name, mode, Priority.LIVE, ())
    return Desk(client_of(house, account, rehearsal))
