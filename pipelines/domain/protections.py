"""Protections: what a bot has come to, held against the limits of its environment. Pure.

Nothing is remembered here: what has to be is a `Watch`, which goes in and comes out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pipelines.domain.limits import Limit, Protections, Then
from pipelines.domain.watch import LIFTS, Watch

BLIND = timedelta(minutes=1)
"""So long a limit may go unmeasured before entries are halted. Shorter, and each hiccup of an
exchange would halt; longer, and a bot trades on while nobody could stop it."""

CALM = 2
"""What was exceeded is over when it has come back to this part of what is allowed: half. A measure
that swings around its limit trips it once."""


@dataclass(frozen=True)
class Unknown:
    """It could not be measured."""

    why: str


Measure = Decimal | Unknown


@dataclass(frozen=True)
class Measured:
    """What one bot, and the bots beside it, have come to.

    Fractions are of the capital, or of the reference's price. Money is in the stake currency.
    """

    drawdown: Measure
    daily_loss: Measure
    orders: Measure
    cancelled: Measure
    rejected: Measure
    open_trades: Measure
    asset_exposure: Measure
    exposure: Measure
    host_exposure: Measure
    divergence: Measure


MEASURES: Mapping[str, str] = {
    "max_drawdown": "drawdown",
    "max_daily_loss": "daily_loss",
    "max_orders_per_hour": "orders",
    "max_cancelled_per_hour": "cancelled",
    "max_rejected_per_hour": "rejected",
    "max_open_trades": "open_trades",
    "max_asset_exposure": "asset_exposure",
    "max_exposure": "exposure",
    "max_host_exposure": "host_exposure",
    "reference": "divergence",
}
"""Which measure each limit is for."""


@dataclass(frozen=True)
class Finding:
    """A limit that is exceeded, or could not be evaluated, and what follows."""

    limit: str
    allowed: Decimal
    actual: Measure
    then: Then

    @property
    def text(self) -> str:
        """The same for people."""
        if isinstance(self.actual, Unknown):
            return f"{self.limit}: could not be evaluated: {self.actual.why}"
        return f"{self.limit}: {_told(self.actual)}, allowed is {_told(self.allowed)}"


@dataclass(frozen=True)
class Lifted:
    """What had halted by itself is over by itself."""

    limit: str


News = Finding | Lifted


def findings(limits: Protections, measured: Measured) -> tuple[Finding, ...]:
    """Every limit that is exceeded or could not be evaluated, in the order of the limits."""
    return tuple(found for found in _evaluated(limits, measured) if _exceeds(found))


def news(
    limits: Protections, measured: Measured, watch: Watch, now: datetime
) -> tuple[tuple[News, ...], Watch]:
    """What was not told before, and the watch that remembers that it is told now.

    What cannot be measured is told at once as a warning, and after a while halts.
    """
    told: list[News] = []
    for found in _evaluated(limits, measured):
        watch, fresh = _look(found, watch, now)
        told += fresh
    return tuple(told), watch


def _evaluated(limits: Protections, measured: Measured) -> Iterator[Finding]:
    for name, measure in MEASURES.items():
        limit = getattr(limits, name)
        if limit is None:
            continue
        allowed = limit.limit if isinstance(limit, Limit) else limit.max_divergence
        yield Finding(name, Decimal(allowed), getattr(measured, measure), limit.then)


def _exceeds(found: Finding) -> bool:
    return isinstance(found.actual, Unknown) or found.actual > found.allowed


def _look(found: Finding, watch: Watch, now: datetime) -> tuple[Watch, tuple[News, ...]]:
    if isinstance(found.actual, Unknown):
        return _blind(found, watch, now)
    name = blindness(found.limit)
    # What only nobody could tell is over as soon as it can be told.
    lifted: tuple[News, ...] = (Lifted(name),) if watch.has_told(name) else ()
    after, fresh = _seen(found, found.actual, watch.seeing(found.limit))
    return after, (*lifted, *fresh)


def _blind(found: Finding, watch: Watch, now: datetime) -> tuple[Watch, tuple[News, ...]]:
    name = blindness(found.limit)
    since = watch.blind.get(found.limit)
    if since is None:
        warned = Finding(name, found.allowed, found.actual, "warn")
        return watch.blinded(found.limit, now), (warned,)
    # A clock that went back makes nobody wait for ever.
    if watch.has_told(name) or timedelta() <= now - since < BLIND:
        return watch, ()
    halts: Then = "warn" if found.then == "warn" else "halt"
    return watch.telling(name), (Finding(name, found.allowed, found.actual, halts),)


def _seen(found: Finding, actual: Decimal, watch: Watch) -> tuple[Watch, tuple[News, ...]]:
    known = watch.over.get(found.limit)
    if actual > found.allowed:
        fresh = not watch.has_told(found.limit) and (known is None or actual > known)
        after = watch.exceeding(found.limit, max(actual, known or actual))
        return (after.telling(found.limit), (found,)) if fresh else (after, ())
    if actual * CALM > found.allowed:
        return watch, ()
    lifts = found.limit in LIFTS and watch.has_told(found.limit)
    after = watch.within(found.limit, forget=lifts or found.then == "warn")
    return after, (Lifted(found.limit),) if lifts else ()


def blindness(limit: str) -> str:
    """What a limit is called while it could not be evaluated."""
    return f"{limit}?"


def ends_by_itself(limit: str) -> bool:
    """True when its halt is over once it is no longer exceeded, or can be evaluated again."""
    return limit in LIFTS or limit.endswith("?")


def standing(limits: Protections, watch: Watch) -> tuple[str, ...]:
    """What halts now and will end by itself."""
    names = (name for name in watch.told if ends_by_itself(name))
    return tuple(n for n in names if getattr(limits, n.removesuffix("?")).then != "warn")


def _told(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
