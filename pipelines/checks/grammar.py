"""The grammar of the policy: walks the syntax tree of one file and objects."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.checks.lookahead import looks_ahead
from pipelines.checks.permitted import (
    ALL_BUILTINS,
    BUILTINS,
    CONFIG_KEYS,
    DUNDER_METHODS,
    DUNDER_NAMES,
    is_refused_attribute,
    why_not,
)
from pipelines.checks.scopes import Bindings, local_names
from pipelines.checks.shapes import (
    BY_NAME,
    SEE,
    annotations,
    defaults,
    instead,
    is_own_class,
    is_plain,
    is_plain_format,
    is_plain_getattr,
    is_special,
    is_super_call,
    key_of,
    root_of,
)


@dataclass(frozen=True)
class Objection:
    """Something in a file that the policy does not permit."""

    line: int
    text: str
    hint: str


class Reader(ast.NodeVisitor):
    """Walks one file and keeps what it objects to. `locals` are the names of open functions."""

    def __init__(
        self, modules: Mapping[str, frozenset[str]], bound: Bindings, *, is_test: bool
    ) -> None:
        self.modules, self.bound, self.is_test = modules, bound, is_test
        self.found: list[Objection] = []
        self.locals: list[frozenset[str]] = []
        self.cleared: set[int] = set()
        self.called: set[int] = set()

    def object(self, node: ast.AST, text: str, hint: str = SEE) -> None:
        self.found.append(Objection(getattr(node, "lineno", 0), text, hint))

    # Imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in self.modules:
                self.object(node, f"imports {alias.name}", why_not(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            hint = "freqtrade loads a strategy without a package: import by name"
            self.object(node, f"imports relatively from {'.' * node.level}{module}", hint)
            return
        names = [alias.name for alias in node.names]
        refused = [name for name in names if name != "*" and not self._may_take(module, name)]
        if "*" in names:
            self.object(node, f"imports everything from {module}", "name what is used")
        if refused:
            known = module in self.modules
            hint = f"not among what may be taken from {module}" if known else why_not(module)
            self.object(node, f"imports {', '.join(refused)} from {module}", hint)

    def _may_take(self, module: str, name: str) -> bool:
        names = self.modules.get(module)
        if names is not None and (name in names or self._is_indicator(module, name)):
            return True
        return f"{module}.{name}" in self.modules

    @staticmethod
    def _is_indicator(module: str, name: str) -> bool:
        indicator = re.fullmatch(r"[A-Z][A-Z0-9_]*", name)
        return module in ("talib", "talib.abstract") and indicator is not None

    # Names

    def visit_Name(self, node: ast.Name) -> None:
        name = node.id
        if self._is_local(name) or id(node) in self.cleared:
            return
        if name.startswith("__") and name not in DUNDER_NAMES:
            self.object(node, f"names {name}", "special names lead out of the strategy")
        elif name in self.bound.modules and not isinstance(node.ctx, ast.Store):
            self.object(node, f"uses the module {name} as a value", "name what is used of it")
        elif name in ALL_BUILTINS and name not in BUILTINS and name not in DUNDER_NAMES:
            self.object(node, f"uses {name}", instead(name))

    def _is_local(self, name: str) -> bool:
        return any(name in names for names in self.locals)

    def visit_Global(self, node: ast.Global) -> None:
        text = f"writes the global {', '.join(node.names)}"
        self.object(node, text, "keep it in an attribute of the strategy")

    # Attributes

    def _module(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return None if self._is_local(node.id) else self.bound.modules.get(node.id)
        if isinstance(node, ast.Attribute) and (above := self._module(node.value)) is not None:
            dotted = f"{above}.{node.attr}"
            return dotted if any(f"{m}.".startswith(f"{dotted}.") for m in self.modules) else None
        return None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        above = self._module(node.value)
        if above is not None:
            self._attribute_of_module(node, above)
            return
        if node.attr == "__name__" and isinstance(node.ctx, ast.Load):
            if not is_own_class(node.value):
                self.visit(node.value)
            return
        self.visit(node.value)
        if id(node) in self.cleared:
            return
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            self._attribute_of_self(node)
        else:
            self._attribute_of_value(node)

    def _attribute_of_module(self, node: ast.Attribute, above: str) -> None:
        if not isinstance(node.ctx, ast.Load):
            text = f"changes {above}.{node.attr}"
            self.object(node, text, "every strategy of the bot would feel it")
        elif self._module(node) is None and not self._may_take(above, node.attr):
            hint = f"not among what may be taken from {above}"
            self.object(node, f"uses {above}.{node.attr}", hint)

    def _attribute_of_self(self, node: ast.Attribute) -> None:
        name = node.attr
        if name == "config":
            self.object(node, "hands on the whole configuration", "read one key of it by name")
        elif is_special(name):
            self.object(node, f"uses self.{name}", "special names lead out of the strategy")
        elif name.startswith("_") and name not in self.bound.own:
            self.object(node, f"uses self.{name}", "it belongs to freqtrade's insides")
        elif is_refused_attribute(name):
            self.object(node, f"uses .{name}", instead(name))

    def _attribute_of_value(self, node: ast.Attribute) -> None:
        name, root = node.attr, root_of(node)
        if name.startswith("_"):
            self.object(node, f"uses .{name}", "names with a leading underscore are not for others")
        elif name == "format":
            self.object(node, "formats a text that is not written out", "use an f-string")
        elif name in BY_NAME and id(node) not in self.called:
            self.object(node, f"takes .{name} without calling it", "call it there")
        elif is_refused_attribute(name):
            self.object(node, f"uses .{name}", instead(name))
        elif isinstance(node.ctx, ast.Store | ast.Del) and root in self.bound.values:
            self.object(node, f"changes {root}.{name}", "every strategy of the bot would feel it")

    # Calls

    def visit_Call(self, node: ast.Call) -> None:
        if not self.is_test and (text := looks_ahead(node)):
            self.object(node, text, "a candle knows nothing of later ones")
        self._clear_harmless(node.func)
        if isinstance(node.func, ast.Name) and not self._is_local(node.func.id):
            self._call_of_name(node, node.func)
        elif isinstance(node.func, ast.Attribute):
            self._call_of_attribute(node, node.func)
        self.generic_visit(node)

    def _call_of_name(self, node: ast.Call, func: ast.Name) -> None:
        if func.id in ("getattr", "hasattr"):
            if is_plain_getattr(node):
                self.cleared.add(id(func))
        elif func.id == "type" and len(node.args) != 1:
            self.object(node, "makes a class with type()", "write 'class'")

    def _call_of_attribute(self, node: ast.Call, func: ast.Attribute) -> None:
        if func.attr == "get" and node.args:
            self._read_config(func.value, key_of(node.args[0]))
        if func.attr in BY_NAME:
            self.called.add(id(func))
            given = [k.value for k in node.keywords if k.arg in ("func", "arg", None)]
            if any(not is_plain(each, self.bound) for each in [*node.args[:1], *given]):
                text = f"gives .{func.attr} a function that is not written out"
                self.object(node, text, "write the function or its name there")

    def _clear_harmless(self, func: ast.expr) -> None:
        """`super().__init__(…)` and `"{}".format(…)` are ordinary."""
        if not isinstance(func, ast.Attribute):
            return
        if is_plain_format(func) or is_super_call(func):
            self.cleared.add(id(func))

    # The configuration, of which the rest holds keys and secrets

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read_config(node.value, key_of(node.slice))
        self.generic_visit(node)

    def _read_config(self, node: ast.expr, key: str) -> None:
        if key in CONFIG_KEYS:
            self._clear_config(node)
        elif isinstance(node, ast.Name) and node.id == "config":
            self.object(node, f"reads {key or 'a computed key'} of the configuration", SEE)

    def visit_Compare(self, node: ast.Compare) -> None:
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                self._clear_config(right)
        self.generic_visit(node)

    def _clear_config(self, node: ast.expr) -> None:
        if isinstance(node, ast.Attribute) and node.attr == "config" and root_of(node) == "self":
            self.cleared.add(id(node))

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if is_special(node.name) and node.name not in DUNDER_METHODS:
            self.object(node, f"defines {node.name}", "Python would call it behind the scenes")
        self._decorators(node)
        self._each([*node.decorator_list, *defaults(node.args), *annotations(node)])
        self._inside(local_names(node), node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's own name

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._each(defaults(node.args))
        self._inside(local_names(node), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._decorators(node)
        for keyword in node.keywords:
            if keyword.arg != "total":
                self.object(node, f"gives class {node.name} {keyword.arg}=", "an ordinary class")
        if any(isinstance(base, ast.Call) for base in node.bases):
            self.object(node, f"computes the base of class {node.name}", "name the base")
        self.generic_visit(node)

    def _decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            bare = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not isinstance(bare, ast.Name | ast.Attribute):
                self.object(decorator, "computes a decorator", "name the decorator")

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        first = node.generators[0]
        self.visit(first.iter)  # Python looks it up outside
        inner: list[ast.AST] = [first.target, *first.ifs, *node.generators[1:]]
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._inside(local_names(node), [*inner, *values])

    visit_ListComp = _comprehension  # noqa: N815
    visit_SetComp = _comprehension  # noqa: N815
    visit_GeneratorExp = _comprehension  # noqa: N815
    visit_DictComp = _comprehension  # noqa: N815

    def _inside(self, names: frozenset[str], nodes: Iterable[ast.AST]) -> None:
        self.locals.append(names)
        self._each(nodes)
        self.locals.pop()

    def _each(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        for name in node.kwd_attrs:
            if name.startswith("_") or is_refused_attribute(name):
                self.object(node, f"matches the attribute {name}", SEE)
        self.generic_visit(node)
