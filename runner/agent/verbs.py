"""What the agent can be asked: reading verbs here, deciding ones in `deciding`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipelines.adapters.agent import Asked, Explain, Explained, History, Said, read_args
from pipelines.adapters.ledger.chain import ENTRY
from pipelines.adapters.releases import Stored
from pipelines.domain.candidate import Reason
from pipelines.domain.eligibility import Eligibility, Eligible
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Kind, Promotion
from pipelines.errors import BadInput
from runner.agent import status
from runner.agent.acting import Acting
from runner.agent.deciding import Deciding
from runner.agent.declared import Declared
from runner.agent.entering import may_enter, stored
from runner.agent.halting import Stop
from runner.agent.health import Healths, of_member
from runner.agent.newsroom import Newsroom
from runner.agent.orphans import Orphans
from runner.agent.telling import Telling
from runner.agent.tick import Agent


@dataclass(frozen=True)
class Verbs:
    """Answers requests. `repository` is where signed tags are looked up."""

    agent: Agent
    repository: Path

    def answer(self, asked: Asked, who: str) -> JsonValue:
        """Do what is asked.

        :raises SluiceError: when it is refused, wrong, or could not be done; then nothing changed.
        """
        verbs = {
            **Deciding(self.agent, self.repository, who).verbs,
            **Stop(self.agent, who).verbs,
            **Orphans(self.agent, who).verbs,
            **Acting(self.agent, who).verbs,
            **Telling(self.agent).verbs,
            **Newsroom(self.agent).verbs,
            **self._reading,
        }
        if asked.verb not in verbs:
            raise BadInput(f"there is no verb {asked.verb!r}", f"there are {', '.join(verbs)}")
        self.agent.read()
        return verbs[asked.verb](asked)

    @property
    def _reading(self) -> dict[str, Callable[[Asked], JsonValue]]:
        return {
            "explain": self._explain,
            "status": self._status,
            "health": Healths(self.agent).answer,
            "history": self._history,
        }

    def _explain(self, asked: Asked) -> JsonValue:
        given = read_args(asked, Explain)
        train, now = self.agent.declared(), self.agent.clock()
        environment = train.environment(given.environment)
        release = stored(self.agent, given.release)
        answer = may_enter(self.agent, release, environment, train, given.step, now)
        track = self.agent.record.track(environment.name, release.release.name)
        return Explained(
            release=str(release.release.id),
            digest=release.release.digest,
            environment=environment.name,
            eligible=isinstance(answer, Eligible),
            reasons=() if isinstance(answer, Eligible) else _said(answer.reasons),
            grounds=(
                *_said(answer.grounds),
                *self._handover(release, environment, train, answer),
                *self._health(release, environment, train),
            ),
            predecessor=track.current.digest if track.current else None,
            sequence=track.promotions + 1,
            at=now,
        ).model_dump(mode="json")

    def _handover(
        self, release: Stored, environment: Environment, train: Declared, answer: Eligibility
    ) -> Iterator[Said]:
        """What becomes of open trades that the release would meet, and what speaks against it."""
        agent, key = self.agent, (environment.name, release.release.name)
        accepts = answer.accepts if isinstance(answer, Eligible) else ()
        promotion = Promotion(
            kind=Kind.PROMOTE,
            environment=environment.name,
            strategy=release.release.name,
            release=str(release.release.id),
            digest=release.release.digest,
            by="nobody yet",
            accepts=accepts,
            at=agent.clock(),
        )
        for member in agent.members(train, agent.clock()).values():
            bot = member.bot
            if bot.key != key or not bot.has_trades or bot.digest == release.release.digest:
                continue
            farewell = agent.scales.farewell(train, agent.record, member, promotion)
            count = "?" if bot.open_trades is None else bot.open_trades
            meets = f"{farewell.way}: it meets open trades of {member.record.promotion.release}"
            yield Said(because="handover", text=f"{meets}: {count}")
            for each in farewell.objections:
                hint = f"sluice approve --accept {each.risk}" if each.risk else ""
                yield Said(because="handover", text=str(each), hint=hint)

    def _health(self, release: Stored, environment: Environment, train: Declared) -> Iterator[Said]:
        """What keeps the bot that is there from managing its orders."""
        key = environment.name, release.release.name
        for member in self.agent.members(train, self.agent.clock()).values():
            told = of_member(self.agent.observing, member).reasons if member.bot.key == key else ()
            for each in told:
                since = f"{each.since:%Y-%m-%d %H:%M} UTC"
                runs = member.record.promotion.release
                text = f"{runs} is not healthy since {since}: {each.check}: {each.text}"
                yield Said(because="health", text=text)

    def _status(self, _: Asked) -> JsonValue:
        return status.status(self.agent).model_dump(mode="json")

    def _history(self, asked: Asked) -> JsonValue:
        given = read_args(asked, History)
        told: list[JsonValue] = []
        for line in self.agent.ledger.read().lines:
            tree = ENTRY.dump_python(line.entry, mode="json")
            matches = given.environment in ("", tree.get("environment"))
            if matches and given.strategy in ("", tree.get("strategy")):
                told.append({"number": line.number, **tree})
        return told[-given.limit :]


def _said(reasons: tuple[Reason, ...]) -> tuple[Said, ...]:
    return tuple(Said(because=r.because, text=r.text, hint=r.hint) for r in reasons)
