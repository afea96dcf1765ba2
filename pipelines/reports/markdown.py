"""A report as a comment on a pull request."""

import re
import string
from collections.abc import Iterable, Iterator
from itertools import chain

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports import breakdown, figures, gaps
from pipelines.reports.figures import WindowRow
from pipelines.reports.headline import headline
from pipelines.reports.model import Report, StrategyReport, WindowView
from pipelines.reports.plain import SYMBOLS, counted, limits, plain

MOST_BYTES = 60_000
"""GitHub takes 65,536 characters; whoever posts the comment may want to add a line or two."""

MOST_FINDINGS = 15
MOST_OVERVIEW = 30_000
"""Of these bytes for one line a strategy; half is left for what stands behind the verdicts."""

MOST_PAIRS = 12

CUT = "_Cut: the report is longer than a comment may be. The web page and `report.json` tell all._"

_COLUMNS = (
    "trades",
    "profit",
    "drawdown",
    "sharpe",
    "profit_factor",
    "win_rate",
    "buy_and_hold",
    "buy_and_hold_drawdown",
)

# An invisible space, so that nobody is called and nothing is linked.
_GAP = "&#8203;"
# A word between colons would become a picture.
_CALLS = re.compile(r"[@#$]|GH-|://|www\.|:(?=[+\w-]+:)", re.IGNORECASE)
# GitHub links seven hexadecimal digits and more when there is such a commit.
_COMMIT = re.compile(r"[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)

# Never at the start of a line here, so these begin no list and underline no heading.
_HARMLESS = ",.;:%'/?()+-="
_REFERENCES = {ord(c): f"&#{ord(c)};" for c in string.punctuation if c not in _HARMLESS}


def render(report: Report) -> str:
    """The verdicts first, then one folded part per strategy, as far as they fit.

    GitHub takes more in the summary of a job (1 MiB a step), so what fits a comment fits there.
    """
    parts = chain([_overview(report)], map(_details, report.worst_first))
    return "\n\n".join(_fitting("\n".join(part) for part in parts)) + "\n"


def safe(text: str, most: int = 300) -> str:
    """Text of a stranger: shown as it is, with nothing in it that Markdown or GitHub acts upon.

    Character references are literal both in Markdown and inside HTML tags.
    """
    # The gaps are marked first: once everything is a reference, no pattern would match any more.
    marked = _CALLS.sub("\\g<0>\0", _COMMIT.sub("\\g<0>\0", plain(text, most)))
    return marked.translate(_REFERENCES).replace("\0", _GAP)


def _fitting(blocks: Iterable[str]) -> Iterator[str]:
    """One strategy that says too much takes the room of no other."""
    room = MOST_BYTES - len(CUT) - 2
    left_out = False
    for block in blocks:
        size = len(block.encode()) + 2
        if size > room:
            left_out = True
            continue
        room -= size
        yield block
    if left_out:
        yield CUT


def _overview(report: Report) -> Iterator[str]:
    if not report.strategies:
        yield "Nothing was checked."
        return
    yield f"### {_status(report.status)}"
    yield ""
    rows = list(_within(map(_line, report.worst_first), MOST_OVERVIEW))
    yield from _table(("strategy", "verdict", "why"), rows)
    if left := len(report.strategies) - len(rows):
        yield f"\nand {counted(left, 'more strategy', 'more strategies')}"
    limited = {limits(s.evidence) for s in report.strategies} - {""}
    yield from (f"\n> **Limits:** {safe(limit)}" for limit in sorted(limited))


def _line(report: StrategyReport) -> tuple[str, str, str]:
    return f"**{safe(report.name, 60)}**", _status(report.status), safe(headline(report))


def _within(rows: Iterable[tuple[str, ...]], room: int) -> Iterator[tuple[str, ...]]:
    """Rows of a table, as many as fit."""
    for row in rows:
        room -= sum(len(cell.encode()) + 3 for cell in row)
        if room < 0:
            return
        yield row


def _status(status: Status) -> str:
    return f"{SYMBOLS[status]} {status.value}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = tuple(head)
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _details(report: StrategyReport) -> Iterator[str]:
    version = f" {safe(report.evidence.version, 20)}" if report.evidence else ""
    yield f"<details><summary>{safe(report.name, 60)}{version}: checks, windows, findings</summary>"
    yield ""
    yield from _table(("check", "verdict", "what"), (_check(v) for v in report.verdicts))
    if rows := figures.windows(report):
        yield ""
        yield from _table(("window", *_heads()), (_window(row) for row in rows))
    for verdict in report.verdicts:
        if verdict.findings and verdict.status is not Status.SKIPPED:
            yield from _findings(verdict, report)
    if report.main and report.main.log.trades:
        yield from _pairs(report.main)
    if report.evidence:
        yield ""
        yield f"Subject `{report.evidence.subject_digest}` on data `{report.evidence.data_digest}`"
    yield ""
    yield "</details>"


def _heads() -> tuple[str, ...]:
    labels = {figure.name: figure.label for figure in figures.FIGURES}
    return tuple(labels[name] for name in _COLUMNS)


def _check(verdict: Verdict) -> tuple[str, str, str]:
    return safe(verdict.check, 60), _status(verdict.status), safe(figures.gist(verdict), 200)


def _window(row: WindowRow) -> Iterator[str]:
    yield safe(row.label)
    for name in _COLUMNS:
        cell = row.cells[name]
        value = safe(cell.value)
        yield f"**{SYMBOLS[Status.FAILED]} {value}** ({safe(cell.asked)})" if cell.missed else value


def _pairs(view: WindowView) -> Iterator[str]:
    groups = breakdown.pairs(view)
    yield ""
    yield from _table(
        (f"pair ({safe(figures.label(view.window))})", "trades", "profit", "profit factor"),
        (
            (
                safe(group.name, 30),
                f"{group.trades:,}",
                f"{group.profit * 100:+,.1f} %",
                figures.UNKNOWN if group.profit_factor is None else f"{group.profit_factor:.2f}",
            )
            for group in groups[:MOST_PAIRS]
        ),
    )
    if (left := len(groups) - MOST_PAIRS) > 0:
        yield f"\nand {counted(left, 'more pair')}"


def _findings(verdict: Verdict, report: StrategyReport) -> Iterator[str]:
    yield ""
    yield f"**{safe(verdict.check, 60)}**"
    yield ""
    for finding in verdict.findings[:MOST_FINDINGS]:
        said = figures.told(finding, verdict.check)
        hint = f" — _{safe(said.hint)}_" if said.hint else ""
        yield f"- {SYMBOLS[verdict.status]} {safe(said.fact)}{hint}"
        if gap := gaps.of(finding, verdict, report):
            yield f"  - {safe(gap.sentence)}"
    if (left := len(verdict.findings) - MOST_FINDINGS) > 0:
        yield f"- and {left} more"
