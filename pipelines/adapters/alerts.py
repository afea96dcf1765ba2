"""What a human has to know: the journal of alerts, which is there also while no agent runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from pipelines.domain.document import Document
from pipelines.errors import CannotTell

FILE = "alerts.jsonl"
"""Its name in the agent's home."""

Severity = Literal["notice", "warning", "money"]
"""`money`: something is at risk until somebody looks."""


Kind = Literal[
    "",
    "down",
    "degraded",
    "recovered",
    "orphan",
    "stop",
    "protection",
    "halt",
    "drift",
    "deployment",
    "promotion",
    "refusal",
    "rollback",
    "host",
    "clock",
    "telegram",
]
"""What an alert is about; empty where nobody said."""


class Alert(Document):
    """One alert. `strategy` is empty for an environment, both are for the host.

    `kind` says in a word what it is about, where somebody sorts by that.
    """

    at: AwareDatetime
    severity: Severity
    kind: Kind = ""
    environment: str = ""
    strategy: str = ""
    text: str

    @property
    def id(self) -> str:
        """Eight letters, the same wherever and whenever this alert is read."""
        return self.content_digest()[:8]


def read(path: Path) -> tuple[Alert, ...]:
    """All that were raised, the oldest first. A line that was cut off is left out.

    :raises CannotTell: when there is a journal that cannot be read.
    """
    return tuple(alert for alert, _ in follow(path, 0))


def follow(path: Path, after: int) -> Iterator[tuple[Alert, int]]:
    """Every alert that begins at or after a place in the journal, and the place where it ends.

    :raises CannotTell: when there is a journal that cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(after)
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from None
    for line in lines:
        after += len(line)
        if (alert := _alert(line)) is not None:
            yield alert, after


def _alert(line: bytes) -> Alert | None:
    """None for a line that was cut off, by a disk that was full or a process that was killed."""
    try:
        return Alert.model_validate_json(line) if line.endswith(b"\n") else None
    except ValidationError:
        return None
