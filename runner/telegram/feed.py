"""From the agent's journal of alerts to messages: in order, grouped, and told again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.adapters import alerts
from pipelines.adapters.redaction import Redactor
from pipelines.domain.telegram import Telegram
from runner.telegram import wording
from runner.telegram.journal import Journal, Kept

_PLACE = "alerts"

OLDER = 20
"""So many alerts that were raised before Telegram was set up are told."""


@dataclass(frozen=True)
class Feed:
    """Takes over what is new and puts messages on their way. `source` is the agent's journal."""

    source: Path
    journal: Journal
    settings: Telegram
    hidden: Redactor
    now: Callable[[], datetime]

    def round(self) -> None:
        """Look once.

        :raises CannotTell: when the agent's journal cannot be read.
        """
        self._take()
        self._tell()
        self._repeat()

    def _take(self) -> None:
        place = self.journal.place(_PLACE)
        size = self.source.stat().st_size if self.source.exists() else 0
        # A journal that is shorter than what was read of it is another one, as after a restore.
        known = place is not None and place <= size
        found = list(alerts.follow(self.source, place if known and place else 0))
        if not known:
            found = found[-OLDER:]
        if found:
            self.journal.take((alert for alert, _ in found), found[-1][1])
        elif not known:
            self.journal.keep_place(_PLACE, 0)

    def _tell(self) -> None:
        # What is raised while something is still on its way comes together.
        if not self.journal.is_free(self.settings.chats):
            return
        waiting = self.journal.unsaid()
        if len(waiting) < wording.MANY:
            for each in waiting:
                self._say(wording.one(each.alert), (each,))
            return
        for size in wording.groups([each.alert for each in waiting]):
            group, waiting = waiting[:size], waiting[size:]
            self._say(wording.many([each.alert for each in group]), group)

    def _repeat(self) -> None:
        before = self.now() - timedelta(minutes=self.settings.repeat)
        # While something is still on its way nobody can have seen it: it does not pile up.
        if self.journal.due_again(before.timestamp()) and self.journal.is_free(self.settings.chats):
            about = self.journal.unacknowledged()
            self._say(wording.again([each.alert for each in about]), about)

    def _say(self, text: str, about: tuple[Kept, ...]) -> None:
        money = any(each.alert.severity == "money" for each in about)
        now = self.now()
        self.journal.say(
            self.settings.chats,
            self.hidden.text(text),
            now,
            loud=money or not self.settings.is_quiet(now),
            about=about,
            asks=money,
        )
