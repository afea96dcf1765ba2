"""What a child process is asked to do with strategy code, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from pipelines.domain.document import Document


@dataclass(frozen=True)
class Limits:
    """What a child and all that it starts may use together before they are killed.

    `disk_mb` is the size of its writable folder and of any file in it.
    """

    wall_seconds: float = 300
    cpu_seconds: int = 600
    memory_mb: int = 4096
    processes: int = 64
    disk_mb: int = 256
    output_kb: int = 1024


@dataclass(frozen=True)
class Job:
    """One run of `python -m <module> <arguments>` in a folder of its own.

    `files` are written into that folder (relative path to content), `inputs` are files outside it
    that appear there read-only. The request lies there as `request.json`; the child answers through
    a pipe that its first process alone holds.
    """

    module: str
    request: Document
    arguments: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    inputs: Mapping[str, PurePath] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    `killed` names the limit that it broke (`wall time`, `CPU time`, `memory`, `processes`,
    `output`, `disk`), empty when it ended by itself. `reply` is what it answered, hostile data
    until a schema took it; None when it said nothing. `output` is the tail of what it printed.
    """

    killed: str
    exit_code: int
    reply: bytes | None
    output: str
