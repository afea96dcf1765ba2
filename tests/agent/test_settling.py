"""Setting a host up, with systemd's own tools, below a folder that stands for its disk."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent import cli, settling
from runner.systemd import UNITS, Where, files

HOME = Path("/var/lib/sluice")


@pytest.fixture
def where(root: Path) -> Where:
    return Where(root, HOME, "pi", "octo/train")


def settle(where: Where, into: Path, *, dry_run: bool = False) -> list[str]:
    said: list[str] = []
    settling.settle(where, ("prod", "test"), into, said.append, dry_run=dry_run)
    return said


@pytest.mark.needs("systemd")
def test_a_dry_run_says_everything_and_writes_nothing(where: Where, tmp_path: Path) -> None:
    said = settle(where, tmp_path, dry_run=True)
    assert [line.split()[:2] for line in said[:6]] == [
        ["create", str(file.path)] for file in files(where, ("prod", "test"))
    ]
    assert [line.split()[1] for line in said[6:]] == ["systemd-sysusers", "systemd-tmpfiles"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs("systemd")
def test_systemd_makes_users_and_folders_and_the_second_time_changes_nothing(
    where: Where, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        with pytest.raises(CannotTell, match="systemd-"):
            settle(where, tmp_path)
        return
    settle(where, tmp_path)
    rows = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    users = {row[0]: (int(row[2]), row[5], row[6]) for row in rows}
    assert set(users) == {"sluice-prod", "sluice-test", "sluice-runner"}
    assert len({uid for uid, _, _ in users.values()}) == 3
    assert {shell for _, _, shell in users.values()} == {"/usr/sbin/nologin"}
    # In no group but its own: not in docker's, not in sudo's.
    groups = (tmp_path / "etc/group").read_text().splitlines()
    assert [line.split(":")[0] for line in groups if line.split(":")[3]] == []
    own, home = tmp_path / "var/lib/sluice-runner", tmp_path / "var/lib/sluice"
    assert (own.stat().st_uid, own.stat().st_mode & 0o777) == (users["sluice-runner"][0], 0o700)
    assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (0, 0o711)
    assert (tmp_path / "etc/sluice/job-started.sh").stat().st_mode & 0o777 == 0o755

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "etc/sluice/runner.conf").chmod(0o666)
    said = settle(where, tmp_path)
    assert [line.split()[0] for line in said[:6]] == ["keep", "keep", "update", *["keep"] * 3]
    assert (tmp_path / "etc/sluice/runner.conf").stat().st_mode & 0o777 == 0o644
    units = [tmp_path / "etc/systemd/system" / name for name in UNITS]
    assert [path.stat().st_mtime_ns for path in units] == [before[path] for path in units]


@pytest.mark.needs("systemd")
@pytest.mark.parametrize(
    ("path", "told"),
    [("/opt/../x y", "sluice-agent.service"), ("relative", "sluice-agent.service")],
)
def test_nothing_is_written_when_systemd_objects(
    where: Where, tmp_path: Path, path: str, told: str
) -> None:
    with pytest.raises(Refused, match=told):
        settle(replace(where, checkout=Path(path)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_bots_outlive_the_agent_and_the_runner_sees_none_of_their_secrets(where: Where) -> None:
    text = {file.path.name: file.content for file in files(where, ("prod",))}
    assert "KillMode=process\n" in text["sluice-agent.service"]
    assert "RuntimeDirectoryPreserve=yes\n" in text["sluice-agent.service"]
    runner = text["sluice-runner.service"]
    assert f"InaccessiblePaths=-{HOME}/secrets -{HOME}/bots -{HOME}/keys\n" in runner
    assert "User=sluice-runner\n" in runner
    assert "NoNewPrivileges=yes\n" in runner
    assert "JOB_STARTED=/etc/sluice/job-started.sh\n" in runner
    assert not any("@" in content for name, content in text.items() if name in UNITS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--repository", "train"], "should be OWNER/NAME"),
        (["--repository", "octo/train\nx=1"], "should be OWNER/NAME"),
        (["--repository", "octo/train", "--host", "pi"], "no name of a host"),
    ],
)
def test_what_would_mean_more_in_a_unit_than_it_says_is_refused(
    root: Path, arguments: list[str], told: str
) -> None:
    before = ["--root", str(root), "--home", "/var/lib/sluice", "--host", "pi"]
    if "--host" in arguments:
        before[-1], arguments = "pi %n", arguments[:2]
    ended = CliRunner().invoke(cli.cli, [*before, "install", "--dry-run", *arguments])
    assert isinstance(ended.exception, BadInput)
    assert told in ended.exception.message


def test_a_host_that_no_environment_names_is_refused(root: Path) -> None:
    before = ["--root", str(root), "--home", "/var/lib/sluice", "--host", "pie"]
    asked = [*before, "install", "--repository", "octo/train", "--dry-run"]
    ended = CliRunner().invoke(cli.cli, asked)
    assert isinstance(ended.exception, BadInput)
    assert ended.exception.message == "no environment is on the host 'pie'"


Hook = Callable[..., subprocess.CompletedProcess[str]]

GOOD = {
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REPOSITORY": "octo/train",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REF_PROTECTED": "true",
}


@pytest.fixture
def hook(root: Path, tmp_path: Path, where: Where) -> Hook:
    shutil.copy(root / "runner/systemd/job-started.sh", tmp_path)
    conf = tmp_path / "runner.conf"
    (settings,) = [f.content for f in files(where, ()) if f.path.name == "runner.conf"]

    def run(content: str | None = settings, **said: str) -> subprocess.CompletedProcess[str]:
        conf.unlink(missing_ok=True)
        if content is not None:
            conf.write_text(content)
        told = {**GOOD, **said}
        workflow = f"octo/train/.github/workflows/promote.yml@{told['GITHUB_REF']}"
        return subprocess.run(
            ["dash", tmp_path / "job-started.sh"],
            env={"GITHUB_WORKFLOW_REF": workflow, **told},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


TAG = {"GITHUB_REF": "refs/tags/v1.2.3"}


@pytest.mark.needs("dash")
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"GITHUB_EVENT_NAME": "schedule", "GITHUB_REF_PROTECTED": "false"},
        {"GITHUB_EVENT_NAME": "workflow_dispatch"},
        TAG,
        {"GITHUB_REF": "refs/tags/my_strategy-v1.2.3", "GITHUB_EVENT_NAME": "release"},
    ],
)
def test_the_hook_takes_what_main_or_the_tag_of_a_release_asks_for(
    hook: Hook, said: dict[str, str]
) -> None:
    ended = hook(**said)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.needs("dash")
@pytest.mark.parametrize(
    "said",
    [
        {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge"},
        {"GITHUB_EVENT_NAME": "pull_request_target"},
        {"GITHUB_EVENT_NAME": "workflow_run"},
        {"GITHUB_EVENT_NAME": ""},
        {"GITHUB_REF": "refs/heads/other"},
        {"GITHUB_REF": "refs/heads/main/../evil"},
        {"GITHUB_REF": "refs/heads/v1.2.3"},
        {"GITHUB_REF": "refs/tags/latest"},
        {"GITHUB_REF": "refs/tags/v1.2.3;x"},
        {"GITHUB_REF": "refs/tags/v1.2.3/x"},
        {"GITHUB_REF": ""},
        {**TAG, "GITHUB_REF_PROTECTED": "false"},
        {**TAG, "GITHUB_REF_PROTECTED": ""},
        # A workflow cannot loosen what root wrote.
        {**TAG, "GITHUB_REF_PROTECTED": "", "unprotected": "yes"},
        {"GITHUB_REPOSITORY": "evil/train"},
        {"GITHUB_WORKFLOW_REF": "octo/train/.github/workflows/promote.yml@refs/heads/other"},
        {"GITHUB_WORKFLOW_REF": "evil/train/.github/workflows/promote.yml@refs/heads/main"},
    ],
)
def test_the_hook_refuses_everything_else(hook: Hook, said: dict[str, str]) -> None:
    ended = hook(**said)
    assert ended.returncode == 1
    assert ended.stderr.startswith("::error::this machine takes no such job: ")


@pytest.mark.needs("dash")
@pytest.mark.parametrize("content", [None, "", "repository=\n", "unprotected-tags=yes\n"])
def test_the_hook_refuses_where_nobody_said_whose_jobs_it_takes(
    hook: Hook, tmp_path: Path, content: str | None
) -> None:
    nobody = {"GITHUB_REPOSITORY": "", "repository": "octo/train"}
    for said in ({}, {**nobody, "GITHUB_WORKFLOW_REF": "/.github/workflows/x.yml@refs/heads/main"}):
        assert hook(content=content, **said).returncode != 0


@pytest.mark.needs("dash")
def test_the_hook_believes_its_file_and_no_variable(hook: Hook) -> None:
    said = {**TAG, "GITHUB_REF_PROTECTED": "false", "unprotected": "yes"}
    assert hook(content="repository=octo/train\n", **said).returncode == 1
    both = "repository=octo/train\nunprotected-tags=yes\n"
    assert hook(content=both, **said).returncode == 0
