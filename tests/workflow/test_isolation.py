"""Where isolation comes from, and what stands in for it where there is none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.adapters.processes import Processes
from pipelines.domain.attack import AttackRequest
from pipelines.domain.child import Job
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell
from pipelines.reports.progress import Progress
from pipelines.workflow import isolation, place


@pytest.fixture
def here(root: Path, tmp_path: Path) -> place.Place:
    return place.Place(root, tmp_path)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing on it."""
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("bare")
def test_without_bubblewrap_nothing_is_started_and_nothing_is_called_isolated(
    here: place.Place, tmp_path: Path
) -> None:
    found = isolation.enclosure(here, Progress(quiet=True), weak=False)
    assert found.isolation is Isolation.WEAK
    with pytest.raises(CannotTell, match="bubblewrap, which is not installed"):
        Processes(tmp_path, found).run(Job("this", AttackRequest()))


@pytest.mark.usefixtures("bare")
def test_without_a_package_manager_bubblewrap_is_left_to_the_user(here: place.Place) -> None:
    with pytest.raises(CannotTell, match="no package manager found") as told:
        isolation.doctor(here, install=True)
    assert told.value.hint == "install bubblewrap by hand"


@pytest.mark.needs("apt")
def test_the_package_manager_understands_what_it_is_told() -> None:
    words = isolation._installer()
    ended = subprocess.run(
        [*words, "--simulate", isolation.PACKAGE], capture_output=True, text=True, check=False
    )
    assert words[0] == "apt-get"
    assert ended.returncode == 0, ended.stderr


def test_what_the_package_manager_refuses_is_told(
    here: place.Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "sudo"):
        program = tmp_path / name
        program.write_text('#!/bin/sh\n[ "$1" = apt-get ] && shift\nexit 100\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    assert shutil.which("bwrap") is None
    with pytest.raises(CannotTell, match=r"apt-get install .* ended with exit code 100"):
        isolation.doctor(here, install=True)
