"""`sluice github lint`: all violations at once, for people, machines and GitHub."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLANTED = Path(__file__).parents[2] / "github" / "planted"


def lint(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "--root", str(root), "github", "lint", *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **variables},
        timeout=60,
        check=False,
    )


@pytest.fixture
def bad(project: Path) -> Path:
    """A project with two workflows that break a rule each."""
    folder = project / ".github" / "workflows"
    folder.mkdir(parents=True)
    for rule in ("timeout", "gate"):
        shutil.copy(PLANTED / rule / "bad.yml", folder / f"{rule}.yml")
    return project


def test_our_own_workflows_pass_by_default(root: Path) -> None:
    ended = lint(root)
    assert (ended.returncode, ended.stdout) == (0, "the workflows keep to every rule\n")


def test_every_violation_is_told_with_file_line_job_and_rule(bad: Path) -> None:
    ended = lint(bad)
    assert ended.returncode == 1
    assert ended.stdout.splitlines() == [
        ".github/workflows/gate.yml:20: gate: job 'deliver': needs no job that runs "
        "'./sluice check' or './sluice github gate'",
        ".github/workflows/timeout.yml:6: timeout: job 'check': should say after how many "
        "minutes it ends",
    ]


def test_machines_read_one_line(bad: Path) -> None:
    ended = lint(bad, "--json", GITHUB_ACTIONS="true")
    assert ended.returncode == 1
    (line,) = ended.stdout.splitlines()
    told = json.loads(line)["violations"]
    assert [(each["file"], each["rule"]) for each in told] == [
        (".github/workflows/gate.yml", "gate"),
        (".github/workflows/timeout.yml", "timeout"),
    ]
    assert set(told[0]) == {"file", "line", "job", "step", "rule", "text"}


def test_on_github_the_lines_are_marked(bad: Path) -> None:
    ended = lint(bad, GITHUB_ACTIONS="true")
    marks = [line for line in ended.stdout.splitlines() if line.startswith("::error ")]
    assert marks[0].startswith("::error file=.github/workflows/gate.yml,line=20::gate: job ")
    assert len(marks) == 2


def test_what_is_no_yaml_is_bad_input_and_another_folder_can_be_named(bad: Path) -> None:
    other = bad / "other"
    other.mkdir()
    (other / "x.yml").write_text("on: [")
    ended = lint(bad, str(other))
    assert ended.returncode == 2
    assert "x.yml:1: is no YAML" in ended.stderr
