"""Text from strategies is data: here it loses whatever could steer a terminal or a reader."""

import unicodedata

from pipelines.domain.evidence import Evidence
from pipelines.domain.verdict import Status

MOST_CHARACTERS = 400
"""A finding is a sentence. What is longer is somebody's output and helps nobody in a report."""

SYMBOLS: dict[Status, str] = {
    Status.PASSED: "✓",
    Status.FAILED: "✗",
    Status.ERRORED: "!",
    Status.SKIPPED: "–",
}
"""Beside every coloured word, so that colour is never the only difference."""

_SHORT_LIMITS = {
    "not every check ran": "not all checks",
    "strategy code ran in weak isolation": "weak isolation",
    "the candles are synthetic": "synthetic candles",
    "the thresholds are those of the demo": "the demo's thresholds",
}


def plain(text: str, most: int = MOST_CHARACTERS) -> str:
    """One line without control, formatting and bidirectional characters, cut to `most`."""
    # Cutting first keeps a hostile megabyte from being looked at letter by letter.
    start = text[: 2 * most]
    kept = start if start.isprintable() else "".join(map(_visible, start))
    return cut(" ".join(kept.split()), most)


def cut(text: str, most: int) -> str:
    """At most so many characters, the last one an ellipsis when something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() or unicodedata.category(character)[0] == "Z" else ""


def limits(evidence: Evidence | None) -> str:
    """Why evidence admits nothing to a real environment, in one line; empty when it may."""
    if evidence is None or not evidence.limits:
        return ""
    said = ", ".join(_SHORT_LIMITS.get(limit, limit) for limit in evidence.limits)
    return f"{said}: admits nothing beyond the demo"


def counted(number: int, noun: str, many: str = "") -> str:
    """`1 finding`, `3 findings`; `many` where another ending says so."""
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def seconds(duration: float) -> str:
    """A duration as people read it."""
    if duration < 60:
        return f"{duration:.1f} s"
    return f"{int(duration) // 60} min {int(duration) % 60:02d} s"
