"""Small shapes in the syntax tree that the policy's grammar asks about."""

import ast
import re

from pipelines.checks.permitted import BUILTINS, DUNDER_METHODS, is_refused_attribute
from pipelines.checks.scopes import Bindings

SEE = "see 'sluice docs policy'"

BY_NAME = ("agg", "aggregate", "apply", "transform")
"""Methods of pandas that take the name of another one, and run it."""


def key_of(node: ast.expr) -> str:
    """The text of a constant, empty for everything else."""
    return str(node.value) if isinstance(node, ast.Constant) else ""


def is_special(name: str) -> bool:
    """True for `__init__` and its like."""
    return name.startswith("__") and name.endswith("__")


def is_own_class(node: ast.expr) -> bool:
    """`self.__class__`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "__class__"
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def root_of(node: ast.expr) -> str:
    """The name that a chain of attributes begins with, empty where it begins otherwise."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def is_plain_getattr(node: ast.Call) -> bool:
    """With a name written out, or one of `self` whose beginning is: `f"buy_{number}"`."""
    if len(node.args) < 2:
        return False
    owner, name = node.args[:2]
    if isinstance(name, ast.JoinedStr) and name.values:
        name = name.values[0]
        if not (isinstance(owner, ast.Name) and owner.id == "self"):
            return False
    text = key_of(name)
    return text[:1].isalpha() and not is_refused_attribute(text) and text != "config"


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    """What arguments are by default: evaluated outside the function."""
    return [*arguments.defaults, *(each for each in arguments.kw_defaults if each)]


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """The annotations of a function: evaluated outside it."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    every += [each for each in (node.args.vararg, node.args.kwarg) if each]
    found = [each.annotation for each in every if each.annotation]
    return [*found, node.returns] if node.returns else found


_INSTEAD = {
    "eval": "compute it with the columns themselves",
    "query": "select with dataframe.loc[condition]",
    "getattr": "write the attribute out; for indicators: talib.abstract.Function(name)",
    "hasattr": "write the attribute out",
    "setattr": "assign to the attribute",
    "open": "a strategy reads no files: put figures into the code or the parameter file",
    "format_map": "use an f-string",
}


def instead(name: str) -> str:
    """What to write instead of a name that is not permitted."""
    if name.startswith(("to_", "read_")) or name in ("save", "load", "tofile", "fromfile", "dump"):
        return _INSTEAD["open"]
    return _INSTEAD.get(name) or SEE


def is_plain_format(func: ast.Attribute) -> bool:
    """`"…".format` with the text written out, and no way into special attributes in it."""
    text = func.value
    if not isinstance(text, ast.Constant) or func.attr != "format":
        return False
    return not re.search(r"\{[^{}]*\._", str(text.value))


def is_super_call(func: ast.Attribute) -> bool:
    """`super().__init__` and its like."""
    above = func.value
    return (
        isinstance(above, ast.Call)
        and isinstance(above.func, ast.Name)
        and above.func.id == "super"
        and not above.args
        and func.attr in DUNDER_METHODS
    )


def is_plain(node: ast.expr, bound: Bindings, depth: int = 3) -> bool:
    """A function, or the name of a harmless method, that stands there for everyone to see."""
    if isinstance(node, ast.Constant):
        name = str(node.value)
        return not (name.startswith("_") or is_refused_attribute(name))
    if isinstance(node, ast.List | ast.Tuple | ast.Dict):
        parts = node.values if isinstance(node, ast.Dict) else node.elts
        return all(is_plain(each, bound, depth) for each in parts)
    if isinstance(node, ast.Name):
        values = bound.assigned.get(node.id, ())
        known = node.id in bound.defined | bound.values | BUILTINS
        return (known or bool(values and depth)) and all(
            is_plain(each, bound, depth - 1) for each in values
        )
    if isinstance(node, ast.Attribute):
        return node.attr in bound.defined or root_of(node) in bound.modules
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) or root_of(node.func) in bound.modules
    return isinstance(node, ast.Lambda)
