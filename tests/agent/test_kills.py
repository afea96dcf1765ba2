"""kill -9 of the agent at step after step: what follows is old or new, never mixed, never two."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import Lay
from tests.agent.train import made

pytestmark = pytest.mark.freqtrade

POINTS = 9
"""How many agents die. Each run chooses other steps, and says which."""

Deeds = list[dict[str, Any]]


@pytest.fixture(scope="module")
def deeds(
    lay: Lay, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Deeds, list[str]]:
    """What became of deliveries and rollbacks; the digests of the releases, in their order."""
    releases = tmp_path_factory.mktemp("releases")
    chance = random.Random()
    with lay() as train:
        digests = []
        # The first two are undisturbed: one to count steps, one to fall back to.
        asked: list[tuple[str, float]] = []
        for number in range(POINTS + 2):
            share = (number - 2 + chance.random()) / POINTS if number > 1 else 0.0
            if number > 2 and number % 3 == 0:
                asked.append(("rollback", share))
                continue
            release, tar, dsse = made(train.project, train.key, f"1.{number}.0")
            digests.append(release.digest)
            (releases / f"{len(asked)}.tar").write_bytes(tar)
            (releases / f"{len(asked)}.dsse").write_bytes(dsse)
            asked.append((str(len(asked)), share))
        given = {
            "project": str(train.project),
            "home": str(train.home),
            "ready": str(train.exchange.ready_file),
            "releases": str(releases),
            "deeds": asked,
        }
        train.home.mkdir()
        argv = [sys.executable, str(Path(__file__).with_name("doomed.py")), json.dumps(given)]
        ended = subprocess.run(
            argv, cwd=root, capture_output=True, text=True, timeout=400, check=False
        )
        assert ended.returncode == 0, ended.stderr + train.told()
        yield [json.loads(line) for line in ended.stdout.splitlines()], digests


def test_agents_died_at_their_steps_and_others_went_on(deeds: Any) -> None:
    lines, _ = deeds
    assert [line["ended"] for line in lines[:2]] == [0, 0]
    killed = [line for line in lines[2:] if line["ended"] == -signal.SIGKILL]
    assert len(killed) >= POINTS - 2, lines
    assert {line["healed"] for line in lines} == {0}


def test_the_ledger_holds_at_every_moment(deeds: Any) -> None:
    lines, _ = deeds
    assert {line[when]["broken"] for line in lines for when in ("between", "after")} == {""}


def test_there_never_are_two_bots(deeds: Any) -> None:
    lines, _ = deeds
    assert {line["between"]["bots"] for line in lines} <= {0, 1}
    assert {line["after"]["bots"] for line in lines} == {1}


def test_what_runs_is_the_old_or_the_new_and_then_what_is_wanted(deeds: Any) -> None:
    lines, _ = deeds
    old = None
    for line in lines:
        after, between = line["after"], line["between"]
        assert between["runs"] in {None, old, after["wanted"]}, line
        assert between["wanted"] in {old, after["wanted"]}, line
        assert (after["runs"], after["verified"]) == (after["wanted"], True), line
        assert after["wanted"] != old, line
        old = after["wanted"]


def test_each_delivery_and_each_rollback_came_to_be(deeds: Any) -> None:
    lines, digests = deeds
    expected, before = [], ""
    fresh = iter(digests)
    for line in lines:
        expected.append(before if line["deed"] == "rollback" else next(fresh))
        before = expected[-2] if len(expected) > 1 else expected[0]
    assert [line["after"]["wanted"] for line in lines] == expected
