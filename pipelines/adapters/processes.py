"""Child processes: the only place where strategy code runs.

This is the weak isolation: an empty environment, a folder of its own, resource limits, and the
end of the whole process group when a limit is broken or when we are. What is shut in this way can
still read what the user can read, so its evidence admits nothing beyond the demo.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell

POLL_SECONDS = 0.05
MOST_REPLY_BYTES = 256 << 20
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Processes:
    """Runs jobs below `home`/work. Implements the checks' `Shell`."""

    home: Path
    stopping: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    isolation = Isolation.WEAK

    def run(self, job: Job) -> Ended:
        """Run a job to its end.

        :raises CannotTell: when the child could not be started at all.
        """
        with self._folder() as folder:
            with _told():
                _lay_out(folder, job)
            return _run(folder, job, self.stopping)

    def stop(self) -> None:
        """End every job that runs, for good: whoever started them was interrupted."""
        self.stopping.set()

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        work = self.home / "work"
        with _told():
            work.mkdir(parents=True, exist_ok=True)
            _sweep(work)
            folder = Path(mkdtemp(prefix=f"{os.getpid()}-", dir=work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotTell(
            f"{error.filename}: cannot be written: {error.strerror}",
            "free some space, or choose another folder with --home",
        ) from None


def _sweep(work: Path) -> None:
    """Remove the folders of runs that were killed before they could do it themselves."""
    for left in work.iterdir():
        owner = left.name.split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)


def _lay_out(folder: Path, job: Job) -> None:
    inside = folder / "in"
    inside.mkdir()
    for path, content in {**job.files, "request.json": job.request.canonical()}.items():
        target = inside / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for path, source in job.inputs.items():
        target = inside / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(source).resolve())


def _run(folder: Path, job: Job, stopping: threading.Event) -> Ended:
    printed = folder / "output"
    with printed.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", job.module, *job.arguments],
            cwd=folder / "in",
            env=_environment(folder / "in"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _limit(child.pid, job.limits)
        killed = _watch(child, printed, job.limits, stopping)
    finally:
        # Interrupted or done: nothing of the group outlives this call.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return Ended(
        killed or _named(child.returncode), child.returncode, _reply(folder), _tail(printed)
    )


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(folder),
        "TZ": "UTC",
    }


def _limit(pid: int, limits: Limits) -> None:
    # From outside, since a preexec function is not safe while other threads run.
    memory = limits.memory_mb << 20
    size = limits.file_mb << 20
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_AS, (memory, memory))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
        resource.prlimit(pid, resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 5))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _watch(
    child: subprocess.Popen[bytes], printed: Path, limits: Limits, stopping: threading.Event
) -> str:
    """Wait for the end; the name of the limit that was broken, or nothing."""
    deadline = time.monotonic() + limits.wall_seconds
    while child.poll() is None:
        if time.monotonic() > deadline:
            return "wall time"
        if printed.stat().st_size > limits.output_kb << 10:
            return "output"
        if stopping.wait(POLL_SECONDS):
            return "interrupted"
    return ""


def _named(returncode: int) -> str:
    return {-signal.SIGXCPU: "CPU time", -signal.SIGXFSZ: "disk"}.get(returncode, "")


def _reply(folder: Path) -> bytes | None:
    reply = folder / "in" / "reply.json"
    # A link would make us read, with our rights, a file that the child may not read.
    if reply.is_symlink() or not reply.is_file() or reply.stat().st_size > MOST_REPLY_BYTES:
        return None
    return reply.read_bytes()


def _tail(printed: Path) -> str:
    with printed.open("rb") as file:
        file.seek(max(0, printed.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace")
