"""Small shapes in the syntax tree that the policy's grammar asks about."""

import ast
import re

from pipelines.checks.permitted import DUNDER_METHODS, is_refused_attribute

SEE = "see 'sluice docs policy'"


def key_of(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def is_own_class(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "__class__"
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def root_of(node: ast.expr) -> str:
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
    return [*arguments.defaults, *(each for each in arguments.kw_defaults if each)]


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
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
