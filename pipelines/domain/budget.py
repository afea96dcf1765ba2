"""How much may be asked of an exchange, and whose account is looked at first. Pure.

The bots of a host share its address, and so the request weight of a minute. Reconciling takes at
most a quarter of it; what does not fit is looked at later, and what waits too long goes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

SHARE = Decimal("0.25")
"""Of the weight that the exchange allows an address in a minute."""

RESERVE = Decimal("0.9")
"""Once everybody on the host has used so much of it, nothing is asked any more."""

LATE = 120.0
"""After so many seconds without a look nobody knows how an account stands."""

MINUTE = 60.0
PACE = 10.0
"""What is asked for is spread over the minute: so many seconds get their part of it."""

ROUTINE = Decimal("0.95")
"""The rest is kept for accounts on which something was seen."""


class Priority(IntEnum):
    """Who is looked at first: who may enter trades, who was just deployed or halted, the others."""

    LIVE = 0
    CHANGED = 1
    OLD = 2


@dataclass(frozen=True)
class Due:
    """An account that is to be looked at. `last` is when that was done, in monotonic seconds.

    It is `urgent` when something was seen there that has to be seen again to be believed.
    """

    key: tuple[str, str]
    priority: Priority
    weight: int
    last: float | None
    urgent: bool = False


@dataclass(frozen=True)
class Spent:
    """What was asked for lately: moments in monotonic seconds, weights, and what was urgent."""

    rows: tuple[tuple[float, int, bool], ...] = ()

    def after(self, real: float, weight: int, *, urgent: bool = False) -> "Spent":
        """The same, once so much more was asked for."""
        recent = tuple(row for row in self.rows if real - row[0] < MINUTE)
        return Spent((*recent, (real, weight, urgent)) if weight else recent)

    def used(self, real: float) -> int:
        """The weight of the last minute."""
        return sum(weight for at, weight, _ in self.rows if real - at < MINUTE)

    def left(self, real: float, limit: int, told: int) -> int:
        """What may still be asked for. `told` is what the exchange counts for the whole host."""
        own = int(limit * SHARE) - self.used(real)
        return max(min(own, int(limit * RESERVE) - told), 0)

    def routine(self, real: float, limit: int) -> int:
        """How much of that may be asked for now where nothing was seen."""
        part = int(limit * SHARE * ROUTINE * Decimal(PACE) / Decimal(MINUTE))
        recent = (row for row in self.rows if real - row[0] < PACE)
        return max(part - sum(weight for _, weight, urgent in recent if not urgent), 0)


def chosen(due: Iterable[Due], left: int, routine: int, real: float) -> tuple[Due, ...]:
    """Who is looked at now; the others' turn comes later.

    What is urgent comes first, then who has waited for half of what is too long. Nobody goes ahead
    of one for whom too little is left, lest that one never comes.
    """
    found: list[Due] = []
    for each in sorted(due, key=lambda each: _place(each, real)):
        # One that weighs more than its part of a minute is looked at alone.
        allowed = left if each.urgent or not found else min(left, routine)
        if each.weight > allowed or (not each.urgent and not routine):
            break
        found.append(each)
        left, routine = left - each.weight, routine - each.weight
    return tuple(found)


def is_late(last: float, real: float) -> bool:
    """True when nobody knows how an account stands."""
    return real - last > LATE


def _place(each: Due, real: float) -> tuple[int, float]:
    last = float("-inf") if each.last is None else each.last
    if each.urgent:
        return -2, last
    waits = each.last is not None and real - each.last > LATE / 2
    return (-1 if waits else each.priority), last
