"""The locks: every package by hash, nothing of the machine that made them, tools to build with."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ("build", "runtime", "dev")


def pins(root: Path, lock: str) -> dict[str, str]:
    """Each package's line, by its name."""
    entries: dict[str, str] = {}
    text = (root / f"requirements/{lock}.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name = re.split(r"[=\s;]", line, maxsplit=1)[0]
            assert name not in entries, f"{lock}: {name} is locked twice"
            entries[name] = line
    return entries


def asked(root: Path, lock: str) -> set[str]:
    lines = (root / f"requirements/{lock}.in").read_text().splitlines()
    return {
        canonicalize_name(Requirement(line).name)
        for line in lines
        if line and not line.startswith(("#", "-"))
    }


def version(line: str) -> str:
    return line.partition("==")[2].split()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_one_version_with_hashes(root: Path, lock: str) -> None:
    entries = pins(root, lock)
    assert entries
    for name, line in entries.items():
        shape = rf"{re.escape(name)}==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{{64}})+\s*"
        assert re.fullmatch(shape, line), line


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index_an_address_or_a_path(root: Path, lock: str) -> None:
    text = (root / f"requirements/{lock}.txt").read_text()
    bare = re.sub(r"--hash=sha256:[0-9a-f]{64}|requirements/compile\.sh", "", text)
    assert not re.search(r"://|file:|@|--index|--extra|--find-links|--trusted|/", bare)


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_asked_for_is_locked(root: Path, lock: str) -> None:
    assert asked(root, lock) <= pins(root, lock).keys()


def test_the_locks_agree_where_they_overlap(root: Path) -> None:
    runtime, dev, build = (pins(root, lock) for lock in ("runtime", "dev", "build"))
    assert runtime.keys() <= dev.keys()
    for smaller in (runtime, build):
        for name in smaller.keys() & dev.keys():
            assert version(smaller[name]) == version(dev[name]), name


def test_what_the_project_is_built_with_is_locked(root: Path) -> None:
    needed = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = pins(root, "build").keys()
    assert {canonicalize_name(Requirement(line).name) for line in needed} <= locked
    assert {"setuptools", "wheel"} <= locked
