"""The import table of the design, and the sizes and words it asks for."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = sorted(path for part in ("pipelines", "runner") for path in (ROOT / part).rglob("*.py"))

PURE = [name for name in ("domain", "statistics") if (ROOT / "pipelines" / name).is_dir()]

PLANTED = {
    "pipelines.reports.planted -> pipelines.workflow": (
        "The delivery side is layered, and a new package must find its layer"
    ),
    "pipelines.domain.planted -> pipelines.errors": ("The domain knows nobody"),
    "pipelines.domain.planted -> os": "The domain is pure",
    "pipelines.domain.planted -> numpy": "In the domain only candles and trades are numpy's",
    "pipelines.checks.planted -> subprocess": ("Checks get what does I/O through their workbench"),
    "pipelines.cli -> pipelines.domain.planted": "The command line calls workflows only",
    "pipelines.checks.planted -> pipelines.backtesting": ("Nobody imports what runs strategy code"),
    "pipelines.domain.planted -> freqtrade": "Only children import freqtrade",
    "pipelines.adapters.planted -> pandas": (
        "Only children and the reading of candles import pandas"
    ),
    "pipelines.freqtrade.planted -> runner": "The delivery side never imports the runner",
    "runner.planted -> pipelines.workflow": "The runner never imports what delivers",
    "runner.exchange.core.planted -> sqlite3": "The books of the exchange are pure",
}
"""For every contract an import that breaks it."""


def contracts() -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["name"] for contract in config["tool"]["importlinter"]["contracts"]]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the packages in `folder`, wherever others are installed."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import *; "
    return subprocess.run(
        [sys.executable, "-c", program + "lint_imports_command(['--no-cache', '--no-logo'])"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_contract_ran_and_is_kept() -> None:
    ended = lint_imports(ROOT)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"Contracts: {len(contracts())} kept, 0 broken." in ended.stdout
    assert [name for name in contracts() if f"{name} KEPT" not in ended.stdout] == []


def test_every_contract_can_be_broken(tmp_path: Path) -> None:
    for package in ("pipelines", "runner"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for link in PLANTED:
        plant(tmp_path, *link.split(" -> "))

    ended = lint_imports(tmp_path)

    assert sorted(PLANTED.values()) == sorted(contracts())
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert f"Contracts: 0 kept, {len(contracts())} broken." in ended.stdout
    missing = [link for link, name in PLANTED.items() if link not in told(ended.stdout, name)]
    assert missing == [], ended.stdout


def plant(folder: Path, importer: str, imported: str) -> None:
    file = (folder / importer.replace(".", "/")).with_suffix(".py")
    with file.open("a") as text:
        text.write(f"\nimport {imported}\n")


def told(output: str, contract: str) -> str:
    """What import-linter says about one broken contract."""
    section = output.partition("Broken contracts")[2].partition(f"{contract}\n---")[2]
    return re.split(r"\n---+\n", section.partition("\n")[2])[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


VALUES = """
__future__ abc ast base64 bisect collections contextlib dataclasses datetime decimal difflib enum
fractions functools hashlib heapq itertools json math numpy operator pathlib pipelines pydantic
pydantic_core re statistics string types typing unicodedata warnings zoneinfo
"""
"""What a pure package may import: values, and what reads or builds them."""

IMPURE = re.compile(
    r"\bPath\(|import Path\b|\bopen\(|\.(now|today|utcnow)\(|\bdefault_rng\(\)|np\.random\.[a-z]"
)


@pytest.mark.parametrize("package", PURE)
def test_pure_packages_import_values_only(package: str) -> None:
    strangers = [
        f"{shown(path)}: {name}"
        for path in (ROOT / "pipelines" / package).rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] not in VALUES.split()
    ]
    assert strangers == []


@pytest.mark.parametrize("package", PURE)
def test_pure_packages_read_no_clock_no_file_and_no_dice(package: str) -> None:
    found = [
        f"{shown(path)}: {match.group()}"
        for path in (ROOT / "pipelines" / package).rglob("*.py")
        for match in IMPURE.finditer(path.read_text())
    ]
    assert found == []


def test_strategies_import_nothing_of_ours() -> None:
    allowed = {"freqtrade", "numpy", "pandas", "pytest", "shared", "strategy", "talib", "technical"}
    found = [
        f"{shown(path)}: {name}"
        for path in (ROOT / "strategies").rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] not in allowed | {path.parent.name} | set(sys.stdlib_module_names)
    ]
    assert found == []


WALK = """
import importlib, json, pkgutil, sys
import pipelines, runner
children = ("pipelines.backtesting", "runner.bots")
names = []
for package in (pipelines, runner):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name.startswith(children) or found.name.endswith("__main__"):
            continue
        importlib.import_module(found.name)
        names.append(found.name)
files = [str(getattr(module, "__file__", "")) for module in list(sys.modules.values())]
print(json.dumps({"walked": names, "loaded": sorted(sys.modules), "files": files}))
"""


@pytest.fixture(scope="module")
def parent() -> dict[str, Any]:
    """What a process holds that has imported everything but what runs in children."""
    ended = subprocess.run(
        [sys.executable, "-c", WALK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    loaded: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return loaded


def test_the_walk_reaches_every_module(parent: dict[str, Any]) -> None:
    names = {shown(path).removesuffix(".py").removesuffix("/__init__") for path in PRODUCT}
    mine = {name.replace("/", ".") for name in names if "/" in name and "__main__" not in name}
    children = {n for n in mine if n.startswith(("pipelines.backtesting", "runner.bots"))}
    assert mine - children - set(parent["walked"]) == set()


@pytest.mark.parametrize("module", ["freqtrade", "talib", "technical", "pandas", "numba", "ccxt"])
def test_the_parent_never_imports(module: str, parent: dict[str, Any]) -> None:
    assert module not in parent["loaded"]


def test_the_parent_never_imports_strategy_code(parent: dict[str, Any]) -> None:
    strategies = str(ROOT / "strategies")
    assert [file for file in parent["files"] if file.startswith(strategies)] == []


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_modules_have_at_most_300_lines() -> None:
    sizes = {shown(path): path.read_text().count("\n") for path in PRODUCT}
    assert {name: lines for name, lines in sizes.items() if lines > 300} == {}


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[Path, Any]]:
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kinds):
                yield path, node


def test_functions_have_at_most_60_lines() -> None:
    long = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


ANYWHERE = {"util", "utils", "helper", "helpers", "manager", "artifact", "bundle"}
"""Words that no name at all contains."""

THINGS = {*ANYWHERE, "common", "base", "handler", "service", "stage", "outcome", "result"}
"""Words that no module and no class is called by: empty, or a second word for one idea."""


def words(name: str) -> set[str]:
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def test_modules_and_classes_are_called_by_what_they_are() -> None:
    modules = [
        shown(path)
        for path in PRODUCT
        if words(path.stem) & THINGS or words(path.parent.name) & THINGS
    ]
    classes = [
        f"{shown(path)}: {node.name}"
        for path, node in nodes(ast.ClassDef)
        if words(node.name) & THINGS
    ]
    assert modules + classes == []


def test_no_name_uses_a_second_word_for_one_idea() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.arg, ast.Name)
    names = {
        f"{shown(path)}: {name}"
        for path, node in nodes(*kinds)
        for name in [getattr(node, "name", None) or getattr(node, "arg", None) or node.id]
        if words(name) & ANYWHERE
    }
    assert sorted(names) == []


def public(path: Path) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    module = ast.parse(path.read_text())
    yield module
    for node in module.body:
        # The names of tests are sentences already.
        private = ("_", "test_")
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith(private):
            yield node


def test_public_nouns_and_verbs_have_docstrings() -> None:
    silent = [
        f"{shown(path)}: {getattr(node, 'name', 'the module')}"
        for path in PRODUCT
        for node in public(path)
        if not ast.get_docstring(node)
    ]
    assert silent == []


def tool(*argv: str) -> str:
    """What a tool complains about, empty when it is content."""
    ended = subprocess.run(
        [sys.executable, "-m", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def test_ruff_is_content() -> None:
    assert tool("ruff", "check", "--no-cache", "--output-format", "concise", ".") == ""


def test_the_format_is_ruffs() -> None:
    assert tool("ruff", "format", "--no-cache", "--check", ".") == ""


@pytest.mark.slow
def test_types_hold_under_mypy_strict(tmp_path: Path) -> None:
    # A cache of its own: one that another run is writing tells of errors that are not there.
    assert tool("mypy", "--cache-dir", str(tmp_path)) == ""
