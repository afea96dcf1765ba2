import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports import junit
from pipelines.reports.model import Report, StrategyReport

CASE = {Status.FAILED: ["failure"], Status.ERRORED: ["error"], Status.SKIPPED: ["skipped"]}


def parsed(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(report).encode())


def test_has_a_suite_a_strategy_and_a_case_a_check(report: Report) -> None:
    suites = parsed(report).findall("testsuite")
    assert len(suites) == len(report.strategies)
    for suite, strategy in zip(suites, report.strategies, strict=True):
        cases = suite.findall("testcase")
        assert [case.get("name") for case in cases] == [v.check for v in strategy.verdicts]
        for case, verdict in zip(cases, strategy.verdicts, strict=True):
            kinds = [child.tag for child in case if child.tag != "system-out"]
            assert kinds == CASE.get(verdict.status, [])
            assert case.get("classname") == f"sluice.{suite.get('name')}"


def test_counts_are_those_of_the_cases(report: Report) -> None:
    root = parsed(report)
    for element in (root, *root.findall("testsuite")):
        assert element.get("tests") == str(len(list(element.iter("testcase"))))
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(count) == str(len(list(element.iter(tag))))
    assert root.get("failures") != "0"
    assert root.get("errors") != "0"
    assert root.get("skipped") != "0"


def test_follows_the_structure_that_readers_know(report: Report) -> None:
    """Order and attributes of the schema that Jenkins, GitLab and GitHub actions read."""
    root = parsed(report)
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        tags = [child.tag for child in suite]
        assert tags == ["properties"] * tags.count("properties") + ["testcase"] * (
            len(tags) - tags.count("properties")
        )
        assert re.fullmatch(r"\d+\.\d{3}", suite.get("time", ""))
        if stamp := suite.get("timestamp"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", stamp)
        for case in suite.findall("testcase"):
            assert set(case.keys()) == {"classname", "name", "time"}
            for child in case:
                assert child.tag in {"failure", "error", "skipped", "system-out"}
                assert child.tag == "system-out" or child.get("message")


def test_tells_findings_and_what_would_have_been_enough(failed: StrategyReport) -> None:
    (failure,) = parsed(Report((failed,))).iter("failure")
    assert failure.get("type") == "FAILED"
    assert failure.get("message", "").startswith("3 findings, first: whole: drawdown")
    lines = (failure.text or "").splitlines()
    assert lines[0].startswith("whole: drawdown")
    assert "enough would be: all positions" in lines[1]


def test_text_of_strategies_stays_text(hostile: StrategyReport) -> None:
    source = junit.render(Report((hostile,)))
    assert "<script>" not in source
    assert not re.search(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\n]", source)
    (error,) = parsed(Report((hostile,))).iter("error")
    assert "<script>alert('x')</script>" in (error.text or "")


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\ud800", "\ufffe", "\x85", "]]>", "\t\r\n"])
def test_what_xml_cannot_carry_is_left_out(text: str, failed: StrategyReport) -> None:
    finding = Finding(what=f"a{text}b")
    verdict = Verdict(check=f"c{text}d", status=Status.ERRORED, findings=(finding,))
    report = Report((replace(failed, name=f"e{text}f", verdicts=(verdict,)),))
    (case,) = parsed(report).iter("testcase")
    assert re.fullmatch(r"c[\[\]>31m ]*d", case.get("name", ""))
    assert re.fullmatch(r"sluice\.e[\[\]>31m ]*f", case.get("classname", ""))


def test_a_strategy_without_verdicts_is_an_error_and_no_pass() -> None:
    root = parsed(Report((StrategyReport("x", "", (), None, None),)))
    assert (root.get("tests"), root.get("errors")) == ("1", "1")
    (error,) = root.iter("error")
    assert error.get("message") == "nothing ran"


def test_many_findings_are_cut_and_counted(failed: StrategyReport) -> None:
    findings = tuple(Finding(what=f"finding {n}") for n in range(1000))
    verdict = Verdict(check="lint", status=Status.FAILED, findings=findings)
    (failure,) = parsed(Report((replace(failed, verdicts=(verdict,)),))).iter("failure")
    assert (failure.text or "").splitlines()[-1] == "and 950 more"


def test_nothing_checked_has_no_suites() -> None:
    assert len(parsed(Report(()))) == 0
