"""Verbs that decide something: it is written into the ledger, and the next round makes it so.

What is refused leaves nothing behind, and what belongs together is written down together.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipelines.adapters import approvals, signing
from pipelines.adapters.agent import About, Approve, Asked, Deliver, Promote, read_args
from pipelines.adapters.releases import Stored
from pipelines.domain.decision import RollBack, turn_back
from pipelines.domain.document import sha256
from pipelines.domain.eligibility import Eligible
from pipelines.domain.entry import ALL, Delivered, Entry, Held, Unheld
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approved, Kind, Promotion
from pipelines.domain.release import Release, conflicts
from pipelines.errors import BadInput, Refused
from runner.agent import venvs
from runner.agent.believing import believed
from runner.agent.clearance import refusal, veiled
from runner.agent.declared import Declared
from runner.agent.entering import approvers, may_enter, promotion_of, store, stored
from runner.agent.taking import take_over
from runner.agent.tick import Agent

_TOLD: Mapping[str, type[Held] | type[Unheld]] = {"hold": Held, "unhold": Unheld}


@dataclass(frozen=True)
class Deciding:
    """Answers for `who` asks. `repository` is where signed tags are looked up."""

    agent: Agent
    repository: Path
    who: str

    @property
    def verbs(self) -> dict[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {
            "deliver": self._deliver,
            "promote": self._promote,
            "approve": self._approve,
            "rollback": self._rollback,
            "retire": self._retire,
            "take-over": partial(take_over, self.agent, self.who),
            **dict.fromkeys(_TOLD, self._tell),
        }

    def _deliver(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Deliver)
        tar, dsse = _decoded(given.tar, "tar"), _decoded(given.dsse, "dsse")
        train = self.agent.declared()
        found = believed(tar, dsse, train.trust, self.agent.record)
        if found.reasons or found.statement is None:
            raise Refused("\n".join(found.reasons), "see 'sluice docs releases'")
        release, releases = found.statement.predicate.release, store(self.agent)
        with releases.alone():
            others = (other.release for other in releases.others(release.digest))
            if against := conflicts(release, others):
                raise Refused("\n".join(against), "give it a version of its own")
            releases.save(release, tar, signing.opened(dsse, "statement")[0])
        self._remember(release, dsse)
        promoted, refused = self._let_in(releases.stored(release.digest), train)
        told: dict[str, JsonValue] = {"release": str(release.id), "digest": release.digest}
        return {**told, "promoted": promoted, "refused": refused}

    def _remember(self, release: Release, dsse: bytes) -> None:
        """Remember when what is signed about it held for the first time."""
        envelope = sha256(dsse)
        if envelope in self.agent.record.delivered:
            return
        delivered = Delivered(
            release=str(release.id),
            digest=release.digest,
            envelope=envelope,
            verified=datetime.now(UTC),
            by=self.who,
            at=self.agent.clock(),
        )
        self._note(delivered)

    def _let_in(
        self, given: Stored, train: Declared
    ) -> tuple[list[JsonValue], dict[str, JsonValue]]:
        """Promote into every environment that its signatures open, as its policy has it.

        It was taken, whatever keeps it out of one of them: that is told for each.
        """
        promoted: list[JsonValue] = []
        refused: dict[str, JsonValue] = {}
        for environment in train.environments.values():
            if environment.policy.approval != "merge" or environment.policy.upstream:
                continue
            wanted = self.agent.record.track(environment.name, given.release.name).current
            try:
                if wanted is None or wanted.digest != given.release.digest:
                    self._put(given, environment, train, "delivered")
                promoted.append(environment.name)
            except Refused as error:
                refused[environment.name] = list(error.message.splitlines())
        return promoted, refused

    def _promote(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Promote)
        train = self.agent.declared()
        environment = train.environment(given.environment)
        release = stored(self.agent, given.release)
        tags = (self._tagged(given.tag, release, environment, train),) if given.tag else ()
        return _json(self._put(release, environment, train, given.reason, given.step, tags))

    def _put(
        self,
        given: Stored,
        environment: Environment,
        train: Declared,
        reason: str,
        step: int = 1,
        approved: tuple[Approved, ...] = (),
    ) -> Promotion:
        """Write down that a release is wanted, and what has just been found to allow it.

        :raises Refused: when it may not enter, with every reason.
        """
        now = self.agent.clock()
        answer = may_enter(self.agent, given, environment, train, step, now, approved)
        if not isinstance(answer, Eligible):
            raise refusal(answer.reasons)
        promotion = promotion_of(
            given, environment, answer, step, by=self.who, reason=reason, at=now
        )
        self._note(*approved, promotion)
        return promotion

    def _tagged(
        self, tag: str, given: Stored, environment: Environment, train: Declared
    ) -> Approved:
        release = given.release
        known = self.agent.record.track(environment.name, release.name).used
        trusted = approvers(train, environment)
        found = approvals.verify_tag(self.repository, tag, trusted, datetime.now(UTC), known)
        about = str(release.id), release.digest, environment.name
        return approvals.tag_approval(found, *about, self.agent.clock())

    def _approve(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Approve)
        train = self.agent.declared()
        environment = train.environment(given.environment)
        approved = approvals.verify(
            given.statement.encode(),
            given.signature.encode(),
            environment.name,
            approvers(train, environment),
            self.agent.clock(),
            frozenset(used for track in self.agent.record.tracks.values() for used in track.used),
        )
        self._note(approved)
        return _json(approved)

    def _rollback(self, asked: Asked) -> JsonValue:
        given = read_args(asked, About)
        now, promoted = self.agent.clock(), []
        for strategy in self._strategies(given):
            track = self.agent.record.track(given.environment, strategy)
            back = turn_back(track, given.environment, strategy, ())
            if not isinstance(back, RollBack):
                raise Refused(
                    "\n".join(f"{strategy}: {reason}" for reason in back.reasons),
                    f"'sluice retire {given.environment} {strategy}' ends it, 'halt' stops entries",
                )
            self._refuse_without_packages(back)
            reasons = (given.reason,) if given.reason else ()
            told = RollBack(back.environment, back.strategy, back.to, reasons)
            promoted.append(told.promotion(self.who, now, automatic=False))
        self._note(*promoted)
        return [_json(promotion) for promotion in promoted]

    def _refuse_without_packages(self, back: RollBack) -> None:
        """What runs goes on rather than end for what cannot be started."""
        home, mine = self.agent.crew.house.home, self.agent.declared().mine(back.environment)
        release = stored(self.agent, back.to.digest or "").release
        if mine and (found := venvs.unfit(home, release.pins)):
            raise Refused("\n".join(f"{release.id}: {each}" for each in found))

    def _retire(self, asked: Asked) -> JsonValue:
        given = read_args(asked, About)
        now = self.agent.clock()
        retired = [
            Promotion(
                kind=Kind.RETIRE,
                environment=given.environment,
                strategy=strategy,
                by=self.who,
                reason=given.reason,
                at=now,
            )
            for strategy in self._strategies(given)
        ]
        self._note(*retired)
        return [_json(promotion) for promotion in retired]

    def _tell(self, asked: Asked) -> JsonValue:
        given = read_args(asked, About)
        self.agent.declared().environment(given.environment)
        about: dict[str, Any] = given.model_dump()
        made = _TOLD[asked.verb](**about, by=self.who, at=self.agent.clock())
        self._note(made)
        return _json(made)

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

    def _note(self, *entries: Entry) -> None:
        told = (veiled(entry, self.agent.crew.hidden) for entry in entries)
        self.agent.ledger.append(*told, after=self.agent.head)
        self.agent.read()


def _json(document: Promotion | Approved | Held | Unheld) -> JsonValue:
    told: JsonValue = document.model_dump(mode="json")
    return told


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadInput(f"deliver: {what}: should be base64") from None
