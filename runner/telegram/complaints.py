"""What keeps Telegram from working, told where it is seen without it: in the alerts."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipelines.adapters import alerts
from pipelines.adapters.alerts import Severity
from pipelines.adapters.redaction import Redactor
from pipelines.errors import CannotTell
from runner.agent.alerts import Alert, Alerts

logger = logging.getLogger(__name__)

_FINE = "works again"


@dataclass
class Complaints:
    """Each is told once, and once that it is over, also by a process that was started meanwhile."""

    path: Path
    hidden: Redactor
    _last: dict[str, str] = field(default_factory=dict, init=False)

    def tell(self, topic: str, text: str) -> None:
        """Something is wrong with `topic`."""
        if self._before(topic) != text:
            self._raise("warning", topic, text)

    def over(self, topic: str) -> None:
        """Nothing is wrong with it any more."""
        if self._before(topic) not in ("", _FINE):
            self._raise("notice", topic, _FINE)

    def _before(self, topic: str) -> str:
        if topic not in self._last:
            begins = _begin(topic)
            try:
                every = alerts.read(self.path)
            except CannotTell:
                every = ()
            told = (each.text for each in reversed(every) if each.text.startswith(begins))
            self._last[topic] = next(told, begins).removeprefix(begins)
        return self._last[topic]

    def _raise(self, severity: Severity, topic: str, text: str) -> None:
        self._last[topic] = text
        logger.warning("%s: %s", topic, text)
        alert = Alert(
            at=datetime.now(UTC), severity=severity, kind="telegram", text=f"{_begin(topic)}{text}"
        )
        Alerts(self.path, self.hidden).raise_(alert)


def _begin(topic: str) -> str:
    return f"telegram: {topic}: "
