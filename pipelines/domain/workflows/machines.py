"""Rules on machines: which jobs run where, upon what, and for how long."""

import re

from pipelines.domain.workflows.model import Workflow
from pipelines.domain.workflows.placing import Run
from pipelines.domain.workflows.rule import Found, at, of_runs, of_workflows
from pipelines.domain.workflows.triggers import ALLOWED, distrust

LONGEST = 360
"""Minutes that a job may take."""

READING = frozenset({"alerts", "docs", "explain", "history", "status"})
"""Commands that change nothing, so a job of these needs no environment."""


def _events(flow: Workflow) -> Found:
    for trigger in flow.triggers:
        if trigger.name not in ALLOWED:
            yield trigger.line, f"{trigger.name} is none of {', '.join(sorted(ALLOWED))}"


def _kept_from(run: Run) -> Found:
    if not run.own:
        return
    labels = run.job.node.get("runs-on")
    for trigger in run.triggers:
        if why := distrust(trigger):
            text = f"a machine of ours for {why}: that runs anybody's code on it"
            yield at(labels, run.job.line), text


def _told(run: Run) -> Found:
    wanted = run.job.node.get("runs-on")
    if run.job.uses is None and not run.labels:
        yield at(wanted, run.job.line), "nobody can tell where this runs: write the label down"


def _entitled(run: Run) -> Found:
    commands = {step.words[:1] for step in run.steps if step.run}
    if run.own and run.job.environment is None and not commands <= {(each,) for each in READING}:
        yield run.job.line, "does something on a machine of ours, and has no environment"


def _timeout(run: Run) -> Found:
    minutes = run.job.node.get("timeout-minutes")
    if run.job.uses is not None:
        return
    if minutes is None or not re.fullmatch(r"[1-9]\d{0,2}", minutes.text):
        yield at(minutes, run.job.line), "should say after how many minutes it ends"
    elif int(minutes.text) > LONGEST:
        yield minutes.line, f"{minutes.text} minutes are more than {LONGEST}"


RULES = (
    of_workflows(
        "events",
        "workflows are started by known events only; never `pull_request_target` or `workflow_run`",
        "those two run with secrets upon what a stranger does",
        _events,
    ),
    of_runs(
        "self-hosted",
        "a machine of ours runs jobs started by a push to main, a promoting tag, `released`, a "
        "schedule or by hand only",
        "a pull request on a runner that persists owns the machine",
        _kept_from,
    ),
    of_runs(
        "runs-on",
        "labels of runners are written down, or a choice among such",
        "an expression that is made up at run time may name a machine of ours",
        _told,
    ),
    of_runs(
        "entitled",
        "what changes anything on a machine of ours has an environment",
        "only that can be kept to main and to tags, and waits for its turn",
        _entitled,
    ),
    of_runs(
        "timeout",
        "every job says after how many minutes it ends",
        "a job that hangs keeps a halt waiting for the only runner",
        _timeout,
    ),
)
