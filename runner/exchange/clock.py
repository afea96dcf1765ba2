"""The exchange's clock: it runs like the wall's, faster, or only when somebody steps it."""

import time
from collections.abc import Callable
from typing import Literal, Protocol

ClockName = Literal["real", "scaled", "stepped"]

FASTEST = 1000
"""Beyond it the five seconds of a request's window would pass while it is on its way."""


class Clock(Protocol):
    """UTC milliseconds, as the exchange sees them."""

    @property
    def speed(self) -> int:
        """Seconds that pass by themselves in one second of the wall's clock."""
        ...

    @property
    def name(self) -> ClockName: ...

    def now(self) -> int: ...


class RunningClock:
    """`speed` seconds take one second, from `start` on. It does not see the wall's being set."""

    def __init__(
        self, start: int, speed: int = 1, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed, self._start = speed, start
        self._seconds, self._begun = seconds, seconds()

    @property
    def name(self) -> ClockName:
        return "real" if self.speed == 1 else "scaled"

    def now(self) -> int:
        return self._start + int((self._seconds() - self._begun) * 1000 * self.speed)


class SteppedClock:
    """It stands still until it is told to go on."""

    speed = 0
    name: ClockName = "stepped"

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def move(self, to: int) -> None:
        """Go on to a moment, which is not before now."""
        self._now = max(self._now, to)
