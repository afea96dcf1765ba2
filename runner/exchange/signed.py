"""What an account may ask and do: signed requests."""

from collections.abc import Callable
from typing import Any

from runner.exchange import answers
from runner.exchange.core.orders import Account, Kind, Order, Side, TimeInForce
from runner.exchange.core.placing import Wish
from runner.exchange.core.rejection import Rejection, missing
from runner.exchange.signing import Parameters
from runner.exchange.symbols import Symbols
from runner.exchange.venue import Venue

Answer = Callable[[Account, Parameters], Any]

_KIND = (-1116, "Invalid orderType.")
_SIDE = (-1117, "Invalid side.")
_TIME = (-1115, "Invalid timeInForce.")
_DAY = 86_400_000


class Signed:
    """The answers to signed requests. Each method takes the account and the parameters."""

    def __init__(self, venue: Venue, symbols: Symbols) -> None:
        self._venue, self._symbols = venue, symbols

    def routes(self) -> dict[tuple[str, str], Answer]:
        """Every signed request: method and path."""
        return {
            ("GET", "/api/v3/account"): self._account,
            ("POST", "/api/v3/order"): self._place,
            ("GET", "/api/v3/order"): self._order,
            ("DELETE", "/api/v3/order"): self._cancel,
            ("GET", "/api/v3/openOrders"): self._open_orders,
            ("GET", "/api/v3/allOrders"): self._all_orders,
            ("GET", "/api/v3/myTrades"): self._trades,
            ("GET", "/sapi/v1/capital/config/getall"): self._coins,
            ("GET", "/sapi/v1/margin/allPairs"): lambda *_: [],
            ("GET", "/sapi/v1/margin/isolated/allPairs"): lambda *_: [],
            ("GET", "/sapi/v1/account/apiRestrictions"): lambda account, _: answers.restrictions(
                account, self._venue.now
            ),
        }

    def _account(self, account: Account, given: Parameters) -> Any:
        told = answers.account(self._venue.book, account.name, self._symbols.assets)
        if given.text("omitZeroBalances") == "true":
            empty = answers.text(Order.executed)
            kept = [b for b in told["balances"] if {b["free"], b["locked"]} != {empty}]
            told["balances"] = kept
        return told

    def _coins(self, account: Account, given: Parameters) -> Any:
        book = self._venue.book
        return [answers.coin(book, account.name, asset) for asset in self._symbols.assets]

    def _place(self, account: Account, given: Parameters) -> Any:
        symbol = self._venue.reel(given.needed("symbol")).symbol
        side, kind = given.word("side", Side, _SIDE), given.word("type", Kind, _KIND)
        if side is None or kind is None:
            raise missing("type" if side else "side")
        wish = Wish(
            symbol=symbol,
            side=side,
            kind=kind,
            time_in_force=given.word("timeInForce", TimeInForce, _TIME),
            quantity=given.number("quantity"),
            price=given.number("price"),
            stop_price=given.number("stopPrice"),
            spend=given.number("quoteOrderQty"),
            client_id=_client_id(given),
        )
        placed = self._venue.place(account.name, wish)
        return answers.placed_order(self._venue.book, placed)

    def _order(self, account: Account, given: Parameters) -> Any:
        found = self._find(account, given, given.text("origClientOrderId"))
        if found is None:
            raise Rejection(-2013, "Order does not exist.")
        return answers.order(found)

    def _cancel(self, account: Account, given: Parameters) -> Any:
        found = self._find(account, given, given.text("origClientOrderId"))
        if found is None:
            raise Rejection(-2011, "Unknown order sent.")
        cancelled = self._venue.cancel(found)
        return {**answers.order(cancelled), "origClientOrderId": found.client_id}

    def _find(self, account: Account, given: Parameters, client_id: str | None) -> Order | None:
        """The order that is meant; of several with one client's id, the newest."""
        symbol = self._venue.reel(given.needed("symbol")).symbol
        number = given.whole("orderId")
        if number is None and client_id is None:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise Rejection(-1102, text)
        for order in reversed(self._orders(account, symbol)):
            if number in (None, order.id) and client_id in (None, order.client_id):
                return order
        return None

    def _orders(self, account: Account, symbol: str) -> list[Order]:
        every = self._venue.book.orders.values()
        return [o for o in every if o.account == account.name and o.symbol == symbol]

    def _open_orders(self, account: Account, given: Parameters) -> Any:
        symbol = given.text("symbol") or ""
        if symbol:
            self._venue.reel(symbol)
        found = self._venue.book.open_orders(symbol, account.name)
        return [answers.order(order) for order in found]

    def _all_orders(self, account: Account, given: Parameters) -> Any:
        orders = self._orders(account, self._venue.reel(given.needed("symbol")).symbol)
        first = given.whole("orderId")
        rows = [o for o in orders if _during(o.placed_at, given) and o.id >= (first or 0)]
        return [answers.order(order) for order in _page(rows, given, first)]

    def _trades(self, account: Account, given: Parameters) -> Any:
        book = self._venue.book
        mine = {
            o.id for o in self._orders(account, self._venue.reel(given.needed("symbol")).symbol)
        }
        order, first = given.whole("orderId"), given.whole("fromId")
        rows = [
            fill
            for fill in book.fills
            if fill.order_id in mine
            and order in (None, fill.order_id)
            and fill.id >= (first or 0)
            and _during(fill.at, given)
        ]
        return [answers.trade(book, fill) for fill in _page(rows, given, first)]


def _client_id(given: Parameters) -> str:
    name = given.text("newClientOrderId") or ""
    plain = name.replace(".", "").replace(":", "").replace("/", "").replace("_", "")
    if len(name) > 36 or not (plain.replace("-", "") + "0").isalnum() or not name.isascii():
        raise Rejection(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    return name


def _during(at: int, given: Parameters) -> bool:
    begins, ends = given.whole("startTime"), given.whole("endTime")
    if begins is not None and ends is not None and ends - begins > _DAY:
        raise Rejection(-1127, "More than 24 hours between startTime and endTime.")
    return (begins is None or at >= begins) and (ends is None or at <= ends)


def _page(rows: list[Any], given: Parameters, first: int | None) -> list[Any]:
    """At most `limit` rows: the first ones after a given place or time, else the last ones."""
    limit = min(given.whole("limit") or 500, 1000)
    begins = first is not None or given.text("startTime") is not None
    return rows[:limit] if begins else rows[-limit:]
