"""Rules on what steps run: one call of ./sluice, and nothing that could change what it means."""

import re
from collections.abc import Iterator

from pipelines.domain.workflows.model import Step, Violation
from pipelines.domain.workflows.placing import Project, Run
from pipelines.domain.workflows.rule import Found, Rule, of_runs, of_steps
from pipelines.domain.workflows.tree import Node

_BARE = r"[A-Za-z0-9_./:=@%+,-]"
_VARIABLE = r"\$[A-Z_][A-Z0-9_]*|\$\{[A-Z_][A-Z0-9_]*\}"
_ANY = rf"""(?:{_BARE}|"(?:{_BARE}|[ ]|{_VARIABLE})*"|'[^'\n$]*')+"""
# What a variable holds could be an option, so it stands behind `--option=`, or behind ` -- `.
_CALL = re.compile(rf"\./sluice [a-z][a-z-]*( {_BARE}+| --[a-z][a-z-]*={_ANY})*( --( {_ANY})+)?")
_USED = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)")

APART = "${{ runner.temp }}"
"""The folder of a job that is empty when it begins, and that no commit puts anything into."""

_OUTSIDE = re.compile(rf"{re.escape(APART)}/[\w-]+")

OURS = (
    *("GITHUB_TOKEN", "SLUICE_CANDLES", "SLUICE_DATA_URL", "SLUICE_HOME", "SLUICE_PYTHON"),
    "SLUICE_SIGNING_KEY",
)
"""Variables that Sluice itself reads. Others have to be used by the job's own lines."""

_POWERFUL = re.compile(
    r"PATH|HOME|IFS|ENV|BASH.*|SHELL.*|PS4|PROMPT_COMMAND|LD_.*|PYTHON.*|PIP_.*|UV_.*|GIT_.*|"
    r"INPUT_.*|SUDO_.*|TMPDIR|NODE_.*|.*_PROXY|SSL_.*|XDG_.*|FREQTRADE.*|ACTIONS_.*|RUNNER_.*|GITHUB_(?!TOKEN$).*|SLUICE_ROOT"
)


def _one_call(run: Run, step: Step) -> Found:
    line = step.run
    if line is not None and not _CALL.fullmatch(line.text) and "${{" not in line.text:
        text = (
            "should be one call of ./sluice and nothing else; variables stand in double quotes, "
            "behind --option= or behind ' -- '"
        )
        yield line.line, text


def _expression(run: Run, step: Step) -> Found:
    for key in ("run", "shell", "working-directory"):
        node = step.node.get(key)
        if node is not None and "${{" in node.text:
            text = f"{key} holds an expression, which becomes code: hand it over as a variable"
            yield node.line, text


def _shell(run: Run, step: Step) -> Found:
    shell, folder = step.node.get("shell"), step.node.get("working-directory")
    if shell is not None and shell.text != "bash" and "${{" not in shell.text:
        yield shell.line, f"the shell {shell.text} is not bash: nobody can tell what it does"
    if folder is not None and "${{" not in folder.text:
        yield folder.line, f"in {folder.text} ./sluice is another program"


def _defaults(rule: str, project: Project, runs: tuple[Run, ...]) -> Iterator[Violation]:
    for flow in project.workflows.values():
        for name, node in (("", flow.node), *((job.name, job.node) for job in flow.jobs.values())):
            defaults = node.get("defaults")
            for key, value in defaults.keys.items() if defaults else ():
                shell = value.get("shell")
                if key == "run" and len(value.keys) == 1 and shell and shell.text == "bash":
                    continue
                text = "may be 'run: {shell: bash}' and nothing else"
                yield Violation(flow.file, value.line, name, "", rule, text)


def _variables(run: Run) -> Found:
    used = {name for step in run.steps if step.run for name in _USED.findall(step.run.text)}
    nodes = [run.workflow.node, run.job.node, *(step.node for step in run.steps)]
    for name, value in (found for node in nodes for found in _set(node.get("env"))):
        if name not in OURS and (name not in used or _POWERFUL.fullmatch(name)):
            yield value.line, f"{name} changes programs rather than telling ./sluice something"
        if name == "SLUICE_HOME" and not _OUTSIDE.fullmatch(value.text):
            yield value.line, f"in {value.text} a commit can put evidence: {APART}/home"
        if name == "SLUICE_PYTHON" and not re.fullmatch(r"python3(\.\d+)?", value.text):
            yield value.line, f"{value.text} may be any program: SLUICE_PYTHON names a Python"


def _set(env: Node | None) -> Iterator[tuple[str, Node]]:
    if env is not None and not env.is_mapping:
        yield "what nobody can tell", env
    yield from env.keys.items() if env else ()


RULES = (
    of_steps(
        "one-call",
        "every `run` is one call of `./sluice`; variables stand in double quotes, behind "
        "`--option=` or behind ` -- `",
        "no test reaches what a script in a workflow decides, and what a variable holds could be "
        "an option",
        _one_call,
    ),
    of_steps(
        "expression",
        "no `${{ }}` in `run`, `shell` or `working-directory`",
        "a title or the name of a branch would become part of the program",
        _expression,
    ),
    of_steps(
        "shell",
        "steps run in bash, in the folder of the checkout",
        "elsewhere `./sluice` is another program",
        _shell,
    ),
    Rule(
        "defaults",
        "the defaults of steps may be `run: {shell: bash}` only",
        "they change every step without being seen there",
        _defaults,
    ),
    of_runs(
        "variables",
        "`env` sets what Sluice reads, or what the job's own lines use; `SLUICE_HOME` is below "
        "`runner.temp`",
        "`BASH_ENV`, `PATH` and their like make another program of `./sluice`, and a home in the "
        "checkout holds what evidence a commit brought",
        _variables,
    ),
)
