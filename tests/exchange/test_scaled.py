"""A stock `freqtrade trade` on the time of a scaled exchange: its minutes take parts of seconds."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt
import httpx
import pytest

from pipelines.errors import ExitCode
from runner.exchange import faketime, remote
from runner.rehearsal.kept import kept
from runner.rehearsal.reconciliation import differences

pytestmark = [pytest.mark.freqtrade, pytest.mark.needs("libfaketime")]

ROOT = Path(__file__).resolve().parents[2]
SPEED = 300
MOST_SECONDS = 90
MOST_BEHIND = 10 * SPEED
"""Seconds there: ccxt lets a request be ten seconds on its way."""
TRADER = ("trader", "word")
PAIRS = ["BTC/USDT", "ETH/USDT"]

BEAT = """
from freqtrade.strategy import IStrategy


class Beat(IStrategy):
    timeframe = "5m"
    stoploss = -0.2
    minimal_roi = {}
    startup_candle_count = 5
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "limit",
        "stoploss_on_exchange": True,
    }

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["date"].dt.minute % 20 == 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["date"].dt.minute % 20 == 10, "exit_long"] = 1
        return dataframe
"""


def until(happened: Callable[[], Any], why: Callable[[], str]) -> Any:
    """What happens sooner or later."""
    end = time.monotonic() + MOST_SECONDS
    while not (found := happened()):
        assert time.monotonic() < end, why()
        time.sleep(0.05)
    return found


@dataclass
class Stock:
    """A stock freqtrade, its folder and its own REST API."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str
    exchange: Any

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, what: str) -> Any:
        return httpx.get(f"{self.url}/{what}", auth=TRADER, trust_env=False).json()

    def post(self, what: str) -> Any:
        return httpx.post(f"{self.url}/{what}", auth=TRADER, trust_env=False).json()

    def state(self) -> str:
        try:
            return str(self.get("show_config")["state"])
        except httpx.TransportError:
            assert self.process.poll() is None, self.log[-3000:]
            return ""

    def processed(self) -> datetime:
        """When it went through its loop last; long ago when it never did."""
        return datetime.fromisoformat(self.get("health")["last_process"] or "1970-01-01T00:00Z")

    def until(self, happened: Callable[[], Any]) -> Any:
        return until(happened, lambda: self.log[-3000:])

    def closed(self) -> int:
        return len(kept(self.folder / "trades.sqlite").closed)


def requests(exchange: Any, status: int) -> list[tuple[int, str]]:
    """When, by the exchange's clock, signed requests got this answer, and for what."""
    query = "SELECT at, path FROM requests WHERE status = ? ORDER BY number"
    with closing(sqlite3.connect(exchange.folder / "journal.sqlite")) as journal:
        return journal.execute(query, (status,)).fetchall()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def configured(exchange: Any, port: int, secret: str) -> dict[str, Any]:
    """What `sluice-exchange config` prints, and what a user says besides."""
    argv = [sys.executable, "-m", "runner.exchange", "config", "--json", "--key", "key"]
    argv += ["--secret", secret, "--ready-file", str(exchange.ready_file)]
    printed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout
    settings: dict[str, Any] = json.loads(printed)
    settings["exchange"] |= {
        "pair_whitelist": PAIRS,
        "_ft_has_params": {"ohlcv_candle_limit": 100},
    }
    return settings | {
        "initial_state": "running",
        "dry_run": False,
        "stake_currency": "USDT",
        "stake_amount": 900,
        "max_open_trades": 2,
        "strategy": "Beat",
        "strategy_path": ".",
        "db_url": "sqlite:///trades.sqlite",
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "username": TRADER[0],
            "password": TRADER[1],
            "jwt_secret_key": "j" * 40,
            "ws_token": "w" * 40,
            "verbosity": "error",
        },
    }


@contextmanager
def stock(exchange: Any, folder: Path, secret: str = "secret") -> Iterator[Stock]:
    """`freqtrade trade`, started as a person would."""
    port = free_port()
    (folder / "user_data").mkdir()
    (folder / "beat.py").write_text(BEAT)
    (folder / "config.json").write_text(json.dumps(configured(exchange, port, secret)))
    argv = [sys.executable, "-m", "runner.bots.scaled", "--exchange", str(exchange.ready_file)]
    argv += ["--", "trade", "-c", "config.json", "--userdir", "user_data"]
    # freqtrade writes no log where it thinks that it is itself being tested.
    free = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, env=free, stdout=log, stderr=log)
    try:
        yield Stock(process, folder, f"http://127.0.0.1:{port}/api/v1", exchange)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def scaled(serve: Any) -> Iterator[Any]:
    asked = ("--clock", "real", "--speed", str(SPEED), "--start", "2023-01-02")
    with serve(*asked, "--account", "alice:key:secret:USDT=5000") as exchange:
        yield exchange


@pytest.fixture(scope="module")
def bot(scaled: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with stock(scaled, tmp_path_factory.mktemp("bot")) as running:
        running.until(lambda: running.state() == "running")
        yield running


def test_the_clock_runs_so_many_times_as_fast_and_goes_on_after_kill_9(serve: Any) -> None:
    asked = ("--clock", "real", "--speed", "600", "--start", "2023-01-02")
    with serve(*asked) as exchange:
        before, told = time.monotonic(), exchange.ask("status")
        assert (told.clock, told.speed) == ("scaled", 600)
        until(lambda: exchange.now > told.now + timedelta(minutes=5), lambda: exchange.log)
        passed = (exchange.now - told.now).total_seconds() / (time.monotonic() - before)
        assert 300 < passed < 660
        last = exchange.now
        exchange.kill()
        exchange.start()
        # Whoever was told a time never sees an earlier one.
        assert last <= exchange.now < last + timedelta(hours=6)
        assert exchange.ask("status").speed == 600


COMPARE = """
import os
import sys
from pathlib import Path

from runner.bots.scaled import become
from runner.exchange import remote

program = '''
import json, sys, time
from urllib.request import urlopen
for _ in range(5):
    here = time.time()
    there = json.load(urlopen(sys.argv[1] + "/api/v3/time"))["serverTime"] / 1000
    print(json.dumps([here, there]))
    time.sleep(30)
'''
ready = remote.located(Path(sys.argv[1]))
# As a killed process with our number would have left it.
Path(f"/dev/shm/faketime_shm_{os.getpid()}").touch()
become(ready, [sys.executable, "-c", program, ready.api_url])
"""


def test_what_is_launched_is_behind_the_exchange_by_less_than_a_request_may_be(scaled: Any) -> None:
    argv = [sys.executable, "-c", COMPARE, str(scaled.ready_file)]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    moments = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(moments) == 5
    assert [0 <= there - here < MOST_BEHIND for here, there in moments] == [True] * 5


@pytest.mark.parametrize(("minutes", "served"), [(20, True), (75, False)])
def test_a_request_may_be_on_its_way_as_long_as_without_scaled_time(
    minutes: int, served: bool, scaled: Any
) -> None:
    # Of ccxt's ten seconds, which are fifty minutes there.
    api = scaled.ccxt()
    api.milliseconds = lambda: int(scaled.now.timestamp() * 1000) - minutes * 60_000
    refused = nullcontext() if served else pytest.raises(ccxt.InvalidNonce, match="recvWindow")
    with refused:
        api.fetch_balance()


def test_a_stock_freqtrade_runs_on_the_exchange_s_time(bot: Stock) -> None:
    assert bot.get("ping") == {"status": "pong"}
    there = bot.exchange.now
    seen = bot.until(lambda: bot.processed() > there and bot.processed())
    assert seen < bot.exchange.now + timedelta(seconds=1)
    assert "-1021" not in bot.log


def test_it_trades_live_and_its_books_are_equal(bot: Stock) -> None:
    bot.until(lambda: bot.closed() >= 2)
    # Between two loops nothing is under way, so nothing is half written.
    bot.post("stop")
    bot.until(lambda: bot.state() == "stopped")
    mine = kept(bot.folder / "trades.sqlite")
    assert len(mine.orders) >= 6
    assert differences(mine, remote.book(bot.exchange.ready, "key")) == ()
    bot.post("start")
    bot.until(lambda: bot.state() == "running")


def test_too_many_requests_are_answered_by_waiting_longer_each_time(bot: Stock) -> None:
    before = bot.closed()
    bot.exchange.fault("rate_limited", times=5, account="alice")
    bot.until(lambda: not bot.exchange.ask("status").faults)

    refused = requests(bot.exchange, 429)
    waits = [(then - now) / 1000 for (now, _), (then, _) in pairwise(refused)]
    assert len(refused) == 5
    assert {path for _, path in refused} == {refused[0][1]}
    # The exchange's minutes are real milliseconds here, and each request takes some.
    assert [wait >= least for wait, least in zip(waits, (1, 2, 5, 10), strict=True)] == [True] * 4
    assert [bot.log.count(f"backoff delay: {wait}\n") for wait in (1, 2, 5, 10)] == [1] * 4
    assert bot.state() == "running"
    bot.until(lambda: bot.closed() > before)


def test_when_the_exchange_is_away_for_minutes_health_goes_on_and_the_bot_recovers(
    bot: Stock,
) -> None:
    bot.exchange.fault("server_error", seconds=7 * 86_400)
    orders = bot.exchange.ask("status").orders
    away = bot.processed()
    bot.until(lambda: bot.processed() > away + timedelta(minutes=5))
    assert bot.state() == "running"
    assert bot.exchange.ask("status").orders == orders

    bot.exchange.clear()
    closed = bot.closed()
    bot.until(lambda: bot.closed() > closed)
    assert "-1021" not in bot.log


def test_it_ends_when_it_is_asked_to(bot: Stock) -> None:
    bot.process.send_signal(signal.SIGTERM)
    assert bot.process.wait(MOST_SECONDS) == 130
    assert "-1021" not in bot.log


def test_wrong_credentials_are_tried_four_times_and_end_it(scaled: Any, tmp_path: Path) -> None:
    before = len(requests(scaled, 400))
    with stock(scaled, tmp_path, secret="wrong") as mistaken:
        assert mistaken.process.wait(MOST_SECONDS) == 2
    refused = [path for _, path in requests(scaled, 400)[before:]]
    assert [path.rpartition("/")[2] for path in refused].count("getall") == 4
    assert [mistaken.log.count(text) for text in ("Retrying still for", "Giving up")] == [3, 1]
    # freqtrade breaks its lines where a terminal would end.
    assert "Could not load markets, therefore cannot start" in " ".join(mistaken.log.split())


def without_libfaketime(*module: str) -> list[str]:
    """A module of ours on this machine, with an empty folder where the library is."""
    library = faketime.library()
    assert library is not None
    hidden = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", str(library.parent), "--chdir", str(ROOT)]
    return [*hidden, sys.executable, "-m", *module]


@pytest.mark.needs("bubblewrap")
def test_where_libfaketime_is_missing_it_says_so_and_runs_in_real_time(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    asked = ("serve", "--root", str(ROOT), "--speed", "60", "--ready-file", str(ready))
    argv = without_libfaketime("runner.exchange", *asked)
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(ready.exists, lambda: f"it ended with {process.poll()}")
            located = remote.located(ready)
            told = remote.ask(located, "status")
            launched = subprocess.run(
                [*without_libfaketime("runner.bots.scaled", "--exchange", str(ready)), "trade"],
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.kill(located.pid, signal.SIGTERM)
        said = process.communicate(timeout=10)[1].splitlines()
    assert (told.clock, told.speed) == ("real", 1)
    package = "sudo apt-get install libfaketime"
    assert said[0] == (f"libfaketime is missing here, so the clock runs in real time: {package}")
    assert launched.returncode == ExitCode.CANNOT_TELL
    assert launched.stderr.startswith("error: libfaketime is missing")
    assert f"hint: {package}" in launched.stderr


def test_a_stepped_exchange_has_no_time_for_a_stock_bot(exchange: Any) -> None:
    argv = [sys.executable, "-m", "runner.bots.scaled", "--exchange", str(exchange.ready_file)]
    ended = subprocess.run(
        [*argv, "--", "trade"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (ExitCode.BAD_INPUT, "")
    assert "its clock is stepped" in ended.stderr
