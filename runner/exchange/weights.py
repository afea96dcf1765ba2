"""What happens to those who ask for too much.

Limits as Binance documents them ("LIMITS" of its spot API, "General Info" of USDS-M futures), with
429, 418 and `Retry-After`. Nobody outside knows how many 429s it takes before it bans: here 20.
Spot and futures count by themselves.
"""

from dataclasses import dataclass

from runner.exchange.core.rejection import Rejection
from runner.exchange.signing import Parameters
from runner.exchange.weighing import Route, of_futures, weight

MINUTE = 60_000
PLACING = (
    ("POST", "/api/v3/order"),
    ("POST", "/fapi/v1/order"),
    ("POST", "/fapi/v1/algoOrder"),
)
"""The requests that place orders."""


@dataclass(frozen=True)
class Quota:
    """The weight that an IP may use in a minute of one API, and the orders that an account may
    place: name, milliseconds, how many, and how Binance says it."""

    weight: int
    orders: tuple[tuple[str, int, int, str], ...]


SPOT = Quota(6_000, (("10S", 10_000, 100, "10 SECOND"), ("1D", 86_400_000, 200_000, "1 DAY")))
FUTURES = Quota(2_400, (("10S", 10_000, 300, "10 SECOND"), ("1M", MINUTE, 1_200, "1 MINUTE")))

SAPI_LIMIT = 12_000
"""The same for each request below /sapi, by itself."""

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


def _quota(route: Route) -> Quota:
    return FUTURES if of_futures(route) else SPOT


def rate_limits(quota: Quota, limit: int | None = None) -> list[dict[str, str | int]]:
    """The limits as exchangeInfo tells them; `limit` is another weight than the usual one."""
    rows: list[tuple[str, str, int, int]] = []
    rows.append(("REQUEST_WEIGHT", "MINUTE", 1, limit or quota.weight))
    for _, _, most, said in quota.orders:
        number, _, interval = said.partition(" ")
        rows.append(("ORDERS", interval, int(number), most))
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

    def __init__(self, asked: int | None = None, *, enforced: bool = True) -> None:
        """`asked` is another weight than Binance allows in a minute."""
        self.asked, self._enforced = asked, enforced
        self._used: dict[tuple[str, str], tuple[int, int]] = {}
        self._callers: dict[tuple[str, bool], _Caller] = {}

    def limit(self, route: Route) -> int:
        """The weight that a minute has for requests of this kind."""
        if route[1].startswith("/sapi/"):
            return SAPI_LIMIT
        return self.asked or _quota(route).weight

    def charge(self, address: str, route: Route, given: Parameters, now: int) -> None:
        """Count a request of an IP.

        :raises Throttled: with 429 when it is too much, with 418 when the IP is banned.
        """
        caller = self._callers.setdefault((address, of_futures(route)), _Caller())
        if self._enforced and now < caller.banned_until:
            raise banned(caller.banned_until, now)
        used = self._add((address, _counted(route)), MINUTE, weight(route, given), now)
        limit = self.limit(route)
        if self._enforced and used > limit:
            self._refuse(caller, now)
            raise too_much(limit, seconds(MINUTE - now % MINUTE))

    def order(self, account: str, route: Route, now: int) -> None:
        """Count an order that an account wants to place.

        :raises Throttled: when these were too many; how long to wait is not told.
        """
        rows = _quota(route).orders
        for name, span, most, said in rows:
            if self._enforced and self._so_far(_ordered(account, route, name), span, now) >= most:
                text = f"Too many new orders; current limit is {most} orders per {said}."
                raise Throttled(-1015, text, 429)
        for name, span, *_ in rows:
            self._add(_ordered(account, route, name), span, 1, now)

    def headers(self, address: str, route: Route, now: int) -> dict[str, str]:
        """What every answer tells of the weight that was used."""
        used = str(self._so_far((address, "/fapi/" if of_futures(route) else ""), MINUTE, now))
        told = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if route[1].startswith("/sapi/"):
            told["X-SAPI-USED-IP-WEIGHT-1M"] = str(self._so_far((address, route[1]), MINUTE, now))
        return told

    def order_headers(self, account: str, route: Route, now: int) -> dict[str, str]:
        """What the answer to an order that was taken tells of the account's orders."""
        return {
            f"X-MBX-ORDER-COUNT-{name}": str(
                self._so_far(_ordered(account, route, name), span, now)
            )
            for name, span, *_ in _quota(route).orders
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


def _counted(route: Route) -> str:
    """What counts together: spot, futures, and each request below /sapi by itself."""
    if of_futures(route):
        return "/fapi/"
    return route[1] if route[1].startswith("/sapi/") else ""


def _ordered(account: str, route: Route, name: str) -> tuple[str, str]:
    return account, f"/fapi/ {name}" if of_futures(route) else name
