"""What requests weigh, as Binance documents it.

Each request of "REST API" (binance-spot-api-docs) and of "Wallet", "Margin trading" and "USDS-M
futures" (developers.binance.com) tells its weight.
"""

import json
from collections.abc import Callable, Mapping

from runner.exchange.signing import Parameters

Weigh = Callable[[Parameters], int]

Route = tuple[str, str]
"""Method and path of a request."""


def of_futures(route: Route) -> bool:
    """True for a request of futures: these count by themselves."""
    return route[1].startswith("/fapi/")


def _by_limit(given: Parameters) -> int:
    limit = _number(given, "limit") or 100
    return next(
        (weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250
    )


def _by_futures_limit(given: Parameters) -> int:
    limit = _number(given, "limit") or 500
    return next((weight for most, weight in ((50, 2), (100, 5), (500, 10)) if limit <= most), 20)


def _by_candles(given: Parameters) -> int:
    limit = _number(given, "limit") or 500
    return next((weight for most, weight in ((99, 1), (499, 2), (1000, 5)) if limit <= most), 10)


def _by_symbols(given: Parameters) -> int:
    if given.text("symbol"):
        return 2
    asked = _names(given)
    return next((weight for most, weight in ((20, 2), (100, 40)) if 0 < asked <= most), 80)


def _one_or_all(one: int, every: int) -> Weigh:
    return lambda given: one if given.text("symbol") else every


def _names(given: Parameters) -> int:
    """How many symbols are named. What cannot be read is refused later, and weighs most."""
    try:
        named = json.loads(given.text("symbols") or "[]")
    except (ValueError, RecursionError):
        return 0
    return len(named) if isinstance(named, list) else 0


def _number(given: Parameters, name: str) -> int:
    text = given.text(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


_WEIGHTS: Mapping[Route, int | Weigh] = {
    ("GET", "/api/v3/ping"): 1,
    ("GET", "/api/v3/time"): 1,
    ("GET", "/api/v3/exchangeInfo"): 20,
    ("GET", "/api/v3/klines"): 2,
    ("GET", "/api/v3/depth"): _by_limit,
    ("GET", "/api/v3/trades"): 25,
    ("GET", "/api/v3/aggTrades"): 4,
    ("GET", "/api/v3/ticker/24hr"): _by_symbols,
    ("GET", "/api/v3/ticker/price"): _one_or_all(2, 4),
    ("GET", "/api/v3/ticker/bookTicker"): _one_or_all(2, 4),
    ("GET", "/api/v3/account"): 20,
    ("POST", "/api/v3/order"): 1,
    ("GET", "/api/v3/order"): 4,
    ("DELETE", "/api/v3/order"): 1,
    ("GET", "/api/v3/openOrders"): _one_or_all(6, 80),
    ("GET", "/api/v3/allOrders"): 20,
    ("GET", "/api/v3/myTrades"): lambda given: 5 if given.text("orderId") else 20,
    ("GET", "/sapi/v1/capital/config/getall"): 10,
    ("GET", "/sapi/v1/margin/allPairs"): 1,
    ("GET", "/sapi/v1/margin/isolated/allPairs"): 10,
    ("GET", "/sapi/v1/account/apiRestrictions"): 1,
    ("GET", "/fapi/v1/klines"): _by_candles,
    ("GET", "/fapi/v1/markPriceKlines"): _by_candles,
    ("GET", "/fapi/v1/premiumIndex"): _one_or_all(1, 10),
    ("GET", "/fapi/v1/fundingRate"): 0,
    ("GET", "/fapi/v1/fundingInfo"): 0,
    ("GET", "/fapi/v1/depth"): _by_futures_limit,
    ("GET", "/fapi/v1/trades"): 5,
    ("GET", "/fapi/v1/aggTrades"): 20,
    ("GET", "/fapi/v1/ticker/24hr"): _one_or_all(1, 40),
    ("GET", "/fapi/v1/ticker/price"): _one_or_all(1, 2),
    ("GET", "/fapi/v2/ticker/price"): _one_or_all(1, 2),
    ("GET", "/fapi/v1/ticker/bookTicker"): _one_or_all(2, 5),
    ("GET", "/fapi/v2/account"): 5,
    ("GET", "/fapi/v3/account"): 5,
    ("GET", "/fapi/v2/balance"): 5,
    ("GET", "/fapi/v3/balance"): 5,
    ("GET", "/fapi/v2/positionRisk"): 5,
    ("GET", "/fapi/v3/positionRisk"): 5,
    ("GET", "/fapi/v1/positionSide/dual"): 30,
    ("GET", "/fapi/v1/multiAssetsMargin"): 30,
    ("GET", "/fapi/v1/income"): 30,
    ("GET", "/fapi/v1/commissionRate"): 20,
    ("GET", "/fapi/v1/accountConfig"): 5,
    ("GET", "/fapi/v1/symbolConfig"): 5,
    ("POST", "/fapi/v1/order"): 0,
    ("GET", "/fapi/v1/openOrders"): _one_or_all(1, 40),
    ("GET", "/fapi/v1/allOrders"): 5,
    ("GET", "/fapi/v1/userTrades"): 5,
    ("POST", "/fapi/v1/algoOrder"): 0,
    ("GET", "/fapi/v1/openAlgoOrders"): _one_or_all(1, 40),
    ("GET", "/fapi/v1/allAlgoOrders"): 5,
}


def weight(route: Route, given: Parameters) -> int:
    """What a request weighs; one that is not known here weighs 1."""
    found = _WEIGHTS.get(route, 1)
    return found if isinstance(found, int) else found(given)
