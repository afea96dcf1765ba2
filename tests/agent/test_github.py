"""`sluice github deliver` and `promote` ask a real agent over its socket, and tell all it says."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.domain.release import Release
from pipelines.errors import BadInput, ExitCode
from pipelines.workflow.github import promoting, releasing
from pipelines.workflow.place import Place
from runner.agent.door import open_door
from runner.agent.verbs import Verbs
from tests.agent import light as lights
from tests.agent.train import BEAT

pytestmark = pytest.mark.needs("git")
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def light(root: Path, tmp_path: Path) -> Iterator[lights.Light]:
    """An agent without bots: what is asked of it is written down, and nothing is started."""
    train = lights.project(root, tmp_path, None)
    launcher = lights.launched_by(tmp_path, root)
    with lights.light(train, launcher, tmp_path / "agent") as there:
        yield there


@pytest.fixture
def here(light: lights.Light, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The project, and the agent's home with an open door."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    opened, stop = open_door(light.home), threading.Event()
    verbs = Verbs(light.agent, light.train.project)

    def serve() -> None:
        while not stop.is_set():
            opened.serve(verbs.answer, 0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    yield Place(light.train.project, light.home)
    stop.set()
    thread.join()
    opened.close()


@pytest.fixture
def released(light: lights.Light, tmp_path: Path) -> Release:
    """What was packed at the merge of version 1.0.0, which is tagged."""
    release, tar, dsse = lights.files(light.train, "1.0.0", BEAT)
    folder = tmp_path / "releases"
    folder.mkdir()
    (folder / f"{release.digest}.tar").write_bytes(tar)
    (folder / f"{release.digest}.dsse").write_bytes(dsse)
    git(light, "init", "--quiet", "--initial-branch=main")
    git(light, "add", "--all")
    git(light, "commit", "--quiet", "-m", "one")
    for tag in ("v1.0.0", "beat-v1.0.0", "beat-v2.0.0"):
        git(light, "tag", tag)
    return release


def git(light: lights.Light, *words: str) -> None:
    subprocess.run([*GIT, *words], cwd=light.train.project, check=True)


def summary(tmp_path: Path) -> str:
    """What people read there: without the marks that keep GitHub from linking digests."""
    return (tmp_path / "summary.md").read_text().replace("&#8203;", "")


def test_a_merge_is_delivered_to_test_and_a_tag_asks_for_what_was_packed_then(
    here: Place, light: lights.Light, released: Release, tmp_path: Path
) -> None:
    assert releasing.deliver(here, tmp_path / "releases") is ExitCode.DONE
    assert "delivered" in summary(tmp_path)
    entries = [each for each in light.entries() if each["entry"] == "promotion"]
    assert [(each["environment"], each["digest"]) for each in entries] == [
        ("test", released.digest)
    ]

    for tag in ("v1.0.0", "beat-v1.0.0"):
        assert promoting.promote(here, f"refs/tags/{tag}", "sandbox") is ExitCode.REFUSED
    assert "soak" in summary(tmp_path)
    assert summary(tmp_path).count("approval") > 1

    assert promoting.promote(here, "refs/tags/beat-v1.0.0", "test") is ExitCode.DONE
    assert f"{released.digest[:8]} is wanted in test" in summary(tmp_path)


def test_a_tag_with_another_version_or_of_other_content_promotes_nothing(
    here: Place, light: lights.Light, released: Release, tmp_path: Path
) -> None:
    releasing.deliver(here, tmp_path / "releases")
    assert promoting.promote(here, "refs/tags/beat-v2.0.0", "test") is ExitCode.REFUSED
    assert "the tag says 2.0.0" in summary(tmp_path)

    strategy = light.train.project / "strategies" / "beat" / "strategy.py"
    strategy.write_text(strategy.read_text() + "\nEVIL = 1\n")
    git(light, "commit", "--all", "--quiet", "-m", "other")
    with pytest.raises(BadInput, match="is not what is checked out"):
        promoting.promote(here, "refs/tags/beat-v1.0.0", "test")
    git(light, "tag", "--force", "beat-v1.0.0")
    before = len(light.entries())
    assert promoting.promote(here, "refs/tags/beat-v1.0.0", "test") is ExitCode.REFUSED
    assert len(light.entries()) == before

    with pytest.raises(BadInput, match="promotes nothing"):
        promoting.promote(here, "refs/heads/main", "test")


def test_a_poisoned_release_is_refused_and_stops_no_other(
    here: Place, light: lights.Light, released: Release, tmp_path: Path
) -> None:
    folder = tmp_path / "releases"
    poisoned = folder / f"{'0' * 64}.tar"
    poisoned.write_bytes((folder / f"{released.digest}.tar").read_bytes() + b"x")
    poisoned.with_suffix(".dsse").write_bytes((folder / f"{released.digest}.dsse").read_bytes())
    assert releasing.deliver(here, folder) is ExitCode.REFUSED
    assert "✗ 000000000000" in summary(tmp_path)
    assert [each["digest"] for each in light.entries() if each["entry"] == "promotion"] == [
        released.digest
    ]
    with pytest.raises(BadInput, match="holds no release"):
        releasing.deliver(here, tmp_path / "gone")
