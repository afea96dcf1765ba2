"""What bots import: the project's own packages, or a venv for each other lock, installed ahead.

Venvs lie below `<home>/venvs/` under the digests of their locks, each there as a whole or not at
all. Here they are only looked up: what is not installed is refused, and nothing is ever downloaded
in the middle of a rollback.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines import documents
from pipelines.adapters import pins
from pipelines.adapters.versions import tool_versions
from pipelines.domain.document import Digest, Document, sha256
from pipelines.domain.release import Pins
from pipelines.errors import BadInput, Refused

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where this Sluice lies, with the lock that it was installed from."""

LOCK, ABOUT = "lock.txt", "installed.json"


class Installed(Document):
    """What a venv's own Python says that it holds; written last."""

    requirements: Digest
    freqtrade: str
    python: str


@dataclass(frozen=True)
class Packages:
    """The Python whose bots have the packages of one lock, and the freqtrade among them."""

    lock: Digest
    python: str
    freqtrade: str


def folder(home: Path, lock: Digest) -> Path:
    """Where the venv of a lock lies."""
    return home / "venvs" / lock


def own() -> Packages:
    """The packages that Sluice itself runs with."""
    lock = sha256((CHECKOUT / pins.LOCK).read_bytes())
    return Packages(lock, sys.executable, tool_versions()["freqtrade"])


def found(home: Path, lock: Digest) -> Packages | None:
    """The packages of a lock; None when they are not installed here, or not to their end."""
    if (mine := own()).lock == lock:
        return mine
    there = folder(home, lock)
    try:
        about = documents.load_json(there / ABOUT, Installed)
    except BadInput:
        return None
    python = there / "bin" / "python"
    if about.requirements != lock or not python.exists():
        return None
    return Packages(lock, str(python), about.freqtrade)


def needed(home: Path, lock: Digest) -> Packages:
    """The packages of a lock.

    :raises Refused: when they are not installed here.
    """
    packages = found(home, lock)
    if packages is None:
        raise Refused(_missing(lock))
    return packages


def unfit(home: Path, pinned: Pins) -> tuple[str, ...]:
    """Why bots cannot have here what a release is pinned to; nothing when they can."""
    packages = found(home, pinned.requirements)
    if packages is None:
        return (_missing(pinned.requirements),)
    if packages.freqtrade != pinned.freqtrade:
        return (f"pins freqtrade {pinned.freqtrade}, installed is {packages.freqtrade}",)
    return ()


def every(home: Path) -> tuple[Packages, ...]:
    """All that is installed for bots of this home, Sluice's own first."""
    mine = own()
    names = sorted(path.parent.name for path in (home / "venvs").glob(f"*/{ABOUT}"))
    there = (found(home, name) for name in names if name != mine.lock)
    return (mine, *(packages for packages in there if packages))


def _missing(lock: Digest) -> str:
    hint = "'sluice-agent packages add LOCKFILE' installs them ahead"
    return f"pins packages {lock[:8]}, which are not installed here: {hint}"
