"""How long it takes from asking for a flatten until the exchange says that nothing is left.

`flatten_seconds` is for a train that runs and holds something: `holding.py` lays one.
"""

import time
from pathlib import Path

from figures import Figure

from pipelines.workflow import place, train


def flatten_seconds(project: Path, home: Path, environment: str, name: str) -> Figure:
    """Sell everything of an environment, and wait for the exchange's own word.

    :raises RuntimeError: when something is left: then there is no figure.
    """
    here = place.find(project, home)
    began = time.monotonic()
    told = train.flatten(here, environment, "*", "measured")
    seconds = time.monotonic() - began
    left = [text for each in told for text in each.left]
    if left or not told:
        raise RuntimeError(f"{environment}: {'; '.join(left) or 'there was no bot'}")
    return Figure(name, seconds, "s")
