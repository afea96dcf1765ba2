import json

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports import machine
from pipelines.reports.model import Report, StrategyReport


def test_has_exactly_the_shape_that_machines_read(failed: StrategyReport) -> None:
    told = json.loads(machine.as_json(Report((failed,))))
    assert list(told) == ["strategies"]
    [strategy] = told["strategies"]
    assert list(strategy) == [
        "name",
        "status",
        "subject_digest",
        "data_digest",
        "evidence",
        "verdicts",
    ]
    assert strategy["name"] == "breakout"
    assert strategy["status"] == "FAILED"
    assert strategy["subject_digest"] == "3f" * 32
    assert strategy["data_digest"] == "a7" * 32
    assert strategy["evidence"] == "evidence.json"
    assert [list(v) for v in strategy["verdicts"]] == [
        ["check", "status", "findings", "measurements"]
    ] * 2
    finding = strategy["verdicts"][1]["findings"][0]
    assert list(finding) == ["what", "expected", "actual", "hint"]


def test_figures_are_strings_and_lose_no_digit(failed: StrategyReport) -> None:
    told = json.loads(machine.as_json(Report((failed,))))
    measured = told["strategies"][0]["verdicts"][1]["measurements"]
    assert measured == {n: str(v) for n, v in failed.verdicts[1].measurements.items()}


def test_what_is_unknown_is_null() -> None:
    verdict = Verdict(check="manifest", status=Status.FAILED)
    told = json.loads(machine.as_json(Report((StrategyReport("x", "", (verdict,), None, None),))))
    assert told["strategies"][0] == {
        "name": "x",
        "status": "FAILED",
        "subject_digest": None,
        "data_digest": None,
        "evidence": None,
        "verdicts": [{"check": "manifest", "status": "FAILED", "findings": [], "measurements": {}}],
    }


def test_is_one_line_of_ascii_whatever_strategies_say(report: Report) -> None:
    line = machine.as_json(report)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.isprintable()


def test_tells_a_finding_unchanged(hostile: StrategyReport) -> None:
    told = json.loads(machine.as_json(Report((hostile,))))
    assert told["strategies"][0]["verdicts"][2]["findings"][0]["what"] == (
        hostile.verdicts[2].findings[0].what
    )


def test_no_strategies_are_an_empty_list() -> None:
    assert machine.as_json(Report(())) == '{"strategies":[]}'
