"""What a strategy's source says, read from its syntax tree. Nothing here runs a line of it."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

VERSIONED = re.compile(r"[a-z][a-z0-9_]*_v[1-9][0-9]*")
"""How a shared module is named: a new behaviour is a new number."""


@dataclass(frozen=True)
class LintMessage:
    """What a linter says about one place. `path` is below `strategies/`; line and column from 1."""

    path: str
    line: int
    column: int
    code: str
    text: str


class NotPython(ValueError):
    """The text is no Python source. `line` from 1, 0 where there is none."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def parse(content: bytes) -> ast.Module:
    """The syntax tree of a UTF-8 source file.

    :raises NotPython: when it is not UTF-8, declares another encoding, or is no Python.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotPython("is not UTF-8 text", line) from None
    _refuse_other_encodings(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise NotPython(f"is no Python: {error.msg}", error.lineno or 0) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotPython(f"is no Python: {error or 'too deeply nested'}", 0) from None


def _refuse_other_encodings(text: str) -> None:
    # With such a comment Python would run another text than the one that was looked at.
    for number, line in enumerate(text.splitlines()[:2], 1):
        found = re.match(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", line)
        if found and found[1].lower().replace("_", "-") not in ("utf-8", "utf8"):
            raise NotPython(f"declares the encoding {found[1]}; it should be UTF-8", number)


@dataclass(frozen=True)
class SharedImport:
    """One import of shared code. `module` is empty when it names no versioned module."""

    module: str
    line: int
    text: str


def shared_imports(tree: ast.Module) -> Iterator[SharedImport]:
    """Every import from `shared`, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "shared":
                    yield _shared(alias.name, node)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            if node.module == "shared":
                for alias in node.names:
                    yield _shared(f"shared.{alias.name}", node)
            elif node.module.startswith("shared."):
                yield _shared(node.module, node)


def _shared(dotted: str, node: ast.stmt) -> SharedImport:
    name = dotted.partition(".")[2]
    return SharedImport(name if VERSIONED.fullmatch(name) else "", node.lineno, dotted)


def strategy_classes(tree: ast.Module) -> tuple[ast.ClassDef, ...]:
    """The classes of a file that derive from IStrategy, directly or through each other."""
    aliases = {"IStrategy"} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "IStrategy" and alias.asname
    }
    found: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(
            name in aliases or name in found for name in map(_last_name, node.bases)
        ):
            found[node.name] = node
    return tuple(found.values())


def classes(tree: ast.Module) -> tuple[str, ...]:
    """The names of the classes at the top of a file."""
    return tuple(node.name for node in tree.body if isinstance(node, ast.ClassDef))


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@dataclass(frozen=True)
class Attribute:
    """What a class says about one attribute of its own. `known` is false when it is computed."""

    line: int
    known: bool
    value: object = None


def attribute(tree: ast.Module, class_name: str, name: str) -> Attribute | None:
    """A class attribute, looked up as Python would through the classes of the same file."""
    own = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    wanted, seen = [class_name], set[str]()
    while wanted:
        current = own.get(wanted.pop(0))
        if current is None or current.name in seen:
            continue
        seen.add(current.name)
        if (value := _assigned(current, name)) is not None:
            return value
        wanted += [_last_name(base) for base in current.bases]
    return None


def _assigned(node: ast.ClassDef, name: str) -> Attribute | None:
    found = None
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets, value = [statement.target], statement.value
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = _literal(value, statement.lineno)
    return found


def _literal(node: ast.expr, line: int) -> Attribute:
    try:
        return Attribute(line, known=True, value=ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return Attribute(line, known=False)


@dataclass(frozen=True)
class Read:
    """A pair and a timeframe that the source asks for; either may be empty (its own)."""

    pair: str
    timeframe: str
    line: int


def reads(tree: ast.Module) -> Iterator[Read]:
    """Pairs and timeframes that are written out in calls for further candles."""
    texts = _texts(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _reads_of_call(node, texts)
        elif isinstance(node, ast.FunctionDef) and node.name == "informative_pairs":
            yield from _reads_of_tuples(node, texts)


# Which argument is the pair and which the timeframe; -1 where the call takes none.
_CALLS = {
    "informative": (1, 0),
    "get_pair_dataframe": (0, 1),
    "get_analyzed_dataframe": (0, 1),
    "historic_ohlcv": (0, 1),
    "ohlcv": (0, 1),
    "merge_informative_pair": (-1, 3),
}


def _reads_of_call(node: ast.Call, texts: dict[str, str]) -> Iterator[Read]:
    places = _CALLS.get(_last_name(node.func))
    if places is None:
        return
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    pair_names, frame_names = ("asset", "pair"), ("timeframe", "timeframe_inf", "tf_inf")
    pair = _argument(node, places[0], pair_names, named, texts)
    timeframe = _argument(node, places[1], frame_names, named, texts)
    if pair or timeframe:
        yield Read(pair, timeframe, node.lineno)


def _argument(
    node: ast.Call,
    place: int,
    names: tuple[str, ...],
    named: dict[str | None, ast.expr],
    texts: dict[str, str],
) -> str:
    if 0 <= place < len(node.args):
        return _text(node.args[place], texts)
    return next((_text(named[name], texts) for name in names if name in named), "")


def _reads_of_tuples(node: ast.FunctionDef, texts: dict[str, str]) -> Iterator[Read]:
    for child in ast.walk(node):
        if isinstance(child, ast.Tuple) and len(child.elts) >= 2:
            pair, timeframe = (_text(part, texts) for part in child.elts[:2])
            if timeframe:
                yield Read(pair, timeframe, child.lineno)


def _texts(tree: ast.Module) -> dict[str, str]:
    """Names and attributes that are given one text, such as `inf_tf = "1d"`."""
    found = dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                name, value = _last_name(target), node.value.value
                if name and name not in ("timeframe", "pair") and isinstance(value, str):
                    found[name] = value
    return found


def _text(node: ast.expr, texts: dict[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr) and all(isinstance(p, ast.Constant) for p in node.values):
        return "".join(str(p.value) for p in node.values if isinstance(p, ast.Constant))
    return texts.get(_last_name(node), "")
