"""Copies of a bot's database, each made before another release took its trades over."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import CannotTell

MOST_COPIES = 20
"""Of one bot; the oldest go first."""


def keep(database: Path, folder: Path, release: str, now: datetime) -> Path:
    """Copy a database as it is at one moment, also while its bot writes; the copy.

    It is named after the time and the release whose trades they are.

    :raises CannotTell: when it cannot be copied; then there is no copy.
    """
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    copy = folder / f"{moment}-{release or 'unknown'}.sqlite"
    making = copy.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        making.unlink(missing_ok=True)
        source = f"{database.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(source, uri=True, timeout=5)) as there,
            closing(sqlite3.connect(making)) as here,
        ):
            there.backup(here)
        making.replace(copy)
        _thin(folder)
    except (sqlite3.Error, OSError) as error:
        making.unlink(missing_ok=True)
        hint = "its open trades stay with the release that has them"
        raise CannotTell(f"{database}: cannot be copied: {error}", hint) from None
    return copy


def _thin(folder: Path) -> None:
    for old in sorted(folder.glob("*.sqlite"))[:-MOST_COPIES]:
        old.unlink()
