"""Loads ccxt without its hundred exchanges: each comes when it is asked for.

ccxt itself stays as it is. Whoever imports it first after `put_off` pays for what he uses only.
"""

import ast
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

LISTS = ("ccxt", "ccxt.async_support", "ccxt.pro")
"""Packages that import one module for each exchange, and take its class of the same name."""


def put_off() -> None:
    """Let exchanges that are imported from here on come one by one. Doing it again does nothing."""
    if not any(isinstance(finder, _Lists) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Lists())


class _Lists(MetaPathFinder):
    """Finds the packages that list exchanges."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in LISTS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _ListLoader(spec.loader.name, spec.loader.path)
        return spec


class _ListLoader(SourceFileLoader):
    """Loads such a package without its exchanges: each comes when it is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        tree = ast.parse(self.get_data(self.path), self.path)
        module.__dict__["_later"] = frozenset(filter(None, map(_exchange, tree.body)))
        module.__class__ = _List
        super().exec_module(module)

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.parse(self.get_data(self.path), self.path)
        tree.body = [node for node in tree.body if not _exchange(node)]
        return compile(tree, self.path, "exec", dont_inherit=True)


class _List(ModuleType):
    """A package whose exchanges are imported when they are asked for."""

    def __getattr__(self, name: str) -> object:
        if name not in self.__dict__.get("_later", ()):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{self.__name__}.{name}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        # Whoever imports a module of a package sets it there: what the package shows is the class.
        if isinstance(value, ModuleType) and name in self.__dict__.get("_later", ()):
            value = getattr(value, name)
        super().__setattr__(name, value)


def _exchange(node: ast.stmt) -> str:
    """The exchange that a statement like `from ccxt.kraken import kraken` is about."""
    if not isinstance(node, ast.ImportFrom) or len(node.names) != 1 or not node.module:
        return ""
    name = node.names[0].name
    package, _, module = node.module.rpartition(".")
    return name if package in LISTS and module == name and not node.names[0].asname else ""
