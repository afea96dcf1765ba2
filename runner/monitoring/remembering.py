"""How bots stood, also for the next agent: nothing is told twice because one was started anew."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import AwareDatetime, ValidationError

from pipelines.domain.document import Document
from pipelines.domain.health import Check, Ill, Reason, Standing
from pipelines.errors import CannotTell
from runner.agent.about import Key
from runner.monitoring.store import Store


class _Kept(Document):
    """One reason as it is written down."""

    check: Check
    text: str
    known: bool
    since: AwareDatetime


class _Told(Document):
    """A standing as it is written down."""

    ills: tuple[_Kept, ...] = ()
    told: tuple[Check, ...] = ()


@dataclass
class Memory:
    """The standing of every bot, by its seat, and of the host."""

    store: Store
    real: Callable[[], float] = time.monotonic
    _standings: dict[Key, Standing] | None = field(default=None, init=False)
    _saved: dict[Key, str] = field(default_factory=dict, init=False)

    def standing(self, key: Key) -> Standing:
        """How it stood last; well, as long as nobody knows otherwise."""
        return self._known().get(key, Standing())

    def stand(self, key: Key, standing: Standing) -> None:
        """That is how it stands now."""
        self._known()[key] = standing

    def save(self, there: set[Key]) -> None:
        """Write down how those stand that are there; of others nothing is remembered.

        :raises CannotTell: when it cannot be written.
        """
        known = {key: each for key, each in self._known().items() if key in there}
        self._standings = known
        told = {key: _told(each) for key, each in known.items()}
        if told != self._saved:
            self.store.remember(told)
            self._saved = told

    def _known(self) -> dict[Key, Standing]:
        if self._standings is None:
            self._standings = {}
            try:
                self._saved = self.store.standings()
            except CannotTell:
                # What was told may then be told again.
                return self._standings
            for key, text in self._saved.items():
                self._standings[key] = self._read(text)
        return self._standings

    def _read(self, text: str) -> Standing:
        try:
            told = _Told.model_validate_json(text)
        except ValidationError:
            return Standing()
        real = self.real()
        ills = {e.check: Ill(Reason(e.check, e.text, e.known), e.since, real) for e in told.ills}
        return Standing(ills, frozenset(told.told))


def _told(standing: Standing) -> str:
    ills = tuple(
        _Kept(check=ill.reason.check, text=ill.reason.text, known=ill.reason.known, since=ill.since)
        for ill in standing.ills.values()
    )
    return _Told(ills=ills, told=tuple(sorted(standing.told))).model_dump_json()
