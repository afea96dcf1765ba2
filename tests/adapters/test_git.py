"""What we ask git, in real repositories."""

import subprocess
from pathlib import Path

import pytest

from pipelines.adapters import git
from pipelines.errors import BadInput, CannotTell

pytestmark = pytest.mark.needs("git")


def run(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    run(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "strategies/a/strategy.py", "one\n")
    return folder


def commit(folder: Path, path: str, text: str) -> str:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--message", f"Write {path}")
    return run(folder, "rev-parse", "HEAD")


def test_resolves_a_branch_to_its_commit(repository: Path) -> None:
    assert git.resolve(repository, "main") == run(repository, "rev-parse", "main")


@pytest.mark.parametrize("revision", ["nowhere", "", "--help", "main..main", "main:strategies"])
def test_refuses_what_is_no_revision(repository: Path, revision: str) -> None:
    with pytest.raises(BadInput, match="there is no revision") as caught:
        git.resolve(repository, revision)
    assert "origin/<name>" in caught.value.hint


def test_refuses_a_folder_outside_of_any_repository(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not in a git repository"):
        git.resolve(tmp_path, "main")


def test_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such folder"):
        git.resolve(tmp_path / "gone", "main")


def test_cannot_tell_without_git(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotTell, match="git is not installed"):
        git.resolve(repository, "main")


def test_knows_no_user_without_git(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.user_name(repository) == ""


def test_reads_the_user_of_the_repository(repository: Path) -> None:
    run(repository, "config", "user.name", "Ada Lovelace")
    assert git.user_name(repository) == "Ada Lovelace"


def test_is_not_led_astray_by_the_environment_of_a_hook(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/index"))
    assert len(git.resolve(repository, "main")) == 40


def test_lists_and_reads_a_tree_that_is_not_checked_out(repository: Path) -> None:
    before = run(repository, "rev-parse", "HEAD")
    commit(repository, "strategies/a/strategy.py", "two\n")
    (entry,) = git.tree(repository, before, "strategies")
    assert (entry.path, entry.mode, entry.size) == ("strategies/a/strategy.py", "100644", 4)
    assert git.contents(repository, (entry.identity,)) == {entry.identity: b"one\n"}


def test_a_folder_that_was_not_there_is_empty(repository: Path) -> None:
    assert git.tree(repository, "main", "nothing") == ()


def test_reads_contents_with_newlines_and_nulls(repository: Path) -> None:
    (repository / "strategies/a/data").write_bytes(b"\0\n\0 blob 3\n")
    run(repository, "add", "--all")
    run(repository, "commit", "--quiet", "--message", "Write bytes")
    entries = git.tree(repository, "main", "strategies")
    held = git.contents(repository, tuple(entry.identity for entry in entries))
    assert b"\0\n\0 blob 3\n" in held.values()


def test_an_object_that_git_lacks_cannot_be_told(repository: Path) -> None:
    with pytest.raises(CannotTell, match="git lacks the object"):
        git.contents(repository, ("0" * 40,))


def test_reads_paths_relative_to_a_folder_below_the_top(repository: Path) -> None:
    commit(repository, "inner/strategies/b/strategy.py", "b\n")
    (entry,) = git.tree(repository / "inner", "main", "strategies")
    assert entry.path == "strategies/b/strategy.py"


def test_finds_where_a_branch_left(repository: Path) -> None:
    left = run(repository, "rev-parse", "HEAD")
    run(repository, "checkout", "--quiet", "-b", "change")
    commit(repository, "strategies/a/strategy.py", "mine\n")
    run(repository, "checkout", "--quiet", "main")
    commit(repository, "strategies/b/strategy.py", "theirs\n")
    run(repository, "checkout", "--quiet", "change")
    assert git.merge_base(repository, "main") == left


def test_refuses_a_history_of_its_own(repository: Path) -> None:
    run(repository, "checkout", "--quiet", "--orphan", "apart")
    commit(repository, "strategies/a/strategy.py", "apart\n")
    with pytest.raises(BadInput, match="have no commit in common"):
        git.merge_base(repository, "main")


def test_says_how_to_fetch_when_a_clone_is_too_shallow(repository: Path, tmp_path: Path) -> None:
    run(repository, "checkout", "--quiet", "-b", "change")
    commit(repository, "strategies/a/strategy.py", "mine\n")
    run(repository, "checkout", "--quiet", "main")
    commit(repository, "strategies/b/strategy.py", "theirs\n")
    shallow = tmp_path / "shallow"
    address = f"file://{repository}"
    run(tmp_path, "clone", "--quiet", "--depth=1", "--no-single-branch", address, str(shallow))
    with pytest.raises(CannotTell, match="too shallow") as caught:
        git.merge_base(shallow, "origin/change")
    assert "fetch-depth: 0" in caught.value.hint
    with pytest.raises(BadInput, match="there is no revision") as refused:
        git.merge_base(shallow, "main~1")
    assert "fetch-depth: 0" in refused.value.hint
