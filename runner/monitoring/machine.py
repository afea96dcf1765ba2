"""What a process and its machine have, as the kernel tells it."""

import os
from dataclasses import dataclass
from pathlib import Path

from pipelines.domain.protections import Unknown

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_STATE, _USER, _SYSTEM, _STARTED, _RESIDENT = 0, 11, 12, 19, 21
"""Where things stand in /proc/PID/stat, behind the name."""

PROC, THERMAL = Path("/proc"), Path("/sys/class/thermal")


@dataclass(frozen=True)
class Process:
    """A process: its state's letter, bytes of memory, seconds of a processor and of life."""

    state: str
    memory: int
    cpu: float
    uptime: float

    @property
    def is_stopped(self) -> bool:
        """True when a signal keeps it from running."""
        return self.state in ("T", "t")

    @property
    def is_dead(self) -> bool:
        return self.state in ("Z", "X")


def process(pid: int) -> Process | None:
    """A process; none when there is none of this number."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        running = float((PROC / "uptime").read_text().split()[0])
    except OSError:
        return None
    return Process(
        state=fields[_STATE],
        memory=int(fields[_RESIDENT]) * _PAGE,
        cpu=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
        uptime=max(running - int(fields[_STARTED]) / _TICKS, 0.0),
    )


def free_disk(folder: Path) -> int | Unknown:
    """Bytes that may be written where a folder is."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return Unknown(f"nobody knows how full the disk is: {error.strerror}")
    return found.f_bavail * found.f_frsize


def free_memory() -> int | Unknown:
    """Bytes that processes may still have."""
    try:
        for line in (PROC / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError as error:
        return Unknown(f"nobody knows how much memory is free: {error.strerror}")
    return Unknown("nobody knows how much memory is free: the kernel does not say")


def heat() -> float | None:
    """Degrees Celsius of the hottest part that tells; none where none does."""
    found = []
    for zone in THERMAL.glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(found, default=None)
