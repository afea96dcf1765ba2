"""What a rule is: a name, what it demands, why, and how to find what breaks it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.domain.workflows.model import Step, Violation, Workflow
from pipelines.domain.workflows.placing import Project, Run
from pipelines.domain.workflows.tree import Node

Found = Iterator[tuple[int, str]]
"""Lines, and what is wrong there."""


@dataclass(frozen=True)
class Rule:
    """One rule: `demands` and `why` are what `sluice docs github` says of it."""

    name: str
    demands: str
    why: str
    find: Callable[[str, Project, tuple[Run, ...]], Iterator[Violation]]


def of_workflows(name: str, demands: str, why: str, find: Callable[[Workflow], Found]) -> Rule:
    """A rule on what stands in a workflow outside its jobs."""

    def every(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
        for flow in project.workflows.values():
            for line, text in find(flow):
                yield Violation(flow.file, line, "", "", rule, text)

    return Rule(name, demands, why, every)


def of_runs(name: str, demands: str, why: str, find: Callable[[Run], Found]) -> Rule:
    """A rule on jobs, in every way in which they come to run."""

    def every(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
        for run in runs:
            for line, text in find(run):
                yield Violation(run.workflow.file, line, run.job.name, "", rule, text)

    return Rule(name, demands, why, every)


def of_steps(name: str, demands: str, why: str, find: Callable[[Run, Step], Found]) -> Rule:
    """A rule on steps, those of actions of our own included."""

    def every(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
        for run in runs:
            for step in run.steps:
                for line, text in find(run, step):
                    yield Violation(step.file, line, run.job.name, step.name, rule, text)

    return Rule(name, demands, why, every)


def at(node: Node | None, otherwise: int) -> int:
    """The line of what is there, or the one where it should be."""
    return node.line if node else otherwise
