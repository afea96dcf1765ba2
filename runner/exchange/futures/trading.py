"""Orders, conditional orders and their fills: signed requests of futures."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from runner.exchange.answers import Json
from runner.exchange.core.futures import placing
from runner.exchange.core.futures.events import Conditional, Order, Trigger, WorkingType
from runner.exchange.core.futures.placing import Wish, unknown_order
from runner.exchange.core.orders import Account, Kind, Side, TimeInForce
from runner.exchange.core.rejection import Rejection, missing
from runner.exchange.futures import told
from runner.exchange.futures.floor import Floor
from runner.exchange.futures.pages import page
from runner.exchange.signing import Parameters
from runner.exchange.venue import Venue

Answer = Callable[[Account, Parameters], Any]

_SIDE = (-1117, "Invalid side.")
_TYPE = (-1116, "Invalid orderType.")
_TIME = (-1115, "Invalid timeInForce.")
_WORKING = (-4031, "Invalid parameter working type")


class _Type(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class _Time(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class Trading:
    """The answers to signed requests. Each method takes the account and the parameters."""

    def __init__(self, venue: Venue, floor: Floor) -> None:
        self._venue, self._floor, self._book = venue, floor, floor.book

    def routes(self) -> dict[tuple[str, str], Answer]:
        """Every signed request: method and path."""
        return {
            ("POST", "/fapi/v1/order"): self._place,
            ("GET", "/fapi/v1/order"): self._order,
            ("DELETE", "/fapi/v1/order"): self._cancel,
            ("GET", "/fapi/v1/openOrder"): self._open_order,
            ("GET", "/fapi/v1/openOrders"): self._open_orders,
            ("GET", "/fapi/v1/allOrders"): self._all_orders,
            ("DELETE", "/fapi/v1/allOpenOrders"): self._cancel_all,
            ("GET", "/fapi/v1/userTrades"): self._trades,
            ("POST", "/fapi/v1/algoOrder"): self._await,
            ("GET", "/fapi/v1/algoOrder"): self._conditional,
            ("DELETE", "/fapi/v1/algoOrder"): self._drop,
            ("GET", "/fapi/v1/openAlgoOrders"): self._waiting,
            ("GET", "/fapi/v1/allAlgoOrders"): self._all_conditionals,
            ("DELETE", "/fapi/v1/algoOpenOrders"): self._drop_all,
        }

    def _place(self, account: Account, given: Parameters) -> Any:
        kind = given.word("type", _Type, _TYPE)
        if kind not in (None, _Type.LIMIT, _Type.MARKET):
            text = "Order type not supported for this endpoint. Please use the Algo Order API "
            raise Rejection(-4120, text + "endpoints instead.")
        wish = self._wish(given, kind, given.text("newClientOrderId"))
        market = self._floor.market(wish.symbol, self._venue.now)
        placed = self._venue.committed(
            lambda: placing.place(self._book, account.name, wish, market, self._venue.now)
        )
        return told.order(placed)

    def _await(self, account: Account, given: Parameters) -> Any:
        if given.needed("algoType") != "CONDITIONAL":
            raise Rejection(-1130, "Data sent for parameter 'algoType' is not valid.")
        kind = given.word("type", _Type, _TYPE)
        if kind not in (None, _Type.STOP, _Type.STOP_MARKET):
            raise Rejection(*_TYPE)
        wish = self._wish(given, kind, given.text("clientAlgoId"))
        market = self._floor.market(wish.symbol, self._venue.now)
        waiting = self._venue.committed(
            lambda: placing.await_price(self._book, account.name, wish, market, self._venue.now)
        )
        return told.conditional(self._book, waiting)

    def _wish(self, given: Parameters, kind: _Type | None, client_id: str | None) -> Wish:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        side = given.word("side", Side, _SIDE)
        if side is None or kind is None:
            raise missing("type" if side else "side")
        if given.text("positionSide") not in (None, "BOTH"):
            text = "Order's position side does not match user's setting."
            raise Rejection(-4061, text)
        if given.text("closePosition") == "true":
            raise Rejection(-4084, "Method is not allowed currently. Upcoming soon.")
        time = given.word("timeInForce", _Time, _TIME)
        if client_id and len(client_id) > 36:
            raise Rejection(-4015, "Client order id length should not be more than 36 chars")
        limit = kind in (_Type.LIMIT, _Type.STOP)
        if time is None and kind is _Type.STOP:
            time = _Time.GTC
        return Wish(
            symbol=symbol,
            side=side,
            kind=Kind.LIMIT if limit else Kind.MARKET,
            quantity=given.number("quantity"),
            price=given.number("price"),
            time_in_force=TimeInForce.GTC if time is _Time.GTX else _common(time),
            post_only=time is _Time.GTX,
            reduce_only=(given.text("reduceOnly") or "").lower() == "true",
            client_id=client_id or "",
            trigger=Trigger(kind.value) if kind.value in tuple(Trigger) else None,
            trigger_price=given.number("triggerPrice"),
            working_type=given.word("workingType", WorkingType, _WORKING)
            or WorkingType.CONTRACT_PRICE,
        )

    def _order(self, account: Account, given: Parameters) -> Any:
        found = self._find(account, given)
        if found is None:
            raise Rejection(-2013, "Order does not exist.")
        return told.order(found)

    def _open_order(self, account: Account, given: Parameters) -> Any:
        found = self._find(account, given)
        if found is None or not found.is_open:
            raise Rejection(-2013, "Order does not exist.")
        return told.order(found)

    def _cancel(self, account: Account, given: Parameters) -> Any:
        found = self._find(account, given)
        if found is None:
            raise unknown_order()
        return told.order(self._cancelled(found))

    def _cancelled(self, found: Order) -> Order:
        return self._venue.committed(lambda: placing.cancel(self._book, found, self._venue.now))

    def _cancel_all(self, account: Account, given: Parameters) -> Any:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        for found in self._book.open_orders(symbol, account.name):
            self._cancelled(found)
        return _all_done()

    def _find(self, account: Account, given: Parameters) -> Order | None:
        """The order that is meant; of several with one client's id, the newest."""
        symbol = self._floor.reel(given.needed("symbol")).symbol
        number, client_id = given.whole("orderId"), given.text("origClientOrderId")
        if number is None and client_id is None:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise Rejection(-1102, text)
        for order in reversed(self._orders(account, symbol)):
            if number in (None, order.id) and client_id in (None, order.client_id):
                return order
        return None

    def _orders(self, account: Account, symbol: str) -> list[Order]:
        every = self._book.orders.values()
        return [o for o in every if o.account == account.name and o.symbol == symbol]

    def _open_orders(self, account: Account, given: Parameters) -> Any:
        found = self._book.open_orders(self._symbol(given), account.name)
        return [told.order(order) for order in found]

    def _all_orders(self, account: Account, given: Parameters) -> Any:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        rows = [(o.placed_at, o.id, o) for o in self._orders(account, symbol)]
        return [told.order(o) for o in page(rows, given, first=given.whole("orderId"))]

    def _trades(self, account: Account, given: Parameters) -> Any:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        mine = {order.id for order in self._orders(account, symbol)}
        wanted = given.whole("orderId")
        rows = [
            (fill.at, fill.id, fill)
            for fill in self._book.fills
            if fill.order_id in mine and wanted in (None, fill.order_id)
        ]
        found = page(rows, given, first=given.whole("fromId"))
        return [told.trade(self._book, fill) for fill in found]

    def _conditional(self, account: Account, given: Parameters) -> Any:
        found = self._find_conditional(account, given)
        if found is None:
            raise Rejection(-2013, "Order does not exist.")
        return told.conditional(self._book, found)

    def _drop(self, account: Account, given: Parameters) -> Any:
        found = self._find_conditional(account, given)
        if found is None:
            raise unknown_order()
        dropped = self._dropped(found)
        return {
            "algoId": dropped.id,
            "clientAlgoId": dropped.client_id,
            "code": "200",
            "msg": "success",
        }

    def _dropped(self, found: Conditional) -> Conditional:
        return self._venue.committed(lambda: placing.drop(self._book, found, self._venue.now))

    def _drop_all(self, account: Account, given: Parameters) -> Any:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        for found in self._book.waiting(symbol, account.name):
            self._dropped(found)
        return _all_done()

    def _find_conditional(self, account: Account, given: Parameters) -> Conditional | None:
        number, client_id = given.whole("algoId"), given.text("clientAlgoId")
        if number is None and client_id is None:
            text = "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!"
            raise Rejection(-1102, text)
        for each in reversed(self._book.conditionals.values()):
            mine = each.account == account.name
            if mine and number in (None, each.id) and client_id in (None, each.client_id):
                return each
        return None

    def _waiting(self, account: Account, given: Parameters) -> Any:
        found = self._book.waiting(self._symbol(given), account.name)
        return [told.conditional(self._book, each) for each in found]

    def _all_conditionals(self, account: Account, given: Parameters) -> Any:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        rows = [
            (each.placed_at, each.id, each)
            for each in self._book.conditionals.values()
            if each.account == account.name and each.symbol == symbol
        ]
        found = page(rows, given, first=given.whole("algoId"))
        return [told.conditional(self._book, each) for each in found]

    def _symbol(self, given: Parameters) -> str:
        """The symbol that is meant; empty for all."""
        symbol = given.text("symbol")
        return self._floor.reel(symbol).symbol if symbol else ""


def _common(time: _Time | None) -> TimeInForce | None:
    return None if time is None else TimeInForce(time.value)


def _all_done() -> Json:
    return {"code": 200, "msg": "The operation of cancel all open order is done."}
