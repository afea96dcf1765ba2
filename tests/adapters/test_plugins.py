"""Plugins on the disk and in git become strategies, or errors that say what to do."""

import os
from pathlib import Path

import pytest

from pipelines.adapters import plugins
from pipelines.errors import BadInput, Problem, Problems

MANIFEST = """\
class: Trend
version: 1.0.0
owner: me
summary: Follows the trend
pairs: [BTC/USDT]
timeframe: 1h
handover: drain
"""
SOURCE = "class Trend:\n    pass\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "trend/strategy.yaml", MANIFEST)
    write(tmp_path, "trend/strategy.py", SOURCE)
    return tmp_path


def write(root: Path, path: str, content: str | bytes) -> Path:
    file = root / "strategies" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def refused(root: Path, name: str = "trend") -> BadInput:
    with pytest.raises(BadInput) as caught:
        plugins.read(root, name)
    return caught.value


def test_reads_a_plugin(root: Path) -> None:
    strategy = plugins.read(root, "trend")
    assert strategy.name == "trend"
    assert strategy.manifest.class_name == "Trend"
    assert strategy.source == SOURCE
    assert [file.path for file in strategy.files] == ["trend/strategy.py", "trend/strategy.yaml"]


def test_lists_plugins_by_name_and_leaves_out_shared_code_and_caches(root: Path) -> None:
    for folder in ("another", "shared", "__pycache__", ".hidden"):
        (root / "strategies" / folder).mkdir()
    (root / "strategies/README.md").write_text("text")
    assert plugins.names(root) == ("another", "trend")


def test_says_where_to_run_when_there_are_no_strategies(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no folder 'strategies'"):
        plugins.names(tmp_path)


def test_leaves_out_what_tools_leave_behind(root: Path) -> None:
    before = plugins.read(root, "trend").digest
    for path in ("__pycache__/strategy.pyc", ".ruff_cache/x", ".hidden", "old.pyc"):
        write(root, f"trend/{path}", "cache")
    assert plugins.read(root, "trend").digest == before


def test_reads_folders_below_the_plugin(root: Path) -> None:
    write(root, "trend/notes/idea.md", "text")
    assert plugins.read(root, "trend").file("notes/idea.md") is not None


def test_an_unknown_name_lists_those_there_are_and_suggests_the_nearest(root: Path) -> None:
    error = refused(root, "trnd")
    assert error.message == "strategies/trnd: there is no such strategy"
    assert error.hint == "did you mean 'trend'? there are: trend"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("my-strat", "call it 'my_strat'"),
        ("My Strat!", "call it 'my_strat'"),
        ("2fast", "call it 'strategy_2fast'"),
        ("class", "call it 'strategy_class'"),
        ("match", "call it 'match_strategy'"),
        ("größe", "call it 'gr_e'"),
        ("shared", "name a plugin"),
        ("../trend", "call it 'trend'"),
        ("", "call it 'strategy'"),
    ],
)
def test_refuses_a_name_and_says_a_better_one(root: Path, name: str, hint: str) -> None:
    assert refused(root, name).hint == hint


@pytest.mark.parametrize("missing", ["strategy.yaml", "strategy.py"])
def test_says_which_file_is_missing(root: Path, missing: str) -> None:
    (root / "strategies/trend" / missing).unlink()
    assert refused(root).message == f"strategies/trend/{missing}: there is no such file"


def test_refuses_a_link_out_of_the_folder(root: Path) -> None:
    (root / "secret").write_text("secret")
    (root / "strategies/trend/notes.md").symlink_to(root / "secret")
    assert refused(root).message == "strategies/trend/notes.md: is a symbolic link"


def test_refuses_a_link_to_a_folder_and_one_that_leads_nowhere(root: Path) -> None:
    (root / "strategies/trend/a").symlink_to(root)
    (root / "strategies/trend/b").symlink_to(root / "nowhere")
    error = refused(root)
    assert isinstance(error, Problems)
    assert [problem.where for problem in error.problems] == [
        "strategies/trend/a",
        "strategies/trend/b",
    ]


def test_refuses_a_plugin_that_is_a_link_itself(root: Path) -> None:
    (root / "strategies/other").symlink_to(root / "strategies/trend")
    assert "other: is a symbolic link" in refused(root, "other").message


def test_refuses_a_pipe_without_waiting_for_it(root: Path) -> None:
    os.mkfifo(root / "strategies/trend/pipe")
    assert refused(root).message == "strategies/trend/pipe: is no ordinary file"


def test_refuses_a_file_that_is_too_large(root: Path) -> None:
    write(root, "trend/candles.csv", b"x" * ((1 << 20) + 1))
    assert "candles.csv: is too large: 1.0 MB" in refused(root).message


def test_refuses_a_folder_that_is_too_large(root: Path) -> None:
    for number in range(9):
        write(root, f"trend/{number}.csv", b"x" * (1 << 20))
    assert refused(root).message == "strategies/trend: is too large: at most 8 MiB in all"


def test_refuses_a_folder_with_too_many_files(root: Path) -> None:
    for number in range(200):
        write(root, f"trend/{number}.csv", "")
    assert refused(root).message == "strategies/trend: holds more than 200 files"


@pytest.mark.parametrize("name", ["a\nb.py", "a b.py", "ü.py", b"\xff.py"])
def test_refuses_names_that_could_pose_as_others_in_a_digest(root: Path, name: str | bytes) -> None:
    text = name if isinstance(name, str) else os.fsdecode(name)
    write(root, f"trend/{text}", "")
    assert "has an unusual name" in refused(root).message


def test_tells_every_problem_at_once(root: Path) -> None:
    write(root, "trend/strategy.yaml", MANIFEST.replace("1h", "2h").replace("1.0.0", "1"))
    write(root, "trend/strategy.py", "import shared.gone_v1\n")
    (root / "strategies/trend/link").symlink_to(root)
    error = refused(root)
    assert isinstance(error, Problems)
    assert [(problem.where.split("/")[-1], problem.line) for problem in error.problems] == [
        ("link", 0),
        ("strategy.py", 1),
        ("strategy.yaml", 2),
        ("strategy.yaml", 6),
    ]


def test_a_broken_manifest_names_file_line_and_key(root: Path) -> None:
    write(root, "trend/strategy.yaml", MANIFEST + "colour: red\n")
    error = refused(root)
    assert error.message == "strategies/trend/strategy.yaml:8: colour: is not a known key"
    assert "sluice docs strategy" in error.hint


# Shared code


@pytest.mark.parametrize(
    "line",
    [
        "from shared.regime_v1 import is_calm",
        "import shared.regime_v1",
        "import shared.regime_v1 as regime",
        "from shared import regime_v1",
        "def f():\n    import shared.regime_v1",
    ],
)
def test_takes_along_the_shared_code_that_it_imports(root: Path, line: str) -> None:
    write(root, "shared/regime_v1.py", "X = 1\n")
    write(root, "shared/unused_v1.py", "Y = 1\n")
    write(root, "trend/strategy.py", f"{line}\n")
    assert [file.path for file in plugins.read(root, "trend").shared] == ["shared/regime_v1.py"]


def test_takes_along_what_shared_code_imports_even_in_circles(root: Path) -> None:
    write(root, "shared/a_v1.py", "from shared.b_v2 import x\n")
    write(root, "shared/b_v2.py", "import shared.a_v1\n")
    write(root, "trend/strategy.py", "import shared.a_v1\n")
    strategy = plugins.read(root, "trend")
    assert [file.path for file in strategy.shared] == ["shared/a_v1.py", "shared/b_v2.py"]


def test_shared_code_is_part_of_the_digest(root: Path) -> None:
    write(root, "shared/a_v1.py", "X = 1\n")
    write(root, "trend/strategy.py", "import shared.a_v1\n")
    before = plugins.read(root, "trend").digest
    write(root, "shared/a_v1.py", "X = 2\n")
    assert plugins.read(root, "trend").digest != before


def test_missing_shared_code_is_named_with_its_line_and_the_nearest_name(root: Path) -> None:
    write(root, "shared/regime_v1.py", "X = 1\n")
    write(root, "trend/strategy.py", "\nfrom shared.regime_v2 import X\n")
    error = refused(root)
    assert error.message == (
        "strategies/trend/strategy.py:2: imports shared.regime_v2, "
        "and there is no strategies/shared/regime_v2.py"
    )
    assert error.hint == "did you mean 'shared.regime_v1'?"


@pytest.mark.parametrize(
    "line", ["import shared", "from shared.regime import x", "import shared.a.b"]
)
def test_shared_code_without_a_number_is_refused(root: Path, line: str) -> None:
    write(root, "trend/strategy.py", f"{line}\n")
    assert "which is no versioned module" in refused(root).message


def test_a_link_in_the_shared_code_is_refused(root: Path) -> None:
    (root / "strategies/shared").mkdir()
    (root / "strategies/shared/a_v1.py").symlink_to(root / "x")
    write(root, "trend/strategy.py", "import shared.a_v1\n")
    assert "shared/a_v1.py: is a symbolic link" in refused(root).message


def test_source_that_does_not_parse_is_left_to_the_checks(root: Path) -> None:
    write(root, "trend/strategy.py", "def (:\n")
    assert plugins.read(root, "trend").source == "def (:\n"


def test_names_the_others_and_their_classes(root: Path) -> None:
    write(root, "other/strategy.yaml", MANIFEST.replace("Trend", "Other"))
    write(root, "broken/strategy.yaml", "{")
    assert plugins.others(root, "trend") == (("broken", ""), ("other", "Other"))


# Git


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "--quiet", "--initial-branch=main")
    save(root)
    return root


def git(root: Path, *arguments: str) -> str:
    import subprocess

    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def save(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Save")
    return git(root, "rev-parse", "HEAD")


def test_reads_a_plugin_as_it_was(repository: Path) -> None:
    before = plugins.read(repository, "trend")
    write(repository, "trend/strategy.py", SOURCE + "\n")
    save(repository)
    assert plugins.read_at(repository, "trend", "HEAD~1") == before
    assert plugins.read_at(repository, "trend", "HEAD") == plugins.read(repository, "trend")


def test_reads_the_shared_code_as_it_was(repository: Path) -> None:
    write(repository, "shared/a_v1.py", "X = 1\n")
    write(repository, "trend/strategy.py", "import shared.a_v1\n")
    save(repository)
    before = plugins.read(repository, "trend")
    write(repository, "shared/a_v1.py", "X = 2\n")
    assert plugins.read_at(repository, "trend", "HEAD") == before


def test_a_plugin_that_was_not_there_is_none(repository: Path) -> None:
    assert plugins.read_at(repository, "other", "HEAD") is None
    assert plugins.read_at(repository, "my-strat", "HEAD") is None


def test_a_plugin_that_was_broken_is_none(repository: Path) -> None:
    write(repository, "trend/strategy.yaml", "{")
    save(repository)
    assert plugins.read_at(repository, "trend", "HEAD") is None


def test_a_link_in_a_revision_is_refused(repository: Path) -> None:
    (repository / "strategies/trend/link").symlink_to("/etc/passwd")
    save(repository)
    assert plugins.read_at(repository, "trend", "HEAD") is None


def test_an_unknown_revision_is_an_error_and_not_a_missing_plugin(repository: Path) -> None:
    with pytest.raises(BadInput, match="there is no revision 'nowhere'"):
        plugins.read_at(repository, "trend", "nowhere")


def test_the_incumbent_is_what_was_there_when_the_work_began(repository: Path) -> None:
    before = plugins.read(repository, "trend")
    git(repository, "checkout", "--quiet", "-b", "change")
    write(repository, "trend/strategy.py", SOURCE + "# mine\n")
    save(repository)
    git(repository, "checkout", "--quiet", "main")
    write(repository, "trend/strategy.py", SOURCE + "# theirs\n")
    save(repository)
    git(repository, "checkout", "--quiet", "change")
    assert plugins.incumbent(repository, "trend", "main") == before


def test_nothing_has_changed_at_first(repository: Path) -> None:
    assert plugins.changed_since(repository, "main") == ()


def test_uncommitted_and_untracked_work_counts(repository: Path) -> None:
    write(repository, "trend/strategy.py", SOURCE + "\n")
    write(repository, "fresh/strategy.yaml", MANIFEST)
    assert plugins.changed_since(repository, "main") == ("fresh", "trend")


def test_a_change_of_shared_code_is_a_change_of_all_that_use_it(repository: Path) -> None:
    write(repository, "shared/a_v1.py", "X = 1\n")
    write(repository, "user/strategy.yaml", MANIFEST)
    write(repository, "user/strategy.py", "import shared.a_v1\n")
    save(repository)
    write(repository, "shared/a_v1.py", "X = 2\n")
    assert plugins.changed_since(repository, "HEAD") == ("user",)


def test_what_others_did_meanwhile_is_no_change(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "change")
    git(repository, "checkout", "--quiet", "main")
    write(repository, "trend/strategy.py", SOURCE + "# theirs\n")
    save(repository)
    git(repository, "checkout", "--quiet", "change")
    assert plugins.changed_since(repository, "main") == ()


def test_a_plugin_that_is_gone_is_not_listed(repository: Path) -> None:
    for file in (repository / "strategies/trend").iterdir():
        file.unlink()
    (repository / "strategies/trend").rmdir()
    assert plugins.changed_since(repository, "main") == ()


def test_what_was_broken_and_still_is_has_not_changed(repository: Path) -> None:
    write(repository, "trend/strategy.yaml", "{")
    save(repository)
    assert plugins.changed_since(repository, "HEAD") == ()
    write(repository, "trend/strategy.yaml", "[")
    assert plugins.changed_since(repository, "HEAD") == ("trend",)


def test_a_problem_is_raised_alone_when_it_is_the_only_one(root: Path) -> None:
    write(root, "trend/strategy.yaml", "")
    assert isinstance(refused(root), Problem)
