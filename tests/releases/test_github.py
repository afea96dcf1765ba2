"""`sluice github pack`: what a merge changed, signed with a key that no child is given."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.adapters.signing import opened
from pipelines.domain.verdict import Status, Verdict
from pipelines.errors import BadInput, Refused
from pipelines.workflow import keys
from pipelines.workflow.github import releasing
from pipelines.workflow.place import Place
from tests.releases.conftest import NOW

pytestmark = pytest.mark.needs("git")
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def merged(
    here: Place, trusted: Callable[..., keys.NewKey], monkeypatch: pytest.MonkeyPatch
) -> Place:
    """A clone in which a merge brought the plugin; the key of ci is in the environment only."""
    key = trusted("ci").path
    monkeypatch.setenv(releasing.KEY, key.read_text())
    key.unlink()
    for words in (
        ("init", "--quiet"),
        ("add", "environments"),
        ("commit", "--quiet", "-m", "one"),
        ("tag", "before"),
        ("add", "strategies"),
        ("commit", "--quiet", "-m", "two"),
    ):
        subprocess.run([*GIT, *words], cwd=here.root, check=True)
    return here


def test_what_changed_is_packed_and_handed_on_with_its_signature(
    merged: Place, examined: Callable[..., Path], tmp_path: Path
) -> None:
    examined()
    (tar,) = releasing.pack(merged, "before", tmp_path / "out", NOW)
    signed, statement = opened(tar.with_suffix(".dsse").read_bytes(), "it")
    assert statement.predicate.release.name == "plain"
    assert len(signed.signatures) == 1
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".dsse", ".tar"]
    assert releasing.KEY not in os.environ
    assert list(merged.home.rglob("*.pem")) == []


def test_nothing_is_handed_on_when_one_may_not_be_packed(
    merged: Place, examined: Callable[..., Path], tmp_path: Path
) -> None:
    examined(verdicts=(Verdict(check="manifest", status=Status.FAILED),))
    with pytest.raises(Refused, match=r"plain@1\.4\.0"):
        releasing.pack(merged, "before", tmp_path / "out", NOW)
    assert not (tmp_path / "out").exists()


def test_without_a_key_nothing_is_packed(
    merged: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(releasing.KEY, " ")
    with pytest.raises(BadInput, match="SLUICE_SIGNING_KEY is not set"):
        releasing.pack(merged, "before", tmp_path / "out", NOW)
