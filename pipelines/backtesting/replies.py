"""How a child reads what it was asked and says what it found."""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TypeVar

from pipelines.domain.document import Document

D = TypeVar("D", bound=Document)


def request(model: type[D]) -> D:
    """What was asked, from `request.json` in the current folder."""
    return model.model_validate_json(Path("request.json").read_bytes())


def die_with_parent() -> None:
    """Be killed when the process that started this one ends, even by kill -9 (Linux only)."""
    set_parent_death_signal = 1
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def write(document: Document) -> None:
    """Answer, through the descriptor that only the first process of a child knows."""
    with os.fdopen(int(os.environ.pop("SLUICE_REPLY")), "wb") as reply:
        reply.write(document.canonical())


def leave(document: Document, name: str) -> None:
    """Leave a fork's answer whole or not at all: a half one would be read as one."""
    temporary = Path(f".{name}.{os.getpid()}")
    temporary.write_bytes(document.canonical())
    temporary.replace(name)
