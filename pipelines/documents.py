"""YAML and JSON files become typed objects, or an error that says where and what to do.

Of YAML only what JSON can say is read: no anchors, no tags, no keys that are not text. So a file
means what it seems to mean, and none can grow in memory beyond its size.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipelines.domain.document import Document
from pipelines.errors import BadInput, CannotTell, Problem, Problems

D = TypeVar("D", bound=Document)
Location = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with anchors as errors. Only its nodes are used, never its objects."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = cast("yaml.Event", self.peek_event())  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            # An alias of an alias of an alias makes gigabytes of a few lines.
            mark = cast("yaml.Mark | None", event.start_mark)
            raise yaml.MarkedYAMLError(problem="anchors are not read", problem_mark=mark)
        return super().compose_node(parent, index)


def load(path: Path, model: type[D], where: str = "", topic: str = "") -> D:
    """The document in a YAML or JSON file.

    `where` is how messages name the file (by default its path), `topic` the page of
    `sluice docs` that hints point to.

    :raises BadInput: when the file is missing, is not UTF-8, or does not fit the model.
    """
    where = where or str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Problem(where, "there is no such file") from None
    except OSError as error:
        raise Problem(where, f"cannot be read: {error.strerror}") from None
    return parse(content, model, where, topic)


def load_json(path: Path, model: type[D]) -> D:
    """The document in a JSON file that Sluice wrote: faster than `load`, without line numbers.

    :raises BadInput: when the file is missing or does not fit the model.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        hint = "'sluice check' says where it writes evidence"
        raise Problem(str(path), f"cannot be read: {error.strerror}", hint=hint) from None
    except ValidationError as error:
        raise _problems(error, model, str(path), {}, "") from None


def parse(content: bytes, model: type[D], where: str, topic: str = "") -> D:
    """The document in the text of a YAML file (JSON is YAML). `load` says the rest.

    :raises BadInput: when the text does not fit the model; all problems at once.
    """
    return cast("D", _parsed(content, model, where, topic))


# The agent reads every file in every round, and they hardly ever change.
@lru_cache(maxsize=256)
def _parsed(content: bytes, model: type[Document], where: str, topic: str) -> Document:
    hint = f"see 'sluice docs {topic}'" if topic else ""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Problem(
            where, "is not UTF-8 text", line=line, hint="save the file as UTF-8"
        ) from None
    lines, value = _read(text.removeprefix("\ufeff"), where, hint)
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise _problems(error, model, where, lines, hint) from None


def _read(text: str, where: str, hint: str) -> tuple[dict[Location, int], str]:
    """The line of every key, and the whole as JSON."""
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        if not isinstance(tree, yaml.MappingNode):
            raise Problem(where, "should hold keys and values, and holds none", hint=hint)
        _refuse_duplicates(tree, where, ())
        return dict(_lines(tree, ())), _json(loader, tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise Problem(where, f"is no YAML: {error.problem}", line=line, hint=hint) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reason = f"holds the character {int(error.character):#06x}, which YAML does not allow"
        raise Problem(where, reason, line=line, hint=hint) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise Problem(where, f"is no YAML: {first}", hint=hint) from None


def _json(loader: _Loader, node: yaml.Node) -> str:
    if node.tag.removeprefix(_TAG) not in _KINDS_READ:
        raise _marked(f"the tag {node.tag} is not read", node)
    if isinstance(node, yaml.MappingNode):
        pairs = (f"{json.dumps(k.value)}:{_json(loader, child)}" for k, child in node.value)
        return "{" + ",".join(pairs) + "}"
    if isinstance(node, yaml.SequenceNode):
        return "[" + ",".join(_json(loader, child) for child in node.value) + "]"
    return json.dumps(_scalar(loader, node), allow_nan=False)


def _scalar(loader: _Loader, node: yaml.Node) -> bool | int | float | str | None:
    kind, text = node.tag.removeprefix(_TAG), str(node.value)
    if kind == "null":
        return None
    if kind not in ("bool", "int", "float") or (kind != "bool" and ":" in text):
        return text  # dates are for the model to read; 12:30 is no number to the base of sixty
    value = getattr(loader, f"construct_yaml_{kind}")(node)
    if not math.isfinite(value):
        raise _marked(f"{text} is no finite number", node)
    return cast("bool | int | float", value)


_TAG = "tag:yaml.org,2002:"
_KINDS_READ = ("map", "seq", "str", "timestamp", "value", "null", "bool", "int", "float")


def _marked(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _refuse_duplicates(node: yaml.Node, where: str, path: Location) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _refuse_duplicates(child, where, (*path, index))
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
            raise Problem(where, "holds a key that is no text", key=_dotted(path), line=line)
        if key.value in seen:
            raise Problem(
                where,
                f"stands twice, on line {seen[key.value]} and on line {line}",
                key=_dotted((*path, key.value)),
                line=line,
                hint="keep one of the two",
            )
        seen[key.value] = line
        _refuse_duplicates(child, where, (*path, key.value))


def _lines(node: yaml.Node, path: Location) -> Iterator[tuple[Location, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield from _lines(child, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _lines(child, (*path, index))


def _problems(
    error: ValidationError,
    model: type[Document],
    where: str,
    lines: dict[Location, int],
    hint: str,
) -> BadInput:
    found = []
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        line = next((lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines), 0)
        found.append(
            Problem(where, _say(detail), key=_dotted(path), line=line, hint=_hint(detail, hint))
        )
    return found[0] if len(found) == 1 else Problems(tuple(found))


_KINDS = {
    "int": "a whole number",
    "decimal": "a number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "keys and values",
    "model": "keys and values",
    "date": "a date such as 2023-09-25",
    "datetime": "a time such as 2023-09-25T12:00:00Z",
}


def _say(detail: ErrorDetails) -> str:
    kind, context, got = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a known key"
    should = {
        "literal_error": f"should be {context.get('expected')}",
        "enum": f"should be {context.get('expected')}",
        "string_pattern_mismatch": f"should match {context.get('pattern')}",
        "greater_than": f"should be greater than {context.get('gt')}",
        "greater_than_equal": f"should be at least {context.get('ge')}",
        "less_than_equal": f"should be at most {context.get('le')}",
        "too_short": f"should have at least {context.get('min_length')} entries",
        "string_too_short": "should not be empty",
        "string_too_long": f"should have at most {context.get('max_length')} characters",
    }.get(kind)
    if should is None and kind == "value_error":
        return str(context.get("error", detail["msg"]))
    if should is None:
        stem = kind.split("_")[0]
        should = f"should be {_KINDS[stem]}" if stem in _KINDS else detail["msg"].lower()
    shown = json.dumps(got, default=str, ensure_ascii=False)
    return f"{should}, got {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _hint(detail: ErrorDetails, hint: str) -> str:
    if detail["type"] == "extra_forbidden":
        return f"check the spelling, or take it out{'; ' + hint if hint else ''}"
    return hint


def _dotted(path: Location) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def write(path: Path, content: bytes | str, mode: int = 0o644) -> None:
    """Write a file as a whole or not at all, even when the disk is full or the process is killed.

    With a narrower `mode` nobody else can read it at any time.

    :raises CannotTell: when it cannot be written; a file that was there stays as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
        temporary = ""
    except OSError as error:
        raise CannotTell(
            f"{path}: cannot be written: {error.strerror}",
            "free some space or choose another folder",
        ) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
