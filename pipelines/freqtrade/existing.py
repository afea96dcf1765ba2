"""The configuration of a freqtrade that somebody runs already, read as freqtrade reads it.

JSON with comments and commas too many; several files, of which a later one wins; files that a file
adds, over which it wins itself. Every setting remembers the file that it comes from.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import Problem

_DEEPEST = 5
"""So many times a file may add another one, as freqtrade has it."""

_MORE = "add_config_files"


@dataclass(frozen=True)
class Setting:
    """A value, under the dotted path of its key."""

    key: str
    value: Any
    file: Path


@dataclass(frozen=True)
class Settings:
    """What is in force, by dotted path; `under` are settings that a later file replaced."""

    all: Mapping[str, Setting]
    under: tuple[Setting, ...] = ()

    def value(self, key: str, default: Any = None) -> Any:
        """What a key is set to."""
        found = self.all.get(key)
        return default if found is None else found.value

    def text(self, key: str, default: str = "") -> str:
        """What a key is set to, where that has to be text.

        :raises BadInput: when it is something else.
        """
        found = self.all.get(key)
        if found is None or found.value is None:
            return default
        if not isinstance(found.value, str):
            raise Problem(str(found.file), "should be text", key=key)
        return found.value

    def flag(self, key: str, *, default: bool) -> bool:
        """What a key is set to, where that has to be true or false.

        :raises BadInput: when it is something else.
        """
        found = self.all.get(key)
        if found is None:
            return default
        if not isinstance(found.value, bool):
            raise Problem(str(found.file), "should be true or false", key=key)
        return found.value


def read(files: tuple[Path, ...]) -> Settings:
    """What these files say together.

    :raises BadInput: when one is missing, is no JSON, or says something twice.
    """
    found: dict[str, Setting] = {}
    under: list[Setting] = []
    for setting in (each for file in files for each in _settings(file, 0)):
        replaced = [key for key in found if _replaces(setting.key, key)]
        under += [found.pop(key) for key in replaced]
        found[setting.key] = setting
    return Settings(found, tuple(under))


def _replaces(key: str, other: str) -> bool:
    return key == other or other.startswith(f"{key}.") or key.startswith(f"{other}.")


def _settings(file: Path, depth: int) -> Iterator[Setting]:
    tree = _tree(file)
    if depth > _DEEPEST:
        raise Problem(str(file), "adds files that add files without an end", key=_MORE)
    more = tree.pop(_MORE, [])
    if not isinstance(more, list) or not all(isinstance(name, str) for name in more):
        raise Problem(str(file), "should be a list of files", key=_MORE)
    for name in more:
        yield from _settings(file.resolve().parent / name, depth + 1)
    yield from _leaves(tree, "", file)


def _leaves(tree: dict[str, Any], above: str, file: Path) -> Iterator[Setting]:
    for key, value in tree.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}.", file)
        else:
            yield Setting(path, value, file)


class _Object(dict[str, Any]):
    """What stands in braces; `twice` are keys that stand there more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.twice = [key for key in self if keys.count(key) > 1]


def _tree(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        tree = json.loads(_plain(text), object_pairs_hook=_Object)
    except FileNotFoundError:
        hint = "name freqtrade's configuration with --config"
        raise Problem(str(file), "there is no such file", hint=hint) from None
    except OSError as error:
        raise Problem(str(file), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(str(file), "is not UTF-8 text", hint="save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Problem(str(file), f"is no JSON: {error.msg.lower()}", line=error.lineno) from None
    except RecursionError:
        raise Problem(str(file), "is no configuration: it is nested too deep") from None
    if not isinstance(tree, _Object):
        raise Problem(str(file), "should hold keys and values")
    for key in _twice(tree, ""):
        raise Problem(str(file), "stands twice", key=key, hint="freqtrade takes the last: keep one")
    return tree


def _twice(tree: Any, above: str) -> Iterator[str]:
    if isinstance(tree, list):
        for number, each in enumerate(tree):
            yield from _twice(each, f"{above.rstrip('.')}[{number}].")
    if isinstance(tree, _Object):
        yield from (f"{above}{key}" for key in tree.twice)
        for key, value in tree.items():
            yield from _twice(value, f"{above}{key}.")


def _plain(text: str) -> str:
    """Without comments, and without commas that nothing follows; every line stays where it is."""
    kept, at, comma = list(text), 0, -1
    while at < len(text):
        if text[at] == '"':
            at, comma = _after_text(text, at), -1
            continue
        if text.startswith(("//", "/*"), at):
            end = _after_comment(text, at)
            kept[at:end] = ["\n" if each == "\n" else " " for each in text[at:end]]
            at = end
            continue
        if text[at] in "}]" and comma >= 0:
            kept[comma] = " "
        if text[at] == ",":
            comma = at
        elif not text[at].isspace():
            comma = -1
        at += 1
    return "".join(kept)


def _after_text(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _after_comment(text: str, at: int) -> int:
    mark = "\n" if text[at + 1] == "/" else "*/"
    end = text.find(mark, at + 2)
    if end < 0:
        return len(text)
    return end if mark == "\n" else end + 2
