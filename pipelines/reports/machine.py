"""A report for machines: one line of JSON."""

import json
from decimal import Decimal

from pipelines.domain.document import Document
from pipelines.domain.verdict import Finding, Status
from pipelines.reports.model import Report, StrategyReport


class _Verdict(Document):
    check: str
    status: Status
    findings: tuple[Finding, ...]
    measurements: dict[str, Decimal]


class _Strategy(Document):
    name: str
    status: Status
    subject_digest: str | None
    data_digest: str | None
    evidence: str | None
    verdicts: tuple[_Verdict, ...]


class _Report(Document):
    strategies: tuple[_Strategy, ...]


def as_json(report: Report) -> str:
    """The report in one line, without a line break. Figures are strings; what is unknown is null.

    Only ASCII: no terminal and no reader of lines can be confused by what a strategy wrote.
    """
    told = _Report(strategies=tuple(map(_strategy, report.strategies)))
    return json.dumps(told.model_dump(mode="json"), separators=(",", ":"))


def _strategy(report: StrategyReport) -> _Strategy:
    evidence = report.evidence
    return _Strategy(
        name=_encodable(report.name),
        status=report.status,
        subject_digest=evidence.subject_digest if evidence else None,
        data_digest=evidence.data_digest if evidence else None,
        evidence=_encodable(str(report.path)) if report.path else None,
        verdicts=tuple(
            _Verdict(
                check=verdict.check,
                status=verdict.status,
                findings=verdict.findings,
                measurements=verdict.measurements,
            )
            for verdict in report.verdicts
        ),
    )


def _encodable(text: str) -> str:
    # A file name on Linux need not be UTF-8; JSON must be.
    return text.encode(errors="replace").decode()
