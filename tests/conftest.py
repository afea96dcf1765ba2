"""What tests need of the machine, and what happens where it is missing.

A test says `@pytest.mark.needs("chromium")`. On a user's machine it is skipped where there is no
chromium, and a table at the end says what to install. Where `CI` is `true` nothing is ever skipped:
what is missing there is a failure, because a check that did not run is no pass.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from decimal import Context, localcontext
from pathlib import Path

import pytest

from pipelines.adapters.isolation.bubblewrap import bubblewrap
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.isolation.weak import Weak
from runner.exchange import faketime

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Component:
    """Something of the machine: how to find out whether it is there, and how to get it."""

    there: Callable[[], bool]
    remedy: str


def _runs(*argv: str) -> Callable[[], bool]:
    """Started, not only found: a shim on PATH may have nothing behind it."""

    def probe() -> bool:
        if shutil.which(argv[0]) is None:
            return False
        return subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode == 0

    return probe


def _found(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def _shellcheck() -> str | None:
    beside = Path(sys.executable).parent
    return shutil.which("shellcheck") or shutil.which("shellcheck", path=str(beside))


def _candles_folder() -> Path | None:
    named = os.environ.get("SLUICE_CANDLES", "")
    folder = Path(named).resolve()
    return folder if named and any(folder.rglob("*.feather")) else None


# Read once, before the session hides the variable from the tests.
_CANDLES = _candles_folder()


_PARSER = "tests/github/node_modules/@actions/workflow-parser"

COMPONENTS = {
    "apt": Component(_found("apt-get"), "a system with Debian's packages"),
    "bubblewrap": Component(
        _runs("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"),
        "sudo apt-get install bubblewrap",
    ),
    "candles": Component(
        lambda: _CANDLES is not None,
        "set SLUICE_CANDLES to a folder of recorded candles",
    ),
    "chromium": Component(
        _found("chromium", "chromium-browser", "google-chrome"), "sudo apt-get install chromium"
    ),
    "dash": Component(_found("dash"), "sudo apt-get install dash"),
    "git": Component(_found("git"), "sudo apt-get install git"),
    "kernel headers": Component(
        lambda: Path("/usr/include/asm-generic/unistd.h").exists(),
        "sudo apt-get install linux-libc-dev",
    ),
    "libfaketime": Component(
        lambda: faketime.library() is not None, "sudo apt-get install libfaketime"
    ),
    "openssl": Component(_found("openssl"), "sudo apt-get install openssl"),
    "postgresql": Component(
        lambda: _found("postgres")() or any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
        "sudo apt-get install postgresql",
    ),
    "python3.12": Component(_runs("python3.12", "--version"), "install Python 3.12"),
    # The locked requirements bring one as well, beside the interpreter.
    "shellcheck": Component(lambda: bool(_shellcheck()), "sudo apt-get install shellcheck"),
    "ssh-keygen": Component(_found("ssh-keygen"), "sudo apt-get install openssh-client"),
    "workflow parser": Component(
        lambda: _runs("node", "--version")() and (ROOT / _PARSER).is_dir(),
        "npm ci --prefix tests/github, with Debian's nodejs and npm",
    ),
    "systemd": Component(_found("systemd-analyze"), "sudo apt-get install systemd"),
    "uv": Component(_runs("uv", "--version"), "pip install uv"),
}

_there: dict[str, bool] = {}


def missing(name: str) -> bool:
    """True when the component is not on this machine. Every probe runs once."""
    if name not in _there:
        _there[name] = COMPONENTS[name].there()
    return not _there[name]


def in_ci() -> bool:
    """True where a missing component is somebody's mistake."""
    return os.environ.get("CI", "").lower() == "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a component that is not in the table: its tests would never run anywhere."""
    for item in items:
        for name in _needed(item):
            if name not in COMPONENTS:
                raise pytest.UsageError(f"{item.nodeid}: tests/conftest.py has no component {name}")


def _needed(item: pytest.Item) -> list[str]:
    return [str(name) for marker in item.iter_markers("needs") for name in marker.args]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail before any fixture starts."""
    for name in _needed(item):
        if missing(name):
            item.user_properties.append(("needs", name))
            pytest.skip(f"needs {name}: {COMPONENTS[name].remedy}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI every skipped test is a failure, whoever skipped it."""
    report = yield
    if report.skipped and in_ci():
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a module that skips itself is a failure too."""
    report = yield
    if report.skipped and in_ci():
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    report.longrepr = f"{report.nodeid}: skipped, which CI does not allow: {_reason(report)}"
    report.outcome = "failed"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests did not run, and what would make them run."""
    groups: dict[str, list[str]] = defaultdict(list)
    remedies = {}
    for report in terminalreporter.stats.get("skipped", []):
        name = dict(getattr(report, "user_properties", ())).get("needs", "")
        title = str(name) or "other reasons"
        remedies[title] = COMPONENTS[title].remedy if title in COMPONENTS else ""
        groups[title].append(report.nodeid if name else f"{report.nodeid}: {_reason(report)}")
    if not groups:
        return
    terminalreporter.section("not run on this machine")
    for title, tests in sorted(groups.items()):
        count = f"{len(tests)} test{'s' if len(tests) > 1 else ''}"
        terminalreporter.write_line(f"{title:<14}{count:<12}{remedies[title]}".rstrip())
        for test in tests:
            terminalreporter.write_line(f"    {test}")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of this session: no test touches the user's, nor is led by his settings."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SLUICE_")]:
            # The launcher's choice of a Python stays: another one would rebuild .venv under us.
            if name != "SLUICE_PYTHON":
                patch.delenv(name)
        patch.setenv("SLUICE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    """ccxt changes how the whole program rounds decimals: each test begins as Python does."""
    with localcontext(Context()):
        yield


@pytest.fixture(scope="session")
def enclosure() -> Enclosure:
    """What children run in: full isolation, unless a user's machine lacks it."""
    return Weak() if missing("bubblewrap") and not in_ci() else bubblewrap()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout that the tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def shellcheck() -> str:
    """The program. Ask for it with `needs("shellcheck")`."""
    return _shellcheck() or "shellcheck"


@pytest.fixture(scope="session")
def candles_folder() -> Path:
    """Recorded candles. Ask for it with `needs("candles")`."""
    if _CANDLES is None:
        pytest.skip(f"needs candles: {COMPONENTS['candles'].remedy}")
    return _CANDLES


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A throw-away project: the environments of this checkout, and no strategies yet."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "environments", folder / "environments")
    (folder / "strategies").mkdir()
    return folder
