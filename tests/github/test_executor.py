"""Events at our real workflows, with a real agent behind them: who may do what, and who may not.

The executor's README says what this proves and what it does not.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.release import Release
from runner.agent.door import open_door
from runner.agent.verbs import Verbs
from tests.agent import light as lights
from tests.agent.train import BEAT

pytestmark = [pytest.mark.needs("git", "workflow parser", "bubblewrap"), pytest.mark.slow]

HERE = Path(__file__).parent
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
LAUNCHER = """\
#!/bin/sh
SLUICE_ROOT=$(cd -- "${0%%/*}" && pwd) && export SLUICE_ROOT
exec '%s' -m pipelines.cli "$@"
"""
SECRET = "a-key-that-nobody-may-see"
EVIL = """\
name: Evil
on: push
jobs:
  evil:
    runs-on: [self-hosted, sluice]
    environment: prod
    steps:
      - uses: actions/checkout@v5
      - run: ./sluice promote "%s" prod || echo "ended $?, key $KEY"
        env:
          KEY: ${{ secrets.KEY }}
"""


@dataclass
class Fork:
    """A repository with our workflows, and what is behind its self-hosted runner."""

    light: lights.Light
    folder: Path
    runs: int = field(default=0)

    @property
    def root(self) -> Path:
        return self.light.train.project

    def git(self, *words: str) -> str:
        ended = subprocess.run(
            [*GIT, *words], cwd=self.root, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def commit(self, message: str = "more") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def event(self, name: str, ref: str, *only: str, **more: Any) -> dict[str, Any]:
        """What becomes of an event: each workflow's jobs, by the name of its file."""
        self.runs += 1
        work = self.folder / f"run-{self.runs}"
        work.mkdir(parents=True)
        machine = {"PATH": os.environ["PATH"], "HOME": str(work)}
        told = {
            **{"repository": str(self.root), "work": str(work), "name": name, "ref": ref},
            **{"sha": self.git("rev-parse", f"{ref}^{{commit}}"), "only": only or None},
            **{"env": {"hosted": machine, "own": {**machine, "SLUICE_HOME": str(self.light.home)}}},
            **{"secrets": {"prod": {"KEY": SECRET}}, **more},
        }
        (work / "event.json").write_text(json.dumps(told))
        ended = subprocess.run(
            ["node", "executor/run.mjs", str(work / "event.json")],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return {each["file"]: each["jobs"] for each in json.loads(ended.stdout)}

    def wanted(self) -> list[tuple[str, str]]:
        """Every promotion of the ledger: where, and by what digest."""
        entries = [each for each in self.light.entries() if each["entry"] == "promotion"]
        return [(each["environment"], each["digest"]) for each in entries]


def ended(jobs: dict[str, Any]) -> dict[str, str]:
    return {name: job["result"] for name, job in jobs.items()}


def log(job: dict[str, Any]) -> str:
    """Everything that a job printed, and its summary, without marks that keep links away."""
    steps = [step["log"] for leg in job["legs"] for step in leg["steps"]]
    return "\n".join([*steps, *(leg["summary"] for leg in job["legs"])]).replace("&#8203;", "")


@pytest.fixture(scope="module")
def fork(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """main holds `beat` 1.0.0, which was delivered to test; nothing else was promoted."""
    folder = tmp_path_factory.mktemp("fork")
    train = lights.project(root, folder, None)
    release, tar, dsse = lights.files(train, "1.0.0", BEAT)
    shutil.copytree(root / ".github", train.project / ".github")
    launcher = train.project / "sluice"
    launcher.write_text(LAUNCHER % sys.executable)
    launcher.chmod(0o755)
    with (
        pytest.MonkeyPatch.context() as patch,
        lights.light(train, lights.launched_by(folder, root), folder / "agent") as light,
    ):
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        made = Fork(light, folder / "runs")
        made.git("init", "--quiet", "--initial-branch=main")
        made.git("config", "uploadpack.allowAnySHA1InWant", "true")
        made.commit("one")
        light.deliver((tar, dsse))
        assert made.wanted() == [("test", release.digest)]
        opened, stop = open_door(light.home), threading.Event()
        verbs = Verbs(light.agent, train.project)

        def serve() -> None:
            while not stop.is_set():
                opened.serve(verbs.answer, 0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        yield made
        stop.set()
        thread.join()
        opened.close()


@pytest.fixture
def main(fork: Fork) -> Iterator[str]:
    """The commit of main, which is checked out; whatever a test leaves behind is gone."""
    commit = fork.git("rev-parse", "main")
    fork.git("checkout", "--quiet", "--force", "main")
    yield commit
    fork.git("checkout", "--quiet", "--force", "--detach", commit)
    fork.git("branch", "--quiet", "--force", "main", commit)


@pytest.fixture
def release(fork: Fork) -> Release:
    return lights.files(fork.light.train, "1.0.0", BEAT)[0]


def pull_request(fork: Fork, base: str) -> dict[str, Any]:
    """What is committed on a branch is asked to be merged."""
    payload = {"pull_request": {"base": {"sha": base}, "title": '"; touch pwned; "'}}
    fork.git("update-ref", "refs/pull/1/merge", "HEAD")
    jobs = fork.event("pull_request", "refs/pull/1/merge", "check.yml", payload=payload)
    return dict(jobs["check.yml"])


def test_a_pull_request_that_changes_no_strategy_passes_without_a_check(
    fork: Fork, main: str
) -> None:
    fork.git("checkout", "--quiet", "-b", "words")
    (fork.root / "NOTES.md").write_text("more\n")
    fork.commit()
    jobs = pull_request(fork, main)
    assert ended(jobs) == {
        **{"workflows": "success", "changed": "success", "check": "skipped", "passed": "success"}
    }


def test_a_pull_request_with_a_bad_strategy_is_told_why_on_its_lines(fork: Fork, main: str) -> None:
    fork.git("checkout", "--quiet", "-b", "bad")
    plugin = fork.root / "strategies" / "bad"
    plugin.mkdir()
    (plugin / "strategy.py").write_text("import os\n")
    (plugin / "strategy.yaml").write_text("class: 3\n")
    fork.commit()
    jobs = pull_request(fork, main)
    assert ended(jobs) == {
        **{"workflows": "success", "changed": "success", "check": "failure", "passed": "failure"}
    }
    (leg,) = jobs["check"]["legs"]
    assert (leg["matrix"], leg["environment"], leg["machine"]) == (
        *({"strategy": "bad"}, None, "hosted"),
    )
    assert "::error file=strategies/bad/strategy.yaml,line=1::manifest: " in log(jobs["check"])
    assert "FAILED" in leg["summary"]
    kept = fork.folder / f"run-{fork.runs}" / "artifacts" / "check.yml" / "report-bad"
    assert (kept / "report.json").exists()


def test_a_pull_request_that_weakens_a_workflow_does_not_pass(fork: Fork, main: str) -> None:
    fork.git("checkout", "--quiet", "-b", "weak")
    flow = fork.root / ".github" / "workflows" / "release.yml"
    flow.write_text(flow.read_text().replace("needs: [changed, gate]", "needs: changed"))
    fork.commit()
    jobs = pull_request(fork, main)
    assert (jobs["workflows"]["result"], jobs["passed"]["result"]) == ("failure", "failure")
    assert "release.yml" in log(jobs["workflows"])
    assert "needs no job that runs" in log(jobs["workflows"])


def test_a_merge_without_a_strategy_releases_nothing(fork: Fork, main: str) -> None:
    fork.commit("words only")
    before = fork.wanted()
    jobs = fork.event("push", "refs/heads/main", payload={"before": main})
    assert ended(jobs["release.yml"]) == {
        **{"changed": "success", "gate": "skipped", "pack": "skipped", "deliver": "skipped"}
    }
    assert list(jobs) == ["release.yml"]
    assert fork.wanted() == before


def promoted(fork: Fork, name: str, tag: str, **more: Any) -> dict[str, Any]:
    jobs = fork.event(name, f"refs/tags/{tag}", **more)
    assert list(jobs) == ["promote.yml"]
    return dict(jobs["promote.yml"])


def test_a_tag_asks_for_sandbox_and_clearing_pre_release_for_prod(fork: Fork, main: str) -> None:
    fork.git("update-ref", "refs/tags/beat-v1.0.0", main)
    before = fork.wanted()
    jobs = promoted(fork, "push", "beat-v1.0.0")
    assert ended(jobs) == {"gate": "success", "sandbox": "failure", "prod": "skipped"}
    assert jobs["sandbox"]["legs"][0]["environment"] == "sandbox"
    told = jobs["sandbox"]["legs"][0]["summary"]
    assert "soak" in told
    assert "approv" in told

    cleared = promoted(fork, "release", "beat-v1.0.0", payload={"action": "released"})
    assert ended(cleared) == {"gate": "success", "sandbox": "skipped", "prod": "failure"}
    assert "✗ beat" in log(cleared["prod"])
    assert fork.event("release", "refs/tags/beat-v1.0.0", payload={"action": "published"}) == {}
    assert fork.wanted() == before


def test_a_tag_on_what_was_never_merged_reaches_no_machine_of_ours(fork: Fork, main: str) -> None:
    fork.git("update-ref", "refs/remotes/origin/main", main)
    fork.git("checkout", "--quiet", "--detach")
    strategy = fork.root / "strategies" / "beat" / "strategy.py"
    strategy.write_text(strategy.read_text() + "\nEVIL = 1\n")
    fork.git("update-ref", "refs/tags/beat-v6.6.6", fork.commit("evil"))
    jobs = promoted(fork, "push", "beat-v6.6.6")
    assert ended(jobs) == {"gate": "failure", "sandbox": "skipped", "prod": "skipped"}
    assert "was never merged into main" in log(jobs["gate"])


def test_a_branch_with_a_workflow_of_its_own_is_refused_by_the_agent(
    fork: Fork, main: str, release: Release
) -> None:
    fork.git("checkout", "--quiet", "-b", "evil")
    (fork.root / ".github" / "workflows" / "evil.yml").write_text(EVIL % release.digest)
    fork.commit("evil")
    before = fork.wanted()
    (jobs,) = fork.event("push", "refs/heads/evil").values()
    said = log(jobs["evil"])
    assert "error: " in said
    assert "ended 4, key ***" in said
    assert SECRET not in said
    assert fork.wanted() == before


def test_a_halt_goes_past_everything_and_its_reason_stays_a_reason(fork: Fork, main: str) -> None:
    reason = '"; touch pwned; echo "$(id)'
    inputs = {"environment": "sandbox", "strategy": "*", "reason": reason}
    jobs = fork.event("workflow_dispatch", "refs/heads/main", "halt.yml", inputs=inputs)
    assert ended(jobs["halt.yml"]) == {"halt": "success"}
    (leg,) = jobs["halt.yml"]["halt"]["legs"]
    assert (leg["environment"], leg["machine"]) == ("sandbox", "own")
    (entry,) = [each for each in fork.light.entries() if each["entry"] == "halted"]
    assert (entry["environment"], entry["reason"]) == ("sandbox", reason)
    assert list(fork.folder.rglob("pwned")) == []
