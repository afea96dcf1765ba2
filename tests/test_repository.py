"""What the repository promises whoever opens it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines import __version__

ROOT = Path(__file__).resolve().parent.parent


def repository_files() -> list[Path]:
    """What is committed, or would be with `git add --all`."""
    ended = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    paths = [ROOT / line for line in ended.stdout.splitlines()]
    return [path for path in paths if path.is_file()]


def lines_with(pattern: str) -> list[str]:
    found = []
    for path in repository_files():
        if b"\0" in (content := path.read_bytes()):
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:90]}")
    return found


# The patterns are written so that they don't find themselves.
@pytest.mark.needs("git")
@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<![\w.])/[w]ork/",
        r"(?<![\w.])/[r]oot/",
        r"/tmp/[l]ab",
        r"/opt/[p]ypi",
        r"/opt/[w]heels",
        r"[f]ile:///\w",
        r"pypi\.[o]rg/simple",
        r"--(extra-)?[i]ndex-url[= ]\S",
        r"--[f]ind-links[= ]\S",
    ],
)
def test_no_file_names_a_machine_or_a_package_index(pattern: str) -> None:
    assert lines_with(pattern) == []


@pytest.mark.needs("git")
def test_nothing_is_left_for_later() -> None:
    assert lines_with(r"\b(TO[D]O|FIX[M]E|X{3}|HA[C]K)\b") == []


def test_no_test_is_skipped_for_good() -> None:
    marked = re.compile(r"pytest\.mark\.(skip|xfail)\b")
    tests = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("strategies/*/test_*.py")]
    assert [str(path) for path in tests if any(map(marked.search, decorators(path)))] == []


def decorators(path: Path) -> Iterator[str]:
    """What stands above the functions and classes of a file; texts in it do not count."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from map(ast.unparse, node.decorator_list)


def test_tests_are_no_package() -> None:
    assert list(ROOT.glob("tests/**/__init__.py")) == []


@pytest.mark.parametrize(
    "folder",
    ["pipelines", "runner", "environments", "benchmarks", "tests", "docs", ".github", "."],
)
def test_every_folder_says_what_it_is_for(folder: str) -> None:
    assert (ROOT / folder / "README.md").read_text().startswith("# ")


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_hooks_run_what_is_installed_and_fetch_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [source["repo"] for source in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["id"] for hook in hooks if "additional_dependencies" in hook] == []


def scripts() -> list[str]:
    """Every shell script, by its first line."""
    return [
        str(path.relative_to(ROOT))
        for path in repository_files()
        if re.match(rb"#!/(usr/)?bin/(env )?(ba|da)?sh\b", path.read_bytes()[:40])
    ]


@pytest.mark.needs("git")
def test_shell_scripts_can_be_run() -> None:
    assert ".ci/run" in scripts()
    assert [name for name in scripts() if not os.access(ROOT / name, os.X_OK)] == []


@pytest.mark.needs("git", "shellcheck")
def test_shell_scripts_please_shellcheck(shellcheck: str) -> None:
    ended = subprocess.run(
        [shellcheck, *scripts()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.stdout + ended.stderr == ""


@pytest.mark.parametrize(
    "name",
    sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"].items()),
)
def test_console_scripts_lead_to_a_function(name: tuple[str, str]) -> None:
    module, _, function = name[1].partition(":")
    program = f"from {module} import {function}; print(callable({function}))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "True\n", ended.stderr
