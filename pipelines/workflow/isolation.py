"""How strategy code is shut in, and `sluice doctor isolation`, which attacks it."""

import os
import shutil
import subprocess
import sys

from pipelines.adapters.isolation import selftest
from pipelines.adapters.isolation.bubblewrap import PACKAGE, bubblewrap
from pipelines.adapters.isolation.enclosure import Enclosure, Unavailable
from pipelines.adapters.isolation.weak import Weak
from pipelines.checks.workbench import Progress
from pipelines.domain.attack import Attempt
from pipelines.errors import CannotTell
from pipelines.workflow.place import Place

_INSTALLERS = {
    "apt-get": ("apt-get", "install", "--yes", "--no-install-recommends"),
    "dnf": ("dnf", "install", "--assumeyes"),
    "pacman": ("pacman", "--sync", "--noconfirm"),
    "apk": ("apk", "add"),
    "zypper": ("zypper", "--non-interactive", "install"),
}


def enclosure(place: Place, progress: Progress, *, weak: bool) -> Enclosure:
    """What children are started in. Full isolation is attacked before it is first used."""
    if weak:
        return Weak()
    try:
        return selftest.Proven(bubblewrap(), place.home, progress.say)
    except CannotTell as reason:
        return Unavailable(reason)


def doctor(place: Place, *, install: bool) -> tuple[Attempt, ...]:
    """Attack this machine's isolation; with `install` see to it first that there is one.

    :raises CannotTell: where there is none, or it cannot be installed.
    """
    if install:
        _install()
    return selftest.attack(bubblewrap(), place.home)


def _install() -> None:
    if sys.platform == "linux" and shutil.which("bwrap") is None:
        _as_root(*_installer(), PACKAGE)
    if selftest.namespaces_are_restricted():
        # Ubuntu lets only programs that it names make namespaces, and bubblewrap is none of them.
        _as_root("sysctl", "--write", f"{selftest.RESTRICTION.replace('/', '.')}=0")


def _installer() -> tuple[str, ...]:
    for program, words in _INSTALLERS.items():
        if shutil.which(program):
            return words
    raise CannotTell(
        f"no package manager found: looked for {', '.join(_INSTALLERS)}",
        f"install {PACKAGE} by hand",
    )


def _as_root(*words: str) -> None:
    before = () if os.geteuid() == 0 else ("sudo",)
    try:
        ended = subprocess.run([*before, *words], stdout=sys.stderr, check=False)
    except OSError as error:
        raise CannotTell(f"{words[0]}: {error.strerror}", f"install {PACKAGE} by hand") from None
    if ended.returncode:
        raise CannotTell(
            f"'{' '.join(words)}' ended with exit code {ended.returncode}",
            f"install {PACKAGE} by hand",
        )
