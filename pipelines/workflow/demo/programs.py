"""The public commands, run as a person would type them."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import CannotTell

_MODULES = {
    "sluice": "pipelines.cli",
    "sluice-agent": "runner.agent",
    "sluice-exchange": "runner.exchange",
}
_PATIENCE_SECONDS = 60.0
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said on standard output."""

    code: int
    text: str

    @property
    def tree(self) -> Any:
        """Its line for machines."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Programs:
    """Where the commands run, and with which variables."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def show(self, *command: str, given: str = "", codes: tuple[int, ...] = (0,)) -> None:
        """Print a command, run it, and let it say what it says.

        :raises CannotTell: when it ends with a code that is not among `codes`.
        """
        announce(command)
        self._run(command, given, codes, None)

    def ask(self, *command: str, codes: tuple[int, ...] = (0,), quiet: bool = True) -> Said:
        """Run a command for what it says to machines; unless `quiet`, print it and its words.

        :raises CannotTell: when it ends with a code that is not among `codes`.
        """
        if not quiet:
            announce(command)
        return self._run(command, "", codes, subprocess.PIPE, quiet=quiet)

    def kill(self, pid: int) -> None:
        """End a process as `kill -9` does, which is a word of the shell's.

        :raises CannotTell: when there is none, or it is somebody else's.
        """
        announce(("kill", "-9", str(pid)))
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError as error:
            raise CannotTell(f"kill -9 {pid}: {error.strerror}") from None

    def start(
        self, log: Path, *command: str, hidden: tuple[str, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        """Start a command that goes on; what is `hidden` is not printed."""
        announce((*command, "&"), hidden)
        with log.open("ab") as file:
            return subprocess.Popen(
                resolved(command),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                # An interrupt at the keyboard is for us: we end it in the right order.
                start_new_session=True,
            )

    @property
    def _environment(self) -> dict[str, str]:
        """What a person has set for Sluice is about another project."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
        return {**others, **self.variables}

    def _run(
        self,
        command: tuple[str, ...],
        given: str,
        codes: tuple[int, ...],
        out: int | None,
        *,
        quiet: bool = False,
    ) -> Said:
        try:
            begun = subprocess.Popen(
                resolved(command),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.PIPE if given else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE if quiet else None,
                text=True,
                start_new_session=True,
            )
        except FileNotFoundError:
            hint = "the demo needs git and ssh-keygen: see 'sluice docs demo'"
            raise CannotTell(f"{command[0]} is not installed", hint) from None
        with begun as child:
            try:
                text, errors = child.communicate(given or None)
            except BaseException:
                end(child)
                raise
        if child.returncode not in codes:
            if errors:
                print(errors, end="", file=sys.stderr)
            message = f"{shlex.join(command[:3])} … ended with {child.returncode}"
            raise CannotTell(message, "the lines above say why")
        return Said(child.returncode, text or "")


def announce(command: tuple[str, ...], hidden: tuple[str, ...] = ()) -> None:
    """Print a command as it could be typed."""
    words = " ".join(word if word == "&" else shlex.quote(word) for word in command)
    for secret in hidden:
        words = words.replace(secret, "…")
    print(f"\n$ {words}", flush=True)


def resolved(command: tuple[str, ...]) -> list[str]:
    """Ours are those of this installation, whatever is on PATH."""
    program, *words = command
    ours = _MODULES.get(program)
    return [sys.executable, "-m", ours, *words] if ours else [program, *words]


def end(child: "subprocess.Popen[Any]") -> None:
    """Ask a process to end; kill one that does not."""
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Interrupts wait until it is over, so that what was started is known, or ended, as a whole."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda n, _: came.append(n)) for each in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
