"""Workflows, jobs and steps, as far as a policy on them has to know them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.domain.workflows.tree import Node

_OF_WORKFLOWS = "name run-name on permissions env defaults concurrency jobs"
_OF_JOBS = """
name needs if runs-on permissions environment concurrency outputs env defaults steps
timeout-minutes strategy continue-on-error container services uses with secrets
"""
_OF_STEPS = "id name if uses run with env continue-on-error timeout-minutes shell working-directory"
_OF_ACTIONS = "name author description inputs outputs runs branding"


@dataclass(frozen=True, order=True)
class Violation:
    """One thing that a rule does not allow, and where: `file` as the reader knows it."""

    file: str
    line: int
    job: str
    step: str
    rule: str
    text: str


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a job, or of an action of our own; `file` is where it is written."""

    file: str
    name: str
    node: Node

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.node.line

    @property
    def uses(self) -> Node | None:
        """The action, if it is one."""
        return self.node.get("uses")

    @property
    def run(self) -> Node | None:
        """The shell's line, if it is one."""
        return self.node.get("run")

    @property
    def action(self) -> str:
        """The action's name in lower case, as GitHub compares it: `actions/checkout`."""
        return self.uses.text.partition("@")[0].lower() if self.uses else ""

    @property
    def words(self) -> tuple[str, ...]:
        """What follows `./sluice` in its line; empty when the line is anything else."""
        words = self.run.text.split() if self.run else []
        return tuple(words[1:]) if words[:1] == ["./sluice"] else ()

    @property
    def certain(self) -> bool:
        """Whether the job fails when the step does not run to a good end."""
        return self.node.get("if") is None and self.node.get("continue-on-error") is None


@dataclass(frozen=True)
class Job:
    """A job as it is written."""

    file: str
    name: str
    node: Node
    steps: tuple[Step, ...]

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.node.line

    @property
    def needs(self) -> tuple[str, ...]:
        """Jobs that have to end before."""
        needed = self.node.get("needs")
        return tuple(each.text for each in needed.items) if needed else ()

    @property
    def uses(self) -> Node | None:
        """The workflow that it calls, if it calls one."""
        return self.node.get("uses")

    @property
    def condition(self) -> Node | None:
        """Its `if`."""
        return self.node.get("if")

    @property
    def environment(self) -> Node | None:
        """The environment's name."""
        found = self.node.get("environment")
        return found.get("name") or found if found else None


@dataclass(frozen=True)
class Trigger:
    """An event that starts a workflow, with its filters."""

    name: str
    line: int
    filters: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Workflow:
    """A workflow as it is written. `misshapen` is what could not be understood of it."""

    file: str
    node: Node
    triggers: tuple[Trigger, ...]
    jobs: Mapping[str, Job]
    misshapen: tuple[Violation, ...]


@dataclass(frozen=True)
class Action:
    """An action of our own, made of steps; None when it is of a kind that hides what it does."""

    file: str
    steps: tuple[Step, ...] | None
    misshapen: tuple[Violation, ...]


SHAPE = "shape"
"""The rule that what is not understood belongs to."""


def workflow(file: str, node: Node) -> Workflow:
    """A workflow of a parsed file. Never fails: what does not fit is told by it."""
    jobs_node, on = node.get("jobs"), node.get("on")
    wrong = list(_unknown(file, node, _OF_WORKFLOWS, "a workflow"))
    if not jobs_node or not jobs_node.keys:
        wrong.append(Violation(file, node.line, "", "", SHAPE, "has no jobs"))
    jobs = {}
    for name, each in (jobs_node.keys if jobs_node else {}).items():
        wrong += _unknown(file, each, _OF_JOBS, "a job", name)
        steps, wrongly = _steps(file, name, each.get("steps"))
        wrong += wrongly
        jobs[name] = Job(file, name, each, steps)
        wrong += [
            Violation(file, each.line, name, "", SHAPE, f"needs {needed!r}, which is no job here")
            for needed in jobs[name].needs
            if needed not in (jobs_node.keys if jobs_node else {})
        ]
        if bool(steps) == bool(jobs[name].uses):
            text = "should either have steps or call a workflow"
            wrong.append(Violation(file, each.line, name, "", SHAPE, text))
    triggers = tuple(_triggers(on)) if on else ()
    if not triggers:
        wrong.append(Violation(file, node.line, "", "", SHAPE, "says nothing under 'on'"))
    return Workflow(file, node, triggers, jobs, tuple(wrong))


def action(file: str, node: Node) -> Action:
    """An action of a parsed `action.yml`."""
    wrong = list(_unknown(file, node, _OF_ACTIONS, "an action"))
    using = node.get("runs", "using")
    if not using or using.text != "composite":
        return Action(file, None, tuple(wrong))
    steps, wrongly = _steps(file, "", node.get("runs", "steps"))
    return Action(file, steps, (*wrong, *wrongly))


def _steps(file: str, job: str, node: Node | None) -> tuple[tuple[Step, ...], list[Violation]]:
    steps, wrong = [], list[Violation]()
    for number, each in enumerate(node.items if node else (), 1):
        step = Step(file, _called(each) or f"step {number}", each)
        steps.append(step)
        wrong += _unknown(file, each, _OF_STEPS, "a step", job, step.name)
        if bool(step.uses) == bool(step.run):
            text = "should have either 'run' or 'uses'"
            wrong.append(Violation(file, each.line, job, step.name, SHAPE, text))
    return tuple(steps), wrong


def _called(step: Node) -> str:
    found = step.get("name") or step.get("id") or step.get("uses")
    return re.sub(r"@.*", "", found.text) if found else ""


def _triggers(on: Node) -> Iterator[Trigger]:
    if on.is_mapping:
        for name, each in on.keys.items():
            filters = each.keys or ({"cron": each} if each.items else {})
            yield Trigger(name, each.line, filters)
        return
    for each in on.items:
        yield Trigger(each.text, each.line)


def _unknown(
    file: str, node: Node, known: str, what: str, job: str = "", step: str = ""
) -> Iterator[Violation]:
    if not node.is_mapping:
        yield Violation(file, node.line, job, step, SHAPE, f"{what} should be keys and values")
    for key, value in node.keys.items():
        if key not in known.split():
            text = f"the policy does not know the key {key!r} of {what}"
            yield Violation(file, value.line, job, step, SHAPE, text)
