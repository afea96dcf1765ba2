"""Child processes: the only place where strategy code runs.

A job gets a folder of its own, is started in an enclosure, watched, and ended with all that it
started when a limit is broken or when we are. It answers through a pipe, so nothing that it leaves
on a disk is ever taken for its answer.
"""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from pipelines.adapters.isolation.enclosure import Enclosure, Pipes
from pipelines.adapters.isolation.watch import Watch, end
from pipelines.domain.child import Ended, Job
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell


@dataclass(frozen=True)
class Processes:
    """Runs jobs below `home`/work, each in `enclosure`. Implements the checks' `Shell`."""

    home: Path
    enclosure: Enclosure
    stopping: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def isolation(self) -> Isolation:
        """How strategy code is shut in here."""
        return self.enclosure.isolation

    def run(self, job: Job) -> Ended:
        """Run a job to its end.

        :raises CannotTell: when the child could not be started at all.
        """
        with self._folder() as folder:
            with _told():
                _lay_out(folder, job)
            return self._run(folder, job)

    def stop(self) -> None:
        """End every job that runs, for good: whoever started them was interrupted."""
        self.stopping.set()

    def _run(self, folder: Path, job: Job) -> Ended:
        with ExitStack() as kept, ExitStack() as given:
            output, printed = _pipe(kept, given)
            reply, answered = _pipe(kept, given)
            with _told():
                started = self.enclosure.start(folder, job, Pipes(printed, answered))
            # Only the child may hold the ends that are written to, or no end would be seen.
            given.close()
            watch = Watch(started, output, reply, job.limits, self.stopping)
            killed = ""
            try:
                killed = watch.to_the_end()
            finally:
                # Interrupted or done: nothing of the child outlives this call.
                code = end(started)
            watch.drain()
        heard = watch.heard
        said = heard.tail.decode("utf-8", "replace")
        return Ended(killed or _named(code), code, bytes(heard.reply) or None, said)

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
    # Whoever the child runs as may read them, whatever the user's umask.
    for place in (inside, *inside.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)


def _pipe(kept: ExitStack, given: ExitStack) -> tuple[int, int]:
    """The two ends of a pipe: ours, and the one that is written to."""
    ours, theirs = os.pipe()
    kept.callback(os.close, ours)
    given.callback(os.close, theirs)
    return ours, theirs


def _named(code: int) -> str:
    """The limit whose signal ended the child, as a shell counts signals too."""
    signals = {signal.SIGXCPU: "CPU time", signal.SIGXFSZ: "disk"}
    return next((name for sign, name in signals.items() if code in (-sign, 128 + sign)), "")
