"""What was seen once may be on its way: only what stays is believed. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipelines.domain.orphan import Finding, Orphan

LOOKS = 2
"""In so many looks in a row an orphan has to be seen."""

TURNS = 2
"""So often a bot may process until it has to have put right what it can put right by itself."""


@dataclass(frozen=True)
class Sighting:
    """Since when something is seen: `since` by the system's monotonic clock, in seconds.

    `looks` counts looks, `moments` those of different times of the exchange: in a rehearsal bots
    process only when its time moves.
    """

    finding: Finding
    since: float
    last: datetime
    looks: int = 1
    moments: int = 1

    def again(self, finding: Finding, now: datetime) -> "Sighting":
        """Seen once more."""
        return Sighting(
            finding,
            self.since,
            max(now, self.last),
            self.looks + 1,
            self.moments + (now > self.last),
        )

    def is_sure(self, real: float, turn: float) -> bool:
        """True when it is not merely on its way. `turn` are the seconds that a bot's turn takes."""
        if isinstance(self.finding, Orphan):
            return self.looks >= LOOKS and real - self.since >= turn
        return self.moments > TURNS and real - self.since >= TURNS * turn


def sighted(
    before: Mapping[str, Sighting], found: Iterable[Finding], now: datetime, real: float
) -> dict[str, Sighting]:
    """What is seen now; what is not seen any more is forgotten."""
    return {
        each.key: before[each.key].again(each, now)
        if each.key in before
        else Sighting(each, real, now)
        for each in found
    }
