"""Where plugins are read from: the working copy, or a revision that is not checked out.

Both refuse what is no plain file, so that a plugin's digest covers all that it can be.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pipelines.adapters import git

FOLDER = "strategies"
MOST_BYTES = 1 << 20
MOST_BYTES_IN_ALL = 8 << 20
MOST_FILES = 200
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


@dataclass(frozen=True)
class Leaf:
    """Something that lies in a plugin's folder.

    `path` is below `strategies/`, `size` in bytes, `fault` says what is wrong with it.
    """

    path: str
    size: int
    fault: str = ""
    hint: str = ""


class Tree(Protocol):
    """A `strategies` folder."""

    def names(self) -> tuple[str, ...]:
        """Every folder in it but the shared code, hidden ones and caches."""
        ...

    def leaves(self, folder: str) -> tuple[Leaf, ...]:
        """What lies below a folder, caches apart, sorted by path; nothing when it is not there."""
        ...

    def contents(self, paths: tuple[str, ...]) -> dict[str, bytes]:
        """The contents of leaves without fault, by path."""
        ...


def is_cache(path: str) -> bool:
    """True for what tools leave behind: it is no part of a plugin."""
    parts = path.split("/")
    return any(p.startswith(".") or p == "__pycache__" for p in parts) or path.endswith(
        (".pyc", ".pyo")
    )


def _named(path: str, size: int) -> Leaf:
    if not all(_PLAIN.fullmatch(part) for part in path.split("/")):
        # Names go into digests line by line: one with a newline could pose as two files.
        shown = path.encode("unicode_escape", "surrogateescape").decode("ascii", "replace")
        return Leaf(shown, 0, "has an unusual name", "use letters, digits, '_', '-' and '.'")
    if size > MOST_BYTES:
        megabytes = f"{size / 1e6:.1f} MB"
        return Leaf(path, 0, f"is too large: {megabytes}, at most 1 MiB", "candles live elsewhere")
    return Leaf(path, size)


_LINK = ("is a symbolic link", "put the file itself there; shared code lives in strategies/shared")


@dataclass(frozen=True)
class WorkingTree:
    """`strategies/` as it lies on the disk, uncommitted work included."""

    root: Path

    def names(self) -> tuple[str, ...]:
        folder = self.root / FOLDER
        if not folder.is_dir():
            return ()
        return tuple(
            sorted(
                entry.name
                for entry in os.scandir(folder)
                if (entry.is_symlink() or entry.is_dir())
                and entry.name != "shared"
                and not is_cache(entry.name)
            )
        )

    def leaves(self, folder: str) -> tuple[Leaf, ...]:
        top = self.root / FOLDER / folder
        if top.is_symlink():
            return (Leaf(folder, 0, *_LINK),)
        if not top.is_dir():
            return ()
        return tuple(sorted(_walk(top, folder), key=lambda leaf: leaf.path))

    def contents(self, paths: tuple[str, ...]) -> dict[str, bytes]:
        return {path: _read(self.root / FOLDER / path) for path in paths}


def _walk(top: Path, prefix: str) -> Iterator[Leaf]:
    for entry in os.scandir(top):
        path = f"{prefix}/{entry.name}"
        if is_cache(entry.name):
            continue
        if entry.is_symlink():
            yield Leaf(path, 0, *_LINK)
        elif entry.is_dir():
            yield from _walk(Path(entry.path), path)
        elif entry.is_file():
            yield _named(path, entry.stat(follow_symlinks=False).st_size)
        else:
            yield Leaf(path, 0, "is no ordinary file", "take it out")


def _read(path: Path) -> bytes:
    # It was looked at a moment ago; what it has become since must not be followed or waited for.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no ordinary file")
        return file.read(MOST_BYTES + 1)


@dataclass(frozen=True)
class Revision:
    """`strategies/` as it was in a commit, read without checking it out."""

    root: Path
    commit: str

    @cached_property
    def _entries(self) -> dict[str, git.Entry]:
        listed = git.tree(self.root, self.commit, FOLDER)
        return {entry.path.removeprefix(f"{FOLDER}/"): entry for entry in listed}

    def names(self) -> tuple[str, ...]:
        tops = {path.split("/")[0] for path in self._entries if "/" in path}
        return tuple(sorted(top for top in tops if top != "shared" and not is_cache(top)))

    def leaves(self, folder: str) -> tuple[Leaf, ...]:
        return tuple(
            _of_revision(path, entry)
            for path, entry in sorted(self._entries.items())
            if (path == folder or path.startswith(f"{folder}/")) and not is_cache(path)
        )

    def contents(self, paths: tuple[str, ...]) -> dict[str, bytes]:
        wanted = {path: self._entries[path].identity for path in paths}
        found = git.contents(self.root, tuple(sorted(set(wanted.values()))))
        return {path: found[identity] for path, identity in wanted.items()}


def _of_revision(path: str, entry: git.Entry) -> Leaf:
    if entry.mode == "120000":
        return Leaf(path, 0, *_LINK)
    if not entry.mode.startswith("100"):
        return Leaf(path, 0, "is no ordinary file", "submodules are not part of a plugin")
    return _named(path, entry.size)
