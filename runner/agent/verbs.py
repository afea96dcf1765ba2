"""What the agent can be asked to do: each verb is written down, and the next tick makes it so."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

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
    Said,
)
from pipelines.adapters.approvals import TrustedKey
from pipelines.adapters.ledger.chain import ENTRY
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.verifying import verify
from pipelines.domain.candidate import Candidate, Reason
from pipelines.domain.decision import RollBack, turn_back
from pipelines.domain.document import Document
from pipelines.domain.eligibility import Eligibility, Eligible, eligibility
from pipelines.domain.entry import ALL, Entry, Halted, Held, Resumed, Unheld
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approved, Kind, Promotion
from pipelines.domain.release import conflicts
from pipelines.domain.trust import Role
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent import status
from runner.agent.declared import Declared
from runner.agent.tick import Agent

D = TypeVar("D", bound=Document)

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
        given = _read(asked, Deliver)
        tar, dsse = _decoded(given.tar, "tar"), _decoded(given.dsse, "dsse")
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
        given = _read(asked, Promote)
        train = self.agent.declared()
        environment = train.environment(given.environment)
        stored = self._stored(given.release)
        if given.tag:
            self._note(self._tagged(given.tag, stored, environment, train))
        promotion = self._put(stored, environment, train, who, given.reason, given.step)
        return _json(promotion)

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
            raise _refused(answer.reasons)
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
        if not environment.policy.upstream and _called(environment) not in opened:
            reasons.append(f"no signature under it opens {_called(environment)}")
        if reasons:
            raise Refused("\n".join(reasons), "see 'sluice docs releases'")

    def _tagged(
        self, tag: str, stored: Stored, environment: Environment, train: Declared
    ) -> Approved:
        known = self._used(environment, stored.release.name)
        trusted = _approvers(train, environment)
        found = approvals.verify_tag(self.repository, tag, trusted, datetime.now(UTC), known)
        release = stored.release
        return approvals.tag_approval(
            found, str(release.id), release.digest, environment.name, self.agent.clock()
        )

    def _approve(self, asked: Asked, who: str) -> JsonValue:
        given = _read(asked, Approve)
        train = self.agent.declared()
        environment = train.environment(given.environment)
        approved = approvals.verify(
            given.statement.encode(),
            given.signature.encode(),
            environment.name,
            _approvers(train, environment),
            self.agent.clock(),
            frozenset(a for t in self.agent.record.tracks.values() for a in t.used),
        )
        self._note(approved)
        return _json(approved)

    def _explain(self, asked: Asked, who: str) -> JsonValue:
        given = _read(asked, Explain)
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
            reasons=() if isinstance(answer, Eligible) else _said(answer.reasons),
            grounds=_said(answer.grounds),
            predecessor=track.current.digest if track.current else None,
            sequence=track.promotions + 1,
            at=now,
        )
        return _json(explained)

    def _rollback(self, asked: Asked, who: str) -> JsonValue:
        given = _read(asked, About)
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
        return [_json(promotion) for promotion in promoted]

    def _retire(self, asked: Asked, who: str) -> JsonValue:
        given = _read(asked, About)
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
            told.append(_json(promotion))
        return told

    def _tell(self, asked: Asked, who: str) -> JsonValue:
        given = _read(asked, About)
        self.agent.declared().environment(given.environment)
        about: dict[str, Any] = given.model_dump()
        entry = _TOLD[asked.verb](**about, by=who, at=self.agent.clock())
        self._note(entry)
        return _json(entry)

    def _status(self, asked: Asked, who: str) -> JsonValue:
        return _json(status.status(self.agent))

    def _history(self, asked: Asked, who: str) -> JsonValue:
        given = _read(asked, History)
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


def _read(asked: Asked, model: type[D]) -> D:
    try:
        return model.model_validate(asked.args, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{asked.verb}: {key}: {first['msg'].lower()}") from None


def _json(document: Document) -> JsonValue:
    told: JsonValue = document.model_dump(mode="json")
    return told


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadInput(f"deliver: {what}: should be base64") from None


def _called(environment: Environment) -> str:
    """What trust.yaml calls an environment."""
    return f"demo/{environment.name}" if environment.demo else environment.name


def _approvers(train: Declared, environment: Environment) -> tuple[TrustedKey, ...]:
    now, name = datetime.now(UTC), _called(environment)
    return tuple(
        TrustedKey(called, key.key)
        for called, key in (train.trust.listed or {}).items()
        if key.role is Role.APPROVER
        and name in key.environments
        and not key.objections(now - timedelta(), now)
    )


def _refused(reasons: tuple[Reason, ...]) -> Refused:
    hint = next((reason.hint for reason in reasons if reason.hint), "see 'sluice docs promotion'")
    return Refused("\n".join(f"{each.because}: {each.text}" for each in reasons), hint)


def _said(reasons: tuple[Reason, ...]) -> tuple[Said, ...]:
    return tuple(Said(because=r.because, text=r.text, hint=r.hint) for r in reasons)
