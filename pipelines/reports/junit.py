"""A report as JUnit XML, which every CI system shows: a suite a strategy, a case a check."""

from xml.etree import ElementTree

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports import figures, gaps
from pipelines.reports.headline import headline
from pipelines.reports.model import Report, StrategyReport
from pipelines.reports.plain import limits, plain

MOST_FINDINGS = 50
"""Of one check. CI systems show the first lines; `report.json` has them all."""

_ELEMENTS = {Status.FAILED: "failure", Status.ERRORED: "error", Status.SKIPPED: "skipped"}
_COUNTS = {"failures": Status.FAILED, "errors": Status.ERRORED, "skipped": Status.SKIPPED}


def render(report: Report) -> str:
    """FAILED is a failure, ERRORED an error, SKIPPED skipped. Only text that XML can carry."""
    root = ElementTree.Element("testsuites", name="sluice")
    verdicts = [verdict for strategy in report.strategies for verdict in _verdicts(strategy)]
    _count(root, verdicts)
    for strategy in report.strategies:
        _suite(root, strategy)
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _verdicts(report: StrategyReport) -> tuple[Verdict, ...]:
    # A suite without a case looks like a pass wherever only failures are counted.
    return report.verdicts or (Verdict(check="check", status=Status.ERRORED),)


def _count(element: ElementTree.Element, verdicts: list[Verdict]) -> None:
    element.set("tests", str(len(verdicts)))
    for name, status in _COUNTS.items():
        element.set(name, str(sum(verdict.status is status for verdict in verdicts)))
    element.set("time", f"{sum(verdict.duration for verdict in verdicts):.3f}")


def _suite(root: ElementTree.Element, report: StrategyReport) -> None:
    name = plain(report.name, 60)
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    verdicts = _verdicts(report)
    _count(suite, list(verdicts))
    evidence = report.evidence
    if evidence:
        # The schema that most readers hold this against knows no zone: it is UTC.
        suite.set("timestamp", f"{evidence.taken_at:%Y-%m-%dT%H:%M:%S}")
        properties = ElementTree.SubElement(suite, "properties")
        for key, value in (
            ("version", evidence.version),
            ("subject_digest", evidence.subject_digest),
            ("data_digest", evidence.data_digest),
            ("thresholds_digest", evidence.thresholds_digest),
            ("isolation", evidence.isolation.value),
            ("limits", limits(evidence)),
        ):
            ElementTree.SubElement(properties, "property", name=key, value=plain(value))
    for verdict in verdicts:
        _case(suite, name, verdict, report)


def _case(suite: ElementTree.Element, name: str, verdict: Verdict, report: StrategyReport) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"sluice.{name}",
        name=plain(verdict.check, 60),
        time=f"{verdict.duration:.3f}",
    )
    if element := _ELEMENTS.get(verdict.status):
        message = figures.gist(verdict) or headline(report)
        said = ElementTree.SubElement(case, element, message=message)
        if verdict.status is not Status.SKIPPED:
            said.set("type", verdict.status.value)
            said.text = "\n".join(_lines(verdict, report))
    elif verdict.findings:
        ElementTree.SubElement(case, "system-out").text = "\n".join(_lines(verdict, report))


def _lines(verdict: Verdict, report: StrategyReport) -> list[str]:
    lines = []
    for finding in verdict.findings[:MOST_FINDINGS]:
        lines.append(figures.told(finding, verdict.check).sentence)
        if gap := gaps.of(finding, verdict, report):
            lines.append(f"  {gap.sentence}")
    if (left := len(verdict.findings) - MOST_FINDINGS) > 0:
        lines.append(f"and {left} more")
    return lines
