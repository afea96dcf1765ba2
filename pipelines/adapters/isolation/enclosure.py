"""How a child is started inside something, and what is the same for everything it is put into."""

import resource
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.domain.child import Job, Limits
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell

REPLY = "SLUICE_REPLY"
"""The variable that tells a child the number of the descriptor for its reply."""

THREADS_BESIDE = 32
"""Libraries start threads, and the kernel counts them as processes: a limit leaves them room."""


@dataclass(frozen=True)
class Started:
    """A child that runs.

    `process` is what was started and is waited for, `pid` the child itself as this machine numbers
    it, `scratch` its writable folder as seen from outside, None where that is an ordinary one.
    """

    process: subprocess.Popen[bytes]
    pid: int
    scratch: Path | None = None


@dataclass(frozen=True)
class Pipes:
    """The ends of the pipes that a child writes to: what it prints, and its reply."""

    output: int
    reply: int


class Enclosure(Protocol):
    """Starts children. `folder`/in holds a job's files; `folder` is the job's own.

    :raises CannotTell: when children cannot be started in it.
    """

    @property
    def isolation(self) -> Isolation: ...
    def start(self, folder: Path, job: Job, pipes: Pipes) -> Started: ...


def python(job: Job) -> list[str]:
    """The command that does a job."""
    return [sys.executable, "-P", "-s", "-m", job.module, *job.arguments]


def environment(home: str, reply: int) -> dict[str, str]:
    """All variables that a child gets."""
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        REPLY: str(reply),
        "TMPDIR": home,
        "TZ": "UTC",
    }


def resource_limits(limits: Limits, *, processes: bool) -> dict[str, tuple[int, int]]:
    """The kernel's limits for each process, soft and hard, by their name in prlimit(1).

    They are the second wall. The first is the watch, which names what was broken, so these are set
    a little wider. With `processes` the number of its user's processes is limited too.
    """
    own = {
        "as": limits.memory_mb << 21,
        "core": 0,
        "fsize": limits.disk_mb << 20,
        "memlock": 0,
    }
    if processes:
        own["nproc"] = limits.processes + THREADS_BESIDE
    # The soft one ends it by a signal of its own, which tells why; the hard one for certain.
    cpu = (limits.cpu_seconds, limits.cpu_seconds + 5)
    return {"cpu": cpu} | {name: (value, value) for name, value in own.items()}


def restrict(pid: int, limits: dict[str, tuple[int, int]]) -> None:
    """Set a process's limits from outside: a preexec function is not safe with threads."""
    with suppress(ProcessLookupError):
        for name, values in limits.items():
            resource.prlimit(pid, getattr(resource, f"RLIMIT_{name.upper()}"), values)


@dataclass(frozen=True)
class Unavailable:
    """Stands where isolation was asked for and is not to be had: nothing is ever started."""

    reason: CannotTell

    @property
    def isolation(self) -> Isolation:
        return Isolation.WEAK

    def start(self, folder: Path, job: Job, pipes: Pipes) -> Started:
        raise self.reason
