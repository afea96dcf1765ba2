"""`sluice new`: a plugin that is in order as it stands, or nothing at all."""

from pathlib import Path

import pytest

from pipelines.adapters import plugins
from pipelines.adapters.ruff import Ruff
from pipelines.checks import policy, promises
from pipelines.domain.source import parse
from pipelines.errors import BadInput, CannotTell
from pipelines.workflow.new import class_for, new


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "strategies").iterdir())


def test_writes_a_plugin_that_can_be_read(project: Path) -> None:
    written = new(project, "new_highs", owner="Ada")
    strategy = plugins.read(project, "new_highs")
    assert strategy.manifest.class_name == "NewHighs"
    assert strategy.manifest.owner == "Ada"
    assert sorted(path.name for path in written) == [
        "README.md",
        "strategy.py",
        "strategy.yaml",
        "test_new_highs.py",
    ]
    assert all(path.is_file() for path in written)


def test_what_it_writes_passes_lint_and_keeps_its_promises(project: Path) -> None:
    new(project, "new_highs")
    strategy = plugins.read(project, "new_highs")
    sources = {f.path: f.content for f in strategy.files if f.path.endswith(".py")}
    assert policy.findings(strategy.files) == ()
    assert Ruff().run(sources) == ()
    tree = parse(strategy.source.encode())
    assert list(promises.of_source(strategy, tree, "USDT")) == []


@pytest.mark.parametrize("owner", ["Jörg", 'O"Neill: #1', "- a", "{a", "yes", "1"])
def test_an_owner_of_any_name_is_written_faithfully(project: Path, owner: str) -> None:
    new(project, "new_highs", owner=owner)
    assert plugins.read(project, "new_highs").manifest.owner == owner


@pytest.mark.needs("git")
def test_the_owner_is_by_default_who_git_says(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / ".gitconfig"
    config.write_text("[user]\n\tname = Ada Lovelace\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    new(project, "new_highs")
    assert plugins.read(project, "new_highs").manifest.owner == "Ada Lovelace"


def test_the_owner_is_unknown_where_nobody_says(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    new(project, "new_highs")
    assert plugins.read(project, "new_highs").manifest.owner == "unknown"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("my-strat", "should be named like a Python variable", "call it 'my_strat'"),
        ("class", "is a word of Python's own", "call it 'strategy_class'"),
        ("shared", "is where shared code lives", "name a plugin"),
        ("", "should be named like a Python variable", "call it 'strategy'"),
        ("a/b", "should be named like a Python variable", "call it 'a_b'"),
    ],
)
def test_refuses_a_name_and_writes_nothing(
    project: Path, name: str, message: str, hint: str
) -> None:
    before = names(project)
    with pytest.raises(BadInput, match=message) as caught:
        new(project, name)
    assert caught.value.hint == hint
    assert names(project) == before


@pytest.mark.parametrize("name", ["taken", "Taken", "TAKEN"])
def test_refuses_what_is_there_already_whatever_its_case(project: Path, name: str) -> None:
    folder = project / "strategies/taken"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    with pytest.raises(BadInput, match="strategies/taken: exists already"):
        new(project, name)
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_refuses_even_an_empty_folder_and_a_dangling_link(project: Path) -> None:
    (project / "strategies/empty").mkdir()
    (project / "strategies/link").symlink_to("nowhere")
    for name in ("empty", "link"):
        with pytest.raises(BadInput, match="exists already"):
            new(project, name)


def test_leaves_nothing_half_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(project)

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CannotTell, match="No space left on device"):
        new(project, "new_highs")
    assert names(project) == before


@pytest.mark.parametrize(
    ("name", "class_name"),
    [("new_highs", "NewHighs"), ("rsi2", "Rsi2"), ("_x", "X"), ("_2", "Strategy2")],
)
def test_names_the_class_after_the_folder(name: str, class_name: str) -> None:
    assert class_for(name) == class_name
