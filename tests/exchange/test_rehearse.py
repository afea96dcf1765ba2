"""`sluice-exchange rehearse`: a live bot, until trades have closed, held to the exchange's book."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ExitCode

pytestmark = pytest.mark.freqtrade

ROOT = Path(__file__).resolve().parents[2]
ALICE = ("--account", "alice:key:secret:USDT=5000")
MOST_SECONDS = 120

BEAT = """
from freqtrade.strategy import IStrategy


class Beat(IStrategy):
    timeframe = "1h"
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
        dataframe.loc[dataframe["date"].dt.hour % 4 == 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["date"].dt.hour % 4 == 2, "exit_long"] = 1
        return dataframe
"""

CONFIG = {
    "exchange": {
        "name": "binance",
        "pair_whitelist": ["BTC/USDT", "ETH/USDT"],
        "_ft_has_params": {"ohlcv_candle_limit": 100},
    },
    "stake_currency": "USDT",
    "stake_amount": 900,
    "max_open_trades": 2,
    "strategy": "Beat",
    "pairlists": [{"method": "StaticPairList"}],
    "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "beat.py").write_text(BEAT)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def start(exchange: Any, plugin: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "runner.exchange", "rehearse"]
    argv += ["--ready-file", str(exchange.ready_file), "--key", "key", "--secret", "secret"]
    argv += ["--config", str(plugin / "config.json"), "--strategy-path", str(plugin)]
    argv += ["--folder", str(folder), *more]
    # freqtrade writes no log where it thinks that it is itself being tested.
    kept = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=ROOT, env=kept, stdout=pipe, stderr=pipe, text=True)


def rehearse(
    exchange: Any, plugin: Path, folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    with start(exchange, plugin, folder, *more) as process:
        told, said = process.communicate(timeout=MOST_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, told, said)


def bot_of(process: subprocess.Popen[str]) -> int:
    """The process that a rehearsal drives."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (bot,) = children
    return int(bot)


def gone(pid: int) -> bool:
    try:
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + MOST_SECONDS
    while not gone(pid):
        assert time.monotonic() < until, f"{pid} is still there"
        time.sleep(0.05)


def lines_until(process: subprocess.Popen[str], text: str) -> Iterator[str]:
    assert process.stderr is not None
    for line in process.stderr:
        yield line
        if text in line:
            return
    pytest.fail(f"it never said {text}")


def test_a_rehearsal_that_was_killed_goes_on_and_its_books_are_equal(
    serve: Any, plugin: Path, tmp_path: Path
) -> None:
    with serve("--start", "2022-03-01", *ALICE) as exchange:
        with start(exchange, plugin, tmp_path / "bot", "--until-closed", "50") as process:
            said = list(lines_until(process, "2 closed"))
            bot = bot_of(process)
            process.kill()
        assert said[0] == "2022-03-01 00:00  0 open, 0 closed\n"
        wait_until_gone(bot)

        ended = rehearse(exchange, plugin, tmp_path / "bot", "--until-closed", "4", "--json")

        assert (ended.returncode, ended.stderr.splitlines()[-1][-8:]) == (0, "4 closed"), ended
        told = json.loads(ended.stdout)
        assert ended.stdout.count("\n") == 1
        assert told["equal"] is True
        assert told["differences"] == []
        assert told["closed"] == sum(not trade["is_open"] for trade in told["trades"]) == 4
        assert len(told["orders"]) == exchange.ask("status").orders
        assert told["balances"]["USDT"] == str(
            exchange.ask("status").accounts["alice"]["USDT"].free
        )


def reconcile(exchange: Any, account: str, database: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "runner.exchange", "reconcile", account, str(database)]
    asked = [*argv, "--ready-file", str(exchange.ready_file)]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_database_is_held_against_the_book_of_the_account_of_a_name(
    serve: Any, plugin: Path, tmp_path: Path
) -> None:
    bob = ("--account", "bob:other:secret:USDT=5000")
    with serve("--start", "2022-03-01", *ALICE, *bob) as exchange:
        rehearse(exchange, plugin, tmp_path / "bot", "--until-closed", "2")
        database = tmp_path / "bot" / "trades.sqlite"

        assert reconcile(exchange, "alice", database).returncode == ExitCode.DONE
        ended = reconcile(exchange, "bob", database)
        assert ended.returncode == ExitCode.SAID_NO, ended
        assert "order 1: is there: freqtrade yes, the exchange no" in ended.stdout

        with sqlite3.connect(database) as opened:
            opened.execute("UPDATE orders SET filled = filled * 1.0001 WHERE id = 1")
        ended = reconcile(exchange, "alice", database)
        assert ended.returncode == ExitCode.SAID_NO, ended
        assert "order 1: filled: freqtrade" in ended.stdout

        ended = reconcile(exchange, "carol", database)
        assert (ended.returncode, ended.stdout) == (ExitCode.BAD_INPUT, "")
        assert "no account is called 'carol'\nhint: there are alice, bob" in ended.stderr


def test_an_order_that_freqtrade_does_not_know_of_fails_a_rehearsal(
    serve: Any, plugin: Path, tmp_path: Path
) -> None:
    with serve("--start", "2022-03-01", *ALICE) as exchange:
        exchange.fault("lost_answer")
        ended = rehearse(exchange, plugin, tmp_path / "bot", "--until-closed", "1")
        assert ended.returncode == ExitCode.SAID_NO, ended
        assert "order 1: is there: freqtrade no, the exchange filled, buy" in ended.stdout
        assert "freqtrade and the exchange's book differ in 3 places" in ended.stdout


def test_too_few_trades_are_no_proof(serve: Any, plugin: Path, tmp_path: Path) -> None:
    with serve("--start", "2022-03-01", *ALICE) as exchange:
        ended = rehearse(exchange, plugin, tmp_path / "bot", "--hours", "2")
        assert ended.returncode == ExitCode.CANNOT_TELL, ended
        assert "error: 0 of 3 trades have closed by 2022-03-01 02:00" in ended.stderr
        assert exchange.now.hour == 2

        asked = {**CONFIG, "strategy": "Nobody"}
        (tmp_path / "config.json").write_text(json.dumps(asked))
        other = ("--config", str(tmp_path / "config.json"))
        ended = rehearse(exchange, plugin, tmp_path / "other", *other)
        assert ended.returncode == ExitCode.CANNOT_TELL, ended
        assert "error: freqtrade ended with 1" in ended.stderr
        assert "Impossible to load Strategy 'Nobody'" in ended.stderr


def test_ctrl_c_leaves_no_bot_behind(serve: Any, plugin: Path, tmp_path: Path) -> None:
    with serve("--start", "2022-03-01", *ALICE) as exchange:
        with start(exchange, plugin, tmp_path / "bot", "--until-closed", "50") as process:
            list(lines_until(process, "2 open"))
            bot = bot_of(process)
            process.send_signal(signal.SIGINT)
            assert process.wait(MOST_SECONDS) == ExitCode.INTERRUPTED
        assert gone(bot)
        assert "Cleaning up modules" in (tmp_path / "bot" / "log").read_text()


def test_what_cannot_be_rehearsed_is_said_at_once(serve: Any, plugin: Path, tmp_path: Path) -> None:
    with serve("--start", "2022-03-01", "--clock", "real", *ALICE) as exchange:
        ended = rehearse(exchange, plugin, tmp_path / "bot")
        assert (ended.returncode, ended.stdout) == (ExitCode.BAD_INPUT, "")
        assert "its clock is real" in ended.stderr
        assert not (tmp_path / "bot").exists()


def test_a_key_that_nobody_has_is_said_at_once(exchange: Any, plugin: Path, tmp_path: Path) -> None:
    ended = rehearse(exchange, plugin, tmp_path / "bot", "--key", "another")
    assert (ended.returncode, ended.stdout) == (ExitCode.BAD_INPUT, "")
    assert ended.stderr.startswith("error: book: no account has this key\n")
