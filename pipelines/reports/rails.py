"""A timeline as a page: which release ran where, what it had, and what happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from markupsafe import Markup

from pipelines import documents
from pipelines.reports import html
from pipelines.reports.timeline import GENERATOR, Happened, Timeline

TIMELINE = "timeline.json"

_MARKS = {
    "promoted": "▸",
    "verified": "✓",
    "rolled back": "↩",
    "not verified": "✗",
    "orphan found": "?",
    "halted": "‖",
    "killed": "†",
}
"""What is marked below the bars. What else happened stands in the table."""

_ENDS = {"halted": "resumed", "killed": "healed"}
"""What goes wrong, and what it ends with."""

_QUIET = ("approved", "verified", "promoted")
"""What happens meanwhile and does nothing about it."""

_APART = 4.0
"""Percent of the whole time by which two marks are apart."""


@dataclass(frozen=True)
class Bar:
    """A release in an environment; `left` and `width` in percent of the whole time.

    It is there but does not run yet while it `waits`. `number` tells releases apart, from 1.
    """

    release: str
    version: str
    number: int
    left: float
    width: float
    waits: bool


@dataclass(frozen=True)
class Mark:
    """What happened at about the same time, `left` in percent of the whole time."""

    signs: str
    left: float
    told: str


@dataclass(frozen=True)
class Trouble:
    """What went wrong with a release, what was done about it, and how long it took, if it is over.

    `took` is the exchange's time.
    """

    began: Happened
    done: tuple[str, ...]
    took: timedelta | None


@dataclass(frozen=True)
class Curve:
    """Equity in a box of 100 by 100, as points of an SVG polyline, and its figures."""

    points: str
    first: Decimal
    last: Decimal
    lowest: Decimal
    highest: Decimal


@dataclass(frozen=True)
class Lane:
    """One environment."""

    name: str
    mode: str
    hold: bool
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    curve: Curve | None


def write(timeline: Timeline, folder: Path) -> Path:
    """Write `timeline.json` and its page; where the page is.

    :raises CannotTell: when they cannot be written.
    """
    documents.write(folder / TIMELINE, timeline.model_dump_json(indent=1) + "\n")
    documents.write(folder / html.INDEX, page(timeline))
    return folder / html.INDEX


def page(timeline: Timeline) -> str:
    """The page."""
    template = html.templates().get_template("timeline.html.jinja")
    ours = Markup(GENERATOR)  # noqa: S704 - a constant
    drawn = {"lanes": lanes(timeline), "troubles": troubles(timeline)}
    return str(template.render(nonce="", ours=ours, told=timeline, **drawn))


def lanes(timeline: Timeline) -> tuple[Lane, ...]:
    """Every environment, in the order of the timeline."""
    return tuple(_lane(timeline, name) for name in timeline.environments)


def troubles(timeline: Timeline) -> tuple[Trouble, ...]:
    """What went wrong, in the order in which it did."""
    every = timeline.entries
    return tuple(
        _trouble(each, [e for e in every[number:] if e.environment == each.environment])
        for number, each in enumerate(every, 1)
        if each.what in _ENDS
    )


def _trouble(began: Happened, later: list[Happened]) -> Trouble:
    end = next((n for n, e in enumerate(later, 1) if e.what == _ENDS[began.what]), None)
    seen = (e for e in later[:end] if e.what not in _QUIET)
    done = tuple(f"{e.what}: {e.text}" if e.text else e.what for e in seen)
    return Trouble(began, done, later[end - 1].at - began.at if end else None)


def _lane(timeline: Timeline, name: str) -> Lane:
    standings = [s for sample in timeline.samples for s in sample.standings]
    last = next(s for s in reversed(standings) if s.environment == name)
    happened = [each for each in timeline.entries if each.environment == name]
    return Lane(
        name=name,
        mode=last.mode.replace("_", "-"),
        hold=last.hold,
        bars=tuple(_bars(timeline, happened)),
        marks=tuple(_marks(timeline, happened)),
        curve=_curve(timeline, name),
    )


def _bars(timeline: Timeline, happened: list[Happened]) -> Iterator[Bar]:
    """What was wanted, until it was verified; what ran, until another was verified."""
    releases = list(dict.fromkeys(each.release for each in timeline.entries if each.release))
    wanted: tuple[str, datetime] | None = None
    ran: tuple[str, datetime] | None = None

    def bar(whose: tuple[str, datetime], until: datetime, *, waits: bool) -> Bar:
        release, since = whose
        left, right = _left(timeline, since), _left(timeline, until)
        number = releases.index(release) + 1
        return Bar(release, _version(release), number, left, right - left, waits)

    for each in happened:
        if each.what in ("promoted", "rolled back"):
            wanted = each.release, each.at
        elif each.what == "verified":
            if ran:
                yield bar(ran, each.at, waits=False)
            if wanted:
                yield bar(wanted, each.at, waits=True)
            wanted, ran = None, (each.release, each.at)
        elif each.what in ("retired", "given up") and ran:
            yield bar(ran, each.at, waits=False)
            wanted = ran = None
    if ran:
        yield bar(ran, timeline.ended, waits=False)
    if wanted:
        yield bar(wanted, timeline.ended, waits=True)


def _marks(timeline: Timeline, happened: list[Happened]) -> Iterator[Mark]:
    """Marks that would lie upon each other are one."""
    found: list[Mark] = []
    for each in happened:
        if each.what not in _MARKS:
            continue
        mark = Mark(_MARKS[each.what], _left(timeline, each.at), _told(each))
        if found and mark.left - found[-1].left < _APART:
            before = found.pop()
            told = f"{before.told}\n{mark.told}"
            mark = Mark(f"{before.signs}{mark.signs}", before.left, told)
        found.append(mark)
    yield from found


def _curve(timeline: Timeline, name: str) -> Curve | None:
    found = [
        (_left(timeline, sample.at), standing.equity)
        for sample in timeline.samples
        for standing in sample.standings
        if standing.environment == name and standing.equity is not None
    ]
    if not found:
        return None
    values = [equity for _, equity in found]
    lowest, highest = min(values), max(values)
    span = (highest - lowest) or Decimal(1)
    points = " ".join(f"{x:.2f},{95 - 90 * (y - lowest) / span:.2f}" for x, y in found)
    return Curve(points, values[0], values[-1], lowest, highest)


def _left(timeline: Timeline, at: datetime) -> float:
    whole = (timeline.ended - timeline.began).total_seconds() or 1.0
    return round(100 * (at - timeline.began).total_seconds() / whole, 3)


def _told(happened: Happened) -> str:
    said = f"{happened.at:%Y-%m-%d %H:%M} {happened.what} {happened.release}"
    return f"{said}: {happened.text}" if happened.text else said


def _version(release: str) -> str:
    return release.partition("@")[2].partition("+")[0]
