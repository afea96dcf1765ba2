"""Tries changes inside functions: the tests are collected once, and each fork gets other code.

Five times as fast as loading the module anew. What tests make while they are collected is made by
the unchanged functions, so it is for modules whose tests make nothing with them before they run.
"""

import ast
import os
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from mutating import Mutant
from trying import FAILED, PROCESSES, Answer, afresh, alone, answer, collected, name_of


class _Patching:
    """Runs the collected tests once for each mutant, in a fork that has its code."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.mutants, self.own = mutants, os.getpid()
        self.codes: list[int] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        """The parent has run everything when its children have; they run what pytest would."""
        codes, running = dict[int, int](), dict[int, int]()
        waiting = list(enumerate(self.mutants))[::-1]
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                number, mutant = waiting.pop()
                child = os.fork()
                if not child:
                    self._become(mutant)
                    return None
                running[child] = number
            child, status = os.wait()
            codes[running.pop(child)] = os.waitstatus_to_exitcode(status)
        self.codes = [codes[number] for number in range(len(self.mutants))]
        return True

    @staticmethod
    def _become(mutant: Mutant) -> None:
        done = False
        try:
            alone()
            patch(mutant)
            done = True
        finally:
            if not done:
                os._exit(FAILED)


def patched(path: Path, mutants: Sequence[Mutant], tests: Sequence[str]) -> list[Answer]:
    """What the tests say of each of these mutants, in their order."""
    afresh()
    loop = _Patching(mutants)
    code = collected(tests, loop)
    if os.getpid() != loop.own:
        os._exit(code)
    if len(loop.codes) != len(mutants):
        raise RuntimeError(f"{path.name}: its tests cannot be collected")
    return [answer(each) for each in loop.codes]


def function_of(path: Path, line: int) -> str | None:
    """The function or method in whose body a line is; none when it is anywhere else."""
    return _within(ast.parse(path.read_text()).body, line, "")


def _within(body: list[ast.stmt], line: int, before: str) -> str | None:
    for node in body:
        if isinstance(node, ast.ClassDef):
            if found := _within(node.body, line, f"{node.name}."):
                return found
        elif isinstance(node, ast.FunctionDef):
            inside = node.body[0].lineno <= line <= (node.end_lineno or 0)
            if inside:
                return before + node.name
    return None


def patch(mutant: Mutant) -> None:
    """Give a function that is loaded the code that the mutant has for it.

    :raises KeyError: when there is no such function.
    """
    name = function_of(mutant.path, mutant.line)
    assert name is not None
    found: Any = sys.modules[name_of(mutant.path)]
    for part in name.split("."):
        found = vars(found)[part]
    function = _plain(found)
    function.__code__ = _codes(compile(mutant.read(), str(mutant.path), "exec"))[name]


def _plain(found: Any) -> FunctionType:
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, cached_property):
        found = found.func
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    if not isinstance(found, FunctionType):
        raise KeyError(str(found))
    return found


def _codes(code: CodeType) -> dict[str, CodeType]:
    found = {}
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found |= {each.co_qualname: each} | _codes(each)
    return found
