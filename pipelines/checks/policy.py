"""The policy: what strategy code may name, decided on its syntax tree.

An aid to the reviewer and no boundary: what shuts strategy code in is isolation. It is an
allow-list, because whatever it does not know it should show to a human.
"""

import ast
from collections.abc import Mapping

from pipelines.checks.grammar import Objection, Reader
from pipelines.checks.permitted import MODULES, TEST_MODULES
from pipelines.checks.scopes import bindings, exports
from pipelines.domain.source import NotPython, parse
from pipelines.domain.strategy import SourceFile
from pipelines.domain.verdict import Finding

KINDS = (".py", ".yaml", ".json", ".md", ".txt", ".csv", ".png", ".svg")
"""What a plugin's folder may hold."""


def findings(files: tuple[SourceFile, ...]) -> tuple[Finding, ...]:
    """What the policy objects to in a plugin's files and the shared code it uses."""
    trees, found = dict[str, ast.Module](), list[Finding]()
    for file in files:
        if not file.path.endswith(KINDS):
            text = "is of a kind that does not belong into a plugin"
            found.append(_finding(file.path, Objection(0, text, f"only {', '.join(KINDS)} do")))
        elif file.path.endswith(".py"):
            try:
                trees[file.path] = parse(file.content)
            except NotPython as error:
                hint = "nothing else can be said about this file before it parses"
                found.append(_finding(file.path, Objection(error.line, error.message, hint)))
    for path, tree in trees.items():
        found += [_finding(path, each) for each in examine(path, tree, trees)]
    return tuple(found)


def _finding(path: str, objection: Objection) -> Finding:
    place = f"strategies/{path}:{objection.line}" if objection.line else f"strategies/{path}"
    return Finding(what=f"{place}: {objection.text}", hint=objection.hint)


def examine(path: str, tree: ast.Module, trees: Mapping[str, ast.Module]) -> tuple[Objection, ...]:
    """What the policy objects to in one file, in the order of its lines, each thing once.

    `trees` are all files by path, this one too: they may import each other.
    """
    folder, name = path.split("/", 1)[0], path.rsplit("/", 1)[-1]
    is_test = name.startswith("test_") or name == "conftest.py"
    modules = {**MODULES, **(TEST_MODULES if is_test else {}), **_siblings(folder, trees)}
    reader = Reader(modules, bindings(tree, modules), is_test=is_test)
    reader.visit(tree)
    own = [_shadows(name)] if name.removesuffix(".py") in {m.split(".")[0] for m in MODULES} else []
    every = dict.fromkeys([*own, *reader.found])
    return tuple(sorted(every, key=lambda objection: objection.line))


def _shadows(name: str) -> Objection:
    return Objection(0, f"{name} hides a module of that name", "call the file something else")


def _siblings(folder: str, trees: Mapping[str, ast.Module]) -> dict[str, frozenset[str]]:
    found = dict[str, frozenset[str]]()
    for path, tree in trees.items():
        top, _, rest = path.partition("/")
        stem = rest.removesuffix(".py")
        if "/" not in stem and top == "shared":
            found[f"shared.{stem}"] = exports(tree)
        elif "/" not in stem and top == folder:
            found[stem] = exports(tree)
    return found
