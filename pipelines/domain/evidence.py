"""Verdicts bound to exactly one content, one set of candles and one set of thresholds."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from pipelines.domain.document import Digest, Document, unsaid
from pipelines.domain.verdict import Status, Verdict, overall


class Isolation(StrEnum):
    """How strategy code was shut in while it was checked."""

    WEAK = "weak"
    FULL = "full"


class Evidence(Document):
    """What is known about one subject on one set of data.

    `complete` is true when every check of the gate ran, none of them left out by choice. `demo` is
    true when the thresholds were those of environments/demo. `trades_digest` is over every trade of
    the backtest, once it has passed.
    """

    strategy: str
    version: str
    subject_digest: Digest
    incumbent_digest: Digest | None = None
    data_digest: Digest
    data_name: str
    thresholds_digest: Digest
    demo: bool = False
    complete: bool
    isolation: Isolation
    synthetic: bool
    tool_versions: dict[str, str]
    verdicts: tuple[Verdict, ...]
    taken_at: AwareDatetime
    trades_digest: Annotated[Digest | None, Field(exclude_if=unsaid)] = None

    @property
    def status(self) -> Status:
        return overall(self.verdicts)

    @property
    def admits(self) -> bool:
        """True when this evidence may let a release into an environment beyond the demo."""
        return self.status is Status.PASSED and not self.limits

    @property
    def limits(self) -> tuple[str, ...]:
        """Why this evidence, whatever its verdicts say, admits nothing beyond the demo."""
        said = []
        if not self.complete:
            said.append("not every check ran")
        if self.isolation is not Isolation.FULL:
            said.append("strategy code ran in weak isolation")
        if self.synthetic:
            said.append("the candles are synthetic")
        if self.demo:
            said.append("the thresholds are those of the demo")
        return tuple(said)

    @property
    def partial(self) -> bool:
        """Partial evidence is kept beside complete evidence, never over it."""
        return bool(self.limits)

    def answers(self, asked: "Evidence") -> bool:
        """True when a run for `asked` would find again what stands here, times apart.

        Evidence that could not tell answers nothing: trying again may.
        """
        varying = {"verdicts", "taken_at", "trades_digest"}
        same = self.model_dump(exclude=varying) == asked.model_dump(exclude=varying)
        return same and self.status is not Status.ERRORED
