"""What a child and everything that it started use, read from Linux's `/proc`.

The kernel's own groups of processes would count for us, but they are not to be had everywhere, and
where they are switched off their limits are silently ignored. Looking works for every user.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pipelines.adapters.isolation.enclosure import Started
from pipelines.domain.child import Limits

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FULL_BYTES = 1 << 16
"""A scratch folder with less room than this is as good as full."""


@dataclass(frozen=True)
class Process:
    """One line of the kernel's table: CPU seconds with those of children that ended, and bytes."""

    pid: int
    parent: int
    cpu_seconds: float
    resident: int


def broken(started: Started, limits: Limits) -> str:
    """The name of the limit that is broken now; nothing when there is none, or no `/proc`."""
    family = _family(started.pid)
    if len(family) > limits.processes:
        return "processes"
    if sum(process.cpu_seconds for process in family) > limits.cpu_seconds:
        return "CPU time"
    most = limits.memory_mb << 20
    # What forks share is counted once for each here, so a closer look is worth it only from there.
    if sum(p.resident for p in family) > most and sum(_own(p) for p in family) > most:
        return "memory"
    return "disk" if _full(started.scratch) else ""


def _family(pid: int) -> tuple[Process, ...]:
    """A process and all its descendants."""
    known: dict[int, list[Process]] = {}
    found = []
    for process in _processes():
        known.setdefault(process.parent, []).append(process)
        if process.pid == pid:
            found.append(process)
    for process in found:
        found += known.get(process.pid, [])
    return tuple(found)


def _processes() -> list[Process]:
    numbers = [entry for entry in _listed() if entry.isdecimal()]
    return [process for process in map(_process, numbers) if process]


def _listed() -> list[str]:
    try:
        return os.listdir("/proc")
    except OSError:
        return []


def _process(number: str) -> Process | None:
    try:
        stat = Path(f"/proc/{number}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too; see proc(5) for the fields.
    fields = stat.rpartition(")")[2].split()
    ticks = sum(int(value) for value in fields[11:15])
    return Process(int(number), int(fields[1]), ticks / _TICKS, int(fields[21]) * _PAGE)


def _own(process: Process) -> int:
    """Bytes of a process, what it shares divided among those that share it."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return process.resident
    kilobytes = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(kilobytes[0]) << 10 if kilobytes else 0


def _full(scratch: Path | None) -> bool:
    if scratch is None:
        return False
    try:
        room = os.statvfs(scratch)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _FULL_BYTES
