"""`sluice github candles` and `publish`: recorded candles, for later steps and for all."""

import os
import shutil
from datetime import datetime
from pathlib import Path

from pipelines.adapters import github_assets, lockfile
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


def publish(place: Place, folder: Path) -> ExitCode:
    """Publish every packed set in a folder, each with the lock that pins it.

    :raises BadInput: when there is none, or this is no step of a workflow.
    """
    tars = sorted(folder.glob("*.tar"))
    if not tars:
        raise BadInput(f"{folder}: holds no set", "'sluice data pack' writes them")
    names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
    api, repository, token = (os.environ.get(name, "") for name in names)
    if not (api and repository and token):
        raise BadInput(f"{', '.join(names)} are not all set", "run it in a workflow")
    lock = Path(shutil.copy(place.root / lockfile.WHERE, folder / "data.lock"))
    for tar in tars:
        tag = f"data-{tar.stem[:12]}"
        page = github_assets.publish(api, repository, token, tag, (tar, lock))
        print(f"{tar.name}: {page}")
        base = page.replace("/releases/tag/", "/releases/download/")
        telling.summary(f"`{tar.stem}` is at {page}: commit the data.lock that lies beside it.")
        telling.summary(f"Set the variable `{BASE_VARIABLE}` to `{base}`.")
    return ExitCode.DONE
