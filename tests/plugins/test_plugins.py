"""Plugins that tests trade with are plugins like any other: manifest, lint and unit pass."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pipelines.adapters import lockfile, plugins
from pipelines.adapters.candles import open_shelf
from pipelines.adapters.clock import SystemClock
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.processes import Processes
from pipelines.adapters.ruff import Ruff
from pipelines.adapters.storage import FolderCache
from pipelines.checks import lint, manifest, unit
from pipelines.checks.workbench import Subject, Workbench
from pipelines.documents import load
from pipelines.domain.environment import Environment
from pipelines.domain.verdict import Status

HERE = Path(__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/strategy.yaml"))


class Silent:
    """Nobody listens."""

    def say(self, line: str) -> None: ...


@pytest.fixture(scope="module")
def bench(
    root: Path, candles_folder: Path, enclosure: Enclosure, tmp_path_factory: pytest.TempPathFactory
) -> Workbench:
    """What the gate works with, on recorded candles of futures."""
    home = tmp_path_factory.mktemp("home")
    now = datetime.now(UTC)
    return Workbench(
        shell=Processes(home, enclosure),
        shelf=open_shelf(candles_folder, lockfile.load(root), home / "candles", now, "futures"),
        clock=SystemClock(),
        progress=Silent(),
        cache=FolderCache(home / "cache", reads=False),
        linter=Ruff(),
        jobs=1,
        engine="tests",
    )


@pytest.fixture
def subject(root: Path, project: Path, request: pytest.FixtureRequest) -> Subject:
    name = str(request.param)
    shutil.copytree(HERE / name, project / "strategies" / name)
    place = root / "environments" / "test.yaml"
    environment = load(place, Environment, "environments/test.yaml")
    return Subject(plugins.read(project, name), None, environment, ())


@pytest.mark.freqtrade
@pytest.mark.needs("candles")
@pytest.mark.parametrize("subject", NAMES, indirect=True)
def test_it_passes_what_the_gate_asks_of_its_source(subject: Subject, bench: Workbench) -> None:
    for check in (manifest, lint, unit):
        verdict = check.run(subject, bench)
        assert verdict.findings == ()
        assert (check.NAME, verdict.status) == (check.NAME, Status.PASSED)


def test_there_is_one_for_both_ways_of_futures() -> None:
    assert "both_ways" in NAMES


def test_none_of_them_is_shipped(root: Path) -> None:
    shipped = {path.parent.name for path in (root / "strategies").glob("*/strategy.yaml")}
    assert shipped.isdisjoint(NAMES)
