"""The policy on workflows: every rule, on everything that is parsed, all violations at once.

What cannot be told is a violation: a workflow that is too clever to be read is not innocent.
"""

from collections.abc import Iterator

from pipelines.domain.workflows import calling, gates, handing, machines, origins, rights
from pipelines.domain.workflows.model import SHAPE, Violation
from pipelines.domain.workflows.placing import Project, Run, runs
from pipelines.domain.workflows.rule import Rule


def _misshapen(rule: str, project: Project, placed: tuple[Run, ...]) -> Iterator[Violation]:
    for flow in project.workflows.values():
        yield from flow.misshapen
    for action in project.actions.values():
        yield from action.misshapen


RULES = (
    Rule(
        SHAPE,
        "only keys and forms are used that the policy knows",
        "what it does not know it cannot judge",
        _misshapen,
    ),
    *machines.RULES,
    *rights.RULES,
    *origins.RULES,
    *calling.RULES,
    *gates.RULES,
    *handing.RULES,
)
"""Every rule, in the order of `sluice docs github`."""


def violations(project: Project) -> tuple[Violation, ...]:
    """Everything that a rule does not allow, each thing once, in the order of files and lines."""
    placed = tuple(runs(project))
    return tuple(
        sorted({found for rule in RULES for found in rule.find(rule.name, project, placed)})
    )
