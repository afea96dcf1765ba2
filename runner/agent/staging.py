"""Folders in which something is made ready that then takes its name in one step."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.adapters.secrets import locked
from pipelines.errors import CannotTell


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside `target` that is gone afterwards, and that nobody else can look into.

    What a killed process left behind is thrown away by the next one that makes the same target;
    one that is still at work holds its folder locked, and is left alone.

    :raises CannotTell: when there is no room for it. What fails in it comes through.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent):
            _sweep(target)
            folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.making-"))
            held = _held(folder)
    except OSError as error:
        message = f"{target}: cannot be written: {error.strerror or error}"
        raise CannotTell(message, "free some space or choose another folder") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def synced(folder: Path) -> None:
    """Wait until everything in a folder is on the disk."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(target: Path) -> None:
    for left in target.parent.glob(f".{target.name}.making-*"):
        if (held := _held(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(held)


def _held(folder: Path) -> int | None:
    """A descriptor that holds a folder; None while somebody else does."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle
    os.close(handle)
    return None
