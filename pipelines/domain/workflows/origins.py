"""Rules on where code comes from: actions, called workflows, checkouts, caches, images."""

import re
from collections.abc import Iterator

from pipelines.domain.workflows.model import Step, Violation
from pipelines.domain.workflows.placing import Project, Run, local
from pipelines.domain.workflows.rule import Found, Rule, at, of_runs, of_steps
from pipelines.domain.workflows.tree import Node

_DATA = frozenset({"name", "path"})

INPUTS = {
    "actions/checkout": frozenset({"persist-credentials", "fetch-depth", "fetch-tags", "ref"}),
    "actions/setup-python": frozenset({"python-version", "cache", "cache-dependency-path"}),
    "actions/upload-artifact": _DATA | {"if-no-files-found", "retention-days", "overwrite"},
    "actions/download-artifact": _DATA | {"pattern", "merge-multiple", "run-id", "repository"},
    "actions/cache": frozenset({"path", "key", "restore-keys"}),
}
"""Actions that may be used, each with the inputs whose meaning the policy knows."""

CALLABLE = frozenset[str]()
"""Workflows of other repositories that may be called."""

_PINNED = re.compile(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}")
_VERSION = re.compile(r"v\d+(\.\d+){2}\b.*")


def _unpinned(uses: Node) -> str:
    if not _PINNED.fullmatch(uses.text):
        return f"{uses.text} can become other code: name all 40 digits of a commit"
    if not _VERSION.fullmatch(uses.comment):
        return f"nothing says which version {uses.text} is: write '# v1.2.3' behind it"
    return ""


def _pinned(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
    for run in runs:
        name = run.job.name
        used = [(step.file, step.name, step.uses) for step in run.steps]
        for file, step, uses in ((run.job.file, "", run.job.uses), *used):
            if uses and not local(uses) and (text := _unpinned(uses)):
                yield Violation(file, uses.line, name, step, rule, text)


def _known(run: Run, step: Step) -> Found:
    if step.uses and not local(step.uses) and step.action not in INPUTS:
        there = ", ".join(INPUTS)
        yield step.uses.line, f"{step.action} is none of the actions that may be used: {there}"


def _inputs(run: Run, step: Step) -> Found:
    given = step.node.get("with")
    if step.action not in INPUTS or given is None:
        return
    if not given.is_mapping:
        yield given.line, "nobody can tell which inputs these are"
    for name, value in given.keys.items():
        if name not in INPUTS[step.action]:
            yield value.line, f"the policy does not know the input {name!r} of {step.action}"


def _credentials(run: Run, step: Step) -> Found:
    if step.action != "actions/checkout":
        return
    kept = step.node.get("with", "persist-credentials")
    if kept is None or kept.text != "false":
        yield at(kept, step.line), "leaves the job's token on the disk: persist-credentials: false"


def _checkout(run: Run, step: Step) -> Found:
    ref = step.node.get("with", "ref")
    own = ref is None or ref.text in ("main", "${{ github.sha }}")
    if step.action == "actions/checkout" and ref and run.entrusted and not own:
        yield ref.line, f"checks out {ref.text}, which may be anybody's: leave 'ref' out"
    if step.run is None:
        return
    before = run.steps[: run.steps.index(step)]
    if not any(each.action == "actions/checkout" and each.certain for each in before):
        yield step.line, "runs what an earlier job may have left: check out first"


def _called(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
    for run in runs:
        uses, job = run.job.uses, run.job
        if uses is None:
            continue
        if not local(uses):
            if uses.text.partition("@")[0] not in CALLABLE:
                text = f"{uses.text} is none of the workflows that may be called"
                yield Violation(job.file, uses.line, job.name, "", rule, text)
            continue
        target = project.called(uses)
        if target is None:
            text = f"{uses.text} is not among the workflows here"
            yield Violation(job.file, uses.line, job.name, "", rule, text)
        elif all(each.name != "workflow_call" for each in target.triggers):
            text = f"{uses.text} cannot be called"
            yield Violation(job.file, uses.line, job.name, "", rule, text)
        elif any(target.file == above.file for above, _ in (*run.chain, (run.workflow, job))):
            text = f"{uses.text} calls itself in the end"
            yield Violation(job.file, uses.line, job.name, "", rule, text)


def _opened(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
    for run in runs:
        for step in run.steps:
            if step.uses is None or not local(step.uses):
                continue
            found = project.opened(step.uses)
            if found is None or found.steps is None:
                what = "is not there" if found is None else "is not made of steps"
                text = f"{step.uses.text} {what}, so nobody can tell what it does"
                yield Violation(step.file, step.line, run.job.name, step.name, rule, text)


def _images(run: Run) -> Found:
    for key in ("container", "services"):
        node = run.job.node.get(key)
        if node is not None:
            yield node.line, f"{key}: an image is code that nobody here has looked at"


def _cached(run: Run, step: Step) -> Found:
    if {trigger.name for trigger in run.triggers} == {"pull_request"}:
        return
    kept = step.node.get("with", "cache")
    if step.action.startswith("actions/cache") or (kept and step.action == "actions/setup-python"):
        text = "a cache can be filled by whoever opens a pull request, and is run here"
        yield at(kept, step.line), text


RULES = (
    Rule(
        "pinned",
        "actions and called workflows are named by all 40 digits of a commit, with the version "
        "as a comment",
        "a tag can be moved to other code, and was (CVE-2025-30066)",
        _pinned,
    ),
    of_steps(
        "actions",
        "only actions that somebody here has looked at are used",
        "an action runs with everything that its job has",
        _known,
    ),
    of_steps(
        "inputs",
        "actions get only inputs whose meaning the policy knows",
        "an input can bring in another repository, a token or a program",
        _inputs,
    ),
    of_steps(
        "credentials",
        "every checkout has `persist-credentials: false`",
        "otherwise the job's token lies in `.git/config`, for every later step and upload",
        _credentials,
    ),
    of_steps(
        "checkout",
        "every job checks out before it runs `./sluice`; with an environment or on a machine of "
        "ours what it was started for, or `main`",
        "neither what another job left nor a pull request must run where secrets or bots are",
        _checkout,
    ),
    Rule(
        "called",
        "called workflows lie in this repository, or are on a list; they are looked at with the "
        "job that calls them",
        "a rule that a second file gets around is none",
        _called,
    ),
    Rule(
        "composite",
        "actions of our own are made of steps, which are looked at like the job's",
        "what a program or an image does, nobody can tell by reading",
        _opened,
    ),
    of_runs(
        "images",
        "no `container` and no `services`",
        "an image is code that no review has seen",
        _images,
    ),
    of_steps(
        "caches",
        "a workflow that anything but a pull request can start uses no cache",
        "what a pull request left there would run in a release",
        _cached,
    ),
)
