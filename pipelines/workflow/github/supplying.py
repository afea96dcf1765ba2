"""`sluice github candles`: the recorded candles of the lock, for the steps that follow."""

import os
from datetime import datetime
from pathlib import Path

from pipelines.adapters.published import BASE_VARIABLE
from pipelines.errors import BadInput, ExitCode
from pipelines.workflow import supply
from pipelines.workflow.github import telling
from pipelines.workflow.place import Place


def candles(place: Place, into: Path, now: datetime) -> ExitCode:
    """Fetch the last recorded set that the lock pins, and set SLUICE_CANDLES to it from here on.

    Where nothing says from where, the embedded market stays, and is named so: what passes on it
    is for the demo only.

    :raises BadInput: when the lock pins no recorded set.
    """
    recorded = {n: s for n, s in place.data_lock().sets.items() if not s.synthetic}
    if not recorded:
        raise BadInput("environments/data.lock: pins no recorded candles", "'sluice data pin' does")
    base = os.environ.get(BASE_VARIABLE, "")
    if not base:
        print(f"{BASE_VARIABLE} is not set: the embedded market, for the demo only")
        telling.summary("> Synthetic candles: what passes on them is for the demo only.")
        return ExitCode.DONE
    digest = recorded[max(recorded)].published_digest
    fetched = supply.fetch(place.root, digest, base, into, now)
    telling.variable("SLUICE_CANDLES", str(fetched.folder.resolve()))
    print(f"{fetched.name}: {fetched.folder}")
    return ExitCode.DONE
