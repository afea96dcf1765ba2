"""`sluice secrets rotate`, killed at every step: a live bot can be started after each of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Scope
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

DOOMED = """
import sys
from pipelines.cli import main
from tests.agent.doomed import STEPS
STEPS.last = int(sys.argv.pop(1))
sys.addaudithook(STEPS.hook)
main()
"""
"""A whole `sluice` that dies with -9 at its nth step: a file that is opened to write, renamed…"""


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """A live bot."""
    with lay() as train:
        train.secret("sandbox")
        train.want("sandbox", train.release())
        train.start()
        train.until_phase("sandbox", "running")
        yield train


def rotated(train: Train, root: Path, dies_at: int) -> int:
    """How a rotation ended that dies at a step."""
    argv = [sys.executable, "-c", DOOMED, str(dies_at), "--root", str(train.project)]
    argv += ["--home", str(train.home), "secrets", "rotate", "sandbox"]
    return subprocess.run(argv, cwd=root, check=False, capture_output=True).returncode


def key(train: Train) -> str:
    """The name of the key that the values are encrypted with."""
    values = json.loads((train.home / "secrets" / "sandbox" / "values.json").read_bytes())
    return str(values["key"])


def test_killed_at_every_step_the_bot_can_be_started_with_the_old_or_the_new(
    train: Train, root: Path
) -> None:
    folder = train.home / "secrets" / "sandbox"
    store, scope = SecretStore(train.home), Scope("sandbox", "sandbox")
    before = {name: secret.reveal() for name, secret in store.held(scope).items()}
    started: set[tuple[bool, tuple[str, ...]]] = set()
    steps, old = 0, key(train)
    while (ended := rotated(train, root, dies_at=steps + 1)) == -SIGKILL:
        steps += 1
        held = {name: secret.reveal() for name, secret in store.held(scope).items()}
        assert held == before, f"after step {steps}"
        looks = key(train) != old, tuple(sorted(map(kind, filter(Path.is_file, folder.rglob("*")))))
        if looks not in started:
            # Every other state of the files: a bot is started with each of them.
            started.add(looks)
            starts(train)
        old = key(train)
    assert ended == 0
    assert steps >= 4
    assert {new for new, _ in started} == {False, True}
    assert len(list((folder / "keys").iterdir())) == 1
    starts(train)


def kind(path: Path) -> str:
    """What a file is, whatever its name was drawn to be."""
    whole = "" if not path.name.startswith(".") else "half a "
    return whole + ("key" if path.parent.name == "keys" else "values.json")


def starts(train: Train) -> None:
    # It ran for long enough that its death is not counted with those before.
    train.exchange.step(minutes=11)
    train.round()
    pid = train.pid("sandbox")
    train.end_bot(train.house.lock("sandbox", "beat"))
    train.until_phase("sandbox", "failed")
    train.exchange.step(minutes=1)
    there = train.until_phase("sandbox", "running")
    assert (there.verified, there.healthy) == (True, True)
    assert train.pid("sandbox") != pid
