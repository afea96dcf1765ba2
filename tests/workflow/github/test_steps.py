"""What steps of workflows call, in real repositories: what changed, gate, report, candles."""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.errors import BadInput, ExitCode, Refused
from pipelines.reports import folder as reports
from pipelines.reports.model import Report, StrategyReport
from pipelines.workflow.github import changing, gating, reporting, supplying, telling
from pipelines.workflow.place import Place

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture(autouse=True)
def on_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The files that a step writes into; the function reads one."""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return lambda name: (tmp_path / name).read_text() if (tmp_path / name).exists() else ""


@pytest.fixture
def here(project: Path, root: Path, tmp_path: Path) -> Place:
    """A clone whose origin/main is where it begins, with our own workflows."""
    workflows = project / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for path in (root / ".github" / "workflows").glob("*.yml"):
        (workflows / path.name).write_text(path.read_text())
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project, "first")
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    return Place(project, tmp_path / "home")


def git(folder: Path, *words: str) -> str:
    ended = subprocess.run([*GIT, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def commit(folder: Path, name: str) -> None:
    plugin = folder / "strategies" / name
    plugin.mkdir(parents=True)
    (plugin / "strategy.py").write_text("ONE = 1\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)


@pytest.mark.needs("git")
def test_what_changed_is_the_matrix(here: Place, on_github: Callable[[str], str]) -> None:
    assert changing.tell(changing.strategies(here, "origin/main")) is ExitCode.DONE
    assert "any<<" in on_github("GITHUB_OUTPUT")
    assert "\n[]\n" in on_github("GITHUB_OUTPUT")
    commit(here.root, "second")
    assert changing.strategies(here, "origin/main") == ("second",)


def test_no_value_ends_an_output_early(on_github: Callable[[str], str]) -> None:
    ends = []
    for _ in range(2):
        telling.output("one", "x\nend\nany<<y\n")
        first, *rest = on_github("GITHUB_OUTPUT").splitlines()
        ends.append(first.partition("<<")[2])
        assert rest[: rest.index(ends[-1])] == ["x", "end", "any<<y", ""]
        Path(os.environ["GITHUB_OUTPUT"]).unlink()
    assert ends[0] != ends[1]


@pytest.mark.needs("git")
def test_the_gate_lets_main_and_its_tags_pass(here: Place) -> None:
    assert gating.gate(here, "refs/heads/main", tagged=False) == "refs/heads/main"
    for tag in ("v1.0.0", "my_strategy-v1.0.0"):
        git(here.root, "tag", tag)
        gating.gate(here, f"refs/tags/{tag}", tagged=True)


@pytest.mark.needs("git")
@pytest.mark.parametrize(
    ("ref", "tagged", "said"),
    [
        ("refs/heads/feature", False, "is neither main nor a tag that promotes"),
        ("refs/heads/main", True, "promotes nothing"),
        ("refs/pull/1/merge", False, "is neither main nor a tag that promotes"),
    ],
)
def test_the_gate_refuses_whatever_else_started_it(
    here: Place, ref: str, tagged: bool, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        gating.gate(here, ref, tagged=tagged)


@pytest.mark.needs("git")
def test_the_gate_refuses_what_was_never_merged_and_what_breaks_the_policy_at_once(
    here: Place,
) -> None:
    (here.root / ".github" / "workflows" / "evil.yml").write_text(
        "on: pull_request_target\npermissions: {}\njobs: {}\n"
    )
    commit(here.root, "evil")
    git(here.root, "tag", "v9.9.9")
    with pytest.raises(Refused) as caught:
        gating.gate(here, "refs/tags/v9.9.9", tagged=True)
    assert "was never merged into main" in caught.value.message
    assert "evil.yml:1: events: pull_request_target" in caught.value.message


@pytest.mark.needs("git")
def test_a_tag_that_moved_away_is_not_what_is_checked_out(here: Place) -> None:
    git(here.root, "tag", "v1.0.0")
    commit(here.root, "second")
    git(here.root, "update-ref", "refs/remotes/origin/main", "HEAD")
    with pytest.raises(Refused, match=r"refs/tags/v1.0.0 is not what is checked out"):
        gating.gate(here, "refs/tags/v1.0.0", tagged=True)


def needs(any_: str = "true", **ended: str) -> str:
    outputs = {"changed": {"any": any_}}
    return json.dumps(
        {name: {"result": how, "outputs": outputs.get(name, {})} for name, how in ended.items()}
    )


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (needs(workflows="success", changed="success", check="success"), ExitCode.DONE),
        (needs("false", workflows="success", changed="success", check="skipped"), ExitCode.DONE),
        (needs(workflows="success", changed="success", check="skipped"), ExitCode.SAID_NO),
        (needs("", changed="success", check="skipped"), ExitCode.SAID_NO),
        (needs("false", changed="failure", check="skipped"), ExitCode.SAID_NO),
        (needs(changed="success", check="cancelled"), ExitCode.SAID_NO),
        (needs("false", changed="skipped", check="skipped"), ExitCode.SAID_NO),
        ("{}", ExitCode.SAID_NO),
    ],
)
def test_what_was_passed_over_is_no_pass_unless_there_was_nothing_to_do(
    told: str, code: ExitCode
) -> None:
    assert gating.passed(told) is code


@pytest.mark.parametrize("told", ["", "[]", "{", '{"a": 1}', '{"a": {"result": "success"}}'])
def test_what_github_never_says_is_bad_input(told: str) -> None:
    with pytest.raises(BadInput, match="not what GitHub says"):
        gating.passed(told)


def test_a_report_is_the_summary_and_marks_its_lines(
    tmp_path: Path, on_github: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (
        Finding(what="strategies/x/strategy.py:7:3: imports os", hint="leave it,\nout: 100%"),
        Finding(what="loses money"),
    )
    verdicts = (
        Verdict(check="lint", status=Status.FAILED, findings=lines),
        Verdict(check="unit", status=Status.PASSED, findings=(Finding(what="fine"),)),
        Verdict(check="bias", status=Status.SKIPPED, findings=(Finding(what="did not run"),)),
    )
    reports.write(Report((StrategyReport("x", "", verdicts, None, None),)), tmp_path / "out")

    assert reporting.report(tmp_path / "out") is ExitCode.DONE

    assert "FAILED" in on_github("GITHUB_STEP_SUMMARY")
    marks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    assert marks == [
        "::error file=strategies/x/strategy.py,line=7::lint: imports os; leave it,%0Aout: 100%25",
        "::error file=strategies/x::lint: loses money",
    ]


def test_no_report_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no report"):
        reporting.report(tmp_path)


def test_without_a_place_to_fetch_from_it_says_that_candles_are_synthetic(
    here: Place, on_github: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert supplying.candles(here, here.root / "out", NOW) is ExitCode.DONE
    assert "for the demo only" in capsys.readouterr().out
    assert "Synthetic candles" in on_github("GITHUB_STEP_SUMMARY")
    assert on_github("GITHUB_ENV") == ""
