"""Rules on what jobs hand on: data, apart from the program, and nothing that would be run."""

import re

from pipelines.domain.workflows.calling import APART
from pipelines.domain.workflows.model import Step
from pipelines.domain.workflows.placing import Run
from pipelines.domain.workflows.rule import Found, at, of_steps
from pipelines.domain.workflows.tree import Node

_APART = rf"{re.escape(APART)}/[\w-][\w./*-]*"
_UPLOADED = re.compile(rf"{_APART}|(\./)?out/[\w*/-][\w./*-]*")
_DOWNLOADED = re.compile(_APART)
_ELSEWHERE = ("run-id", "repository", "github-token")


def _is_data(node: Node | None, places: re.Pattern[str]) -> bool:
    lines = node.text.splitlines() if node else []
    return bool(lines) and all(
        places.fullmatch(each.strip()) and ".." not in each for each in lines
    )


def _uploaded(run: Run, step: Step) -> Found:
    path = step.node.get("with", "path")
    if step.action == "actions/upload-artifact" and not _is_data(path, _UPLOADED):
        text = f"should upload what lies below out/ or {APART}, which nothing runs"
        yield at(path, step.line), text


def _downloaded(run: Run, step: Step) -> Found:
    if step.action != "actions/download-artifact":
        return
    path = step.node.get("with", "path")
    if not _is_data(path, _DOWNLOADED):
        text = f"should be put below {APART}: elsewhere it could take the place of ./sluice"
        yield at(path, step.line), text
    for key in _ELSEWHERE:
        node = step.node.get("with", key)
        if node is not None:
            yield node.line, f"{key}: what another run uploaded may be a pull request's"


RULES = (
    of_steps(
        "upload",
        "jobs upload only what lies below `out/` or `runner.temp`",
        "what a job of a stranger hands on may be looked at, never run",
        _uploaded,
    ),
    of_steps(
        "download",
        "what is downloaded comes from the same run, and goes below `runner.temp`",
        "elsewhere it takes the place of the program, or mixes with what a commit brought; of "
        "another run it is anybody's",
        _downloaded,
    ),
)
