"""What an expression may turn out to be, found out without running it."""

import re
from collections.abc import Iterator

from pipelines.domain.workflows.model import Job, Workflow
from pipelines.domain.workflows.tree import Node

_EXPRESSION = re.compile(r"\$\{\{(.*?)(?:\}\}|\Z)", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_ONE_OF = re.compile(
    r"\$\{\{\s*(?:(?P<matrix>matrix)\.|(?:github\.event\.)?inputs\.)(?P<name>[\w-]+)\s*\}\}"
)


def expressions(text: str) -> Iterator[str]:
    """The inside of every `${{ }}`, without the texts that are quoted in it."""
    for found in _EXPRESSION.finditer(text):
        yield _QUOTED.sub("''", found[1])


def condition(node: Node | None) -> str:
    """An `if`, which GitHub reads as an expression with or without its marks."""
    return _QUOTED.sub("''", node.text) if node else ""


def calls(text: str, function: str) -> bool:
    """Whether an expression calls a function; GitHub looks at no upper and lower case."""
    return re.search(rf"\b{function}\s*\(", text, re.IGNORECASE) is not None


def told(text: str, job: Job, flow: Workflow) -> tuple[str, ...] | None:
    """Everything that a text can be; None when nobody can tell before it runs.

    An expression can be told when it is a value of a matrix that is written down, or a choice that
    whoever dispatches the workflow is given.
    """
    if "${{" not in text:
        return (text,)
    one = _ONE_OF.fullmatch(text.strip())
    if one is None:
        return None
    values = _of_matrix(job, one["name"]) if one["matrix"] else _of_choice(flow, one["name"])
    if not values or any("${{" in value for value in values):
        return None
    return values


def _of_matrix(job: Job, name: str) -> tuple[str, ...] | None:
    matrix = job.node.get("strategy", "matrix")
    if matrix is None or not matrix.is_mapping or any("${{" in key for key in matrix.keys):
        return None
    listed, more = matrix.get(name), matrix.get("include")
    if more is not None and not isinstance(more.value, tuple):
        return None
    values = [each.text for each in (listed.items if listed else ())]
    values += [each.text for row in (more.items if more else ()) if (each := row.get(name))]
    return tuple(values) if all(values) else None


def _of_choice(flow: Workflow, name: str) -> tuple[str, ...] | None:
    if [trigger.name for trigger in flow.triggers] != ["workflow_dispatch"]:
        return None
    inputs = flow.triggers[0].filters.get("inputs")
    asked = inputs.get(name) if inputs else None
    kind = asked.get("type") if asked else None
    options = asked.get("options") if asked else None
    if kind is None or kind.text != "choice" or options is None:
        return None
    return tuple(each.text for each in options.items)
