"""Full isolation: strategy code behind the operating system's own walls, put up by bubblewrap.

The child has namespaces of its own for everything (no network, no other processes, no `/proc`), no
capabilities, a filter of system calls, a read-only system, and one writable folder in memory, as
large as its limit. It starts with an empty environment and sees the job's files and inputs only.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO

import pipelines
from pipelines.adapters.isolation import seccomp
from pipelines.adapters.isolation.enclosure import (
    Pipes,
    Started,
    environment,
    python,
    resource_limits,
    restrict,
)
from pipelines.domain.child import Job
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell

PACKAGE = "bubblewrap"
JOB = "/job"
"""The child's folder, as it sees it."""

WITHOUT = "or use --isolation=weak for a look that admits nothing beyond the demo"

_DEVICES = ("null", "zero", "full", "random", "urandom")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
_FIRST_UID, _UIDS = 61184, 4336
"""The range that systemd keeps for users who exist for one process only (UIDS-GIDS.md there)."""

_runs = count()

_STAGES = ("/mnt", "/media", "/srv", "/opt")

_STAGE = """
set -e
mount -t tmpfs -o mode=0755 tmpfs "$0"
number=0
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir "$0/$number"; else : > "$0/$number"; fi
    mount --bind "$1" "$0/$number"
    number=$((number + 1))
    shift
done
shift
exec "$@"
"""
"""Shows files and folders under numbers, in a place that everybody can reach. Only what it starts
sees them there."""


@dataclass(frozen=True)
class Bubblewrap:
    """Linux with bubblewrap 0.8 or later. Root starts children as a user of their own."""

    program: str

    @property
    def isolation(self) -> Isolation:
        return Isolation.FULL

    def start(self, folder: Path, job: Job, pipes: Pipes) -> Started:
        binds, stage = _binds(folder, job), ""
        if os.geteuid() == 0:
            binds = _readable(binds, folder)
            stage = _stage(binds)
        with _control() as control:
            around = self._outside(binds, stage, job) + self._inside(binds, stage, job, control)
            process = subprocess.Popen(
                [*around, "--", *python(job)],
                cwd="/",
                env=environment(JOB, pipes.reply),
                stdin=subprocess.DEVNULL,
                stdout=pipes.output,
                stderr=pipes.output,
                pass_fds=(pipes.reply, control.told.fileno(), control.wait, control.filter),
                start_new_session=True,
            )
            control.told.close()
            try:
                pid = _child(control.tells)
                if pid is None:
                    # It could not put the walls up and says why on the output.
                    return Started(process, process.pid)
                if os.geteuid() != 0:
                    # Only now: a limit on processes set before the child had a namespace
                    # of its own would count all that the user runs. The child waits for it.
                    restrict(pid, resource_limits(job.limits, processes=True))
                _rank_first_to_go(pid)
                os.write(control.go, b"!")
            except BaseException:
                process.kill()
                raise
        return Started(process, pid, Path(f"/proc/{pid}/root{JOB}"))

    def _inside(
        self, binds: tuple["_Bind", ...], stage: str, job: Job, control: "_Control"
    ) -> list[str]:
        words = [self.program]
        words += "--unshare-all --unshare-user --disable-userns --die-with-parent".split()
        words += "--new-session --as-pid-1 --cap-drop ALL".split()
        words += ["--seccomp", str(control.filter), "--block-fd", str(control.wait)]
        words += ["--info-fd", str(control.told.fileno())]
        words += _system()
        for device in _DEVICES:
            words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        words += ["--size", str(job.limits.disk_mb << 20), "--perms", "0700", "--tmpfs", JOB]
        for number, bind in enumerate(binds):
            source = f"{stage}/{number}" if stage else bind.source
            words += ["--ro-bind", source, bind.target]
        return [*words, "--remount-ro", "/", "--chdir", JOB]

    def _outside(self, binds: tuple["_Bind", ...], stage: str, job: Job) -> list[str]:
        """For root: show the sources to a user who could not reach them, then become that user.

        The user is new, so limits can be set at once; later root might lack the right to.
        """
        if not stage:
            return []
        limits = resource_limits(job.limits, processes=True)
        user = str(_FIRST_UID + (os.getpid() * 31 + next(_runs)) % _UIDS)
        return [
            *("unshare", "--mount", "--propagation", "private", "--"),
            *("sh", "-c", _STAGE, stage, *(bind.source for bind in binds), "--"),
            *("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"),
            *("prlimit", *(f"--{name}={soft}:{hard}" for name, (soft, hard) in limits.items())),
            "--",
        ]


def bubblewrap() -> Bubblewrap:
    """The isolation of this machine.

    :raises CannotTell: where there is none, with what to do about it.
    """
    if sys.platform != "linux":
        raise CannotTell("isolation needs Linux", f"check on a Linux machine, {WITHOUT}")
    found = shutil.which("bwrap")
    if found is None:
        raise CannotTell(
            f"isolation needs {PACKAGE}, which is not installed",
            f"'sluice doctor isolation --install' installs it; {WITHOUT}",
        )
    return Bubblewrap(found)


@dataclass(frozen=True)
class _Bind:
    source: str
    target: str


def _stage(binds: tuple[_Bind, ...]) -> str:
    """A folder that no source lies in, so that covering it hides none."""
    for folder in _STAGES:
        inside = any(Path(bind.source).is_relative_to(folder) for bind in binds)
        if Path(folder).is_dir() and not inside:
            return folder
    raise CannotTell(
        f"isolation needs one of the folders {', '.join(_STAGES)} to show files in",
        "keep the checkout and the candles elsewhere, or check as a user who is not root",
    )


def _system() -> list[str]:
    """Where programs and libraries lie, links as links."""
    words = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            words += ["--ro-bind", name, name]
    return words


def _binds(folder: Path, job: Job) -> tuple[_Bind, ...]:
    """What the child sees beside the system: Python, ourselves, the job's files and its inputs."""
    inside = folder / "in"
    for path in job.inputs:
        # Where an input will appear there has to be something that it can cover.
        target = inside / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    source = str(Path(pipelines.__file__).resolve().parent)
    own = [_Bind(place, place) for place in _python_places()]
    laid = [_Bind(str(path), f"{JOB}/{path.name}") for path in sorted(inside.iterdir())]
    inputs = [_Bind(str(Path(job.inputs[p]).resolve()), f"{JOB}/{p}") for p in sorted(job.inputs)]
    return (*own, _Bind(source, source), *laid, *inputs)


def _python_places() -> tuple[str, ...]:
    """The interpreter, its library and the installed packages, unless the system holds them."""
    links = Path(sys.executable), Path(sys.executable).resolve().parent.parent
    places = {sys.prefix, sys.base_prefix, str(links[1])}
    return tuple(sorted(p for p in places if not Path(p).is_relative_to("/usr")))


def _readable(binds: tuple[_Bind, ...], folder: Path) -> tuple[_Bind, ...]:
    """The same binds with copies in place of files that only their owner may read."""
    return tuple(_opened(bind, folder / f"copy-{n}") for n, bind in enumerate(binds))


def _opened(bind: _Bind, copy: Path) -> _Bind:
    source = Path(bind.source)
    if source.is_dir() or source.stat().st_mode & 0o004:
        return bind
    shutil.copyfile(source, copy)
    copy.chmod(0o644)
    return replace(bind, source=str(copy))


@dataclass(frozen=True)
class _Control:
    """Descriptors: bubblewrap says on `told` which process the child is, what it says comes out of
    `tells`; the child waits on `wait` until something is written to `go`; `filter` holds the
    program for the kernel.
    """

    told: IO[bytes]
    tells: int
    wait: int
    go: int
    filter: int


@contextmanager
def _control() -> Iterator[_Control]:
    program = os.memfd_create("filter")
    tells, told = os.pipe()
    wait, go = os.pipe()
    with ExitStack() as stack:
        for descriptor in (program, tells, wait, go):
            stack.callback(os.close, descriptor)
        says = stack.enter_context(os.fdopen(told, "wb"))
        os.write(program, seccomp.filter_program())
        os.lseek(program, 0, os.SEEK_SET)
        yield _Control(says, tells, wait, go, program)


def _child(tells: int) -> int | None:
    """The child's process, from what bubblewrap says about it; None when it said nothing."""
    said = b""
    while not said.rstrip().endswith(b"}"):
        more = os.read(tells, 4096)
        if not more:
            return None
        said += more
    return int(json.loads(said)["child-pid"])


def _rank_first_to_go(pid: int) -> None:
    """When memory runs out the kernel ends the child, and not what watches it."""
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
    except OSError:
        # It runs on without: the watch ends it long before the machine is out of memory.
        return
