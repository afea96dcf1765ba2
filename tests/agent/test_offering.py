"""Real bots where releases enter by themselves: once, only forward, and never against people."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.domain.release import Release
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

MOST_HOURS = 16
TRIAL = """\
  approval: automatic
  upstream: test
  soak: {hours: 2, trades: 1}
"""


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """What soaked in test enters trial by itself, on paper like test."""
    with lay() as laid:
        folder = laid.project / "environments" / "demo"
        paper = (folder / "test.yaml").read_text().partition("\nadmission:")[0]
        paper = paper.replace("name: test", "name: trial").replace("  approval: merge\n", TRIAL)
        (folder / "trial.yaml").write_text(paper)
        laid.start()
        yield laid


def promotions(train: Train, environment: str) -> list[dict[str, Any]]:
    entries = train.entries()
    return [e for e in entries if e["entry"] == "promotion" and e["environment"] == environment]


def wanted(train: Train, environment: str) -> list[tuple[str, bool]]:
    """The releases of all promotions there, and whether nobody asked for them."""
    return [(e["release"], e["automatic"]) for e in promotions(train, environment)]


def delivered(train: Train, version: str) -> Release:
    release = train.release(version)
    ended = train.sluice("deliver", str(release.id))
    assert ended.returncode == 0, ended.stderr
    return release


def soaked(train: Train, release: Release) -> None:
    """Until the release has soaked in test for trial, and a round later; no hour earlier."""
    train.until_running("test", release)
    for _ in range(MOST_HOURS):
        before = wanted(train, "trial")
        if "✗ soak" not in train.sluice("explain", str(release.id), "trial").stdout:
            train.round()
            return
        assert str(release.id) not in [named for named, _ in before]
        train.step(1)
    raise AssertionError(train.told())


@pytest.fixture(scope="module")
def first(train: Train) -> Release:
    """It entered trial by itself once it had soaked."""
    release = delivered(train, "1.0.0")
    soaked(train, release)
    train.until_running("trial", release)
    return release


def test_what_has_soaked_enters_once_by_the_agent_and_people_hear_of_it(
    train: Train, first: Release
) -> None:
    (entry,) = promotions(train, "trial")
    assert (entry["release"], entry["automatic"], entry["by"]) == (str(first.id), True, "agent")
    told = [alert for alert in train.alerts("notice") if alert.environment == "trial"]
    assert [alert.text.partition(" enters by itself")[0] for alert in told] == [str(first.id)]
    assert train.strategy("trial").healthy


def test_neither_more_rounds_nor_a_killed_agent_promote_it_again(
    train: Train, first: Release
) -> None:
    pid = train.pid("trial")
    for _ in range(3):
        train.round()
    train.kill()
    train.start()
    train.round()

    assert wanted(train, "trial") == [(str(first.id), True)]
    assert train.pid("trial") == pid


@pytest.fixture(scope="module")
def second(train: Train, first: Release) -> Release:
    """A newer one was held out of trial; it entered as soon as the hold was lifted."""
    release = delivered(train, "1.1.0")
    assert train.sluice("hold", "trial", "--reason", "not now").returncode == 0
    soaked(train, release)
    train.round()
    assert wanted(train, "trial") == [(str(first.id), True)]
    assert train.sluice("unhold", "trial").returncode == 0
    for _ in range(MOST_HOURS):
        there = train.strategy("trial")
        if there.running == str(release.id):
            break
        train.step(1)
    train.until_running("trial", release)
    return release


def test_a_hold_keeps_it_out_until_it_is_lifted(
    train: Train, first: Release, second: Release
) -> None:
    assert wanted(train, "trial") == [(str(first.id), True), (str(second.id), True)]


def test_what_was_rolled_back_does_not_come_again_though_the_hold_is_lifted(
    train: Train, first: Release, second: Release
) -> None:
    assert train.sluice("rollback", "trial", "--reason", "worse").returncode == 0
    train.round()
    train.round()
    before = wanted(train, "trial")
    assert before[2:] == [(str(first.id), False)]
    assert train.sluice("unhold", "trial").returncode == 0
    train.step(2)

    assert wanted(train, "trial") == before
    assert train.sluice("explain", str(second.id), "trial").returncode == 0, "people may ask"
