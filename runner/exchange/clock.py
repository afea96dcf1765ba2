"""The exchange's clock: it runs like the wall's, or only when somebody steps it."""

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """UTC milliseconds, as the exchange sees them."""

    @property
    def runs(self) -> bool:
        """True when time passes by itself."""
        ...

    def now(self) -> int: ...


class RealClock:
    """One second takes one second, from `start` on. It does not see the wall's clock being set."""

    runs = True

    def __init__(self, start: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._start, self._begun = seconds, start, seconds()

    def now(self) -> int:
        return self._start + int((self._seconds() - self._begun) * 1000)


class SteppedClock:
    """It stands still until it is told to go on."""

    runs = False

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def move(self, to: int) -> None:
        """Go on to a moment, which is not before now."""
        self._now = max(self._now, to)
