"""The journal of alerts: what a human has to know, one line of JSON each, never taken back."""

import os
from datetime import datetime
from io import FileIO
from pathlib import Path

from pipelines.adapters.alerts import Alert, Kind, Severity, read
from pipelines.adapters.redaction import Redactor

__all__ = ["Alert", "Alerts", "Kind", "Severity", "alert_of"]


def alert_of(
    severity: Severity, about: tuple[str, str], text: str, now: datetime, kind: Kind
) -> Alert:
    """An alert about a strategy in an environment; two empty names are the host's."""
    environment, strategy = about
    return Alert(
        at=now,
        severity=severity,
        kind=kind,
        environment=environment,
        strategy=strategy,
        text=text,
    )


class Alerts:
    """Writes alerts down, each once until what it is about is over, none with a secret in it."""

    def __init__(self, path: Path, hidden: Redactor | None = None) -> None:
        self.path, self._hidden = path, hidden or Redactor()
        self._told: set[tuple[str, str, str]] = set()

    def raise_(self, alert: Alert) -> None:
        """Remember an alert. A disk that is full loses it and stops nothing."""
        alert = alert.model_copy(update={"text": self._hidden.text(alert.text)})
        key = alert.environment, alert.strategy, alert.text
        if key in self._told:
            return
        line = alert.model_dump_json().encode() + b"\n"
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                # What a full disk cut off before must not swallow this one.
                file.write(line if _is_whole(file) else b"\n" + line)
        except OSError:
            return
        self._told.add(key)

    def over(self, environment: str, strategy: str, beginning: str = "") -> None:
        """It is as it should be again: the same alerts are news the next time.

        With a `beginning` only those whose text begins so.
        """
        about = environment, strategy
        self._told = {
            told for told in self._told if told[:2] != about or not told[2].startswith(beginning)
        }

    def every(self) -> tuple[Alert, ...]:
        """All that were raised, the oldest first. A line that was cut off is left out."""
        return read(self.path)


def _is_whole(file: FileIO) -> bool:
    """Whether a file is empty, or ends with a line."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
