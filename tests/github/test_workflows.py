"""The project's own workflows: thin, and every line of theirs is a command that there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pipelines.adapters import workflows
from pipelines.cli import cli
from pipelines.domain.workflows import violations
from pipelines.domain.workflows.model import Step
from pipelines.domain.workflows.placing import Project, runs
from pipelines.domain.workflows.triggers import TAGS
from pipelines.workflow.github.gating import TAG

NAMES = ["check", "data", "halt", "promote", "release", "rollback", "self-test", "watch"]

VALUES = {"$STRATEGY": "beat", "$START": "2021-01-01", "$END": "2021-12-31"}
"""What variables may hold where a command looks at the form."""


@pytest.fixture(scope="module")
def project(root: Path) -> Project:
    return workflows.project(root / ".github" / "workflows")


def steps(project: Project) -> Iterator[Step]:
    for flow in project.workflows.values():
        for job in flow.jobs.values():
            yield from job.steps


def test_there_is_a_workflow_for_each_way_to_use_sluice(flows: list[Path]) -> None:
    assert [path.stem for path in flows] == NAMES


def test_they_keep_to_every_rule(project: Project) -> None:
    assert violations(project) == ()


def test_the_host_keeps_its_own_home_and_its_own_python(project: Project) -> None:
    own = [run for run in runs(project) if run.own]
    assert {run.job.name for run in own} == {
        *("build", "deliver", "halt", "prod", "rollback", "sandbox", "status")
    }
    for run in own:
        for node in (run.workflow.node, run.job.node, *(step.node for step in run.steps)):
            for name in ("SLUICE_HOME", "SLUICE_PYTHON"):
                assert node.get("env", name) is None, (run.job.name, name)


def test_every_line_is_a_command_that_there_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REF", "refs/heads/main")
    called = set()
    for step in steps(project):
        if step.run is None:
            continue
        program, *words = shlex.split(step.run.text)
        assert program == "./sluice"
        called.add(parsed([_filled(word) for word in words]))
    assert {"check", "github gate", "github deliver", "halt", "rollback"} <= called


def _filled(word: str) -> str:
    before, _, variable = word.rpartition("$")
    return before + VALUES[f"${variable}"] if f"${variable}" in VALUES else word


def parsed(words: list[str]) -> str:
    """The command that a line calls; click refuses what it does not know."""
    command: click.Command = cli
    name: list[str] = []
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        command, name, words = found, [*name, words[0]], words[1:]
    command.make_context(" ".join(name), list(words), parent=context)
    return " ".join(name)


def test_a_line_with_an_option_that_there_is_not_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        parsed(["check", "--no-such-option"])


def test_an_action_is_pinned_to_one_commit_everywhere(project: Project) -> None:
    used = {
        (step.action, step.uses.text, step.uses.comment) for step in steps(project) if step.uses
    }
    assert len(used) == len({action for action, _, _ in used})


def test_tags_that_promote_are_those_that_the_commands_know(root: Path) -> None:
    text = (root / ".github" / "workflows" / "promote.yml").read_text()
    assert set(re.findall(r'"([^"]*\[0-9\][^"]*)"', text)) == TAGS
    assert TAG.fullmatch("refs/tags/v1.2.3")
    assert TAG.fullmatch("refs/tags/my_strategy-v1.2.3")
    for other in ("refs/tags/v1.2", "refs/heads/v1.2.3", "refs/tags/-v1.2.3", "refs/tags/data-1"):
        assert not TAG.fullmatch(other)


def test_templates_teach(root: Path) -> None:
    github = root / ".github"
    request = (github / "PULL_REQUEST_TEMPLATE.md").read_text()
    assert "./sluice check" in request
    for path in set(github.glob("ISSUE_TEMPLATE/*.yml")) - {github / "ISSUE_TEMPLATE/config.yml"}:
        assert workflows.read(path.read_bytes(), str(path)).get("name"), path
    owners = [
        line.split()
        for line in (github / "CODEOWNERS").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert owners == [["*", "@OWNER"], ["/strategies/"], ["/strategies/shared/", "@OWNER"]]
