"""The launcher, really run: it installs a stand-in project whose one dependency is built offline.

The stand-in has the real one's shape (two locks with hashes, console scripts, an editable install
without isolation), but its build backend is a file of its own, so that no test needs a network.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
TOOLS = ("cksum", "cp", "mv", "readlink", "rm")
PATIENCE = 180.0

# Builds a wheel from nothing but its name; logs each build, and stays in it while the gate is shut.
BACKEND = '''
import os, time, zipfile
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open(os.environ["YARD"] + "/builds", "a") as log:
        print("{name}", file=log, flush=True)
    while os.path.exists(os.environ["YARD"] + "/gate-{name}"):
        time.sleep(0.02)
    info, wheel = "{name}-1.dist-info/", "{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n")
        archive.writestr(info + "WHEEL", """Wheel-Version: 1.0
Root-Is-Purelib: true
Tag: py3-none-any
""")
        archive.writestr(info + "entry_points.txt", "[console_scripts]\\n" + """{scripts}""")
        archive.writestr("{name}.pth", str(Path.cwd()))
        archive.writestr(info + "RECORD", "")
    return wheel

build_editable = build_wheel
'''
SCRIPTS = "".join(
    f"{name} = standin:main\n" for name in ("sluice", "sluice-agent", "sluice-exchange")
)
MAIN = """
import json, os, sys
from pathlib import Path
def main():
    print(json.dumps({"program": Path(sys.argv[0]).name, "arguments": sys.argv[1:],
                      "root": os.environ["SLUICE_ROOT"], "folder": os.getcwd()}))
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "1"
"""
# A Python whose `-m venv` copies one that was really made: making one takes seconds.
QUICK_PYTHON = """
case $* in
*"-m venv --clear "*) for folder; do :; done; rm -rf "$folder"; exec cp -R "{template}" "$folder" ;;
*_base_executable*) echo "$0" ;;
*) exec "{python}" "$@" ;;
esac
"""


@dataclass(frozen=True)
class Yard:
    """A stand-in checkout, a PATH that holds almost nothing, and a folder of source packages."""

    folder: Path

    @property
    def checkout(self) -> Path:
        return self.folder / "my checkout"

    @property
    def launcher(self) -> Path:
        return self.checkout / "sluice"

    @property
    def stamp(self) -> Path:
        return self.checkout / ".venv/sluice-stamp"

    @property
    def path(self) -> Path:
        return self.folder / "bin"

    def environment(self, **more: str) -> dict[str, str]:
        """Offline, and with settings of a user's that would send packages elsewhere."""
        return {
            "HOME": str(self.folder),
            "PATH": str(self.path),
            "YARD": str(self.folder),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder / "packages"),
            "PIP_TARGET": str(self.folder / "elsewhere"),
            "PIP_USER": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(self.folder / "elsewhere"),
            "PYTHONHOME": str(self.folder / "elsewhere"),
            "UV_OFFLINE": "1",
            "UV_FIND_LINKS": str(self.folder / "packages"),
            "UV_CACHE_DIR": str(self.folder / "uv-cache"),
            **more,
        }

    def run(
        self, *argv: str, cwd: Path | None = None, start: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(start or self.launcher), *argv],
            cwd=cwd or self.folder,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.launcher), "status"],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def builds(self) -> list[str]:
        log = self.folder / "builds"
        return log.read_text().split() if log.exists() else []

    def program(self, name: str, text: str) -> None:
        """Put a program on PATH."""
        (self.path / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.path / name).chmod(0o755)

    def lock(self, *names: str) -> None:
        """Lock these packages, each with the hash of its source."""
        (self.checkout / "requirements/dev.txt").write_text(
            "".join(f"{name}==1 --hash=sha256:{self._source(name)}\n" for name in names)
        )

    def _source(self, name: str) -> str:
        """Make a source package and say its hash."""
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
            "pyproject.toml": PYPROJECT.format(name=name),
            "backend.py": BACKEND.format(name=name, scripts=""),
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for file, text in files.items():
                entry = tarfile.TarInfo(f"{name}-1/{file}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        source = gzip.compress(packed.getvalue(), mtime=0)
        (self.folder / "packages" / f"{name}-1.tar.gz").write_bytes(source)
        return hashlib.sha256(source).hexdigest()

    def installed(self) -> set[str]:
        found = self.checkout.glob(".venv/lib/python3*/site-packages/*-1.dist-info")
        return {folder.name.removesuffix("-1.dist-info") for folder in found}


def make_yard(folder: Path, root: Path) -> Yard:
    yard = Yard(folder)
    for needed in (yard.checkout / "requirements", yard.path, folder / "packages"):
        needed.mkdir(parents=True)
    shutil.copy(root / "sluice", yard.launcher)
    files = {
        "requirements/build.txt": "# nothing to build with\n",
        "pyproject.toml": PYPROJECT.format(name="standin"),
        "backend.py": BACKEND.format(name="standin", scripts=SCRIPTS),
        "standin.py": MAIN,
    }
    for file, text in files.items():
        (yard.checkout / file).write_text(text)
    yard.lock("pebble")
    for tool in TOOLS:
        (yard.path / tool).symlink_to(str(shutil.which(tool)))
    return yard


@pytest.fixture
def yard(tmp_path: Path, root: Path, template: Path) -> Yard:
    """Nothing is installed here yet."""
    yard = make_yard(tmp_path / "yard", root)
    yard.program("python3", QUICK_PYTHON.format(template=template, python=PYTHON))
    return yard


@pytest.fixture(scope="module")
def template(settled: Yard) -> Path:
    """The venv that the launcher has really made, as it was before anything came into it."""
    folder = settled.folder / "template"
    ours = shutil.ignore_patterns("pebble*", "standin*", "sluice*")
    shutil.copytree(settled.checkout / ".venv", folder, symlinks=True, ignore=ours)
    return folder


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Yard:
    """Installed once for all tests that only start it; its PATH begins with unusable Pythons."""
    yard = make_yard(tmp_path_factory.mktemp("settled") / "yard", root)
    (yard.path / "python3").symlink_to(PYTHON)
    yard.program("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    yard.program("python3.12", "echo 'is 3.9' >&2; exit 1")
    yard.program("python3.11", "echo 'lacks the module ensurepip' >&2; exit 1")
    first = yard.run("status", "--json")
    assert first.returncode == 0, first.stderr
    (yard.folder / "first.json").write_text(json.dumps([first.stdout, first.stderr]))
    return yard


def said(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def blocked(yard: Yard) -> Iterator[subprocess.Popen[str]]:
    """A launcher that is in the middle of installing packages until the gate opens."""
    gate = yard.folder / "gate-pebble"
    gate.touch()
    process = yard.begin()
    wait_until(lambda: "pebble" in yard.builds())
    yield process
    gate.unlink(missing_ok=True)
    process.communicate(timeout=PATIENCE)


def test_first_start_says_one_line_on_stderr_and_nothing_of_its_own_on_stdout(
    settled: Yard,
) -> None:
    out, err = json.loads((settled.folder / "first.json").read_text())
    assert json.loads(out)["arguments"] == ["status", "--json"]
    assert err.startswith("sluice: installing locked packages into .venv with pip")
    assert err.count("\n") == 1


def test_takes_the_first_python_that_really_works(settled: Yard) -> None:
    assert settled.stamp.read_text().splitlines()[0] == str(PYTHON)


def test_settings_of_the_user_send_no_package_elsewhere(settled: Yard) -> None:
    assert settled.installed() == {"pebble", "standin"}
    assert not (settled.folder / "elsewhere").exists()


def test_keeps_the_folder_it_is_started_from(settled: Yard, tmp_path: Path) -> None:
    answer = said(settled.run("check", "a b", "", cwd=tmp_path))
    assert answer["folder"] == str(tmp_path)
    assert answer["arguments"] == ["check", "a b", ""]
    assert answer["root"] == str(settled.checkout)


@pytest.mark.parametrize("program", ["agent", "exchange"])
def test_dispatches_to_the_other_programs(settled: Yard, program: str) -> None:
    answer = said(settled.run(program, "serve", "--port", "0"))
    assert answer["program"] == f"sluice-{program}"
    assert answer["arguments"] == ["serve", "--port", "0"]


def test_finds_its_folder_through_links(settled: Yard, tmp_path: Path) -> None:
    (tmp_path / "one two").mkdir()
    relative = tmp_path / "one two/relative"
    relative.symlink_to(os.path.relpath(settled.launcher, relative.parent))
    absolute = tmp_path / "absolute"
    absolute.symlink_to(relative)
    (tmp_path / "through").symlink_to(settled.checkout)
    for start in (relative, absolute, tmp_path / "through/sluice"):
        assert said(settled.run(start=start))["root"] == str(settled.checkout)


def test_runs_as_an_argument_of_sh_in_its_own_folder(settled: Yard) -> None:
    run = subprocess.run(
        ["/bin/sh", "sluice"],
        cwd=settled.checkout,
        env=settled.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said(run)["root"] == str(settled.checkout)


def test_an_up_to_date_start_needs_nothing_but_cksum(settled: Yard, tmp_path: Path) -> None:
    (tmp_path / "cksum").symlink_to(str(shutil.which("cksum")))
    run = settled.run("status", PATH=str(tmp_path), PIP_FIND_LINKS="/nowhere")
    assert said(run)["arguments"] == ["status"]
    assert run.stderr == ""


def test_refuses_a_named_python_that_is_no_use(settled: Yard) -> None:
    run = settled.run("status", SLUICE_PYTHON=str(settled.path / "python3.12"))
    assert run.returncode == 2
    assert run.stderr.startswith("error: SLUICE_PYTHON: ")
    assert "is no usable Python: is 3.9\nhint: " in run.stderr
    assert said(settled.run(SLUICE_PYTHON=str(PYTHON)))["arguments"] == []


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ("", ""),
        ("echo 'is 3.10' >&2; exit 1", "python3 is 3.10"),
        ("echo 'lacks the module ensurepip' >&2; exit 1", "python3 lacks the module ensurepip"),
        ("echo 'pyenv: no such command' >&2; exit 127", "python3 does not run"),
    ],
)
def test_without_a_usable_python_says_what_to_install(
    yard: Yard, candidate: str, reason: str
) -> None:
    (yard.path / "python3").unlink()
    if candidate:
        yard.program("python3", candidate)
    run = yard.run("status")
    assert run.returncode == 2
    error, hint = run.stderr.splitlines()
    assert error == "error: no usable Python from 3.11 to 3.13" + (reason and f" ({reason})")
    assert hint.startswith("hint: ")
    assert "sudo apt-get install python3 python3-venv" in hint
    assert not (yard.checkout / ".venv").exists()


def test_names_the_package_manager_that_is_there(yard: Yard) -> None:
    (yard.path / "python3").unlink()
    yard.program("dnf", "exit 1")
    hint = yard.run("status").stderr.splitlines()[1]
    assert "sudo dnf install" in hint
    assert "apt-get" not in hint


def test_a_venv_that_cannot_be_made_is_told_like_a_missing_python(yard: Yard) -> None:
    yard.program(
        "python3",
        f'''case $* in *"-m venv"*) exit 1 ;; *_base_executable*) echo "$0"; exit ;; esac
exec "{PYTHON}" "$@"''',
    )
    run = yard.run("status")
    assert run.returncode == 2
    assert "could not make it\nhint: " in run.stderr
    assert "python3-venv" in run.stderr


def test_refuses_half_a_checkout(yard: Yard) -> None:
    (yard.checkout / "requirements/build.txt").unlink()
    run = yard.run("status")
    assert run.returncode == 2
    assert "this is not a whole checkout\nhint: " in run.stderr


@pytest.mark.parametrize(
    "spoil",
    [Path.unlink, lambda file: file.write_bytes(b"false")],
    ids=["missing", "false"],
)
def test_a_missing_or_false_download_leaves_nothing_marked_complete(
    yard: Yard, spoil: Callable[[Path], object]
) -> None:
    source = yard.folder / "packages/pebble-1.tar.gz"
    spoil(source)
    run = yard.run("status")
    assert (run.returncode, run.stdout) == (3, "")
    *_, error, hint = run.stderr.splitlines()
    assert error == f"error: {yard.checkout}/.venv: the installation did not finish"
    assert hint.startswith("hint: ")
    assert yard.builds() == []
    assert not yard.stamp.exists()


def test_of_two_at_once_one_installs_and_the_other_waits(
    yard: Yard, blocked: subprocess.Popen[str]
) -> None:
    second = yard.begin()
    assert second.stderr is not None
    assert second.stderr.readline().startswith("sluice: another one is installing here")
    (yard.folder / "gate-pebble").unlink()
    for process in (blocked, second):
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert json.loads(out)["arguments"] == ["status"]
    assert yard.builds() == ["pebble", "standin"]


def test_goes_on_after_a_sudden_end(yard: Yard, blocked: subprocess.Popen[str]) -> None:
    os.killpg(blocked.pid, signal.SIGKILL)
    assert not yard.stamp.exists()
    (yard.folder / "gate-pebble").unlink()
    assert said(yard.run("status"))["arguments"] == ["status"]
    assert yard.builds() == ["pebble", "pebble", "standin"]


def test_waits_for_what_a_killed_launcher_left_running(
    yard: Yard, blocked: subprocess.Popen[str]
) -> None:
    blocked.kill()
    blocked.wait(PATIENCE)
    second = yard.begin()
    assert second.stderr is not None
    assert second.stderr.readline().startswith("sluice: another one is installing here")
    (yard.folder / "gate-pebble").unlink()
    out, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, err
    assert json.loads(out)["arguments"] == ["status"]


def test_installs_again_when_something_locked_has_changed(yard: Yard) -> None:
    said(yard.run())
    yard.lock("stone")
    said(yard.run())
    assert yard.installed() == {"stone", "standin"}

    with (yard.checkout / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    said(yard.run())
    assert yard.builds() == ["pebble", "standin", "stone", "standin", "standin"]


def test_a_copied_checkout_gets_a_venv_of_its_own(
    settled: Yard, yard: Yard, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(settled.checkout, copy, symlinks=True)
    answer = said(yard.run(start=copy / "sluice", SLUICE_PYTHON=str(yard.path / "python3")))
    assert answer["root"] == str(copy)
    assert str(copy) in (copy / ".venv/bin/sluice").read_text()


def test_a_start_mends_a_lost_program_without_the_packages(settled: Yard) -> None:
    before = settled.builds()
    (settled.checkout / ".venv/bin/sluice").unlink()
    said(settled.run())
    assert settled.builds() == [*before, "standin"]


def test_installs_with_uv_where_there_is_uv(yard: Yard) -> None:
    (yard.path / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    run = yard.run()
    said(run)
    assert " with uv; " in run.stderr
    yard.lock("stone")
    said(yard.run())
    assert yard.installed() == {"stone", "standin"}


@pytest.mark.needs("dash")
def test_runs_under_dash(settled: Yard) -> None:
    run = subprocess.run(
        [str(shutil.which("dash")), str(settled.launcher)],
        env=settled.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said(run)["program"] == "sluice"


def test_shellcheck_has_nothing_to_say(root: Path) -> None:
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shellcheck = shutil.which("shellcheck", path=places)
    if shellcheck is None:
        pytest.skip("needs shellcheck: sudo apt-get install shellcheck")
    scripts = [str(root / "sluice"), str(root / "requirements/compile.sh")]
    run = subprocess.run(
        [shellcheck, "-s", "sh", *scripts], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")
