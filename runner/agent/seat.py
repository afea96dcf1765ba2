"""Where an agent sits."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Seat:
    """Where an agent sits: `train` is the folder of its environments, `holder` its own name."""

    train: Path
    host: str
    holder: str
