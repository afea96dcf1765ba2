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


class Priority(IntEnum):
    """Who is looked at first: who may enter trades, who was just deployed or halted, the others."""

    LIVE = 0
    CHANGED = 1
    OLD = 2


@dataclass(frozen=True)
class Due:
    """An account that is to be looked at. `last` is when that was done, in monotonic seconds."""

    key: tuple[str, str]
    priority: Priority
    weight: int
    last: float | None


@dataclass(frozen=True)
class Spent:
    """What was asked for lately: moments in monotonic seconds, with their weights."""

    rows: tuple[tuple[float, int], ...] = ()

    def after(self, real: float, weight: int) -> "Spent":
        """The same, once so much more was asked for."""
        recent = tuple(row for row in self.rows if real - row[0] < MINUTE)
        return Spent((*recent, (real, weight)) if weight else recent)

    def used(self, real: float) -> int:
        """The weight of the last minute."""
        return sum(weight for at, weight in self.rows if real - at < MINUTE)

    def left(self, real: float, limit: int, told: int = 0) -> int:
        """What may still be asked for. `told` is what the exchange counts for the whole host."""
        own = int(limit * SHARE) - self.used(real)
        return max(min(own, int(limit * RESERVE) - told), 0)


def chosen(due: Iterable[Due], left: int, real: float) -> tuple[Due, ...]:
    """Who is looked at now; the others' turn comes later.

    Who has waited for half of what is too long comes before all others, lest he never comes.
    """
    found = []
    for each in sorted(due, key=lambda each: _place(each, real)):
        if each.weight <= left:
            found.append(each)
            left -= each.weight
    return tuple(found)


def is_late(last: float, real: float) -> bool:
    """True when nobody knows how an account stands."""
    return real - last > LATE


def _place(each: Due, real: float) -> tuple[int, float]:
    if each.last is None:
        return each.priority, float("-inf")
    waits = real - each.last > LATE / 2
    return (-1 if waits else each.priority), each.last
