"""The command line as a person or a workflow uses it: real processes, real files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipelines.domain.attack import BREAKS, REACHES
from pipelines.domain.evidence import Evidence

pytestmark = pytest.mark.slow

Sluice = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = {
    "strategy.yaml": """\
class: Plain
version: 1.0.0
owner: us
summary: buys when the close rises above its mean
pairs: [BTC/USDT]
timeframe: 1h
handover: drain
""",
    "strategy.py": '''\
"""Buys above the mean."""

from typing import ClassVar

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Plain(IStrategy):
    """Buys when the close is above its mean, sells below."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.1
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.5}
    startup_candle_count = 100

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Mean of a hundred hours."""
        dataframe["mean"] = dataframe["close"].rolling(100).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Above the mean."""
        dataframe.loc[dataframe["close"] > dataframe["mean"], ["enter_long", "enter_tag"]] = (
            1,
            "above",
        )
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Below the mean."""
        dataframe.loc[dataframe["close"] < dataframe["mean"], "exit_long"] = 1
        return dataframe
''',
    "test_plain.py": '''\
"""What it does."""


def test_never_enters_while_prices_fall(candles, signals) -> None:
    signals(candles.falling(300, 20)).assert_never_enters()
''',
    "README.md": "# Plain\n",
}


def _plant(project: Path, name: str = "plain", **changed: str) -> Path:
    folder = project / "strategies" / name
    folder.mkdir()
    for file, text in PLUGIN.items():
        (folder / file).write_text(changed.get(file.replace(".", "_"), text))
    return folder


@pytest.fixture
def sluice(project: Path, tmp_path: Path) -> Sluice:
    """Run the real command in the throw-away project, with a state folder of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _command(*arguments),
            cwd=project,
            env={**os.environ, "SLUICE_HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipelines.cli", *arguments]


@pytest.mark.parametrize(
    "command",
    [[], ["check"], ["new"], ["import"], ["explain"], ["demo"], ["test"], ["docs"], ["data"],
     ["data", "verify"], ["data", "pin"], ["data", "fetch"], ["data", "download"],
     ["secrets"], ["secrets", "set"], ["secrets", "seal"],
     ["pack"], ["verify"], ["releases"], ["keys"], ["keys", "new"],
     ["deliver"], ["promote"], ["approve"], ["rollback"], ["hold"], ["status"], ["alerts"],
     ["restart"], ["history"]],
    ids=" ".join,
)  # fmt: skip
def test_help_teaches(sluice: Sluice, command: list[str]) -> None:
    ended = sluice(*command, "--help")
    assert ended.returncode == 0
    assert "Usage: sluice" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chekc"], "error: no such command 'chekc'"),
        (["check", "--jobs", "none"], "error: invalid value for '--jobs': 'none'"),
        (["check", "--jobs", "0"], "error: invalid value for '--jobs'"),
        (["check", "--only", "taste"], "error: --only: there is no check 'taste'"),
        (["check", "nothing_here"], "error: strategies/nothing_here"),
        (["check", "not-a-name"], "error: strategies/not-a-name"),
        (["check", "--candles", "nowhere"], "error: nowhere"),
        (["check", "--changed-since", "v0"], "error: "),
        (["explain", "nowhere.json"], "error: nowhere.json: cannot be read"),
        (["docs", "tresholds"], "error: "),
        (["data", "pin", "mine"], "error: there are no candles to pin"),
        (["data", "pin", "mine", "--candles", ".", "--window", "bear"], "error: --window:"),
        (["data", "fetch", "abc"], "error: there is no place to fetch from"),
    ],
)
def test_bad_input_is_told_with_a_hint(
    sluice: Sluice, project: Path, arguments: list[str], message: str
) -> None:
    _plant(project)
    ended = sluice(*arguments)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert "hint: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_outside_a_project_it_says_where_to_go(tmp_path: Path) -> None:
    ended = subprocess.run(
        _command("check"), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "no project here" in ended.stderr
    assert "--root" in ended.stderr


@pytest.mark.parametrize("file", ["test.yaml", "data.lock"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name: [", "is no YAML"),
        (b"name: \xff\xfe", "is not UTF-8"),
        (b"a: 1\na: 2\n", "stands twice"),
        (b"", "holds none"),
        (b"colour: red\n", "is not a known key"),
    ],
)
def test_a_broken_project_file_is_told_with_its_place(
    sluice: Sluice, project: Path, file: str, content: bytes, said: str
) -> None:
    _plant(project)
    (project / "environments" / file).write_bytes(content)
    ended = sluice("check")
    assert ended.returncode == 2
    assert f"error: environments/{file}" in ended.stderr
    assert said in ended.stderr


def test_a_missing_project_file_is_told(sluice: Sluice, project: Path) -> None:
    _plant(project)
    (project / "environments" / "test.yaml").unlink()
    ended = sluice("check")
    assert (ended.returncode, "environments/test.yaml" in ended.stderr) == (2, True)


def test_environments_that_do_not_go_together_are_told_before_anything_runs(
    sluice: Sluice, project: Path
) -> None:
    _plant(project)
    prod = project / "environments" / "prod.yaml"
    prod.write_text(prod.read_text().replace("initial_state: paused", "initial_state: running"))
    ended = sluice("check", "--only", "manifest", FREQTRADE__DRY_RUN="false")
    assert (ended.returncode, ended.stdout) == (2, "")
    said = ended.stderr.splitlines()
    assert [line.partition(": should")[0] for line in said[::2]] == [
        "error: environments/prod.yaml: initial_state",
        "error: the host's variables: FREQTRADE__DRY_RUN",
    ]
    assert all(line.startswith("hint: ") for line in said[1::2])


def test_one_broken_strategy_does_not_hide_the_others(sluice: Sluice, project: Path) -> None:
    _plant(project)
    _plant(project, "broken", strategy_yaml="class: Other\nversion: 1\n")
    ended = sluice("check", "--only", "manifest", "--json")
    told = {one["name"]: one for one in json.loads(ended.stdout)["strategies"]}
    assert ended.returncode == 1
    assert told["broken"]["status"] == "FAILED"
    assert told["broken"]["evidence"] is None
    whats = [finding["what"] for finding in told["broken"]["verdicts"][0]["findings"]]
    assert "strategies/broken/strategy.yaml:2: version" in whats
    assert told["plain"]["verdicts"][0]["status"] == "PASSED"


def test_json_is_one_line_and_alone_on_standard_output(sluice: Sluice, project: Path) -> None:
    _plant(project)
    ended = sluice("check", "--only", "manifest", "--only", "lint", "--json")
    assert ended.stdout.count("\n") == 1
    (told,) = json.loads(ended.stdout)["strategies"]
    assert set(told) == {
        "name", "status", "subject_digest", "data_digest", "evidence", "verdicts",
    }  # fmt: skip
    assert [verdict["check"] for verdict in told["verdicts"]] == ["manifest", "lint"]
    assert Path(told["evidence"]).is_file()


def test_output_that_is_piped_has_no_colours(sluice: Sluice, project: Path) -> None:
    _plant(project)
    ended = sluice("check", "--only", "manifest")
    assert "\x1b" not in ended.stdout + ended.stderr


def test_what_must_not_run_is_skipped_and_that_is_no_pass(sluice: Sluice, project: Path) -> None:
    forbidden = PLUGIN["strategy.py"].replace("from typing", "import os\nfrom typing")
    _plant(project, strategy_py=forbidden)
    ended = sluice("check", "--json")
    (told,) = json.loads(ended.stdout)["strategies"]
    statuses = {verdict["check"]: verdict["status"] for verdict in told["verdicts"]}
    assert ended.returncode == 1
    assert statuses == {
        "manifest": "PASSED", "lint": "FAILED", "unit": "SKIPPED", "bias": "SKIPPED",
        "backtest": "SKIPPED",
    }  # fmt: skip


@pytest.fixture
def repository(project: Path) -> Callable[..., None]:
    """Git in the project; each call commits everything."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=us", "-c", "user.email=us@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)

    def commit(message: str) -> None:
        git("add", "-A")
        git("commit", "-q", "-m", message)

    git("init", "-q", "-b", "main")
    return commit


def test_nothing_changed_is_nothing_to_check(
    sluice: Sluice, project: Path, repository: Callable[..., None]
) -> None:
    _plant(project)
    repository("first")
    ended = sluice("check", "--changed-since", "HEAD", "--json")
    assert ended.returncode == 0
    assert ended.stdout == '{"strategies":[]}\n'
    assert "nothing to check" in ended.stderr


def test_only_what_changed_is_checked_and_its_version_has_to_rise(
    sluice: Sluice, project: Path, repository: Callable[..., None]
) -> None:
    _plant(project, "other", strategy_yaml=PLUGIN["strategy.yaml"].replace("Plain", "Other"))
    folder = _plant(project)
    repository("first")
    (folder / "README.md").write_text("# Plain, changed\n")
    ended = sluice("check", "--changed-since", "HEAD", "--only", "manifest", "--json")
    (told,) = json.loads(ended.stdout)["strategies"]
    assert (told["name"], told["status"]) == ("plain", "FAILED")
    assert "version" in told["verdicts"][0]["findings"][0]["what"]
    manifest = folder / "strategy.yaml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.0.1"))
    assert sluice("check", "--changed-since", "HEAD", "--only", "manifest").returncode == 0


def test_unchanged_content_is_answered_from_evidence(sluice: Sluice, project: Path) -> None:
    folder = _plant(project)
    arguments = ("check", "--only", "manifest", "--only", "lint", "--json")
    first = json.loads(sluice(*arguments).stdout)["strategies"][0]
    written = Path(first["evidence"]).read_bytes()
    again = json.loads(sluice(*arguments).stdout)["strategies"][0]
    assert again == first
    assert Path(first["evidence"]).read_bytes() == written
    renewed = json.loads(sluice(*arguments, "--no-cache").stdout)["strategies"][0]
    assert Path(renewed["evidence"]).read_bytes() != written
    (folder / "README.md").write_text("# Another\n")
    changed = json.loads(sluice(*arguments).stdout)["strategies"][0]
    assert changed["subject_digest"] != first["subject_digest"]


def test_a_quick_look_does_not_replace_what_is_known(sluice: Sluice, project: Path) -> None:
    _plant(project)
    both = ("check", "--only", "manifest", "--only", "lint", "--json")
    kept = Path(json.loads(sluice(*both).stdout)["strategies"][0]["evidence"])
    written = kept.read_bytes()
    quick = sluice("check", "--only", "lint", "--json")
    assert json.loads(quick.stdout)["strategies"][0]["evidence"] != str(kept)
    assert kept.read_bytes() == written


def test_changed_thresholds_are_judged_anew(sluice: Sluice, project: Path) -> None:
    _plant(project)
    arguments = ("check", "--only", "manifest", "--json")
    first = json.loads(sluice(*arguments).stdout)["strategies"][0]["evidence"]
    before = Evidence.model_validate_json(Path(first).read_bytes())
    environment = project / "environments" / "test.yaml"
    environment.write_text(environment.read_text().replace("min_trades: 100", "min_trades: 101"))
    sluice(*arguments)
    after = Evidence.model_validate_json(Path(first).read_bytes())
    assert before.thresholds_digest != after.thresholds_digest


def test_evidence_that_is_not_complete_says_so_and_is_retold(sluice: Sluice, project: Path) -> None:
    _plant(project)
    told = json.loads(sluice("check", "--only", "manifest", "--json").stdout)["strategies"][0]
    assert told["evidence"].endswith(".partial.json")
    evidence = Evidence.model_validate_json(Path(told["evidence"]).read_bytes())
    assert evidence.limits == (
        "not every check ran",
        "the candles are synthetic",
    )
    retold = sluice("explain", told["evidence"])
    assert retold.returncode == 0
    assert "admits nothing beyond the demo" in " ".join(retold.stdout.split())


@pytest.mark.parametrize("content", ["", "{", '{"strategy": 1}', "[]"])
def test_what_is_no_evidence_is_not_retold(sluice: Sluice, tmp_path: Path, content: str) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(content)
    ended = sluice("explain", str(file))
    assert (ended.returncode, str(file) in ended.stderr) == (2, True)


@pytest.mark.needs("bubblewrap")
def test_weak_isolation_is_asked_for_and_told(sluice: Sluice, project: Path) -> None:
    _plant(project)
    arguments = ("check", "--only", "manifest", "--json")
    for isolation in ("full", "weak"):
        told = json.loads(sluice(*arguments, "--isolation", isolation).stdout)["strategies"][0]
        evidence = Evidence.model_validate_json(Path(told["evidence"]).read_bytes())
        assert evidence.isolation == isolation
        assert ("strategy code ran in weak isolation" in evidence.limits) == (isolation == "weak")


def test_without_bubblewrap_no_strategy_code_runs(sluice: Sluice, project: Path) -> None:
    _plant(project)
    arguments = ("check", "--only", "lint", "--only", "unit", "--json")
    ended = sluice(*arguments, PATH="/nowhere")
    (told,) = json.loads(ended.stdout)["strategies"]
    lint, unit = told["verdicts"]
    assert (ended.returncode, lint["status"], unit["status"]) == (3, "PASSED", "ERRORED")
    assert "bubblewrap" in unit["findings"][0]["what"]
    assert "--isolation=weak" in unit["findings"][0]["hint"]
    assert told["evidence"].endswith(".partial.json")


@pytest.mark.needs("bubblewrap")
def test_doctor_attacks_the_isolation_and_says_what_came_of_it(sluice: Sluice) -> None:
    ended = sluice("doctor", "isolation", "--json")
    attacks = json.loads(ended.stdout)["attacks"]
    assert ended.returncode == 0, ended.stderr
    assert {attack["name"] for attack in attacks} == {*REACHES, *BREAKS}
    assert not any(attack["through"] for attack in attacks)


def test_doctor_without_bubblewrap_names_the_package(sluice: Sluice) -> None:
    ended = sluice("doctor", "isolation", PATH="/nowhere")
    assert ended.returncode == 3
    assert "bubblewrap, which is not installed" in ended.stderr


def test_the_demo_says_what_it_lacks(sluice: Sluice, tmp_path: Path) -> None:
    ended = sluice("demo", "--out", str(tmp_path / "out"), PATH="/nowhere")
    assert ended.returncode == 3
    assert "error: git is not installed" in ended.stderr
    assert "sluice docs demo" in ended.stderr


@pytest.mark.needs("bubblewrap")
@pytest.mark.freqtrade
def test_a_strangers_strategy_cannot_read_a_secret_beside_the_checkout(
    sluice: Sluice, project: Path
) -> None:
    secret = project.parent / "exchange.key"
    secret.write_text("hunter2")
    reading = f"secret = open({str(secret)!r}).read()\n"
    told = f"def test_tells():\n    assert False, open({str(secret)!r}).read()\n"
    _plant(project, strategy_py=PLUGIN["strategy.py"], test_plain_py=told)
    _plant(project, "reader", strategy_py=PLUGIN["strategy.py"] + reading)
    arguments = ("check", "--only", "unit", "--json")

    full = sluice(*arguments)
    assert full.returncode == 1
    assert "hunter2" not in full.stdout + full.stderr
    assert full.stdout.count("FileNotFoundError") == 2
    # The secret is really there to be read, and the strategies really try.
    weak = sluice(*arguments, "--isolation", "weak")
    assert "hunter2" in weak.stdout


@pytest.mark.needs("bubblewrap")
def test_a_full_disk_is_told_and_leaves_no_half_evidence(project: Path, tmp_path: Path) -> None:
    _plant(project)
    full = tmp_path / "full"
    full.mkdir()
    ended = subprocess.run(
        ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--size", "65536", "--tmpfs", str(full),
         "sh", "-c", f'head -c 65536 /dev/zero > {full}/ballast; "$@"; code=$?;'
         f' find {full} -type f ! -name ballast; exit $code', "sh",
         *_command("--home", str(full), "check", "--only", "manifest")],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    assert "No space left on device" in ended.stderr
    assert "hint: free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ".json" not in ended.stdout


@pytest.mark.needs("bubblewrap")
@pytest.mark.freqtrade
def test_a_whole_check_leaves_evidence_and_a_page(
    sluice: Sluice, project: Path, tmp_path: Path
) -> None:
    _plant(project)
    out = tmp_path / "report"
    ended = sluice("check", "--json", "--out", str(out))
    (told,) = json.loads(ended.stdout)["strategies"]
    by_check = {verdict["check"]: verdict for verdict in told["verdicts"]}
    assert [verdict["status"] for verdict in told["verdicts"][:4]] == ["PASSED"] * 4, told
    # Whether such a simple idea earns enough is the market's business; that it was judged is ours.
    assert by_check["backtest"]["status"] in {"PASSED", "FAILED"}
    assert int(by_check["backtest"]["measurements"]["whole.trades"]) > 100
    page = (out / "index.html").read_text()
    assert "SYNTHETIC" in page
    assert json.loads((out / "report.json").read_text())["strategies"] == [told]
    assert (out / "report.md").read_text()
    suite = ElementTree.parse(out / "junit.xml").getroot()[0]
    cases = [case.get("name") for case in suite.iter("testcase")]
    assert cases == [verdict["check"] for verdict in told["verdicts"]]
    first = Evidence.model_validate_json(Path(told["evidence"]).read_bytes())

    sluice("check", "--no-cache")
    again = Evidence.model_validate_json(Path(told["evidence"]).read_bytes())
    assert _timeless(again) == _timeless(first)


def _timeless(evidence: Evidence) -> Evidence:
    verdicts = tuple(v.model_copy(update={"duration": 0.0}) for v in evidence.verdicts)
    return evidence.model_copy(update={"verdicts": verdicts, "taken_at": None})


@pytest.mark.needs("bubblewrap")
@pytest.mark.freqtrade
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_it_leaves_no_process_and_no_half_evidence(
    sluice: Sluice, project: Path, tmp_path: Path, how: signal.Signals
) -> None:
    _plant(project)
    home = tmp_path / "home"
    started = subprocess.Popen(
        _command("--home", str(home), "check", "--only", "backtest"),
        cwd=project, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert _wait_until(lambda: len(_backtests(started.pid)) > 1), "no backtest started"
    running = _backtests(started.pid)
    started.send_signal(how)
    _, said = started.communicate(timeout=30)
    assert _wait_until(lambda: not any(Path("/proc", pid).exists() for pid in running))
    assert not list(home.glob("evidence/**/*.json"))
    if how is not signal.SIGKILL:
        assert started.returncode == 130
        assert "interrupted" in said
        assert list((home / "work").iterdir()) == []
    # And it can be continued, whatever was left.
    assert sluice("check", "--only", "manifest").returncode == 0


def _backtests(parent: int) -> list[str]:
    """The descendants of a process that backtest: a server and its forks."""
    parents, found = {}, []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[process.name] = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if b"pipelines.backtesting.backtest" in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:
            continue
    return [pid for pid in found if str(parent) in _ancestors(pid, parents)]


def _ancestors(pid: str, parents: dict[str, str]) -> list[str]:
    above = []
    while pid in parents:
        pid = parents[pid]
        above.append(pid)
    return above


def _wait_until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_new_makes_a_plugin_that_passes_manifest_and_lint(sluice: Sluice, project: Path) -> None:
    assert sluice("new", "my_first").returncode == 0
    ended = sluice("check", "my_first", "--only", "manifest", "--only", "lint")
    assert ended.returncode == 0, ended.stdout
    again = sluice("new", "my_first")
    assert (again.returncode, "error: " in again.stderr) == (2, True)


@pytest.mark.freqtrade
def test_what_new_makes_passes_its_own_tests(sluice: Sluice) -> None:
    sluice("new", "my_first")
    ended = sluice("check", "my_first", "--only", "unit")
    assert ended.returncode == 0, ended.stdout


def test_import_says_what_became_of_a_strategy(
    sluice: Sluice, project: Path, tmp_path: Path
) -> None:
    source = tmp_path / "user_data" / "strategies"
    source.mkdir(parents=True)
    (source / "plain.py").write_text(PLUGIN["strategy.py"])
    ended = sluice("import", str(source))
    assert ended.returncode == 0, ended.stderr
    assert "strategies/plain/" in ended.stdout
    assert "guessed: " in ended.stdout
    assert (project / "strategies" / "plain" / "strategy.yaml").is_file()


@pytest.mark.needs("candles")
def test_verifies_recorded_candles_and_notices_one_changed_byte(
    sluice: Sluice, candles_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "candles"
    (copy / "binance").mkdir(parents=True)
    for file in (candles_folder / "binance").glob("BTC_USDT-1?.feather"):
        shutil.copyfile(file, copy / "binance" / file.name)
    broken = copy / "binance" / "BTC_USDT-1d.feather"
    broken.write_bytes(broken.read_bytes()[:-100])
    ended = sluice("data", "verify", "--candles", str(copy), "--json")
    assert ended.returncode == 1
    rows = {
        (row["pair"], row["timeframe"]): row["problems"]
        for row in json.loads(ended.stdout)["series"]
    }
    assert rows["BTC/USDT", "1h"] == []
    assert rows["BTC/USDT", "1d"] != []
