"""libfaketime: what lets a stock program live on the time of a scaled exchange."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

PACKAGE = "libfaketime"
"""What Debian calls it."""

_LIBRARY = "libfaketimeMT.so.1"
_PLACES = ("lib/*/faketime", "lib/faketime", "lib64/faketime", "local/lib/faketime")


def library(system: Path = Path("/usr")) -> Path | None:
    """The library for programs with threads; None where it is not installed."""
    found = (path for place in _PLACES for path in sorted(system.glob(f"{place}/{_LIBRARY}")))
    return next(found, None)


def environment(
    given: Mapping[str, str], preload: Path, at: datetime, speed: int
) -> dict[str, str]:
    """`given`, so that a program that starts now sees `at`, and time pass `speed` times as fast.

    Time that others have set for it is not kept: above all, a monotonic clock that stays real
    would let every wait last `speed` times too long.
    """
    kept = {name: value for name, value in given.items() if not name.startswith("FAKETIME")}
    before = [kept["LD_PRELOAD"]] if kept.get("LD_PRELOAD") else []
    return kept | {
        "LD_PRELOAD": ":".join([str(preload), *before]),
        "FAKETIME": f"@{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} x{speed}",
        # Scaled, the times of files make no sense: Python would compile every module anew.
        "NO_FAKE_STAT": "1",
        "TZ": "UTC",
    }
