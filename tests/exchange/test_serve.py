"""`sluice-exchange` as a process: where it is, what survives, who may command it."""

import json
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import httpx
import pytest

from pipelines.errors import BadInput, ExitCode
from runner.exchange.messages import NewAccount, NewKey, Ready

BTC = "BTC/USDT"
ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner.exchange", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_accepted_order_survives_a_killed_process(serve: Any) -> None:
    arguments = ("--start", "2023-01-02", "--account", "alice:key:secret:USDT=1000")
    with serve(*arguments) as exchange:
        with exchange.then():
            api = exchange.ccxt()
            bought = api.create_order(BTC, "market", "buy", 0.05)
            low = api.price_to_precision(BTC, bought["average"] * 0.97)
            resting = api.create_order(BTC, "limit", "buy", 0.01, low)
            exchange.step(hours=1)
        before = exchange.ask("status")
        exchange.kill()
        exchange.start()

        assert exchange.ask("status") == before
        with exchange.then():
            api = exchange.ccxt()
            assert api.fetch_order(bought["id"], BTC)["average"] == bought["average"]
            assert api.fetch_order(resting["id"], BTC)["status"] == "open"
            assert api.create_order(BTC, "market", "sell", 0.01)["id"] == "3"


def test_an_order_survives_when_its_answer_was_lost_and_the_process_killed(serve: Any) -> None:
    with serve("--start", "2023-01-02", "--account", "alice:key:secret:USDT=1000") as exchange:
        with exchange.then():
            api = exchange.ccxt()
            api.load_markets()
            exchange.fault()
            with pytest.raises(ccxt.NetworkError):
                api.create_order(BTC, "market", "buy", 0.01)
        exchange.kill()
        exchange.start()
        with exchange.then():
            assert [o["status"] for o in exchange.ccxt().fetch_orders(BTC)] == ["closed"]


def test_a_journal_that_cannot_be_written_ends_the_exchange(serve: Any) -> None:
    with serve("--start", "2023-01-02", "--account", "alice:key:secret:USDT=1000") as exchange:
        with exchange.then():
            api = exchange.ccxt()
            api.load_markets()
            with closing(sqlite3.connect(exchange.folder / "journal.sqlite")) as other:
                other.execute("BEGIN EXCLUSIVE")
                with pytest.raises(ccxt.NetworkError):
                    api.create_order(BTC, "market", "buy", 0.01)
                assert exchange.process.wait(10) == ExitCode.CANNOT_TELL
        assert "journal.sqlite: cannot be written" in exchange.log
        exchange.start()
        assert exchange.ask("status").orders == 0


def test_a_clock_that_runs_is_not_stepped(serve: Any) -> None:
    with serve("--start", "2023-01-02T10:00:00", "--clock", "real") as exchange:
        told = exchange.ask("status")
        assert told.clock == "real"
        while exchange.now <= told.now:
            time.sleep(0.05)
        assert exchange.now - told.now < timedelta(seconds=30)
        assert exchange.ccxt("", "").fetch_ohlcv(BTC, "1h", limit=1)
        with pytest.raises(BadInput, match="the clock runs by itself"):
            exchange.step(hours=1)


def played(serve: Any, *terms: str) -> str:
    """What a process says after some orders and five hours."""
    account = "alice:key:secret:USDT=90000:LTC=1"
    with serve("--start", "2023-01-02", "--account", account, *terms) as exchange, exchange.then():
        api = exchange.ccxt()
        api.create_order(BTC, "market", "buy", 0.1)
        last = api.fetch_ticker(BTC)["last"]
        for share in (0.999, 1.001):
            side = "buy" if share < 1 else "sell"
            api.create_order(BTC, "limit", side, 0.05, api.price_to_precision(BTC, last * share))
        exchange.step(hours=5)
        told = exchange.ask("status")
        assert told.fills > 1
        return str(told.model_dump_json())


def test_the_same_seed_and_requests_give_the_same_book(serve: Any) -> None:
    terms = (
        "--spread",
        "2bp",
        "--slippage",
        "20bp",
        "--fee-asset",
        "LTC",
        "--volume-share",
        "0.01",
    )
    assert played(serve) == played(serve)
    assert played(serve, *terms, "--seed", "7") == played(serve, *terms, "--seed", "7")
    assert played(serve, *terms, "--seed", "7") != played(serve, *terms, "--seed", "8")


def test_a_fee_asset_that_has_no_candles_is_refused() -> None:
    told = command("serve", "--fee-asset", "BNB", "--clock", "stepped")
    assert told.returncode == ExitCode.BAD_INPUT
    assert "--fee-asset: there are no candles of BNB" in told.stderr
    assert "hint: there are those of ADA, BTC, ETH, LTC, SOL" in told.stderr


def test_where_it_is_stands_in_a_file_for_its_owner_only(exchange: Any) -> None:
    ready = Ready.model_validate_json(exchange.ready_file.read_text())
    assert ready.pid == exchange.process.pid
    assert ready.api_url.startswith("http://127.0.0.1:")
    assert stat.S_IMODE(exchange.ready_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((exchange.folder / "journal.sqlite").stat().st_mode) == 0o600


def test_the_control_port_wants_its_token(exchange: Any) -> None:
    stranger = exchange.ready.model_copy(update={"control_token": "guessed"})
    url = f"{stranger.control_url}/fault"
    answer = httpx.post(url, json={"name": "lost_answer"}, trust_env=False)
    assert answer.status_code == 401
    assert exchange.ask("status").faults == ()


def test_the_control_port_refuses_what_makes_no_sense(exchange: Any) -> None:
    with pytest.raises(BadInput, match="the clock is at 2023-01-02T00:00:00Z already"):
        exchange.step(hours=-1)
    with pytest.raises(BadInput, match="the candles end at 2023-09-26"):
        exchange.step(days=3000)
    with pytest.raises(BadInput, match="another account with this name or key"):
        exchange.ask("account", NewAccount(name="bob", key="key", secret="else"))
    with pytest.raises(BadInput, match="DOGE is not traded here"):
        exchange.ask(
            "account", NewAccount(name="bob", key="b", secret="s", funds={"DOGE": Decimal(1)})
        )


def test_an_account_gets_another_key_and_the_one_before_is_gone(exchange: Any) -> None:
    funds = {"USDT": Decimal(70)}
    exchange.ask("account", NewAccount(name="gil", key="old", secret="s", funds=funds))
    changed = exchange.ask("key", NewKey(name="gil", key="new", secret="t"))
    assert changed.accounts["gil"]["USDT"].free == 70
    with exchange.then():
        assert exchange.ccxt("new", "t").fetch_balance()["USDT"]["free"] == 70
        with pytest.raises(ccxt.AuthenticationError):
            exchange.ccxt("old", "s").fetch_balance()
    for name, key, said in (("gil", "key", "another account"), ("ida", "i", "no such account")):
        with pytest.raises(BadInput, match=said):
            exchange.ask("key", NewKey(name=name, key=key, secret="s"))


def test_accounts_do_not_see_each_other(exchange: Any) -> None:
    added = NewAccount(name="carol", key="carol's", secret="s", funds={"USDT": Decimal(500)})
    exchange.ask("account", added)
    with exchange.then():
        hers = exchange.ccxt("carol's", "s")
        order = hers.create_order(BTC, "market", "buy", 0.01)
        assert exchange.ccxt().fetch_orders(BTC) == []
        with pytest.raises(Exception, match="Order does not exist"):
            exchange.ccxt().fetch_order(order["id"], BTC)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v3/nothing", 404),
        ("PUT", "/api/v3/order", 405),
        ("GET", "/api/v3/klines", 400),
        ("GET", "/api/v3/klines?symbol=BTCUSDT&interval=7m", 400),
        ("GET", "/api/v3/klines?symbol=BTCUSDT&interval=1h&startTime=-5", 400),
        ("GET", "/api/v3/klines?symbol=BTCUSDT&symbol=ETHUSDT&interval=1h", 400),
        ("GET", "/api/v3/depth?symbol=%FF%FE", 400),
        ("GET", "/api/v3/ticker/price?symbols=[[", 400),
        ("GET", f"/api/v3/klines?symbol=BTCUSDT&interval=1h&startTime={'9' * 41}", 400),
    ],
)
def test_malformed_requests_get_an_answer(
    method: str, path: str, status: int, exchange: Any
) -> None:
    answer = httpx.request(method, exchange.ready.api_url + path, trust_env=False)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "msg"}
    assert "Traceback" not in exchange.log


def test_oversized_and_broken_requests_do_no_harm(exchange: Any) -> None:
    url = f"{exchange.ready.api_url}/api/v3/order"
    headers = {"X-MBX-APIKEY": "key"}
    assert httpx.post(url, content=b"a" * 100_000, headers=headers).status_code == 413
    assert httpx.post(url, content=b"\xff\xfe=1", headers=headers).json()["code"] == -1100
    host, port = exchange.ready.api_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(b"nonsense\r\n\r\n")
        assert b"400" in line.recv(200)
    assert "Traceback" not in exchange.log


def test_the_commands_speak_to_it(exchange: Any) -> None:
    there = ("--ready-file", str(exchange.ready_file))
    settings = json.loads(command("config", "--json", "--key", "k", *there).stdout)
    hosts = settings["exchange"]["ccxt_config"]["urls"]["api"]
    assert hosts["private"] == f"{exchange.ready.api_url}/api/v3"
    assert settings["exchange"]["key"] == "k"
    assert settings["exchange"]["enable_ws"] is False

    assert json.loads(command("fault", "lost_answer", "--json", *there).stdout)["faults"]
    ended = command("fault", "lost_answer", "--times", "0", "--json", *there)
    assert json.loads(ended.stdout)["faults"] == []
    added = command("account", "add", "dave:d:d:USDT=5.5", "--json", *there)
    assert json.loads(added.stdout)["accounts"]["dave"]["USDT"]["free"] == "5.5"
    allowed = ("--permission", "read", "--permission", "futures", "--ip", "127.0.0.1")
    command("account", "add", "erin:e:e:USDT=1", *allowed, *there)
    assert "dave: 5.5 USDT" in command("status", *there).stdout
    with exchange.then():
        told = exchange.ccxt("e", "e").sapiGetAccountApiRestrictions()
    assert (told["enableSpotAndMarginTrading"], told["enableFutures"]) == (False, True)
    assert told["ipRestrict"] is True
    command("account", "add", "fay:f:f:USDT=1:ip=127.0.0.1:may=trade:may=withdraw", *there)
    with exchange.then():
        told = exchange.ccxt("f", "f").sapiGetAccountApiRestrictions()
    assert (told["enableWithdrawals"], told["ipRestrict"]) == (True, True)
    before = exchange.now
    command("step", "--seconds", "60", *there)
    assert (exchange.now - before).total_seconds() == 60


@pytest.mark.parametrize(
    ("arguments", "armed"),
    [
        (("partial_fill", "--share", "0.3", "--side", "sell"), {"by": "0.3", "side": "SELL"}),
        (("price_gap", "--by", "-10%", "--symbol", "BTC/USDT"), {"by": "-0.1", "left": None}),
        (("clock_skew", "--by", "-1h", "--account", "alice"), {"by": "-3600000"}),
        (("server_error", "--for", "2m"), {"left": None, "until": "2023-01-02T00:02:00Z"}),
        (("server_error", "--for", "1d", "--times", "3"), {"left": 3}),
        (("rejected_order", "--code", "-1013"), {"left": 1, "until": None}),
    ],
)
def test_a_fault_is_armed_as_it_is_written(
    arguments: tuple[str, ...], armed: dict[str, Any], serve: Any
) -> None:
    with serve("--start", "2023-01-02", "--account", "alice:key:secret") as exchange:
        there = ("--ready-file", str(exchange.ready_file))
        done = json.loads(command("fault", *arguments, "--json", *there).stdout)
        assert done["faults"][0] | armed | {"name": arguments[0]} == done["faults"][0]
        assert f"fault {arguments[0]}" in command("status", *there).stdout
        cleared = json.loads(command("fault", "clear", "--json", *there).stdout)
        assert [each["name"] for each in cleared["faults"]] in ([], ["price_gap"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fault", "timeout", "--for", "-5s"), "--for: should be a span of time, got '-5s'"),
        (("fault", "timeout", "--for", "soon"), "--for: should be a span of time, got 'soon'"),
        (("fault", "price_gap", "--by", "0.1"), "--by: should look like -10% or 1h, got '0.1'"),
        (("fault", "price_gap", "--by", "x%"), "--by: should look like -10% or 1h, got 'x%'"),
        (("fault", "price_gap", "--by", "nan%"), "--by: should look like -10% or 1h"),
        (("fault", "partial_fill", "--share", "half"), "--share: should look like 0.3"),
        (("fault", "partial_fill", "--share", "1", "--by", "1%"), "--share: cannot stand beside"),
        (("serve", "--start", "1999-01-01"), "--start: there are no candles then"),
        (("serve", "--account", "alice"), "--account: should have a name, a key and a secret"),
        (("serve", "--account", "a:k:s:may=steal"), "--account: may=steal: there is no such"),
        (("serve", "--fee", "much"), "--fee: should be a share between 0 and 1"),
        (("serve", "--markets", "nowhere.json"), "nowhere.json: cannot be read"),
        (("status", "--ready-file", "nowhere.json"), "nowhere.json: there is no such file"),
        (("fault", "earthquake", "--ready-file", "x"), "invalid value for '{server_error|"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    there = () if {"serve", "--ready-file"} & {*arguments} else ("--ready-file", "x")
    ended = command(*arguments, *there)
    assert ended.returncode == ExitCode.BAD_INPUT
    assert ended.stderr.startswith(f"error: {said}")
    assert ended.stdout == ""


def test_a_port_that_is_taken_is_said(exchange: Any, root: Path) -> None:
    port = exchange.ready.api_url.rpartition(":")[2]
    ended = command("serve", "--root", str(root), "--port", port)
    assert ended.returncode == ExitCode.CANNOT_TELL
    assert f"127.0.0.1:{port}: cannot be listened on" in ended.stderr


@pytest.mark.needs("candles")
def test_a_recorded_exchange_info_is_served_as_it_is(serve: Any, candles_folder: Path) -> None:
    files = sorted((candles_folder / "markets").glob("*spot*.json"))
    arguments = ("--candles", str(candles_folder), "--start", "2023-01-02")
    with serve(*arguments, "--markets", str(files[-1])) as exchange:
        served = exchange.ccxt("", "").load_markets()
        recorded = json.loads(files[-1].read_bytes())
        assert len(served) == 5
        for symbol, market in served.items():
            assert market["info"] == recorded[symbol]["info"]
            assert market["precision"] == recorded[symbol]["precision"]
            assert market["limits"]["cost"]["min"] == recorded[symbol]["limits"]["cost"]["min"]
