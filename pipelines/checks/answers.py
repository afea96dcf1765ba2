"""What a child's answer is worth at first sight: whether there is one, in the agreed form."""

from typing import TypeVar

from pydantic import ValidationError

from pipelines.domain.child import Ended
from pipelines.domain.document import Document
from pipelines.domain.verdict import Finding, Status

D = TypeVar("D", bound=Document)


class Unknown(Exception):
    """There is nothing to judge, and why."""

    def __init__(self, status: Status, *findings: Finding) -> None:
        super().__init__(findings[0].what)
        self.status, self.findings = status, findings


def understood(ended: Ended, model: type[D], work: str) -> D:
    """The answer of a child that did some work, once it has the form of `model`.

    :raises Unknown: when there is none, or none in that form.
    """
    if ended.killed:
        raise Unknown(
            Status.FAILED,
            Finding(
                what=f"{work} was ended: {ended.killed}",
                expected="a strategy that stays within its limits",
                actual=ended.killed,
                hint="look for loops, sleeps and output in the strategy's methods",
            ),
        )
    if ended.reply is None:
        raise Unknown(
            Status.ERRORED,
            Finding(
                what=f"{work} left nothing to judge",
                expected="an answer",
                actual=f"exit code {ended.exit_code}: {_last_line(ended.output)}",
                hint="exit code 0 without an answer is no pass: read the last line above",
            ),
        )
    try:
        return model.model_validate_json(ended.reply)
    except ValidationError as error:
        raise Unknown(
            Status.ERRORED,
            Finding(
                what=f"the answer of {work} cannot be understood",
                expected="an answer in our schema",
                actual=f"{error.error_count()} errors, the first at {error.errors()[0]['loc']}",
                hint="nothing but our own child may write the answer",
            ),
        ) from None


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "no output"
