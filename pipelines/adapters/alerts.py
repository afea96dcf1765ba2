"""What a human has to know: the journal of alerts, which is there also while no agent runs."""

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime

from pipelines.domain.document import Document
from pipelines.errors import CannotTell

FILE = "alerts.jsonl"
"""Its name in the agent's home."""

Severity = Literal["notice", "warning", "money"]
"""`money`: something is at risk until somebody looks."""


class Alert(Document):
    """One alert. `strategy` is empty for an environment, both are for the host.

    `kind` says in a word what it is about, where somebody sorts by that.
    """

    at: AwareDatetime
    severity: Severity
    environment: str = ""
    strategy: str = ""
    text: str
    kind: str = ""


def read(path: Path) -> tuple[Alert, ...]:
    """All that were raised, the oldest first. A line that was cut off is left out.

    :raises CannotTell: when there is a journal that cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from None
    return tuple(Alert.model_validate_json(line) for line in lines if line.endswith(b"\n"))
