"""Puts new plugins into `strategies/`: all of them, or none."""

import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from pipelines.adapters import plugins
from pipelines.adapters.trees import FOLDER
from pipelines.errors import CannotTell, Problem

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "ADA/USDT", "LTC/USDT")
"""The pairs of the embedded market."""


def from_template(name: str, words: Mapping[str, str]) -> bytes:
    """A template of the scaffold with its words filled in."""
    file = resources.files("pipelines.workflow") / "scaffold" / f"{name}.txt"
    return Template(file.read_text("utf-8")).substitute(words).encode()


def refuse_taken(root: Path, name: str) -> None:
    """Refuse a name that a plugin cannot have, or that something has already.

    :raises BadInput: with what to do instead.
    """
    plugins.check_name(name)
    folder = root / FOLDER
    there = {p.name.casefold(): p.name for p in folder.iterdir()} if folder.is_dir() else {}
    if (taken := there.get(name.casefold())) is not None:
        hint = "nothing was changed; choose another name, or change the plugin itself"
        raise Problem(f"{FOLDER}/{taken}", "exists already", hint=hint)


def plant(root: Path, made: Mapping[str, Mapping[str, bytes]]) -> tuple[Path, ...]:
    """Write plugins, by name their files by name. What was there stays untouched.

    :raises BadInput: when a name is taken.
    :raises CannotTell: when the disk refuses; nothing is left half written then.
    """
    for name in made:
        refuse_taken(root, name)
    folder = root / FOLDER
    begun, placed = list[Path](), list[Path]()
    try:
        folder.mkdir(exist_ok=True)
        for name, files in made.items():
            begun.append(_built(folder, name, files))
        for temporary, name in zip(begun, made, strict=True):
            temporary.rename(folder / name)
            placed.append(folder / name)
    except OSError as error:
        for path in (*begun, *placed):
            shutil.rmtree(path, ignore_errors=True)
        raise CannotTell(
            f"{folder}: cannot be written: {error.strerror}", "free some space, or see who owns it"
        ) from None
    return tuple(folder / name / file for name, files in made.items() for file in files)


def _built(folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    # Hidden until it is whole, so that nobody takes it for a plugin.
    temporary = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}."))
    try:
        temporary.chmod(0o755)
        for file, content in files.items():
            (temporary / file).write_bytes(content)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return temporary
