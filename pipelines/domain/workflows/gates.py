"""Rules on jobs with an environment: behind the gate, unconditional, one after the other."""

from collections.abc import Iterator

from pipelines.domain.workflows.expressions import calls, condition
from pipelines.domain.workflows.model import Violation
from pipelines.domain.workflows.placing import Project, Run
from pipelines.domain.workflows.rule import Found, Rule, at, of_runs
from pipelines.domain.workflows.tree import Node

GATES = (("check",), ("github", "gate"))
"""Commands that are the gate."""

_WEAKER = ("--only", "--isolation", "--help", "-h", "--train")
_ANYHOW = ("always", "cancelled", "failure")


def _gated(run: Run) -> Found:
    if run.job.environment is None or run.emergency or run.untrusted:
        return
    if not any(_is_gate(earlier, run) for earlier in run.before):
        text = "needs no job that runs './sluice check' or './sluice github gate'"
        yield run.job.line, text


def _is_gate(earlier: Run, run: Run) -> bool:
    # In a called workflow a gate that is passed over does not hold up who needs the call.
    passed_over = earlier.job.condition is not None and earlier.workflow is not run.workflow
    return not passed_over and any(
        step.certain
        and any(step.words[: len(gate)] == gate for gate in GATES)
        and not any(word.partition("=")[0] in _WEAKER for word in step.words)
        for step in earlier.steps
    )


def _firm(run: Run) -> Found:
    if run.job.environment is None:
        return
    above = [job for _, job in run.chain]
    for job in (run.job, *above, *(each.job for each in run.before)):
        yield from _anyhow(job.node, job.condition)
    for step in run.steps:
        yield from _anyhow(step.node, step.node.get("if"))


def _anyhow(node: Node, asked: Node | None) -> Found:
    lenient = node.get("continue-on-error")
    if lenient is not None and lenient.text != "false":
        yield lenient.line, "goes on after an error, on the way to an environment"
    for function in _ANYHOW:
        if calls(condition(asked), function):
            yield at(asked, node.line), f"{function}() lets it run when the gate did not pass"


def _concurrencies(run: Run) -> list[Node]:
    nodes = [run.job.node, run.workflow.node]
    nodes += [node for flow, job in run.chain for node in (job.node, flow.node)]
    return [found for node in nodes if (found := node.get("concurrency"))]


def _queued(run: Run) -> Found:
    if run.job.environment is None:
        return
    found = _concurrencies(run)
    if not found:
        yield run.job.line, "has no concurrency: two of it could run at once"
    for each in found:
        said = {key: value.text for key, value in each.keys.items()}
        if not said.get("group") or said.get("cancel-in-progress") != "false":
            yield each.line, "should have a group and 'cancel-in-progress: false'"
        elif said.get("queue") != "max":
            yield each.line, "drops what waits when more comes: should have 'queue: max'"


def _groups(run: Run) -> Iterator[tuple[int, str]]:
    for each in _concurrencies(run):
        group = each.get("group") or each
        yield group.line, group.text.partition("${{")[0].lower()


def _apart(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
    others = {
        group
        for run in runs
        if run.job.environment is not None and not run.emergency
        for _, group in _groups(run)
    }
    for run in runs:
        for line, group in _groups(run) if run.emergency else ():
            if any(group.startswith(other) or other.startswith(group) for other in others):
                text = "may wait behind a deployment: give it a group of its own"
                yield Violation(run.workflow.file, line, run.job.name, "", rule, text)


RULES = (
    of_runs(
        "gate",
        "a job with an environment needs a job that runs the gate, `rollback` and `halt` excepted",
        "nothing is deployed that nobody examined",
        _gated,
    ),
    of_runs(
        "unconditional",
        "neither it nor what it needs has `always()`, `cancelled()`, `failure()` or "
        "`continue-on-error`",
        "each of them lets a deployment run after a gate that did not pass",
        _firm,
    ),
    of_runs(
        "concurrency",
        "a job with an environment has a concurrency group, `cancel-in-progress: false` and "
        "`queue: max`",
        "two deployments at once, or one cut off or dropped, leave nobody knows what",
        _queued,
    ),
    Rule(
        "emergency",
        "`rollback` and `halt` share their concurrency group with no deployment",
        "what stops must not wait for what deploys",
        _apart,
    ),
)
