"""Jobs as they run: called workflows and actions of our own are opened."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.domain.workflows.expressions import told
from pipelines.domain.workflows.model import Action, Job, Step, Trigger, Workflow
from pipelines.domain.workflows.tree import Node
from pipelines.domain.workflows.triggers import distrust

FOLDER = ".github/workflows"
"""Where GitHub looks for workflows; what is called lies there as well."""

HOSTED = frozenset(
    f"ubuntu-{version}{machine}"
    for version in ("latest", "22.04", "24.04", "26.04")
    for machine in ("", "-arm")
)
"""Labels of machines that GitHub makes for one job and throws away."""

EMERGENCIES = frozenset({"halt", "rollback"})
"""Commands that have to work when nothing else does, so nothing stands in front of them."""


@dataclass(frozen=True)
class Project:
    """Everything that is looked at together.

    Workflows are known by their path in the project, actions by the path of their folder.
    """

    workflows: Mapping[str, Workflow]
    actions: Mapping[str, Action]

    def called(self, uses: Node) -> Workflow | None:
        """The workflow of ours that a job calls."""
        return self.workflows.get(uses.text.removeprefix("./")) if local(uses) else None

    def opened(self, uses: Node) -> Action | None:
        """The action of ours that a step uses."""
        path = uses.text.removeprefix("./").rstrip("/")
        return self.actions.get(path) if local(uses) else None


def local(uses: Node) -> bool:
    """Whether an action or a workflow is meant that lies in this repository."""
    return uses.text.startswith("./")


@dataclass(frozen=True, eq=False)
class Run:
    """A job in one of the ways in which it comes to run.

    `triggers` are those of the workflow that was started, `chain` the workflows and calling jobs
    above it, `before` what has to have ended well, `steps` all of them with actions opened.
    """

    workflow: Workflow
    job: Job
    triggers: tuple[Trigger, ...]
    chain: tuple[tuple[Workflow, Job], ...]
    before: tuple["Run", ...]
    steps: tuple[Step, ...]

    @property
    def labels(self) -> tuple[str, ...] | None:
        """What it asks of a runner; None when nobody can tell."""
        wanted = self.job.node.get("runs-on")
        if wanted is None:
            return ()
        group, labels = wanted.get("group"), wanted.get("labels")
        asked = labels.items if labels else () if wanted.is_mapping else wanted.items
        found = [told(each.text, self.job, self.workflow) for each in asked]
        if None in found or (group and "${{" in group.text):
            return None
        grouped = ("group",) if group else ()
        return (*grouped, *(label for each in found for label in each or ()))

    @property
    def own(self) -> bool:
        """Whether it may run on a machine of ours, as far as can be told."""
        labels = self.labels
        return bool(labels) and not HOSTED.issuperset(labels or ())

    @property
    def entrusted(self) -> bool:
        """Whether it has an environment, or a machine of ours."""
        return self.job.environment is not None or self.own

    @property
    def untrusted(self) -> bool:
        """Whether anybody may start it."""
        return any(distrust(trigger) for trigger in self.triggers)

    @property
    def emergency(self) -> bool:
        """Whether all that it does is to stop something."""
        commands = {step.words[:1] for step in self.steps if step.run}
        return bool(commands) and commands <= {(each,) for each in EMERGENCIES}


def runs(project: Project) -> Iterator[Run]:
    """Every job in every way in which it comes to run."""
    called = {
        flow.file
        for each in project.workflows.values()
        for job in each.jobs.values()
        if job.uses and (flow := project.called(job.uses))
    }
    for flow in project.workflows.values():
        started = tuple(each for each in flow.triggers if each.name != "workflow_call")
        if started or flow.file not in called:
            # What nobody calls is looked at as if anybody could.
            yield from _of(project, flow, started or flow.triggers, (), ())


def _of(
    project: Project,
    flow: Workflow,
    triggers: tuple[Trigger, ...],
    chain: tuple[tuple[Workflow, Job], ...],
    before: tuple[Run, ...],
) -> Iterator[Run]:
    made: dict[str, tuple[Run, ...]] = {}
    for name in _in_order(flow):
        job = flow.jobs[name]
        needed = (*before, *(each for need in job.needs for each in made.get(need, ())))
        earlier = tuple(dict.fromkeys(run for each in needed for run in (*each.before, each)))
        steps = tuple(_opened(project, job.steps, ()))
        placed = [Run(flow, job, triggers, chain, earlier, steps)]
        target = project.called(job.uses) if job.uses else None
        if target and all(target.file != above.file for above, _ in (*chain, (flow, job))):
            placed += _of(project, target, triggers, (*chain, (flow, job)), earlier)
        made[name] = tuple(placed)
        yield from placed


def _in_order(flow: Workflow) -> list[str]:
    """Names of jobs, each behind those that it needs; those of a circle, which never run, last."""
    order: list[str] = []
    left = list(flow.jobs)
    while left:
        ready = [n for n in left if set(flow.jobs[n].needs) & set(flow.jobs) <= set(order)]
        order += ready or left
        left = [name for name in left if name not in order]
    return order


def _opened(project: Project, steps: tuple[Step, ...], above: tuple[str, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        found = project.opened(step.uses) if step.uses else None
        if found and found.steps and found.file not in above:
            yield from _opened(project, found.steps, (*above, found.file))
