"""Which names mean what in one file: modules, imported values, the file's own."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass(frozen=True)
class Bindings:
    """What names are bound to, anywhere in a file.

    `modules` maps a name to the permitted module it stands for, `values` are imported names,
    `defined` functions and classes, `assigned` the expressions that a name is given, `own` the
    attributes that the file's own classes define.
    """

    modules: Mapping[str, str]
    values: frozenset[str]
    defined: frozenset[str]
    assigned: Mapping[str, tuple[ast.expr, ...]]
    own: frozenset[str]


def bindings(tree: ast.Module, permitted: Mapping[str, frozenset[str]]) -> Bindings:
    """The names of a file, given the modules that it may import."""
    modules, values = dict[str, str](), set[str]()
    for node in ast.walk(tree):
        for name, dotted in _imported(node):
            if any(f"{module}.".startswith(f"{dotted}.") for module in permitted):
                modules[name] = dotted
            else:
                values.add(name)
    defined = {n.name for n in ast.walk(tree) if isinstance(n, _Function | ast.ClassDef)}
    return Bindings(
        modules, frozenset(values), frozenset(defined), _assigned(tree), frozenset(_own(tree))
    )


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (top, top)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _assigned(tree: ast.Module) -> dict[str, tuple[ast.expr, ...]]:
    found = dict[str, tuple[ast.expr, ...]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = (*found.get(target.id, ()), value)
    return found


def _own(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from exports(node)
            yield from (n.name for n in node.body if isinstance(n, _Function))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in ("self", "cls"):
                yield node.attr


def exports(tree: ast.Module | ast.ClassDef) -> frozenset[str]:
    """The names that a module, or a class, binds at its top. Imported ones are not among them."""
    found = set[str]()
    for node in tree.body:
        if isinstance(node, _Function | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {n.id for n in ast.walk(node) if _is_stored(n) and isinstance(n, ast.Name)}
    return frozenset(name for name in found if not _is_special(name))


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def local_names(node: _Function | ast.Lambda | _Comprehension) -> frozenset[str]:
    """The names that mean the function's own values inside it, whatever they mean outside.

    Python decides that statically, so that `open = dataframe["open"]` in a function never is
    the builtin. Names that a function imports are left out: they are judged as modules.
    """
    if isinstance(node, _Comprehension):
        inner: list[ast.AST] = [generator.target for generator in node.generators]
        return frozenset(n.id for each in inner for n in ast.walk(each) if isinstance(n, ast.Name))
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += [each for each in (node.args.vararg, node.args.kwarg) if each]
    own = {each.arg for each in arguments}
    if isinstance(node, ast.Lambda):
        return frozenset(own)
    taken = set[str]()
    for statement in node.body:
        for child in _of_this_scope(statement):
            own |= set(_bound_by(child))
            taken |= {name for name, _ in _imported(child)}
            if isinstance(child, ast.Global | ast.Nonlocal):
                taken |= set(child.names)
    return frozenset(own - taken)


def _of_this_scope(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, _Function | ast.ClassDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(node, _Comprehension):
            yield from _only_walrus(child)
        else:
            yield from _of_this_scope(child)


def _only_walrus(node: ast.AST) -> Iterator[ast.AST]:
    # In a comprehension only `:=` binds outside of it.
    for child in ast.walk(node):
        if isinstance(child, ast.NamedExpr):
            yield child.target


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(
        node, _Function | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar
    ):
        yield node.name or ""
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
