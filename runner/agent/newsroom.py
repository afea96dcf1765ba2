"""What is wanted, and what waits for a human: by the ledger alone, so asking costs little."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from pipelines.adapters.agent import Asked
from pipelines.adapters.agent_trades import News, Standing, Waiting
from pipelines.domain.candidate import Because, Candidate
from pipelines.domain.eligibility import Eligible, eligibility
from pipelines.domain.entry import ALL
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approval, version_of
from runner.agent.declared import Declared
from runner.agent.tick import Agent

_PEOPLE = {Because.APPROVAL, Because.ASKED}


@dataclass(frozen=True)
class Newsroom:
    """Answers what people may not have heard of."""

    agent: Agent

    @property
    def verbs(self) -> Mapping[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {"news": self._news}

    def _news(self, _: Asked) -> JsonValue:
        train, now = self.agent.declared(), self.agent.clock()
        waiting = (w for each in train.own.values() for w in self._of(each, train, now))
        told = News(wanted=tuple(self._wanted(train)), waiting=tuple(waiting))
        return told.model_dump(mode="json")

    def _wanted(self, train: Declared) -> Iterator[Standing]:
        for (name, _), track in sorted(self.agent.record.tracks.items()):
            stay = track.current
            if name in train.own and stay is not None and stay.promotion.release:
                promotion = stay.promotion
                yield Standing(
                    environment=name,
                    release=stay.promotion.release,
                    kind=promotion.kind.value,
                    by=promotion.by,
                    reason=promotion.reason,
                    at=promotion.at,
                    verified=stay.verified,
                )

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
