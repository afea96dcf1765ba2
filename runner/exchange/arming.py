"""Arming faults: what each of them takes, and what it is without saying more."""

from dataclasses import dataclass, replace
from decimal import Decimal

from pipelines.errors import Problem
from runner.exchange.core.faults import MOVES, Armed, Disarmed, Fault, FaultName
from runner.exchange.core.orders import Closed, Standing
from runner.exchange.messages import Fault as Asked
from runner.exchange.venue import Venue

INSUFFICIENT, FILTERED = -2010, -1013
REFUSALS = {
    INSUFFICIENT: (INSUFFICIENT, "Account has insufficient balance for requested action."),
    FILTERED: (FILTERED, "Filter failure: NOTIONAL"),
}
"""What `rejected_order` may answer, code and message."""

FUTURES_REFUSALS = {
    INSUFFICIENT: (-2019, "Margin is insufficient."),
    FILTERED: (
        -4164,
        "Order's notional must be no smaller than 5 (unless you choose reduce only).",
    ),
}
"""The same for an order of futures, where Binance has other codes."""

_SECOND, _HOUR = Decimal(1000), Decimal(3_600_000)


@dataclass(frozen=True)
class Form:
    """What a fault takes. `counted`: it happens so many times, once when nothing is said;
    `on_spot`: it happens to spot markets only."""

    takes: frozenset[str]
    counted: bool = False
    by: Decimal = Decimal(0)
    code: int = 0
    on_spot: bool = False


_ASKED = frozenset({"times", "seconds", "account", "symbol", "side"})
FORMS: dict[FaultName, Form] = {
    "server_error": Form(_ASKED, counted=True),
    "timeout": Form(_ASKED, counted=True),
    "lost_answer": Form(_ASKED, counted=True),
    "rate_limited": Form(_ASKED, counted=True),
    "banned": Form(_ASKED, counted=True),
    "clock_skew": Form(frozenset({"seconds", "account", "by"}), by=_HOUR),
    "rejected_order": Form(_ASKED | {"code"}, counted=True, code=INSUFFICIENT),
    "partial_fill": Form(_ASKED | {"by"}, counted=True, by=Decimal("0.3"), on_spot=True),
    "key_revoked": Form(frozenset({"seconds", "account"})),
    "symbol_halted": Form(frozenset({"seconds", "symbol"}), on_spot=True),
    "stale_candles": Form(frozenset({"seconds", "symbol"}), on_spot=True),
    "delisting": Form(frozenset({"seconds", "symbol"}), on_spot=True),
    "price_gap": Form(frozenset({"symbol", "by"}), by=Decimal("-0.1"), on_spot=True),
    "flash_crash": Form(frozenset({"symbol", "by"}), by=Decimal("-0.3"), on_spot=True),
}


def arm(venue: Venue, asked: Asked) -> None:
    """Arm a fault, or with `times` of zero end those of its name.

    :raises BadInput: when it does not take what was said, or it names nobody.
    """
    if asked.times == 0 and asked.name not in MOVES:
        venue.record(Disarmed(asked.name))
        return
    _check(venue, asked)
    faults = [_fault(venue, asked, symbol) for symbol in _symbols(venue, asked)]
    first = venue.book.faults.number + 1
    events = [Armed(replace(fault, id=number)) for number, fault in enumerate(faults, first)]
    expired = _expired(venue, asked.symbol) if asked.name == "delisting" else []
    venue.record(*events, *expired)


def _check(venue: Venue, asked: Asked) -> None:
    form = FORMS[asked.name]
    given = asked.model_dump(exclude={"name"}, exclude_defaults=True)
    if strange := sorted(set(given) - form.takes):
        raise Problem(asked.name, f"takes no {_OPTIONS[strange[0]]}", key="fault")
    if asked.account and asked.account not in venue.book.accounts:
        raise Problem(asked.name, f"there is no account {asked.account}", key="fault")
    spot, futures = venue.tape.reels, venue.futures.marks if venue.futures else {}
    elsewhere = asked.symbol in futures and asked.symbol not in spot
    if form.on_spot and (elsewhere or not spot):
        raise Problem(asked.name, "happens to spot markets only", key="fault")
    if asked.symbol and asked.symbol not in {*spot, *futures}:
        raise Problem(asked.name, f"{asked.symbol} is not traded here", key="fault")
    if asked.name == "delisting" and not asked.symbol:
        raise Problem(asked.name, "needs a --symbol", key="fault")
    _check_size(asked)


def _check_size(asked: Asked) -> None:
    if asked.by is None:
        return
    if asked.name == "partial_fill" and not 0 < asked.by < 1:
        raise Problem(asked.name, "--share should be between 0 and 1", key="fault")
    if asked.name == "clock_skew" and abs(asked.by) < _SECOND:
        raise Problem(asked.name, "--by should be a span of time like 1h", key="fault")
    if asked.name in MOVES and not -1 < asked.by <= 10:
        raise Problem(asked.name, "--by should be above -100% and at most 1000%", key="fault")


_OPTIONS = {
    "times": "--times",
    "seconds": "--for",
    "account": "--account",
    "symbol": "--symbol",
    "side": "--side",
    "by": "--by or --share",
    "code": "--code",
}


def _symbols(venue: Venue, asked: Asked) -> list[str]:
    """A move of the market is one fault for each symbol: it begins with the next candle there."""
    if asked.symbol or asked.name not in MOVES:
        return [asked.symbol]
    return sorted(venue.tape.reels)


def _fault(venue: Venue, asked: Asked, symbol: str) -> Fault:
    form, since = FORMS[asked.name], venue.now
    if asked.name in MOVES:
        turn = venue.reel(symbol).turn(venue.now)
        if turn is None:
            raise Problem(asked.name, f"{symbol} has no more candles", key="fault")
        since = turn
    once = form.counted and asked.seconds is None
    return Fault(
        id=0,
        name=asked.name,
        since=since,
        until=None if asked.seconds is None else venue.now + asked.seconds * 1000,
        left=1 if once and asked.times is None else asked.times,
        account=asked.account,
        symbol=symbol,
        side=asked.side,
        by=form.by if asked.by is None else asked.by,
        code=asked.code or form.code,
    )


def _expired(venue: Venue, symbol: str) -> list[Closed]:
    """A symbol that is taken off the list keeps no orders."""
    orders = venue.book.open_orders(symbol)
    return [Closed(order.id, Standing.EXPIRED, venue.now) for order in orders]
