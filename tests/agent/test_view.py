"""What a bot of another user sees, in real mount namespaces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.bots.view import shut_by

NOBODY = 65534

LOOKING = """
import os, sys
os.umask(0o077)
from pathlib import Path
from runner.bots.view import show

shown, hidden, user = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
before = Path(os.readlink("/proc/self/ns/mnt"))
show([shown, shown / "file", shown.parent / "missing"])
same = Path(os.readlink("/proc/self/ns/mnt")) == before
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
print(same, (shown / "file").read_text() if (shown / "file").exists() else "no", hidden.exists())
"""


def looked(shown: Path, hidden: Path) -> str:
    """What another user sees; where we are not root, what root of a namespace of his own does."""
    root = os.geteuid() == 0
    argv = [] if root else ["unshare", "--user", "--map-root-user"]
    argv += [sys.executable, "-c", LOOKING, str(shown), str(hidden), str(NOBODY if root else 0)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """A folder that shuts others out, with a place in it and a neighbour."""
    folder = tmp_path / "shut"
    for name in ("place", "neighbour"):
        (folder / "deep" / name).mkdir(parents=True)
        (folder / "deep" / name / "file").write_text(name)
    folder.chmod(0o700)
    return folder


def test_it_sees_what_is_shown_and_not_what_lies_beside_it(shut: Path) -> None:
    said = looked(shut / "deep" / "place", shut / "deep" / "neighbour")

    assert said == "False place False"


def test_nobody_else_s_view_is_changed(shut: Path) -> None:
    looked(shut / "deep" / "place", shut / "deep" / "neighbour")

    assert (shut / "deep" / "neighbour" / "file").read_text() == "neighbour"
    assert str(shut) not in Path("/proc/self/mounts").read_text()


def test_where_everything_can_be_reached_nothing_is_changed(shut: Path) -> None:
    """As on a Pi with the system's Python: what is beside it was never hidden."""
    open_ = next(place for place in map(Path, ("/usr", "/etc", "/bin")) if shut_by(place) is None)

    assert looked(open_, open_).split()[0] == "True"


def test_the_outermost_folder_that_shuts_others_out_is_the_one(shut: Path) -> None:
    (shut / "deep").chmod(0o700)
    outer = next(
        folder
        for folder in reversed((shut / "deep" / "place").parents)
        if not folder.stat().st_mode & 0o001
    )
    assert shut_by(shut / "deep" / "place") == outer
