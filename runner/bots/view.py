"""What bots see when they run as users of their own, and Python lies where only root may look.

This process gets a private view of the file system: a folder that shuts others out is covered, and
what bots need is shown in it at its own place. Where everything can be reached anyway, as on a Pi
with the system's Python, nothing is changed. The calls are those of mount(2) and unshare(2).
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

_NEW_NAMESPACE = 0x00020000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000


def show(places: Iterable[Path]) -> None:
    """Let every user reach these places, in this process and in its forks. Only root can.

    :raises OSError: when the kernel does not allow it.
    """
    wanted = sorted({place.resolve() for place in places if place.exists()})
    shut = {place: found for place in wanted if (found := shut_by(place)) is not None}
    if not shut:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_NEW_NAMESPACE), "unshare")
    _mount(libc, "none", "/", "", _RECURSIVE | _PRIVATE, "")
    # Held open before anything is covered; the kernel finds them again behind /proc/self/fd.
    held = {place: os.open(place, os.O_PATH | os.O_CLOEXEC) for place in shut}
    for folder in _outermost(shut.values()):
        _mount(libc, "tmpfs", str(folder), "tmpfs", 0, "mode=0755")
    narrow = os.umask(0o022)
    for place, descriptor in held.items():
        _make_room(place, directory=stat.S_ISDIR(os.fstat(descriptor).st_mode))
        _mount(libc, f"/proc/self/fd/{descriptor}", str(place), "", _BIND | _RECURSIVE, "")
        os.close(descriptor)
    os.umask(narrow)


def shut_by(place: Path) -> Path | None:
    """The outermost folder above a place that does not let others through."""
    for folder in reversed(place.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _outermost(folders: Iterable[Path]) -> list[Path]:
    every = set(folders)
    return sorted(each for each in every if not any(up in every for up in each.parents))


def _make_room(place: Path, *, directory: bool) -> None:
    (place if directory else place.parent).mkdir(mode=0o755, parents=True, exist_ok=True)
    if not directory:
        place.touch()


def _mount(libc: ctypes.CDLL, source: str, target: str, kind: str, flags: int, data: str) -> None:
    words = (source.encode(), target.encode(), kind.encode() or None)
    code = libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None)
    _check(code, target)


def _check(code: int, what: str) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
