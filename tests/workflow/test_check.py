"""What a report shows of trades that lie in the cache."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.verdict import Status, Verdict
from pipelines.reports.model import StrategyReport
from pipelines.workflow import check
from pipelines.workflow.check import Asked
from pipelines.workflow.place import Place


class Silent:
    def say(self, text: str) -> None:
        pass


@pytest.mark.parametrize("status", [Status.SKIPPED, None])
def test_no_curve_is_drawn_of_trades_that_no_backtest_judged(
    root: Path, tmp_path: Path, status: Status | None
) -> None:
    place = Place(root, tmp_path)
    verdicts = (Verdict(check="bias", status=Status.FAILED),)
    verdicts += (Verdict(check="backtest", status=status),) if status else ()
    evidence = Evidence(
        strategy="trend_breakout", version="1.0.0", subject_digest="0" * 64, data_digest="0" * 64,
        data_name="embedded", thresholds_digest="0" * 64, complete=False,
        isolation=Isolation.WEAK, synthetic=True, tool_versions={}, verdicts=verdicts,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    told = StrategyReport("trend_breakout", "", verdicts, evidence, None)
    bench = replace(check._workbench(place, Asked(), Silent()), cache=Everything())
    assert check._drawn(place, told, bench) is told


class Everything:
    """A cache that must not be asked."""

    def get(self, key: str) -> bytes | None:
        raise AssertionError(f"{key} was asked for")

    def put(self, key: str, content: bytes) -> None:
        raise AssertionError(f"{key} was kept")
