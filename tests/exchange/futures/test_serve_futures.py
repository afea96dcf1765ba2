"""Futures of `sluice-exchange` as a process: what survives, what is served of which candles."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ExitCode

BTC = "BTC/USDT:USDT"
ROOT = Path(__file__).resolve().parents[3]
FUTURES = ("--market", "futures", "--start", "2023-01-02T00:30:00")
ALICE = ("--account", "alice:key:secret:futures.USDT=9000")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner.exchange", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def low(api: Any, average: float, share: float) -> float:
    return float(api.price_to_precision(BTC, average * share))


def trade(api: Any) -> float:
    """A long with a stop below and a sale above it."""
    api.set_leverage(10, BTC)
    average = float(api.create_order(BTC, "market", "buy", 0.3)["average"])
    stop = {"stopPrice": low(api, average, 0.95), "reduceOnly": True}
    api.create_order(BTC, "stop_market", "sell", 0.3, None, stop)
    api.create_order(BTC, "limit", "sell", 0.1, low(api, average, 1.01), {"reduceOnly": True})
    return average


def test_everything_accepted_survives_a_killed_process(serve: Any, connect: Any) -> None:
    with serve(*FUTURES, *ALICE) as exchange:
        with exchange.then():
            api = connect(exchange)
            average = trade(api)
        exchange.step(hours=9)
        before = exchange.ask("status")
        assert before.futures.waiting == 1
        exchange.kill()
        exchange.start()

        assert exchange.ask("status") == before
        with exchange.then():
            api = connect(exchange)
            (held,) = api.fetch_positions()
            assert (held["contracts"], held["entryPrice"]) == (0.3, average)
            assert held["info"]["isolatedWallet"]
            assert api.fetch_leverage(BTC)["longLeverage"] == 10
            assert len(api.fetch_open_orders(BTC, params={"trigger": True})) == 1
            assert len(api.fetch_funding_history(BTC)) == 1
            assert api.create_order(BTC, "market", "sell", 0.1)["id"] == "3"


def test_an_order_survives_when_its_answer_was_lost_and_the_process_killed(
    serve: Any, connect: Any
) -> None:
    with serve(*FUTURES, *ALICE) as exchange:
        with exchange.then():
            api = connect(exchange)
            average = float(api.create_order(BTC, "market", "buy", 0.3)["average"])
            exchange.fault()
            stop = {"stopPrice": low(api, average, 0.95), "reduceOnly": True}
            with pytest.raises(Exception, match="fapi/v1/algoOrder"):
                api.create_order(BTC, "stop_market", "sell", 0.3, None, stop)
        exchange.kill()
        exchange.start()
        with exchange.then():
            (waits,) = connect(exchange).fetch_open_orders(BTC, params={"trigger": True})
            assert waits["stopPrice"] == stop["stopPrice"]


def test_the_same_requests_give_the_same_book(serve: Any, connect: Any) -> None:
    def play() -> str:
        with serve(*FUTURES, *ALICE) as exchange:
            with exchange.then():
                trade(connect(exchange))
            exchange.step(days=20)
            told = exchange.ask("status")
            assert told.futures.fills > 1
            return str(told.model_dump_json())

    assert play() == play()


def test_a_journal_with_futures_wants_them_served(serve: Any, connect: Any) -> None:
    with serve(*FUTURES, *ALICE) as exchange:
        journal = exchange.folder / "journal.sqlite"
        exchange.stop()
        ended = command("serve", "--root", str(ROOT), "--journal", str(journal))
    assert ended.returncode == ExitCode.BAD_INPUT
    assert "holds orders for 'futures', which is not served" in ended.stderr


def test_money_in_a_futures_wallet_needs_futures() -> None:
    ended = command("serve", "--start", "2023-01-02", *ALICE)
    assert ended.returncode == ExitCode.BAD_INPUT
    assert ended.stderr.startswith("error: alice: futures: there are no futures in USDT here")


def test_the_commands_speak_of_futures(serve: Any) -> None:
    with serve(*FUTURES, *ALICE) as exchange:
        there = ("--ready-file", str(exchange.ready_file))
        settings = json.loads(command("config", "--market", "futures", "--json", *there).stdout)
        assert (settings["trading_mode"], settings["margin_mode"]) == ("futures", "isolated")
        told = json.loads(command("status", "--json", *there).stdout)
        assert told["futures"]["wallets"] == {"alice": {"USDT": "9000"}}
        assert "alice: 9000 USDT in futures" in command("status", *there).stdout
        added = command("account", "add", "bob:b:b:futures.USDT=5", "--json", *there)
        assert json.loads(added.stdout)["futures"]["wallets"]["bob"] == {"USDT": "5"}
        armed = command("fault", "server_error", "--symbol", BTC, "--json", *there)
        assert json.loads(armed.stdout)["faults"][0]["symbol"] == "BTCUSDT"


@pytest.mark.needs("candles")
def test_recorded_contracts_are_served_as_they_are(
    serve: Any, connect: Any, candles_folder: Path
) -> None:
    (file,) = (candles_folder / "markets").glob("*usdm*.json")
    arguments = ("--candles", str(candles_folder), "--markets", str(file))
    with serve("--market", "futures", "--start", "2023-06-01", *arguments) as exchange:
        served = connect(exchange, "", "").load_markets()
    recorded = json.loads(file.read_bytes())
    assert sorted(served) == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    for symbol, market in served.items():
        for key in ("info", "precision", "limits", "contractSize", "settle", "linear"):
            assert market[key] == recorded[symbol][key]


@pytest.mark.needs("candles")
def test_recorded_marks_and_funding_are_served(
    serve: Any, connect: Any, candles_folder: Path
) -> None:
    arguments = ("--candles", str(candles_folder), "--start", "2023-06-01T12:00:00")
    with serve("--market", "futures", *arguments) as exchange, exchange.then():
        api = connect(exchange, "", "")
        told = api.fetch_funding_rate(BTC)
        assert told["markPrice"] == api.fetch_ticker(BTC)["last"]
        assert told["fundingRate"] == pytest.approx(9.485e-05, abs=1e-4)
        assert told["fundingDatetime"] == "2023-06-01T16:00:00.000Z"
        rates = api.fetch_funding_rate_history(BTC, limit=3)
        assert [row["datetime"][11:16] for row in rates] == ["16:00", "00:00", "08:00"]
        assert len({row["fundingRate"] for row in rates}) == 3
        marks = {row["info"]["fundingTime"]: float(row["info"]["markPrice"]) for row in rates}
        hours = api.fetch_ohlcv(BTC, "1h", since=min(marks), params={"price": "mark"})
        opens = {row[0]: row[1] for row in hours}
        assert {at: opens[at] for at in marks} == marks


def test_a_recording_of_spot_is_none_of_futures(tmp_path: Path) -> None:
    file = tmp_path / "markets.json"
    file.write_text('{"symbols": [{"symbol": "BTCUSDT", "filters": []}]}')
    ended = command("serve", "--market", "futures", "--markets", str(file))
    assert ended.returncode == ExitCode.BAD_INPUT
    assert f"{file}: has contracts that cannot be read" in ended.stderr
    file.write_text('{"symbols": [{"symbol": "DOGEUSDT", "filters": []}]}')
    ended = command("serve", "--market", "futures", "--markets", str(file))
    assert f"{file}: has none of ADA/USDT:USDT, BTC/USDT:USDT" in ended.stderr
