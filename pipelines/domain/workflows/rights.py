"""Rules on rights: tokens, secrets, environments."""

import re
from collections.abc import Iterator

from pipelines.domain.workflows.expressions import condition, expressions, told
from pipelines.domain.workflows.model import Violation, Workflow
from pipelines.domain.workflows.placing import Project, Run
from pipelines.domain.workflows.rule import Found, Rule, at, of_runs, of_workflows
from pipelines.domain.workflows.tree import Node

_READ = frozenset({("contents", "read")})
_WRITE = frozenset({("contents", "write")})
"""What a job with an environment may have beside that: it publishes."""

_SECRETS = re.compile(r"\bsecrets\b", re.IGNORECASE)
_NAMED = re.compile(r"\bsecrets\.[A-Za-z_]\w*", re.IGNORECASE)
_WHOLE = re.compile(r"\bgithub\b(?!\s*\.)", re.IGNORECASE)


def _top(flow: Workflow) -> Found:
    given = flow.node.get("permissions")
    if given is None or not given.is_mapping or given.keys:
        text = "should begin with 'permissions: {}', so that no job has what it does not name"
        yield at(given, flow.node.line), text


def _job(run: Run) -> Found:
    given = run.job.node.get("permissions")
    if given is None or not given.is_mapping:
        text = "should name the least permissions that it needs, such as 'contents: read'"
        yield at(given, run.job.line), text
        return
    may = _READ | _WRITE if run.job.environment is not None and not run.untrusted else _READ
    for name, value in given.keys.items():
        if value.text != "none" and (name, value.text) not in may:
            yield value.line, f"{name}: {value.text} is more than it may have"


def _inherited(run: Run) -> Found:
    given = run.job.node.get("secrets")
    if given is not None and given.text:
        yield given.line, f"secrets: {given.text} hands on every secret there is"


def _texts(node: Node | None) -> Iterator[tuple[int, str]]:
    """Every expression in a part of a workflow, with its line."""
    for scalar in node.scalars() if node else ():
        for inside in expressions(scalar.text):
            yield scalar.line, inside


def _secret(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
    for flow in project.workflows.values():
        for key, node in flow.node.keys.items():
            for line, text in _texts(node) if key != "jobs" else ():
                if _SECRETS.search(text):
                    said = "gives a secret to every job: it belongs to one job with an environment"
                    yield Violation(flow.file, line, "", "", rule, said)
    for run in runs:
        held = [(run.job.file, at_) for at_ in _texts(run.job.node)]
        held += [(step.file, at_) for step in run.steps for at_ in _texts(step.node)]
        conditions = [run.job.condition, *(step.node.get("if") for step in run.steps)]
        held += [(run.job.file, (at(c, 0), condition(c))) for c in conditions if c]
        for file, (line, text) in held:
            for said in _leaks(text, run):
                yield Violation(file, line, run.job.name, "", rule, said)


def _leaks(text: str, run: Run) -> Iterator[str]:
    if _WHOLE.search(text):
        yield "'github' as a whole holds the job's token: name the one value that is needed"
    if not _SECRETS.search(text):
        return
    if len(_SECRETS.findall(text)) != len(_NAMED.findall(text)):
        yield "nobody can tell which secrets these are: write secrets.NAME"
    elif run.job.environment is None:
        yield "a secret of the whole repository: give the job an environment, and it the secret"


def _named(run: Run) -> Found:
    name = run.job.environment
    if name is not None and not told(name.text, run.job, run.workflow):
        yield name.line, f"nobody can tell which environment {name.text} is"


def _kept_from(run: Run) -> Found:
    name = run.job.environment
    if name is not None and run.untrusted:
        yield name.line, f"the environment {name.text} can be had by whoever opens a pull request"


RULES = (
    of_workflows(
        "permissions",
        "every workflow has `permissions: {}` at the top",
        "what nobody named, no job has",
        _top,
    ),
    of_runs(
        "least",
        "every job names its permissions: `contents: read`, and `write` only with an environment",
        "a token that can do more is worth stealing",
        _job,
    ),
    of_runs(
        "inherit",
        "no `secrets: inherit`",
        "it hands on secrets that the called workflow never asked for",
        _inherited,
    ),
    Rule(
        "secrets",
        "secrets are named one by one, in jobs with an environment only",
        "whoever can push a branch can read every secret of the repository",
        _secret,
    ),
    of_runs(
        "environment",
        "the name of an environment is written down, or a choice among such",
        "an environment that is made up at run time is anybody's",
        _named,
    ),
    of_runs(
        "environment-trigger",
        "a job with an environment is started by a push to main, a promoting tag, `released`, a "
        "schedule or by hand only",
        "a pull request must not reach what the environment protects",
        _kept_from,
    ),
)
