"""Folders that appear as a whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.adapters.folders import appear
from pipelines.errors import BadInput, CannotTell


def fill(folder: Path) -> None:
    (folder / "inside").mkdir()
    (folder / "inside" / "file").write_text("whole")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_with_all_that_was_filled_in(tmp_path: Path) -> None:
    appear(tmp_path / "deep" / "made", fill)
    assert (tmp_path / "deep" / "made" / "inside" / "file").read_text() == "whole"
    assert names(tmp_path / "deep") == ["made"]


def test_one_that_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "older").write_text("")
    appear(tmp_path / "made", fill)
    assert names(tmp_path / "made") == ["older"]
    assert names(tmp_path) == ["made"]


def test_nothing_appears_when_filling_fails(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise BadInput("not these")

    with pytest.raises(BadInput, match="not these"):
        appear(tmp_path / "made", fail)
    assert names(tmp_path) == []


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotTell) as caught:
        appear(tmp_path / "made", full)
    assert (
        caught.value.message == f"{tmp_path / 'made'}: cannot be written: No space left on device"
    )
    assert names(tmp_path) == []


CHILD = """
import sys, time
from pathlib import Path
from pipelines.adapters.folders import appear
def fill(folder):
    (folder / "file").write_text("whole")
    print("filling", flush=True)
    sys.stdin.readline()
appear(Path(sys.argv[1]), fill)
"""


def child(root: Path, target: Path) -> subprocess.Popen[str]:
    """A process that has begun to make the folder and waits for a line to go on."""
    made = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(target)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert made.stdout
    assert made.stdout.readline() == "filling\n"
    return made


def test_two_processes_at_once_make_one_whole_folder(root: Path, tmp_path: Path) -> None:
    both = [child(root, tmp_path / "made"), child(root, tmp_path / "made")]
    assert not (tmp_path / "made").exists()
    for one in both:
        one.communicate("go\n")
        assert one.returncode == 0
        assert (tmp_path / "made" / "file").read_text() == "whole"
    assert names(tmp_path) == ["made"]


def test_a_killed_process_leaves_nothing_that_counts(root: Path, tmp_path: Path) -> None:
    killed = child(root, tmp_path / "made")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (left,) = names(tmp_path)
    assert left.startswith(".made.")

    appear(tmp_path / "made", fill)
    assert names(tmp_path) == [left, "made"]  # it could still be somebody's work

    os.utime(tmp_path / left, (0, 0))
    appear(tmp_path / "made", fill)
    assert names(tmp_path) == ["made"]
