"""What the agent can be asked to do: each verb is written down, and the next tick makes it so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipelines.adapters import approvals, signing
from pipelines.adapters.agent import (
    About,
    Approve,
    Asked,
    Deliver,
    Explain,
    Explained,
    History,
    Promote,
)
from pipelines.adapters.ledger.chain import ENTRY
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.verifying import verify
from pipelines.domain.candidate import Candidate
from pipelines.domain.decision import RollBack, turn_back
from pipelines.domain.eligibility import Eligibility, Eligible, eligibility
from pipelines.domain.entry import ALL, Entry, Halted, Held, Resumed, Unheld
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approved, Kind, Promotion
from pipelines.domain.release import conflicts
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent import status, words
from runner.agent.declared import Declared
from runner.agent.tick import Agent

_TOLD: dict[str, type[Held] | type[Unheld] | type[Halted] | type[Resumed]] = {
    "hold": Held,
    "unhold": Unheld,
    "halt": Halted,
    "resume": Resumed,
}


@dataclass(frozen=True)
class Verbs:
    """Answers requests. `repository` is where signed tags are looked up."""

    agent: Agent
    repository: Path

    def answer(self, asked: Asked, who: str) -> JsonValue:
        """Do what is asked.

        :raises SluiceError: when it is refused, wrong, or could not be done; then nothing changed.
        """
        verbs: Mapping[str, Callable[[Asked, str], JsonValue]] = {
            "deliver": self._deliver,
            "promote": self._promote,
            "approve": self._approve,
            "explain": self._explain,
            "rollback": self._rollback,
            "retire": self._retire,
            "status": self._status,
            "history": self._history,
            **dict.fromkeys(_TOLD, self._tell),
        }
        if asked.verb not in verbs:
            raise BadInput(f"there is no verb {asked.verb!r}", f"there are {', '.join(verbs)}")
        self.agent.read()
        return verbs[asked.verb](asked, who)

    def _deliver(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, Deliver)
        tar, dsse = words.decoded(given.tar, "tar"), words.decoded(given.dsse, "dsse")
        train = self.agent.declared()
        found = verify(tar, dsse, train.trust, datetime.now(UTC))
        if found.reasons or found.statement is None:
            raise Refused("\n".join(found.reasons), "see 'sluice docs releases'")
        release, store = found.statement.predicate.release, self._store
        with store.alone():
            others = (other.release for other in store.others(release.digest))
            if against := conflicts(release, others):
                raise Refused("\n".join(against))
            store.save(release, tar, signing.opened(dsse, "statement")[0])
        promoted = self._let_in(store.stored(release.digest), train, who)
        return {"release": str(release.id), "digest": release.digest, "promoted": promoted}

    def _let_in(self, stored: Stored, train: Declared, who: str) -> list[JsonValue]:
        """Promote into every environment that its signatures open, as its policy has it."""
        promoted: list[JsonValue] = []
        for environment in train.environments.values():
            wanted = self.agent.record.track(environment.name, stored.release.name).current
            same = wanted is not None and wanted.digest == stored.release.digest
            if environment.policy.approval == "merge" and not environment.policy.upstream:
                if not same:
                    self._put(stored, environment, train, who, "delivered")
                promoted.append(environment.name)
        return promoted

    def _promote(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, Promote)
        train = self.agent.declared()
        environment = train.environment(given.environment)
        stored = self._stored(given.release)
        if given.tag:
            self._note(self._tagged(given.tag, stored, environment, train))
        promotion = self._put(stored, environment, train, who, given.reason, given.step)
        return words.json(promotion)

    def _put(
        self,
        stored: Stored,
        environment: Environment,
        train: Declared,
        who: str,
        reason: str,
        step: int = 1,
    ) -> Promotion:
        """Write down that a release is wanted.

        :raises Refused: when it may not enter, with every reason.
        """
        now = self.agent.clock()
        answer = self._eligibility(stored, environment, train, step, now)
        if not isinstance(answer, Eligible):
            raise words.refused(answer.reasons)
        promotion = Promotion(
            kind=Kind.PROMOTE,
            environment=environment.name,
            strategy=stored.release.name,
            release=str(stored.release.id),
            digest=stored.release.digest,
            step=step,
            stake=environment.ramp[step - 1],
            by=who,
            reason=reason,
            approvals=answer.approvals,
            at=now,
        )
        self._note(promotion)
        return promotion

    def _eligibility(
        self, stored: Stored, environment: Environment, train: Declared, step: int, now: datetime
    ) -> Eligibility:
        release = stored.release
        self._refuse_unsigned(stored, environment, train)
        demo = stored.statement.predicate.label is not None
        candidate = Candidate(str(release.id), release.digest, demo=demo, step=step)
        return eligibility(candidate, environment, train.environments, self.agent.record, now)

    def _refuse_unsigned(self, stored: Stored, environment: Environment, train: Declared) -> None:
        tar, dsse = self._store.tar(stored.release.digest), self._store.dsse(stored.release.digest)
        try:
            content, statement = tar.read_bytes(), dsse.read_bytes()
        except OSError as error:
            raise CannotTell(f"{error.filename}: cannot be read: {error.strerror}") from None
        found = verify(content, statement, train.trust, datetime.now(UTC))
        reasons = list(found.reasons)
        opened = {name for signer in found.signers for name in signer.opens}
        if not environment.policy.upstream and words.called(environment) not in opened:
            reasons.append(f"no signature under it opens {words.called(environment)}")
        if reasons:
            raise Refused("\n".join(reasons), "see 'sluice docs releases'")

    def _tagged(
        self, tag: str, stored: Stored, environment: Environment, train: Declared
    ) -> Approved:
        known = self._used(environment, stored.release.name)
        trusted = words.approvers(train, environment)
        found = approvals.verify_tag(self.repository, tag, trusted, datetime.now(UTC), known)
        release = stored.release
        return approvals.tag_approval(
            found, str(release.id), release.digest, environment.name, self.agent.clock()
        )

    def _approve(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, Approve)
        train = self.agent.declared()
        environment = train.environment(given.environment)
        approved = approvals.verify(
            given.statement.encode(),
            given.signature.encode(),
            environment.name,
            words.approvers(train, environment),
            self.agent.clock(),
            frozenset(a for t in self.agent.record.tracks.values() for a in t.used),
        )
        self._note(approved)
        return words.json(approved)

    def _explain(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, Explain)
        train, now = self.agent.declared(), self.agent.clock()
        environment, stored = train.environment(given.environment), self._stored(given.release)
        answer = self._eligibility(stored, environment, train, given.step, now)
        track = self.agent.record.track(environment.name, stored.release.name)
        eligible = isinstance(answer, Eligible)
        explained = Explained(
            release=str(stored.release.id),
            digest=stored.release.digest,
            environment=environment.name,
            eligible=eligible,
            reasons=() if isinstance(answer, Eligible) else words.said(answer.reasons),
            grounds=words.said(answer.grounds),
            predecessor=track.current.digest if track.current else None,
            sequence=track.promotions + 1,
            at=now,
        )
        return words.json(explained)

    def _rollback(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, About)
        now, promoted = self.agent.clock(), []
        for strategy in self._strategies(given):
            track = self.agent.record.track(given.environment, strategy)
            back = turn_back(track, given.environment, strategy, ())
            if not isinstance(back, RollBack):
                raise Refused(
                    "\n".join(f"{strategy}: {reason}" for reason in back.reasons),
                    f"'sluice retire {given.environment} {strategy}' ends it, 'halt' stops entries",
                )
            reasons = (given.reason,) if given.reason else ()
            told = RollBack(back.environment, back.strategy, back.to, reasons)
            promoted.append(told.promotion(who, now, automatic=False))
        for promotion in promoted:
            self._note(promotion)
        return [words.json(promotion) for promotion in promoted]

    def _retire(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, About)
        now = self.agent.clock()
        told: list[JsonValue] = []
        for strategy in self._strategies(given):
            promotion = Promotion(
                kind=Kind.RETIRE,
                environment=given.environment,
                strategy=strategy,
                by=who,
                reason=given.reason,
                at=now,
            )
            self._note(promotion)
            told.append(words.json(promotion))
        return told

    def _tell(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, About)
        self.agent.declared().environment(given.environment)
        about: dict[str, Any] = given.model_dump()
        entry = _TOLD[asked.verb](**about, by=who, at=self.agent.clock())
        self._note(entry)
        return words.json(entry)

    def _status(self, asked: Asked, who: str) -> JsonValue:
        return words.json(status.status(self.agent))

    def _history(self, asked: Asked, who: str) -> JsonValue:
        given = words.read(asked, History)
        told: list[JsonValue] = []
        for line in self.agent.ledger.read().lines:
            tree = ENTRY.dump_python(line.entry, mode="json")
            matches = given.environment in ("", tree.get("environment"))
            if matches and given.strategy in ("", tree.get("strategy")):
                told.append({"number": line.number, **tree})
        return told[-given.limit :]

    def _strategies(self, given: About) -> list[str]:
        """The strategies that are meant; for all, those that are wanted there.

        :raises BadInput: when nothing is wanted there.
        """
        self.agent.declared().environment(given.environment)
        found = [
            strategy
            for (environment, strategy), track in sorted(self.agent.record.tracks.items())
            if environment == given.environment
            and track.current is not None
            and given.strategy in (ALL, strategy)
        ]
        if not found:
            what = "nothing" if given.strategy == ALL else given.strategy
            message = f"{given.environment}: {what} is not wanted there"
            raise BadInput(message, "'sluice status' shows what is")
        return found

    def _stored(self, release: str) -> Stored:
        return self._store.stored(self._store.find(release))

    @property
    def _store(self) -> ReleaseStore:
        return ReleaseStore(self.agent.crew.house.home)

    def _used(self, environment: Environment, strategy: str) -> frozenset[str]:
        return self.agent.record.track(environment.name, strategy).used

    def _note(self, entry: Entry) -> None:
        self.agent.ledger.append(entry, after=self.agent.head)
        self.agent.read()
