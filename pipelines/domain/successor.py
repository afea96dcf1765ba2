"""What a release would make of open trades, read from its manifest and its syntax trees."""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from pipelines.domain.adoption import Successor
from pipelines.domain.source import NotPython, attribute, parse
from pipelines.domain.strategy import Manifest

_TAG = "enter_tag"
_NOTES = ("get_custom_data", "set_custom_data", "get_all_custom_data")


def successor(name: str, manifest: Manifest, files: Mapping[str, bytes]) -> Successor | None:
    """What the release of a strategy does with trades that it finds; none when nobody can tell.

    `files` are those of the release by their paths below `strategies/`.
    """
    code = {p: c for p, c in files.items() if p.endswith(".py") and "/test_" not in p}
    try:
        trees = {path: parse(content) for path, content in code.items()}
    except NotPython:
        return None
    own = trees.get(f"{name}/strategy.py")
    if own is None:
        return None
    tags, told = _tags(trees.values())
    known = _whole(own, manifest.class_name)
    return Successor(
        pairs=frozenset(manifest.pairs),
        timeframe=manifest.timeframe,
        stoploss=_stoploss(own, manifest.class_name, files.get(f"{name}/strategy.json")),
        tags=tags | set(manifest.entry_tags),
        tags_told=told or bool(manifest.entry_tags),
        leverage=_leverage(trees.values()),
        shorts=_flag(own, manifest.class_name, "can_short", known=known),
        adjusts=_flag(own, manifest.class_name, "position_adjustment_enable", known=known),
        remembers=any(_calls(tree, _NOTES) for tree in trees.values()),
    )


def _whole(tree: ast.Module, class_name: str) -> bool:
    """True when all that the class inherits, but IStrategy itself, stands in the same file."""
    own = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    wanted, seen = [class_name], set[str]()
    while wanted:
        name = wanted.pop()
        if name == "IStrategy" or name in seen:
            continue
        if name not in own:
            return False
        seen.add(name)
        wanted += [base.id if isinstance(base, ast.Name) else "" for base in own[name].bases]
    return True


def _stoploss(tree: ast.Module, class_name: str, parameters: bytes | None) -> Decimal | None:
    if parameters is not None:
        # What stands beside the strategy is stronger than the class, as in freqtrade.
        try:
            tuned = json.loads(parameters)["params"].get("stoploss", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if "stoploss" in tuned:
            return _number(tuned["stoploss"])
    found = attribute(tree, class_name, "stoploss")
    return _number(found.value) if found and found.known else None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(repr(value))
    # freqtrade keeps it below 0, however it is written.
    return -abs(number) if number.is_finite() else None


def _flag(tree: ast.Module, class_name: str, name: str, *, known: bool) -> bool | None:
    found = attribute(tree, class_name, name)
    if found is None:
        return False if known else None
    return bool(found.value) if found.known else None


def _leverage(trees: Iterable[ast.Module]) -> Decimal | None:
    """The most that a callback for leverage returns, 1 without one."""
    most = Decimal(1)
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or node.name != "leverage":
                continue
            for each in ast.walk(node):
                if isinstance(each, ast.Return):
                    constant = isinstance(each.value, ast.Constant)
                    number = _number(each.value.value) if constant else None  # type: ignore[union-attr]
                    if number is None:
                        return None
                    most = max(most, abs(number))
    return most


def _calls(tree: ast.Module, names: tuple[str, ...]) -> bool:
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return any(node.attr in names for node in attributes)


def _tags(trees: Iterable[ast.Module]) -> tuple[frozenset[str], bool]:
    """The entry tags that are written out, and whether there can be no others."""
    found: set[str] = set()
    told = True
    for tree in trees:
        texts = _named_texts(tree)
        stored = list(_stored(tree))
        for value in stored:
            tags = _written(value, texts) if value is not None else None
            found |= tags or set()
            told = told and tags is not None
        told = told and _mentions(tree) == len(stored) + _loads(tree)
    return frozenset(found), told


def _stored(tree: ast.Module) -> Iterator[ast.expr | None]:
    """What is assigned to the column of tags, each time; none where it is not written out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if (place := _place(target)) is not None:
                    yield _part(node.value, *place)


def _place(target: ast.expr) -> tuple[int, int] | None:
    """Which of how many columns of a target is the one of tags; (0, 1) when it is the only one."""
    if not isinstance(target, ast.Subscript):
        return None
    columns = target.slice
    if isinstance(columns, ast.Tuple) and len(columns.elts) == 2:
        columns = columns.elts[1]
    parts = columns.elts if isinstance(columns, ast.List | ast.Tuple) else [columns]
    names = [part.value if isinstance(part, ast.Constant) else None for part in parts]
    return (names.index(_TAG), len(names)) if _TAG in names else None


def _part(value: ast.expr, index: int, count: int) -> ast.expr | None:
    if count == 1:
        return value
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    return parts[index] if len(parts) == count else None


def _written(value: ast.expr, texts: Mapping[str, str]) -> set[str] | None:
    """The texts that an expression can be; none when that cannot be told."""
    if isinstance(value, ast.Constant):
        if value.value is None or value.value == "":
            return set()
        return {value.value} if isinstance(value.value, str) else None
    if isinstance(value, ast.Name) and value.id in texts:
        return {texts[value.id]}
    if isinstance(value, ast.IfExp):
        choices = [value.body, value.orelse]
    elif isinstance(value, ast.Call) and _is_where(value):
        choices = value.args[1:]
    else:
        return None
    either = [_written(choice, texts) for choice in choices]
    return None if None in either else {tag for tags in either for tag in tags or ()}


def _is_where(call: ast.Call) -> bool:
    function = call.func
    numpys = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
    where = isinstance(function, ast.Attribute) and function.attr == "where"
    return numpys and where and len(call.args) == 3 and not call.keywords


def _named_texts(tree: ast.Module) -> dict[str, str]:
    """Constants of the file: names that are given one text, and never another."""
    given = Counter[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            given[node.id] += 1
        elif isinstance(node, ast.arg):
            given[node.arg] += 1
    texts = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                value = node.value.value
                if isinstance(target, ast.Name) and isinstance(value, str):
                    texts[target.id] = value
    return {name: text for name, text in texts.items() if given[name] == 1}


def _mentions(tree: ast.Module) -> int:
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    keywords = (node for node in ast.walk(tree) if isinstance(node, ast.keyword))
    spelt = sum(node.value == _TAG for node in constants)
    return spelt + sum(node.arg == _TAG for node in keywords)


def _loads(tree: ast.Module) -> int:
    """How often the column of tags is only read."""
    return sum(
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and _place(node) is not None
        for node in ast.walk(tree)
    )
