"""Packages are installed ahead, held to their hashes, and appear as a whole or not at all."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.domain.document import sha256
from pipelines.errors import ExitCode
from runner.agent import venvs

pytestmark = pytest.mark.slow

VERSION = "2020.1"
Run = Callable[..., subprocess.CompletedProcess[str]]


def wheel(folder: Path, name: str, version: str) -> str:
    """A package that holds nothing; its sha256."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        archive.writestr(f"{info}/METADATA", metadata)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock whose packages lie beside it: nothing is ever asked of a network."""
    (tmp_path / "wheels").mkdir()
    digest = wheel(tmp_path / "wheels", "freqtrade", VERSION)
    (tmp_path / "lock.txt").write_text(f"freqtrade=={VERSION} --hash=sha256:{digest}\n")
    (tmp_path / "build.txt").write_text("")
    return tmp_path / "lock.txt"


def settings(folder: Path, **more: str) -> dict[str, str]:
    offline = {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}
    places = {f"{tool}_FIND_LINKS": str(folder / "wheels") for tool in ("PIP", "UV")}
    return {**os.environ, **offline, **places, **more}


def argv(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "runner.agent", "--home", str(folder / "home"), *words]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv(tmp_path, *words),
            env=settings(tmp_path, **more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def add(lock: Path) -> tuple[str, ...]:
    return "packages", "add", str(lock), "--build", str(lock.with_name("build.txt"))


def left(folder: Path) -> list[str]:
    return [path.name for path in (folder / "home" / "venvs").glob("*")]


@pytest.mark.parametrize("uv", [pytest.param(True, marks=pytest.mark.needs("uv")), False])
def test_what_a_lock_names_is_installed_once(
    run: Run, lock: Path, tmp_path: Path, uv: bool
) -> None:
    digest = sha256(lock.read_bytes())
    without_uv = {} if uv else {"PATH": "/usr/bin:/bin"}
    elsewhere = {"PIP_TARGET": str(tmp_path / "stray"), "UV_TARGET": str(tmp_path / "stray")}
    ended = run(*add(lock), **without_uv, **elsewhere)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{digest}  freqtrade {VERSION}\n"
    assert "installing what lock.txt names" in ended.stderr
    assert left(tmp_path) == [digest]
    found = venvs.found(tmp_path / "home", digest)
    assert found is not None
    assert (found.freqtrade, Path(found.python).parent.parent.name) == (VERSION, digest)
    program = [found.python, "-c", "import freqtrade; print(freqtrade.__version__)"]
    assert (
        subprocess.run(program, capture_output=True, check=True).stdout == VERSION.encode() + b"\n"
    )
    assert (venvs.folder(tmp_path / "home", digest) / venvs.LOCK).read_bytes() == lock.read_bytes()
    assert not (tmp_path / "stray").exists()

    again = run(*add(lock))
    assert "is installed already" in again.stderr
    listed = run("packages", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [venvs.own().lock, digest]


def test_whoever_installs_it_bots_of_other_users_can_read_it(
    run: Run, lock: Path, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        assert run(*add(lock)).returncode == 0
    finally:
        os.umask(before)
    (folder,) = (tmp_path / "home" / "venvs").iterdir()
    shut = [p for p in folder.rglob("*") if not p.is_symlink() and not p.stat().st_mode & 0o004]
    assert shut == []


def test_a_file_with_another_hash_is_refused_and_nothing_is_left(
    run: Run, lock: Path, tmp_path: Path
) -> None:
    lock.write_text(lock.read_text()[:-5] + "0000\n")
    ended = run(*add(lock))
    assert ended.returncode == ExitCode.CANNOT_TELL
    assert "the installation did not finish" in ended.stderr
    assert left(tmp_path) == []


def test_a_package_without_a_hash_is_refused(run: Run, lock: Path, tmp_path: Path) -> None:
    lock.write_text(f"freqtrade=={VERSION}\n")
    assert run(*add(lock)).returncode == ExitCode.CANNOT_TELL
    assert left(tmp_path) == []


@pytest.mark.parametrize(("text", "told"), [("", "pins no freqtrade"), (None, "cannot be read")])
def test_what_is_no_lock_is_told(run: Run, lock: Path, text: str | None, told: str) -> None:
    if text is None:
        lock.unlink()
    else:
        lock.write_text(text)
    ended = run("packages", "add", str(lock))
    assert ended.returncode == ExitCode.BAD_INPUT
    assert f"error: {lock}: {told}" in ended.stderr


def test_one_that_is_killed_leaves_nothing_that_is_taken_for_a_venv(
    run: Run, lock: Path, tmp_path: Path
) -> None:
    adding = subprocess.Popen(
        argv(tmp_path, *add(lock)), env=settings(tmp_path), stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not left(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(adding.pid, signal.SIGKILL)
    adding.wait()
    digest = sha256(lock.read_bytes())

    assert all(name.startswith(f".{digest}.") for name in left(tmp_path))
    assert venvs.found(tmp_path / "home", digest) is None
    assert run("packages", "list").stdout.count("\n") == 1
    assert run(*add(lock)).returncode == 0
    assert venvs.found(tmp_path / "home", digest) is not None


def test_what_was_not_installed_to_its_end_counts_for_nothing(tmp_path: Path) -> None:
    digest = "a" * 64
    folder = venvs.folder(tmp_path, digest)
    about = {"requirements": digest, "freqtrade": VERSION, "python": "3.11"}
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    assert venvs.found(tmp_path, digest) is None
    for wrong in (about | {"requirements": "b" * 64}, {"x": 1}):
        (folder / venvs.ABOUT).write_text(json.dumps(wrong))
        assert venvs.found(tmp_path, digest) is None
    (folder / venvs.ABOUT).write_text(json.dumps(about))
    assert venvs.found(tmp_path, digest) is not None
    (folder / "bin" / "python").unlink()
    assert venvs.found(tmp_path, digest) is None
