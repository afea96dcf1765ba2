"""Runs tests over a changed module, in a process of their own that ends with the answer.

What is slow to import is imported once, before the forks: pytest, Hypothesis, pydantic, and those
of our modules that do not import the changed one, so that each fork loads the others with the
change in them. Hypothesis tries the same
examples every time, and does not look for smaller ones.
"""

import gc
import importlib
import os
import resource
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import hypothesis.stateful
import pydantic
import pytest
from hypothesis import Phase, settings

PROCESSES = 2
ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60
"""Of the processor: what takes longer never ends. The slowest of these tests take 10."""

MEMORY = 2 << 30
EXAMPLES = 40

FAILED = 20
_NO_ANSWER = {int(pytest.ExitCode.USAGE_ERROR), int(pytest.ExitCode.NO_TESTS_COLLECTED), FAILED}
settings.register_profile(
    "mutants",
    max_examples=EXAMPLES,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    database=None,
    deadline=None,
)
settings.load_profile("mutants")

_LOADED = pydantic.VERSION, hypothesis.stateful.Bundle


class Answer(Enum):
    """What the tests said."""

    SURVIVED = 0
    KILLED = 1
    STILLBORN = 10
    """It cannot even be imported: no test has to notice that."""


class _Changed(MetaPathFinder, Loader):
    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


class _TablesFirst:
    """The quick ones kill most: what Hypothesis runs comes last. State machines take no longer."""

    @staticmethod
    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: _slow(getattr(item, "obj", None)))
        for machine in {getattr(item, "cls", None) for item in items} - {None}:
            machine.settings = settings(machine.settings, max_examples=EXAMPLES)


def _slow(test: Any) -> bool:
    return hasattr(test, "hypothesis") or getattr(test, "__name__", "") == "runTest"


def tried(path: Path, codes: Sequence[Callable[[], str]], tests: Sequence[str]) -> list[Answer]:
    """What the tests say of a module with each of these codes, in their order."""
    _prepare(name_of(path))
    answers: dict[int, Answer] = {}
    running: dict[int, int] = {}
    waiting = list(enumerate(codes))[::-1]
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            number, code = waiting.pop()
            running[_begun(path, code, tests)] = number
        child, status = os.wait()
        answers[running.pop(child)] = answer(os.waitstatus_to_exitcode(status))
    return [answers[number] for number in range(len(codes))]


def afresh() -> None:
    """Nothing of the project is loaded any more, and it is found."""
    os.chdir(ROOT)
    sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]
    for name in [n for n in sys.modules if n.partition(".")[0] in {"pipelines", "tests"}]:
        del sys.modules[name]


def _prepare(name: str) -> None:
    """Import all of the project that the module needs, and forget what would need the module."""
    afresh()
    importlib.import_module(name)
    ours = {n: m.__file__ for n, m in sys.modules.items() if n.startswith("pipelines.")}
    texts = {n: Path(file).read_text() for n, file in ours.items() if file}
    forget = [name]
    for each in forget:
        package, _, leaf = each.rpartition(".")
        words = f"{each} import", f"{package} import {leaf}"
        needs = {n for n, text in texts.items() if any(word in text for word in words)}
        forget += sorted(needs - set(forget))
    for each in forget:
        package, _, leaf = each.rpartition(".")
        del sys.modules[each]
        vars(sys.modules[package]).pop(leaf, None)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _begun(path: Path, code: Callable[[], str], tests: Sequence[str]) -> int:
    child = os.fork()
    if child:
        return child
    # Whatever ends it on the way, the last word stands.
    told = FAILED
    try:
        alone()
        changed = code()
        told = Answer.STILLBORN.value
        _load(path, changed)
        told = Answer.KILLED.value
        told = collected(tests)
    finally:
        os._exit(told)


def answer(code: int) -> Answer:
    """One that a signal ended took for ever, or all the memory: nobody overlooks that."""
    if code in _NO_ANSWER:
        raise RuntimeError(f"a process ended with {code}: no test ran")
    return Answer(code) if code in {0, 10} else Answer.KILLED


def alone() -> None:
    """Silent and bounded."""
    gc.disable()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _load(path: Path, code: str) -> None:
    sys.meta_path.insert(0, _Changed(name_of(path), compile(code, str(path), "exec")))
    importlib.import_module(name_of(path))


def collected(tests: Sequence[str], *plugins: object) -> int:
    """Collect these tests and run them, and return what pytest says."""
    # What pytest does beside running tests takes longer than most of them.
    without = (
        "cacheprovider",
        "unraisableexception",
        "threadexception",
        "junitxml",
        "faulthandler",
        "terminal",
    )
    words = ["-x", "--noconftest", "--assert=plain", "--import-mode=importlib", "-o", "addopts="]
    words += [word for name in without for word in ("-p", f"no:{name}")]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main([*words, *tests], plugins=[_TablesFirst(), *plugins]))
