"""Which releases wait for a human: told by the ledger alone, so that asking costs nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from pipelines.adapters.agent import Asked
from pipelines.adapters.agent_trades import Waiting
from pipelines.domain.candidate import Because, Candidate
from pipelines.domain.eligibility import Eligible, eligibility
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approval, version_of
from runner.agent.declared import Declared
from runner.agent.tick import Agent

_PEOPLE = {Because.APPROVAL, Because.ASKED}


@dataclass(frozen=True)
class WaitingOnes:
    """Answers what waits."""

    agent: Agent

    @property
    def verbs(self) -> Mapping[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {"waiting": self._waiting}

    def _waiting(self, _: Asked) -> JsonValue:
        train, now = self.agent.declared(), self.agent.clock()
        found = (w for each in train.own.values() for w in self._of(each, train, now))
        return [each.model_dump(mode="json") for each in found]

    def _of(self, there: Environment, train: Declared, now: datetime) -> Iterator[Waiting]:
        upstream = there.policy.upstream
        if upstream is None or there.policy.approval is Approval.AUTOMATIC:
            return
        strategies = sorted(s for name, s in self.agent.record.tracks if name == upstream)
        for strategy in strategies:
            if strategy != ALL and (found := self._newest(there, strategy, train, now)):
                yield found

    def _newest(
        self, there: Environment, strategy: str, train: Declared, now: datetime
    ) -> Waiting | None:
        """The release that runs upstream, if only people keep it out."""
        record = self.agent.record
        stay = record.track(there.policy.upstream or "", strategy).current
        wanted = record.track(there.name, strategy).current
        if stay is None or stay.promotion.release is None or stay.digest is None:
            return None
        if wanted and wanted.digest == stay.digest:
            return None
        if wanted and version_of(wanted.promotion.release or "") > version_of(
            stay.promotion.release
        ):
            return None
        candidate = Candidate(
            stay.promotion.release, stay.digest, demo=there.demo,
            hotfix_of=wanted.digest if wanted else None,
        )  # fmt: skip
        answer = eligibility(candidate, there, train.environments, record, now)
        reasons = () if isinstance(answer, Eligible) else answer.reasons
        if any(reason.because not in _PEOPLE for reason in reasons):
            return None
        return Waiting(
            environment=there.name,
            release=stay.promotion.release,
            digest=stay.digest,
            missing=tuple(reason.text for reason in reasons),
        )
