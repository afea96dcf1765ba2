"""What requests weigh, and what happens to those who ask for too much.

Weights and limits as Binance documents them: each request of "REST API" (binance-spot-api-docs) and
of "Wallet" and "Margin trading" (developers.binance.com) tells its weight; "LIMITS" tells of 429,
418 and `Retry-After`. Nobody outside knows how many 429s Binance takes before it bans: here 20.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runner.exchange.core.rejection import Rejection
from runner.exchange.signing import Parameters

Weigh = Callable[[Parameters], int]
Route = tuple[str, str]

MINUTE = 60_000
ORDER = ("POST", "/api/v3/order")
USUAL = 6_000
"""Weight that an IP may use in a minute."""

SAPI_LIMIT = 12_000
"""The same for each request below /sapi, by itself."""

ORDERS = (("10S", 10_000, 100, "10 SECOND"), ("1D", 86_400_000, 200_000, "1 DAY"))
"""Orders that an account may place: name, milliseconds, how many, and how Binance says it."""

PATIENCE = 20
_FIRST_BAN, _LONGEST_BAN = 2 * MINUTE, 3 * 24 * 60 * MINUTE


class Throttled(Rejection):
    """Too much was asked for; `wait` is how many seconds to stay away, where that is told."""

    def __init__(self, code: int, message: str, status: int, wait: int | None = None) -> None:
        super().__init__(code, message, status)
        self.wait = wait


def too_much(limit: int, wait: int) -> Throttled:
    """The weight of a minute is used up."""
    advice = "Please use WebSocket Streams for live updates to avoid polling the API."
    said = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
    return Throttled(-1003, f"{said} {advice}", 429, wait)


def banned(until: int, now: int) -> Throttled:
    """Nothing is answered before a moment."""
    advice = "Please use WebSocket Streams for live updates to avoid bans."
    said = f"Way too much request weight used; IP banned until {until}."
    return Throttled(-1003, f"{said} {advice}", 418, seconds(until - now))


def seconds(milliseconds: int) -> int:
    """Whole seconds, as `Retry-After` tells them: rather one too many."""
    return max(-(-milliseconds // 1000), 1)


def _by_limit(given: Parameters) -> int:
    limit = _number(given, "limit") or 100
    return next(
        (weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250
    )


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
}


def weight(route: Route, given: Parameters) -> int:
    """What a request weighs; one that is not known here weighs 1."""
    found = _WEIGHTS.get(route, 1)
    return found if isinstance(found, int) else found(given)


def rate_limits(limit: int) -> list[dict[str, str | int]]:
    """The limits as exchangeInfo tells them."""
    rows = [("REQUEST_WEIGHT", "MINUTE", 1, limit)]
    rows += [("ORDERS", "SECOND", 10, ORDERS[0][2]), ("ORDERS", "DAY", 1, ORDERS[1][2])]
    names = ("rateLimitType", "interval", "intervalNum", "limit")
    return [dict(zip(names, row, strict=True)) for row in rows]


@dataclass
class _Caller:
    """What one IP did: refusals in this minute, and the ban that it is under."""

    refused: int = 0
    minute: int = -1
    banned_until: int = 0
    bans: int = 0


class Limits:
    """Counts what was asked for, in minutes of the exchange's clock, in memory only.

    Where nothing is `enforced` it is only told: between two steps no time passes, so that a minute
    there may stand for any number of real ones.
    """

    def __init__(self, limit: int = USUAL, *, enforced: bool = True) -> None:
        self.limit, self._enforced = limit, enforced
        self._used: dict[tuple[str, str], tuple[int, int]] = {}
        self._callers: dict[str, _Caller] = {}

    def charge(self, address: str, route: Route, given: Parameters, now: int) -> None:
        """Count a request of an IP.

        :raises Throttled: with 429 when it is too much, with 418 when the IP is banned.
        """
        sapi = route[1].startswith("/sapi/")
        caller = self._callers.setdefault(address, _Caller())
        if self._enforced and now < caller.banned_until:
            raise banned(caller.banned_until, now)
        used = self._add((address, route[1] if sapi else ""), MINUTE, weight(route, given), now)
        limit = SAPI_LIMIT if sapi else self.limit
        if self._enforced and used > limit:
            self._refuse(caller, now)
            raise too_much(limit, seconds(MINUTE - now % MINUTE))

    def order(self, account: str, now: int) -> None:
        """Count an order that an account wants to place.

        :raises Throttled: when these were too many; how long to wait is not told.
        """
        for name, span, most, said in ORDERS:
            if self._enforced and self._so_far((account, name), span, now) >= most:
                text = f"Too many new orders; current limit is {most} orders per {said}."
                raise Throttled(-1015, text, 429)
        for name, span, *_ in ORDERS:
            self._add((account, name), span, 1, now)

    def headers(self, address: str, route: Route, now: int) -> dict[str, str]:
        """What every answer tells of the weight that was used."""
        used = str(self._so_far((address, ""), MINUTE, now))
        told = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if route[1].startswith("/sapi/"):
            told["X-SAPI-USED-IP-WEIGHT-1M"] = str(self._so_far((address, route[1]), MINUTE, now))
        return told

    def order_headers(self, account: str, now: int) -> dict[str, str]:
        """What the answer to an order that was taken tells of the account's orders."""
        return {
            f"X-MBX-ORDER-COUNT-{name}": str(self._so_far((account, name), span, now))
            for name, span, *_ in ORDERS
        }

    def _refuse(self, caller: _Caller, now: int) -> None:
        minute = now // MINUTE
        caller.refused = caller.refused + 1 if caller.minute == minute else 1
        caller.minute = minute
        if caller.refused > PATIENCE:
            caller.banned_until = now + min(_FIRST_BAN << caller.bans, _LONGEST_BAN)
            caller.bans = min(caller.bans + 1, 20)
            caller.refused = 0
            raise banned(caller.banned_until, now)

    def _so_far(self, who: tuple[str, str], span: int, now: int) -> int:
        counted, used = self._used.get(who, (0, 0))
        return used if counted == now // span else 0

    def _add(self, who: tuple[str, str], span: int, amount: int, now: int) -> int:
        used = self._so_far(who, span, now) + amount
        self._used[who] = now // span, used
        return used
