"""GitHub's workflows on the disk: YAML with anchors, read as GitHub does, with every line kept."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

from pipelines.domain.workflows import model
from pipelines.domain.workflows.placing import FOLDER, Project
from pipelines.domain.workflows.tree import Node
from pipelines.errors import BadInput, Problem, Problems

ACTIONS = ".github/actions"
"""Where actions of our own lie."""

MOST_NODES = 20_000
"""So much a file may hold, anchors written out: a few lines can mean gigabytes."""

_TAG = "tag:yaml.org,2002:"
_KINDS = {"map", "seq", "str", "null", "bool", "int", "float", "timestamp", "value", "merge"}
# What PyYAML takes for the end of a line, and GitHub does not: the two would read different files.
_BREAKS = re.compile("[\x85\u2028\u2029]|(?<!^)\ufeff")
_COMMENT = re.compile(r"[ \t]+#[ \t]*(.*)")


def project(folder: Path) -> Project:
    """Every workflow in a folder, with the actions that lie beside it in `.github/actions`.

    :raises BadInput: when there is none, or one is no YAML; all problems at once.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder", "name the folder of the workflows")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".yml", ".yaml"})
    if not files:
        raise BadInput(f"{folder}: holds no workflow", "name the folder of the workflows")
    nested = folder.parent / "actions"
    actions = sorted(path for path in nested.rglob("action.y*ml") if path.is_file())
    problems, nodes = list[Problem](), dict[Path, Node]()
    for path in (*files, *actions):
        try:
            nodes[path] = read(path.read_bytes(), str(path))
        except Problem as problem:
            problems.append(problem)
        except OSError as error:
            problems.append(Problem(str(path), f"cannot be read: {error.strerror}"))
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(tuple(problems))
    return Project(
        {f"{FOLDER}/{path.name}": model.workflow(str(path), nodes[path]) for path in files},
        {
            f"{ACTIONS}/{path.parent.relative_to(nested)}": model.action(str(path), nodes[path])
            for path in actions
        },
    )


def read(content: bytes, where: str) -> Node:
    """What stands in a YAML file, anchors and merges written out.

    :raises Problem: when it is no YAML, says a key twice, or holds itself.
    """
    try:
        text = content.decode("utf-8")
        if found := _BREAKS.search(text):
            line = text.count("\n", 0, found.start()) + 1
            said = f"holds the character {ord(found[0]):#06x}, which ends a line for some readers"
            raise Problem(where, said, line=line)
        tree = yaml.SafeLoader(text).get_single_node()
        if not isinstance(tree, yaml.MappingNode):
            raise Problem(where, "should hold keys and values, and holds none")
        return _Reading(text, where).node(tree, ())
    except UnicodeDecodeError:
        raise Problem(where, "is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise Problem(where, f"is no YAML: {error.problem}", line=line) from None
    except (yaml.YAMLError, RecursionError) as error:
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise Problem(where, f"is no YAML: {first}") from None


class _Reading:
    """One file while its nodes are written out."""

    def __init__(self, text: str, where: str) -> None:
        self.lines = text.splitlines()
        self.where = where
        self.count = 0

    def node(self, node: yaml.Node, above: tuple[int, ...], line: int = 0) -> Node:
        """A node; `line` is that of its key, if it has one."""
        line = line or node.start_mark.line + 1
        self.count += 1
        if id(node) in above:
            raise Problem(self.where, "holds itself, by an anchor", line=line)
        if self.count > MOST_NODES:
            raise Problem(self.where, "means far more than it says, by anchors", line=line)
        if node.tag.removeprefix(_TAG) not in _KINDS:
            raise Problem(self.where, f"has the tag {node.tag}, which is not read", line=line)
        below = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return Node(line, self._mapping(node, below))
        if isinstance(node, yaml.SequenceNode):
            return Node(line, tuple(self.node(child, below) for child in node.value))
        null = node.tag == f"{_TAG}null"
        return Node(line, "" if null else str(node.value), self._comment(node))

    def _mapping(self, node: yaml.MappingNode, below: tuple[int, ...]) -> Mapping[str, Node]:
        own, merged = dict[str, Node](), dict[str, Node]()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Problem(self.where, "holds a key that is no text", line=line)
            if key.tag == f"{_TAG}merge":
                merged = {**self._merged(value, below), **merged}
            elif key.value in own:
                raise Problem(self.where, "stands twice", key=key.value, line=line)
            else:
                own[key.value] = self.node(value, below, line)
        return {**merged, **own}

    def _merged(self, value: yaml.Node, below: tuple[int, ...]) -> dict[str, Node]:
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found = dict[str, Node]()
        for source in cast("list[yaml.Node]", sources):
            read = self.node(source, below)
            if not read.is_mapping:
                raise Problem(self.where, "merges what are no keys and values", line=read.line)
            found = {**read.keys, **found}
        return found

    def _comment(self, node: yaml.Node) -> str:
        mark = node.end_mark
        if mark.line >= len(self.lines):
            return ""
        found = _COMMENT.fullmatch(self.lines[mark.line][mark.column :])
        return found[1].strip() if found else ""
