"""`sluice test`: the project's own tests, as a child process that has the terminal to itself."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ExitCode

FAST = ("-m", "not freqtrade and not slow")
"""Leaves out what starts the real freqtrade and what takes long for other reasons."""

SPREAD = ("-p", "xdist", "-n", "logical", "--maxprocesses", "4", "--dist", "loadfile")
"""A worker for each core; a file stays with one, so that what it starts is started once. More than
four bots and backtests at a time would want more memory than a small machine has."""

GRACE_SECONDS = 10

_CODES = {
    0: ExitCode.DONE,
    1: ExitCode.SAID_NO,
    2: ExitCode.CANNOT_TELL,  # pytest could not read the tests
    3: ExitCode.CANNOT_TELL,  # pytest itself broke
    4: ExitCode.BAD_INPUT,
    5: ExitCode.CANNOT_TELL,  # no test ran, which is no pass
    -signal.SIGINT: ExitCode.INTERRUPTED,
}


def test(root: Path, arguments: Sequence[str], fast: bool) -> ExitCode:
    """Run pytest on the project at `root`, all of it or what is `fast`; `arguments` go to it as is.

    Without arguments the tests are spread over the cores. It says what there is to say; the exit
    code tells the same to machines.
    """
    options = (*(FAST if fast else ()), *(arguments or SPREAD))
    argv = [sys.executable, "-m", "pytest", *options]
    with subprocess.Popen(argv, cwd=root) as child:
        interrupted = _wait(child)
    if interrupted:
        return ExitCode.INTERRUPTED
    return _CODES.get(child.returncode, ExitCode.CANNOT_TELL)


def as_ci_does(root: Path, arguments: Sequence[str], fast: bool) -> ExitCode:
    """Install what tests need of the machine, with the system's means, then run them as `test`."""
    argv = [str(root / ".ci" / "run"), *(("--fast",) if fast else ()), *arguments]
    with subprocess.Popen(argv, cwd=root) as child:
        interrupted = _wait(child)
    # It ends as the command that it runs last: with one of our own exit codes.
    known = child.returncode in set(ExitCode) and not interrupted
    return ExitCode(child.returncode) if known else ExitCode.CANNOT_TELL


def _wait(child: subprocess.Popen[bytes]) -> bool:
    """Wait to the end; true when we were told to stop."""
    try:
        child.wait()
    except KeyboardInterrupt:
        _end(child)
        return True
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ctrl-C reached the child too: let it tear down and sum up. What told only us ends it late."""
    try:
        child.wait(GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.terminate()
        child.wait()
