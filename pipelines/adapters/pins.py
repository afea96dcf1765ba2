"""What releases are pinned to: read from the lock that Sluice itself is installed from."""

import re
from pathlib import Path

from pipelines import documents
from pipelines.domain.document import sha256
from pipelines.domain.release import DeclaredPins, Pins
from pipelines.errors import CannotTell, Problem

WHERE = "environments/pins.lock"
LOCK = "requirements/runtime.txt"

_FREQTRADE = re.compile(r"^freqtrade==(\S+)", re.MULTILINE)


def read(root: Path, checkout: Path) -> Pins:
    """The pins of a project at `root`, examined and run by the Sluice in `checkout`.

    :raises BadInput: when `environments/pins.lock` is missing or wrong.
    :raises CannotTell: when this Sluice has no lock.
    """
    declared = documents.load(root / WHERE, DeclaredPins, WHERE, topic="releases")
    packages = lock(checkout)
    freqtrade = freqtrade_in(packages, LOCK)
    return Pins(freqtrade=freqtrade, requirements=sha256(packages), python=declared.python)


def lock(checkout: Path) -> bytes:
    """The lock that the Sluice in `checkout` is installed from.

    :raises CannotTell: when there is none.
    """
    try:
        return (checkout / LOCK).read_bytes()
    except OSError as error:
        message = f"{checkout / LOCK}: cannot be read: {error.strerror}"
        raise CannotTell(message, "run sluice in a checkout of the project") from None


def freqtrade_in(packages: bytes, where: str) -> str:
    """The version of freqtrade that a lock pins; `where` is how messages name it.

    :raises BadInput: when it pins none.
    """
    found = _FREQTRADE.search(packages.decode(errors="replace"))
    if not found:
        raise Problem(where, "pins no freqtrade", hint="run 'requirements/compile.sh'")
    return found[1]
