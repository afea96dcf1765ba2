"""What a check says about a strategy."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from pipelines.domain.document import Document


class Status(StrEnum):
    """FAILED is a gate that said no; ERRORED is a gate that could not tell. Both block."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    ERRORED = "ERRORED"
    SKIPPED = "SKIPPED"


class Finding(Document):
    """One reason against a strategy, in words a trader can act on."""

    what: str
    expected: str = ""
    actual: str = ""
    hint: str = ""


class Verdict(Document):
    """The answer of one check.

    `measurements` are figures by dotted name (`whole.max_drawdown`), ratios as fractions.
    `final` says that later checks would learn nothing, or would run what must not run:
    they are then SKIPPED. `duration` is in seconds.
    """

    check: str
    status: Status
    findings: tuple[Finding, ...] = ()
    measurements: dict[str, Decimal] = Field(default_factory=dict)
    final: bool = False
    duration: float = 0.0


def overall(verdicts: tuple[Verdict, ...]) -> Status:
    """One status for many verdicts: a no outweighs a don't-know, and nothing at all is no pass.

    A skipped check never counts as passed: by itself it leaves the whole ERRORED.
    """
    statuses = {verdict.status for verdict in verdicts}
    if Status.FAILED in statuses:
        return Status.FAILED
    if statuses == {Status.PASSED}:
        return Status.PASSED
    return Status.ERRORED
