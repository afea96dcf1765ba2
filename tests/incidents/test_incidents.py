"""`docs/incidents.md` names a test for each incident, and that test is there."""

import ast
import re
from pathlib import Path

import pytest

NAMED = re.compile(r"\| `(tests/[\w/]+\.py)::(\w+)` \|$")


def rows(root: Path) -> list[str]:
    """Every row of the page's tables that tells an incident."""
    lines = (root / "docs" / "incidents.md").read_text(encoding="utf-8").splitlines()
    heads = {n - 1 for n, line in enumerate(lines) if line.startswith("|---")}
    told = [line for n, line in enumerate(lines) if line.startswith("|") and n not in heads]
    return [line for line in told if not line.startswith("|---")]


def of_file(file: Path) -> set[str]:
    body = ast.parse(file.read_bytes()).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    return {name for name in functions if name.startswith("test_")}


@pytest.fixture(scope="module")
def named(root: Path) -> list[tuple[str, str]]:
    found = [NAMED.search(row) for row in rows(root)]
    return [(each[1], each[2]) for each in found if each]


def test_every_incident_names_one_test_of_its_own(root: Path, named: list[tuple[str, str]]) -> None:
    assert len(named) == len(rows(root)) > 20
    assert len(set(named)) == len(named)


def test_every_test_that_is_named_is_there(root: Path, named: list[tuple[str, str]]) -> None:
    assert [(file, name) for file, name in named if name not in of_file(root / file)] == []


def test_every_test_of_an_incident_is_named(root: Path, named: list[tuple[str, str]]) -> None:
    here = Path(__file__)
    files = [file for file in here.parent.glob("test_*.py") if file != here]
    own = {(str(file.relative_to(root)), name) for file in files for name in of_file(file)}
    assert own - set(named) == set()
