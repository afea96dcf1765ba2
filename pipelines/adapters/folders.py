"""Folders that appear under their name as a whole or not at all."""

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipelines.errors import CannotTell

_STALE_SECONDS = 3600


def appear(target: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder: `fill` writes into one beside it, which then takes the name in one step.

    When two processes make it at once, the later one is thrown away: both hold the same.
    What a killed process left behind is thrown away an hour later by the next one.

    :raises CannotTell: when it cannot be written. What `fill` raises comes through.
    """
    making: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        making = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        fill(making)
        making.chmod(0o755)
        _take_name(making, target)
    except OSError as error:
        message = f"{target}: cannot be written: {error.strerror or error}"
        raise CannotTell(message, "free some space or choose another folder") from None
    finally:
        if making:
            shutil.rmtree(making, ignore_errors=True)


def _take_name(making: Path, target: Path) -> None:
    try:
        making.rename(target)
    except OSError:
        # a folder that is not empty refuses to be replaced: somebody else was faster
        if not target.is_dir():
            raise


def _sweep(target: Path) -> None:
    for left in target.parent.glob(f".{target.name}.*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
