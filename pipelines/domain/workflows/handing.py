"""Rules on what jobs hand on: data below out/, and nothing that would be run."""

import re

from pipelines.domain.workflows.model import Step
from pipelines.domain.workflows.placing import Run
from pipelines.domain.workflows.rule import Found, at, of_steps
from pipelines.domain.workflows.tree import Node

_BELOW = re.compile(r"(\./)?out/[\w*/-][\w./*-]*")
_ELSEWHERE = ("run-id", "repository", "github-token")


def _is_data(node: Node | None) -> bool:
    lines = node.text.splitlines() if node else []
    return bool(lines) and all(
        _BELOW.fullmatch(each.strip()) and ".." not in each for each in lines
    )


def _uploaded(run: Run, step: Step) -> Found:
    path = step.node.get("with", "path")
    if step.action == "actions/upload-artifact" and not _is_data(path):
        yield at(path, step.line), "should upload what lies below out/, which nothing runs"


def _downloaded(run: Run, step: Step) -> Found:
    if step.action != "actions/download-artifact":
        return
    path = step.node.get("with", "path")
    if not _is_data(path):
        text = "should be put below out/: elsewhere it could take the place of ./sluice"
        yield at(path, step.line), text
    for key in _ELSEWHERE:
        node = step.node.get("with", key)
        if node is not None:
            yield node.line, f"{key}: what another run uploaded may be a pull request's"


RULES = (
    of_steps(
        "upload",
        "jobs upload only what lies below `out/`",
        "what a job of a stranger hands on may be looked at, never run",
        _uploaded,
    ),
    of_steps(
        "download",
        "what is downloaded comes from the same run, and goes below `out/`",
        "elsewhere it takes the place of the program, and of another run it is anybody's",
        _downloaded,
    ),
)
