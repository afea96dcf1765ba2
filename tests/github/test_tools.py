"""Our workflows, as tools of others see them: GitHub's own parser, its schema, zizmor."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NO_WORKFLOWS = {"runs-on.text", "shape.list", "shape.need", "variables.expression"}
"""Planted ones that GitHub itself refuses; all the others it would run."""


def parsed(*files: Path) -> tuple[list[str], str]:
    """What GitHub's parser objects to, and its last line."""
    ended = subprocess.run(
        ["node", "parse.mjs", *map(str, files)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    *objections, last = ended.stdout.splitlines()
    return objections, last


@pytest.mark.needs("workflow parser")
def test_github_itself_reads_every_workflow(flows: list[Path], planted: Path) -> None:
    files = [*flows, *sorted(planted.glob("*/twin.yml"))]
    assert parsed(*files) == ([], f"parsed {len(files)}")


@pytest.mark.needs("workflow parser")
def test_github_would_run_what_is_planted(planted: Path) -> None:
    bad = {path.parent.name: path for path in planted.glob("*/bad.yml")}
    assert parsed(*(path for name, path in bad.items() if name not in NO_WORKFLOWS))[0] == []
    for name in NO_WORKFLOWS:
        assert parsed(bad[name])[0] != []


def tool(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A tool that is installed beside Python."""
    return subprocess.run(
        [str(Path(sys.executable).parent / name), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_workflow_fits_the_published_schema(flows: list[Path], root: Path) -> None:
    schema = ("--builtin-schema", "vendor.github-workflows")
    ended = tool("check-jsonschema", *schema, *map(str, flows), cwd=root)
    assert ended.returncode == 0, ended.stdout


def test_the_configuration_of_dependabot_fits_its_schema(root: Path) -> None:
    schema = ("--builtin-schema", "vendor.dependabot")
    ended = tool("check-jsonschema", *schema, ".github/dependabot.yml", cwd=root)
    assert ended.returncode == 0, ended.stdout


AUDIT = ("--offline", "--persona=auditor", "--no-progress", "--format=plain")


def test_zizmor_finds_nothing_as_an_auditor(root: Path, flows: list[Path]) -> None:
    ended = tool("zizmor", *AUDIT, "--collect=all", ".github", cwd=root)
    assert ended.returncode == 0, ended.stdout
    assert "No findings to report" in ended.stdout
    for flow in flows:
        assert f"completed .github/workflows/{flow.name}" in ended.stderr


def test_zizmor_looks(root: Path, tmp_path: Path, planted: Path) -> None:
    shutil.copytree(root / ".github", tmp_path / ".github")
    bad = planted / "expression" / "bad.yml"
    shutil.copy(bad, tmp_path / ".github" / "workflows" / "check.yml")
    ended = tool("zizmor", *AUDIT, ".github", cwd=tmp_path)
    assert ended.returncode != 0
    assert "template-injection" in ended.stdout
