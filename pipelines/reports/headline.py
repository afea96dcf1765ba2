"""Why a strategy has the status that it has, in one sentence: who reads no more knows enough."""

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports import figures
from pipelines.reports.figures import Missed
from pipelines.reports.model import StrategyReport
from pipelines.reports.plain import counted, cut, plain

MOST_NAMED = 3
"""Missed thresholds that are named; the others are counted."""

MOST_CHARACTERS = 240


def headline(report: StrategyReport) -> str:
    """The reason itself, not only the check that gave it."""
    for status, word in ((Status.FAILED, ""), (Status.ERRORED, " could not tell")):
        spoken = [v for v in report.verdicts if v.status is status]
        if spoken:
            said = "; ".join(f"{_name(v)}{word}{_reason(v, report)}" for v in spoken[:2])
            more = f"; and {counted(len(spoken) - 2, 'more check')}" if len(spoken) > 2 else ""
            return cut(said, MOST_CHARACTERS) + more
    return figures.summary(report)


def _name(verdict: Verdict) -> str:
    return plain(verdict.check, 40)


def _reason(verdict: Verdict, report: StrategyReport) -> str:
    missed = [m for f in verdict.findings if (m := figures.missed(f, verdict.check))]
    if missed and len(missed) == len(verdict.findings):
        return f": {_thresholds(missed, report)}"
    if not verdict.findings:
        return " said no" if verdict.status is Status.FAILED else ""
    others = [f for f in verdict.findings if figures.missed(f, verdict.check) is None]
    first = cut(figures.told(others[0], verdict.check).fact, 160)
    left = len(verdict.findings) - 1
    return f": {first}{f', and {left} more' if left else ''}"


def _thresholds(missed: list[Missed], report: StrategyReport) -> str:
    asked = sum(len(list(thresholds.named())) for thresholds in report.thresholds.values())
    count = f"{len(missed)} of {asked} thresholds" if asked else counted(len(missed), "threshold")
    said: dict[str, list[str]] = {}
    for one in missed[:MOST_NAMED]:
        said.setdefault(figures.label(one.window), []).append(one.short)
    named = "; ".join(f"{window}: {', '.join(shorts)}" for window, shorts in said.items())
    left = len(missed) - MOST_NAMED
    return f"{count} missed; {named}{f', and {left} more' if left > 0 else ''}"
