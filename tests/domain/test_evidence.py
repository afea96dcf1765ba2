"""What evidence admits, and when it answers for a run."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.verdict import Status, Verdict

PASSED = (Verdict(check="manifest", status=Status.PASSED),)


def _evidence(**changed: Any) -> Evidence:
    values: dict[str, Any] = {
        "strategy": "plain",
        "version": "1.0.0",
        "subject_digest": "a" * 64,
        "data_digest": "b" * 64,
        "data_name": "recorded",
        "thresholds_digest": "c" * 64,
        "complete": True,
        "isolation": Isolation.FULL,
        "synthetic": False,
        "tool_versions": {"freqtrade": "2026.9"},
        "verdicts": PASSED,
        "taken_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Evidence(**{**values, **changed})


def test_complete_evidence_of_passed_checks_on_recorded_candles_admits() -> None:
    assert _evidence().admits
    assert not _evidence().partial


@pytest.mark.parametrize(
    "change",
    [{"complete": False}, {"isolation": Isolation.WEAK}, {"synthetic": True}],
    ids=str,
)
def test_every_limit_by_itself_keeps_it_from_admitting(change: dict[str, Any]) -> None:
    limited = _evidence(**change)
    assert not limited.admits
    assert limited.partial
    assert len(limited.limits) == 1


@pytest.mark.parametrize("status", [Status.FAILED, Status.ERRORED, Status.SKIPPED])
def test_only_a_pass_admits(status: Status) -> None:
    assert not _evidence(verdicts=(Verdict(check="manifest", status=status),)).admits
    assert not _evidence(verdicts=()).admits


def test_it_answers_for_the_same_question_at_another_time() -> None:
    later = _evidence(verdicts=(), taken_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert _evidence().answers(later)


@pytest.mark.parametrize(
    "change",
    [
        {"subject_digest": "d" * 64},
        {"data_digest": "d" * 64},
        {"thresholds_digest": "d" * 64},
        {"incumbent_digest": "d" * 64},
        {"tool_versions": {"freqtrade": "2026.10"}},
        {"isolation": Isolation.WEAK},
        {"complete": False},
    ],
    ids=str,
)
def test_it_does_not_answer_once_anything_else_changed(change: dict[str, Any]) -> None:
    assert not _evidence().answers(_evidence(**change))


def test_what_could_not_be_told_answers_nothing() -> None:
    unknown = _evidence(verdicts=(Verdict(check="manifest", status=Status.ERRORED),))
    assert not unknown.answers(unknown)
