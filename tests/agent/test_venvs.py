"""Releases of two locks side by side, each with its own packages; none is ever downloaded."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.domain.document import sha256
from pipelines.domain.release import Release
from pipelines.errors import ExitCode
from runner.agent import venvs
from runner.agent.venvs import Installed
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

OTHER = "2020.1"
"""The version of freqtrade in the second venv: the installed one under another name."""

LOCK = f"freqtrade=={OTHER}\n"
DIGEST = sha256(LOCK.encode())
PACKAGES = Path(sysconfig.get_paths()["purelib"])


def lay_venv(home: Path, lock: str, renamed: str = "") -> Path:
    """A venv that borrows this one's packages; freqtrade is its own when it is renamed."""
    folder = venvs.folder(home, sha256(lock.encode()))
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", folder], check=True)
    (own,) = folder.glob("lib/python3*/site-packages")
    (own / "borrowed.pth").write_text(f"{PACKAGES}\n")
    if renamed:
        shutil.copytree(PACKAGES / "freqtrade", own / "freqtrade")
        init = own / "freqtrade" / "__init__.py"
        text = init.read_text()
        text = re.sub(r'__version__ = "[^"]+"', f'__version__ = "{renamed}"', text, count=1)
        init.write_text(text)
    minor = "{}.{}".format(*sys.version_info[:2])
    about = Installed(requirements=folder.name, freqtrade=OTHER, python=minor)
    (folder / venvs.LOCK).write_text(lock)
    (folder / venvs.ABOUT).write_text(about.model_dump_json())
    for path in (folder.parent, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    return folder


def python_of(train: Train, environment: str) -> str:
    """The program that a bot is."""
    argv = Path(f"/proc/{train.pid(environment)}/cmdline").read_bytes().split(b"\0")
    return os.fsdecode(argv[0])


def loaded(train: Train, environment: str) -> dict[str, object]:
    path = train.home / "bots" / f"demo.{environment}" / "beat" / "loaded.json"
    found: dict[str, object] = json.loads(path.read_bytes())
    return found


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    with lay() as laid:
        laid.secret("sandbox")
        laid.start()
        yield laid


@pytest.fixture(scope="module")
def old(train: Train) -> Release:
    """A release with the project's own packages, verified in test."""
    release = train.release("1.0.0")
    assert train.sluice("deliver", str(release.id)).returncode == 0
    train.until_running("test", release)
    return release


@pytest.fixture(scope="module")
def new(train: Train) -> Release:
    """A release with another lock, and another freqtrade in it."""
    return train.release("1.1.0", requirements=DIGEST, freqtrade=OTHER)


@pytest.fixture(scope="module")
def venv(train: Train, old: Release, new: Release) -> Path:
    """The packages of that lock, once they are installed, and the release that runs with them."""
    folder = lay_venv(train.home, LOCK, OTHER)
    ended = train.sluice("promote", str(new.id), "test")
    assert ended.returncode == 0, ended.stderr
    train.until_running("test", new)
    return folder


def test_a_pin_that_is_not_installed_is_refused_at_once_and_what_runs_goes_on(
    train: Train, old: Release, new: Release
) -> None:
    pid, before = train.pid("test"), train.counted()["promotion"]
    ended = train.sluice("promote", str(new.id), "test")

    assert ended.returncode == ExitCode.REFUSED
    assert f"pins packages {DIGEST[:8]}, which are not installed here" in ended.stderr
    assert "'sluice-agent packages add LOCKFILE'" in ended.stderr
    assert train.counted()["promotion"] == before
    assert train.until_running("test", old).healthy
    assert train.pid("test") == pid
    assert not (train.home / "venvs").exists()


def test_a_bot_runs_with_the_packages_of_its_release(train: Train, venv: Path) -> None:
    assert python_of(train, "test") == str(venv / "bin" / "python")
    told = loaded(train, "test")
    assert (told["freqtrade"], told["python"]) == (OTHER, str(venv / "bin" / "python"))
    assert train.strategy("test").healthy


def test_two_freqtrades_run_side_by_side_and_trade(
    train: Train, venv: Path, old: Release, new: Release
) -> None:
    train.want("sandbox", old)
    train.until_running("sandbox", old)

    assert python_of(train, "sandbox") == sys.executable
    assert python_of(train, "test") == str(venv / "bin" / "python")
    assert loaded(train, "sandbox")["freqtrade"] == version("freqtrade")
    sent = train.exchange.ask("status").orders_sent
    train.step(5)
    assert train.exchange.ask("status").orders_sent > sent
    assert (train.strategy("test").healthy, train.strategy("sandbox").healthy) == (True, True)


def without_trades(train: Train, environment: str) -> None:
    for _ in range(12):
        if train.strategy(environment).open_trades == 0:
            return
        train.step(1)
    raise AssertionError(train.told())


def test_a_rollback_leads_from_one_venv_to_the_other(
    train: Train, venv: Path, old: Release
) -> None:
    without_trades(train, "test")
    assert train.sluice("rollback", "test").returncode == 0
    train.until_running("test", old)
    assert python_of(train, "test") == sys.executable


def test_a_rollback_to_packages_that_are_gone_is_refused_and_what_runs_goes_on(
    train: Train, venv: Path, new: Release
) -> None:
    assert train.sluice("unhold", "test", "beat").returncode == 0
    without_trades(train, "test")
    assert train.sluice("promote", str(new.id), "test").returncode == 0
    train.until_running("test", new)
    last = train.release("1.2.0")
    without_trades(train, "test")
    assert train.sluice("promote", str(last.id), "test").returncode == 0
    train.until_running("test", last)
    pid, before = train.pid("test"), train.counted()["promotion"]
    venv.rename(venv.with_name("gone"))
    try:
        ended = train.sluice("rollback", "test")
        there = train.strategy("test")
    finally:
        venv.with_name("gone").rename(venv)

    assert ended.returncode == ExitCode.REFUSED, ended.stdout
    assert f"{new.id}: pins packages {DIGEST[:8]}, which are not installed here" in ended.stderr
    assert (there.running, there.healthy) == (str(last.id), True)
    assert (train.pid("test"), train.counted()["promotion"]) == (pid, before)


def test_packages_that_are_not_what_they_say_never_trade(train: Train, venv: Path) -> None:
    """What is written beside them names one freqtrade, and another one is loaded."""
    lock = LOCK + "# another\n"
    lay_venv(train.home, lock)
    digest = sha256(lock.encode())
    false = train.release("1.3.0", requirements=digest, freqtrade=OTHER)
    without_trades(train, "test")
    train.want("test", false)

    def told() -> bool:
        train.round()
        return any(entry["entry"] == "unverified" for entry in train.entries())

    train.until(told)
    (entry,) = (entry for entry in train.entries() if entry["entry"] == "unverified")
    assert entry["digest"] == false.digest
    assert f"freqtrade: should be {OTHER}, is {version('freqtrade')}" in entry["reason"]
