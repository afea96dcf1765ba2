"""On which evidence a release may be packed, and which label it then bears."""

from dataclasses import dataclass
from datetime import datetime

from pipelines.domain.evidence import Evidence
from pipelines.domain.release import Pins
from pipelines.domain.verdict import Status


@dataclass(frozen=True)
class Grounds:
    """What evidence has to be about, as things stand now.

    `data_digests` are those of the candles that `environments/data.lock` pins for this strategy,
    `checks` the names of all checks of the gate.
    """

    subject_digest: str
    thresholds_digest: str
    data_digests: frozenset[str]
    checks: tuple[str, ...]
    pins: Pins

    def objections(self, evidence: Evidence) -> tuple[str, ...]:
        """Why no release at all may be packed on this evidence; all reasons."""
        found = []
        if evidence.subject_digest != self.subject_digest:
            found.append("it is about other content")
        if evidence.thresholds_digest != self.thresholds_digest:
            found.append("it is stale: the thresholds or the portfolio have changed since")
        if evidence.data_digest not in self.data_digests:
            found.append(f"environments/data.lock does not pin its candles ({evidence.data_name})")
        ran = tuple(verdict.check for verdict in evidence.verdicts)
        if missing := [check for check in self.checks if check not in ran]:
            found.append(f"not every check ran: {', '.join(missing)} did not")
        elif not evidence.complete or ran != self.checks:
            found.append("it was not taken with the checks of this gate")
        found += [
            f"{verdict.check}: {_SAID[verdict.status]}"
            for verdict in evidence.verdicts
            if verdict.status is not Status.PASSED
        ]
        return (*found, *self._other_tools(evidence))

    def _other_tools(self, evidence: Evidence) -> tuple[str, ...]:
        freqtrade = evidence.tool_versions.get("freqtrade", "?")
        python = evidence.tool_versions.get("python", "?")
        found = []
        if freqtrade != self.pins.freqtrade:
            found.append(f"freqtrade {freqtrade} took it, and {self.pins.freqtrade} is pinned")
        if ".".join(python.split(".")[:2]) != self.pins.python:
            found.append(f"Python {python} took it, and {self.pins.python} is declared")
        return tuple(found)

    def weight(self, evidence: Evidence) -> tuple[int, bool, datetime]:
        """How much it speaks for a release, for comparing: the strongest, of equals the newest."""
        return -len(self.objections(evidence)), evidence.admits, evidence.taken_at


_SAID = {
    Status.FAILED: "said no",
    Status.ERRORED: "could not tell",
    Status.SKIPPED: "did not run",
}
