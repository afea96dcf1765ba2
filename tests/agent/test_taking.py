"""`sluice import-bot`: what a real freqtrade traded goes on under an agent, or is refused."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.agent import Asked, TakeOver
from pipelines.adapters.ledger import Ledger
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Scope, SecretName
from pipelines.errors import ExitCode, Refused
from runner.agent import records
from runner.agent.alerts import Alerts
from runner.agent.crew import Crew
from runner.agent.house import House
from runner.agent.launcher import Launcher
from runner.agent.snapshot import snapshot
from runner.agent.taking import _still, take_over
from runner.agent.tick import Agent, Seat
from runner.agent.trades import open_trades
from tests.agent.conftest import Lay
from tests.agent.test_backup import killed_at
from tests.agent.train import Train, laid
from tests.exchange.running import Running, running
from tests.exchange.test_live_bot import BEAT

pytestmark = pytest.mark.freqtrade

KEY, SECRET = "the-key-of-sandbox", "the-secret-of-sandbox"
MOST_HOURS = 12
TRAIN = ("--train", "environments/demo")


@pytest.fixture(scope="module")
def stepped(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An exchange whose account is opened by texts that are long enough for secrets."""
    account = ("--account", f"sandbox:{KEY}:{SECRET}:USDT=250:ip=127.0.0.1")
    folder = tmp_path_factory.mktemp("exchange")
    with running(root, folder, "--start", "2022-03-01", *account) as exchange:
        yield exchange


@dataclass(frozen=True)
class Mine:
    """What bots of one's own traded: databases by name, and the port of one that runs."""

    train: Train
    databases: Path

    def database(self, name: str) -> Path:
        return self.databases / f"{name}.sqlite"

    @property
    def running(self) -> Path:
        return self.train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"

    @property
    def port(self) -> int:
        record = records.load(self.train.house.record("sandbox", "beat"))
        assert record is not None
        return record.port


@pytest.fixture(scope="module")
def mine(lay: Lay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mine]:
    """Real freqtrades, on paper and with money: copies with open trades, and without; one runs."""
    with lay() as train:
        mine = Mine(train, tmp_path_factory.mktemp("databases"))
        train.secret("sandbox", KEY, SECRET)
        release = train.release()
        for environment in ("test", "sandbox"):
            train.want(environment, release)
        train.start()
        for environment in ("test", "sandbox"):
            train.until_phase(environment, "running")
        places = {"paper": ("test", "dry_run"), "money": ("sandbox", "live")}
        for name, is_open in (("open", True), ("closed", False)):
            for kind, (environment, mode) in places.items():
                for _ in range(MOST_HOURS):
                    if bool(train.strategy(environment).open_trades) is is_open:
                        break
                    train.step(1)
                source = train.home / "bots" / f"demo.{environment}" / "beat" / f"{mode}.sqlite"
                snapshot(source, mine.database(f"{kind}-{name}"))
        yield mine


@pytest.fixture(scope="module")
def train(mine: Mine, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Train]:
    """The agent that takes them over."""
    train = laid(root, tmp_path_factory.mktemp("train"), mine.train.exchange)
    train.start()
    yield train
    train.close()


Lays = Callable[..., Path]


@pytest.fixture
def folder(mine: Mine, tmp_path: Path) -> Lays:
    """A freqtrade's folder, as people have it."""

    def lay_out(database: str = "", **changed: Any) -> Path:
        there = tmp_path / "freqtrade"
        (there / "user_data" / "strategies").mkdir(parents=True, exist_ok=True)
        (there / "user_data" / "strategies" / "Beat.py").write_text(BEAT)
        config = {
            "dry_run": "money" not in database,
            "strategy": "Beat",
            "stake_currency": "USDT",
            "stake_amount": 20,
            "max_open_trades": 5,
            "stoploss": -0.3,
            "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
            "api_server": {"enabled": True, "listen_ip_address": "0.0.0.0", "listen_port": 9},
            **changed,
        }
        text = "// mine\n" + json.dumps(config)
        (there / "config.json").write_text(text)
        private = {"exchange": {"key": KEY, "secret": SECRET}}
        (there / "private.json").write_text(json.dumps(private))
        name = "tradesv3.dryrun.sqlite" if config["dry_run"] else "tradesv3.sqlite"
        if database:
            shutil.copy(mine.database(database), there / name)
        return there

    return lay_out


def imported(
    train: Train, there: Path, environment: str, *words: str
) -> subprocess.CompletedProcess[str]:
    return train.sluice("import-bot", str(there), environment, *TRAIN, *words)


def told(ended: subprocess.CompletedProcess[str]) -> list[str]:
    lines = ended.stderr.splitlines()
    return [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]


def state(train: Train) -> list[str]:
    """What there is, apart from what an agent writes while it only looks."""
    roots = (train.project / "strategies", train.home / "bots", train.home / "secrets")
    paths = [path for root in roots for path in root.rglob("*") if path.is_file()]
    hidden = [path for path in train.home.iterdir() if path.name.startswith(".")]
    return sorted(str(path) for path in (*paths, *hidden))


def refused(train: Train, code: ExitCode, there: Path, environment: str, *words: str) -> list[str]:
    """What is said when nothing is taken over; nothing has changed by it."""
    before = state(train)
    ended = imported(train, there, environment, *words)
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    assert state(train) == before
    assert KEY not in ended.stderr
    return told(ended)


def test_open_trades_are_refused_without_a_release_that_takes_them_over(
    train: Train, folder: Lays, mine: Mine
) -> None:
    count = open_trades(mine.database("paper-open"))
    assert count
    said = refused(train, ExitCode.REFUSED, folder("paper-open"), "test")
    what = "trade is" if count == 1 else "trades are"
    reason = f"{what} open: name the release that takes them over, with --release"
    assert said == [f"{count} {reason}"]


def test_a_bot_that_still_runs_keeps_its_database_and_its_port(
    train: Train, folder: Lays, mine: Mine
) -> None:
    """freqtrade holds its file open, and its API answers: each by itself is enough."""
    words = ("--database", str(mine.running))
    there = folder("money-closed")
    said = refused(train, ExitCode.REFUSED, there, "sandbox", *words)
    pid = mine.train.pid("sandbox")
    assert said == [f"{mine.running}: is in use: end the bot first, process {pid}"]

    api = {"enabled": True, "listen_ip_address": "127.0.0.1", "listen_port": mine.port}
    there = folder("money-closed", api_server=api)
    said = refused(train, ExitCode.REFUSED, there, "sandbox")
    assert said == [f"http://127.0.0.1:{mine.port}: a freqtrade answers there: end it first"]


def test_a_database_that_somebody_writes_to_is_left_alone(train: Train, folder: Lays) -> None:
    there = folder("paper-closed")
    with closing(sqlite3.connect(there / "tradesv3.dryrun.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        said = refused(train, ExitCode.REFUSED, there, "test")
    assert "is in use: end the bot first, process" in said[0]


def test_a_lock_counts_where_the_process_behind_it_cannot_be_seen(
    folder: Lays, tmp_path: Path
) -> None:
    file = folder("paper-closed") / "tradesv3.dryrun.sqlite"
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refused, match="is locked"), _still(file):
            pass
        other.rollback()
    with _still(file), closing(sqlite3.connect(file, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("DELETE FROM trades")
        snapshot(file, tmp_path / "copy.sqlite")


def test_killed_at_any_step_there_is_a_whole_database_or_none(
    mine: Mine, train: Train, folder: Lays, tmp_path: Path
) -> None:
    file = folder("paper-closed") / "tradesv3.dryrun.sqlite"
    house = House(tmp_path / "home")
    agent = Agent(
        Seat(train.project / "environments" / "demo", "demo", "doomed"),
        Ledger.open(house.ledger, house.anchor),
        Crew(house, Launcher(bots=house.home)),
        Alerts(house.alerts),
        lambda: mine.train.exchange.now,
    )
    given = TakeOver(environment="test", strategy="beat", database=str(file), dry_run=True)
    asked = Asked(verb="take-over", args=given.model_dump(mode="json"))
    target, step = house.home / "bots" / "demo.test" / "beat" / "dry_run.sqlite", 0
    while killed_at(step := step + 1, lambda: take_over(agent, "ann", asked)):
        if target.exists():
            assert ids(target) == ids(file)
            target.unlink()
    agent.ledger.close()
    assert step > 5
    assert ids(target) == ids(file)
    assert [path.name for path in house.home.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("database", "environment", "dry_run", "reasons"),
    [
        (
            "paper-closed",
            "sandbox",
            True,
            ["its configuration is for on paper, sandbox trades with money"],
        ),
        (
            "money-closed",
            "test",
            False,
            ["its configuration is for with money, test trades on paper"],
        ),
        # The configuration was changed meanwhile, or the file was named otherwise.
        ("paper-closed", "sandbox", False, ["of its orders were made on paper"]),
        ("money-closed", "test", True, ["of its orders were made with money"]),
    ],
)
def test_paper_and_money_are_never_mixed(
    train: Train,
    folder: Lays,
    mine: Mine,
    database: str,
    environment: str,
    dry_run: bool,
    reasons: list[str],
) -> None:
    there = folder(dry_run=dry_run)
    words = ("--database", str(mine.database(database)))
    said = refused(train, ExitCode.REFUSED, there, environment, *words)
    assert len(said) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, said, strict=True)), said


def test_what_was_traded_elsewhere_stays_there(train: Train, folder: Lays, mine: Mine) -> None:
    there = folder("paper-closed")
    with closing(sqlite3.connect(there / "tradesv3.dryrun.sqlite")) as database:
        database.execute("UPDATE trades SET exchange = 'kraken', stake_currency = 'EUR'")
        database.commit()
    said = refused(train, ExitCode.REFUSED, there, "test")
    assert [line.partition(": ")[2] for line in said] == [
        "traded at kraken, test trades at binance",
        "traded in EUR, test trades in USDT",
    ]


def test_a_file_that_is_none_of_freqtrade_s_is_told(train: Train, folder: Lays) -> None:
    there = folder()
    file = there / "tradesv3.dryrun.sqlite"
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert said.endswith("there is no database")

    file.write_text("hello" * 500)
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert "is no database of freqtrade: file is not a database" in said

    file.unlink()
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE trades (id INTEGER, is_open INTEGER)")
        database.execute("INSERT INTO trades VALUES (1, 1)")
        database.commit()
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert "is no database of freqtrade: trades without exchange, open_date" in said


def test_a_configuration_that_is_wrong_is_told_with_file_and_key(
    train: Train, folder: Lays
) -> None:
    there = folder("paper-closed", exchange={"name": "binance", "pair_whitelist": [".*/USDT"]})
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert said == (
        f"{there}/config.json: exchange.pair_whitelist: .*/USDT stands for several pairs"
    )
    there = folder("paper-closed", strategy="Other")
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert said.endswith("holds no strategy Other")
    there = folder("paper-closed", db_url="postgresql://x")
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert said == f"{there}/config.json: db_url: is no file of SQLite"
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "nowhere")
    assert said.endswith("there is no such file")


def test_what_is_declared_twice_is_refused(train: Train, folder: Lays) -> None:
    there = folder("paper-closed")
    twice = there / "user_data" / "strategies" / "Copy.py"
    twice.write_text(BEAT)
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert said.startswith("Beat: is declared twice: ")
    twice.unlink()

    other = there / "user_data" / "tradesv3.dryrun.sqlite"
    shutil.copy(there / "tradesv3.dryrun.sqlite", other)
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test")
    assert said.startswith("database: is declared twice: ")
    other.unlink()

    (there / "other.json").write_text(json.dumps({"exchange": {"key": "another-key-of-mine"}}))
    names = [there / name for name in ("config.json", "private.json", "other.json")]
    words = [word for name in names for word in ("--config", str(name))]
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "test", *words)
    assert said.startswith("exchange_key: is declared twice: ")


def test_without_an_agent_nothing_is_begun(train: Train, folder: Lays) -> None:
    alone = replace(train, home=train.home.with_name("empty"))
    alone.home.mkdir(exist_ok=True)
    refused(alone, ExitCode.AGENT_UNREACHABLE, folder("paper-closed"), "test")


def test_another_host_s_environment_is_left_to_it(train: Train, folder: Lays) -> None:
    path = train.project / "environments" / "demo" / "test.yaml"
    text = path.read_text()
    path.write_text(text.replace("host: demo", "host: elsewhere"))
    try:
        said = refused(train, ExitCode.REFUSED, folder("paper-closed"), "test")
    finally:
        path.write_text(text)
    assert said == ["test is on elsewhere, this is demo"]


@pytest.fixture(scope="module")
def taken(mine: Mine, train: Train, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was traded with money is taken over, with its secrets."""
    there = tmp_path_factory.mktemp("mine") / "freqtrade"
    strategies = there / "user_data" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "Beat.py").write_text(BEAT)
    exchange = {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]}
    config = {
        "dry_run": False,
        "strategy": "Beat",
        "stoploss": -0.3,
        "db_url": "sqlite:////freqtrade/user_data/mine.sqlite",
        "exchange": exchange,
    }
    (there / "config.json").write_text(json.dumps(config))
    private = {"exchange": {"key": KEY, "secret": SECRET}, "telegram": {"token": "1:abcdefghi"}}
    (there / "private.json").write_text(json.dumps(private))
    shutil.copy(mine.database("money-closed"), there / "user_data" / "mine.sqlite")
    words = [f"--config={there / name}" for name in ("config.json", "private.json")]
    ended = imported(train, there, "sandbox", *words, "--secrets", "--json")
    assert ended.returncode == 0, ended.stderr
    assert KEY not in ended.stdout + ended.stderr
    tree: dict[str, Any] = json.loads(ended.stdout)
    return {**tree, "said": ended.stderr, "folder": there}


def test_it_says_where_everything_went(taken: dict[str, Any], train: Train) -> None:
    places = {row["key"]: (row["place"], row["to"]) for row in taken["settings"]}
    assert places["stoploss"] == ("strategy.py", "stoploss")
    assert places["exchange.pair_whitelist"] == ("manifest", "pairs")
    assert places["exchange.key"] == ("secrets", "exchange_key")
    assert [(each["name"], each["scope"], each["kept"]) for each in taken["secrets"]] == [
        ("exchange_key", "sandbox/sandbox", True),
        ("exchange_secret", "sandbox/sandbox", True),
        ("telegram_token", None, False),
    ]
    assert "never start the old bot again" in taken["said"]
    assert "telegram_token: sandbox needs none" in taken["said"]
    held = SecretStore(train.home).held(Scope("sandbox", "sandbox"))
    assert {name: secret.reveal() for name, secret in held.items()} == {
        SecretName.EXCHANGE_KEY: KEY,
        SecretName.EXCHANGE_SECRET: SECRET,
    }
    assert (train.project / "strategies" / "beat" / "strategy.yaml").exists()


def test_a_secret_that_is_kept_is_never_replaced_by_another(
    taken: dict[str, Any], train: Train, folder: Lays
) -> None:
    there = folder("money-closed")
    other = {"exchange": {"key": "another-key-of-mine", "secret": SECRET}}
    (there / "private.json").write_text(json.dumps(other))
    words = [f"--config={there / name}" for name in ("config.json", "private.json")]
    (said,) = refused(train, ExitCode.BAD_INPUT, there, "sandbox", *words, "--secrets")
    assert said == "sandbox/sandbox: exchange_key is kept already, with another value"


def test_what_it_had_stays_as_it_was(taken: dict[str, Any], mine: Mine) -> None:
    left = taken["folder"] / "user_data" / "mine.sqlite"
    assert left.read_bytes() == mine.database("money-closed").read_bytes()


def test_a_second_history_is_never_laid_over_it(
    taken: dict[str, Any], train: Train, folder: Lays
) -> None:
    said = refused(train, ExitCode.REFUSED, folder("money-closed"), "sandbox")
    assert said == [f"{taken['database']['to']}: is there already: two histories are never mixed"]


def test_an_agent_that_is_killed_leaves_it_whole_or_not_there(
    taken: dict[str, Any], train: Train, folder: Lays, mine: Mine
) -> None:
    """What was planted before is found again, and the same command goes on."""
    there = folder("paper-closed")
    assert train.process is not None
    target = train.home / "bots" / "demo.test" / "beat" / "dry_run.sqlite"
    os.kill(train.process.pid, signal.SIGSTOP)
    with subprocess.Popen(
        [*_sluice(train), "import-bot", str(there), "test", *TRAIN], stderr=subprocess.DEVNULL
    ) as asking:
        train.kill()
        assert asking.wait(60) == ExitCode.AGENT_UNREACHABLE
    assert not target.exists()
    train.start()
    ended = imported(train, there, "test")
    assert ended.returncode == 0, ended.stderr
    assert "strategies/beat is there already, as it is, for Beat" in ended.stdout
    assert "run: sluice secrets set" not in ended.stdout
    # Whoever only reads it leaves SQLite's own two files there.
    assert {path.name.partition("-")[0] for path in target.parent.iterdir()} == {target.name}
    assert open_trades(target) == 0


def _sluice(train: Train) -> list[str]:
    argv = train.sluice("--version").args
    return [*argv[: argv.index("--version")]]


def test_its_bot_goes_on_with_what_it_traded(
    taken: dict[str, Any], train: Train, mine: Mine
) -> None:
    """The old one is ended; the same account goes on under the agent, verified."""
    database = Path(taken["database"]["to"])
    before = ids(database)
    assert len(before) == taken["database"]["trades"] > 0
    mine.train.stop()
    for environment in ("test", "sandbox"):
        mine.train.end_bot(mine.train.house.lock(environment, "beat"))
    train.want("sandbox", train.release())
    there = train.until_phase("sandbox", "running")
    assert there.verified
    train.step(8)
    after = ids(database)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    seen = [entry["closed"] for entry in train.entries() if entry["entry"] == "seen"]
    assert seen[0] == 0, "what somebody else's version closed is no soak of this one"
    said = refused(train, ExitCode.REFUSED, taken["folder"], "sandbox")
    assert f"{there.name} is wanted in sandbox already" in said
    assert "a bot runs as beat in sandbox" in said


def ids(database: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
        return opened.execute("SELECT id, pair FROM trades ORDER BY id").fetchall()
