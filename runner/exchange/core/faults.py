"""What goes wrong here on purpose: faults that are armed, and what they did so far.

Faults are events, too: after a crash the same ones are armed, and the market is the same.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

FaultName = Literal[
    "server_error",
    "timeout",
    "lost_answer",
    "rate_limited",
    "banned",
    "clock_skew",
    "rejected_order",
    "partial_fill",
    "key_revoked",
    "symbol_halted",
    "stale_candles",
    "delisting",
    "price_gap",
    "flash_crash",
]

Side = Literal["", "BUY", "SELL"]


@dataclass(frozen=True)
class Fault:
    """A fault that is armed. What is empty is meant for all.

    `left` is how often it still happens, None for as long as it is armed. It is armed between
    `since` and `until` (milliseconds; None: until somebody ends it). `by` is how much: a share of
    the price or of the order, or milliseconds of a clock. `code` is what an order is refused with.
    """

    id: int
    name: FaultName
    since: int
    until: int | None = None
    left: int | None = None
    account: str = ""
    symbol: str = ""
    side: Side = ""
    by: Decimal = Decimal(0)
    code: int = 0

    def holds(self, now: int) -> bool:
        """True while it can happen."""
        return self.left != 0 and self.since <= now and (self.until is None or now < self.until)

    def means(self, account: str, symbol: str, side: str) -> bool:
        """True when it is meant for this account, symbol and side."""
        pairs = ((self.account, account), (self.symbol, symbol), (self.side, side))
        return all(wanted in ("", given) for wanted, given in pairs)


@dataclass(frozen=True)
class Armed:
    """A fault was armed."""

    fault: Fault
    event: Literal["armed"] = "armed"


@dataclass(frozen=True)
class Struck:
    """A fault happened once; to an order, when it is named."""

    fault_id: int
    order_id: int = 0
    event: Literal["struck"] = "struck"


@dataclass(frozen=True)
class Disarmed:
    """The faults of a name ended, or all of them."""

    name: FaultName | None
    event: Literal["disarmed"] = "disarmed"


MOVES: tuple[FaultName, ...] = ("price_gap", "flash_crash")
"""Faults that are a part of the market's past as soon as they are armed: they cannot be ended."""


class Faults:
    """The faults that are armed, as their events made them."""

    def __init__(self) -> None:
        self.armed: dict[int, Fault] = {}
        self.moves: list[Fault] = []
        self.number = 0
        self._bound: dict[int, Fault] = {}

    def apply(self, event: Armed | Struck | Disarmed) -> None:
        """Let it happen."""
        match event:
            case Armed(fault):
                self.number = fault.id
                if fault.name in MOVES:
                    self.moves.append(fault)
                else:
                    self.armed[fault.id] = fault
            case Struck(fault_id, order_id):
                self._strike(fault_id, order_id)
            case Disarmed(name):
                self.armed = {n: f for n, f in self.armed.items() if name not in (None, f.name)}
                self._bound = {n: f for n, f in self._bound.items() if name not in (None, f.name)}

    def _strike(self, fault_id: int, order_id: int) -> None:
        fault = self.armed[fault_id]
        if order_id:
            self._bound[order_id] = fault
        if fault.left is not None:
            self.armed[fault_id] = replace(fault, left=fault.left - 1)
        if fault.left == 1:
            del self.armed[fault_id]

    def find(
        self, name: FaultName, now: int, account: str = "", symbol: str = "", side: str = ""
    ) -> Fault | None:
        """The oldest fault of a name that can happen here and now."""
        for fault in self.armed.values():
            if fault.name == name and fault.holds(now) and fault.means(account, symbol, side):
                return fault
        return None

    def bound(self, order_id: int, now: int) -> Fault | None:
        """The fault that an order is under since it was filled."""
        fault = self._bound.get(order_id)
        return fault if fault and (fault.until is None or now < fault.until) else None

    def turns(self, now: int) -> list[int]:
        """The moments ahead at which a fault ends by itself."""
        ends = (each.until for each in (*self.armed.values(), *self._bound.values()))
        return [until for until in ends if until is not None and until > now]
