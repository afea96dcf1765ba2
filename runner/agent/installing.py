"""Installing the packages of a lock for bots, ahead of the release that is pinned to them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pipelines import documents
from pipelines.adapters import pins
from pipelines.adapters.folders import appear
from pipelines.domain.document import sha256
from pipelines.errors import CannotTell, Problem, Refused
from runner.agent import venvs
from runner.agent.venvs import CHECKOUT, Installed, Packages

BUILD = CHECKOUT / "requirements/build.txt"
"""What packages without a wheel are built with: locked like everything else."""

_ELSEWHERE = ("TARGET", "PREFIX", "ROOT", "PYTHON", "CONSTRAINT", "OVERRIDE", "REQUIREMENT", "USER")
"""What users set for other projects: it would send packages elsewhere, or change which ones."""

_PROGRAM = """
import json, platform
from importlib.metadata import version
minor = ".".join(platform.python_version_tuple()[:2])
print(json.dumps({"freqtrade": version("freqtrade"), "python": minor}))
"""

Say = Callable[[str], None]


def install(home: Path, lock: Path, build: Path, say: Say) -> Packages:
    """Install what a lock names into a venv of its own, every file held to its hash.

    It appears as a whole or not at all. What is there already stays as it is.

    :raises BadInput: when the lock is missing, or pins no freqtrade.
    :raises Refused: when what was installed is not what it pins.
    :raises CannotTell: when it could not be installed.
    """
    try:
        content = lock.read_bytes()
    except OSError as error:
        raise Problem(str(lock), f"cannot be read: {error.strerror}") from None
    pinned, digest = pins.freqtrade_in(content, str(lock)), sha256(content)
    if there := venvs.found(home, digest):
        say(f"{digest[:8]} is installed already: freqtrade {there.freqtrade}")
        return there
    target = venvs.folder(home, digest)
    appear(target, lambda making: _fill(making, content, digest, pinned, build, say))
    return venvs.needed(home, digest)


def _fill(making: Path, content: bytes, digest: str, pinned: str, build: Path, say: Say) -> None:
    say(f"making a venv for {digest[:8]}")
    uv, python = shutil.which("uv"), making / "bin" / "python"
    # uv installs from outside; putting pip inside takes longer than all that uv does.
    bare = ["--without-pip"] if uv else []
    _run([sys.executable, "-I", "-m", "venv", *bare, str(making)])
    # As it was digested, whatever becomes of the file meanwhile.
    documents.write(making / venvs.LOCK, content)
    for what in (build, making / venvs.LOCK):
        say(f"installing what {what.name} names; this takes about a minute, longer on a Pi")
        argv = [*_installer(uv, python), "--require-hashes", "--no-build-isolation"]
        _run([*argv, "-r", str(what)])
    told = _run([str(python), "-I", "-c", _PROGRAM], capture=True)
    about = Installed(requirements=digest, **json.loads(told))
    if about.freqtrade != pinned:
        raise Refused(f"{digest[:8]}: pins freqtrade {pinned}, installed is {about.freqtrade}")
    documents.write(making / venvs.ABOUT, about.model_dump_json() + "\n")


def _installer(uv: str | None, python: Path) -> list[str]:
    if uv:
        return [uv, "pip", "install", "--compile-bytecode", "--python", str(python)]
    return [str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check"]


def _run(argv: list[str], *, capture: bool = False) -> str:
    """Run to the end, with what it says on standard error for whoever waits."""
    kept = {f"{tool}_{name}" for tool in ("PIP", "UV") for name in _ELSEWHERE}
    variables = {name: value for name, value in os.environ.items() if name not in kept}
    output = subprocess.PIPE if capture else sys.stderr
    try:
        # Readable for the users of bots, whoever installs it.
        ended = subprocess.run(argv, env=variables, stdout=output, umask=0o022, check=False)
    except OSError as error:
        raise CannotTell(f"{argv[0]}: cannot be started: {error.strerror}") from None
    if ended.returncode:
        hint = "the lines above say why; nothing was changed"
        raise CannotTell(f"{Path(argv[0]).name}: the installation did not finish", hint)
    return ended.stdout.decode() if capture else ""
