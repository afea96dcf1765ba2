"""Limits and an empty environment, nothing more: what runs here can read what the user can read."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Weak:
    """Runs on any system. Evidence that was taken in it admits nothing beyond the demo."""

    @property
    def isolation(self) -> Isolation:
        return Isolation.WEAK

    def start(self, folder: Path, job: Job, pipes: Pipes) -> Started:
        inside = folder / "in"
        for path, source in job.inputs.items():
            target = inside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(source).resolve())
        process = subprocess.Popen(
            python(job),
            cwd=inside,
            env=environment(str(inside), pipes.reply),
            stdin=subprocess.DEVNULL,
            stdout=pipes.output,
            stderr=pipes.output,
            pass_fds=(pipes.reply,),
            start_new_session=True,
        )
        # Without a user of its own a limit on processes would count all that the user runs.
        restrict(process.pid, resource_limits(job.limits, processes=False))
        return Started(process, process.pid)
