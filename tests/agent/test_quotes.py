"""Prices of a reference that is no Binance: ccxt as it is, told where Kraken's API is served.

Most exchanges tell no last prices alone, as Binance does: they are taken from tickers.
"""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipelines.domain.protections import Unknown
from pipelines.domain.worth import divergence
from runner.agent.quotes import Quotes

D = Decimal
PAIRS = ("BTC/USDT", "ETH/USDT")
KRAKEN = ("kraken", "there", False)
LAST = {"XBTUSDT": "29000.1", "ETHUSDT": "1900.55"}


def market(base: str) -> dict[str, Any]:
    """An entry of `AssetPairs`, as Kraken's documentation of its REST API has it."""
    return {
        "altname": f"{base}USDT", "wsname": f"{base}/USDT", "base": base, "quote": "USDT",
        "aclass_base": "currency", "aclass_quote": "currency", "lot": "unit", "lot_multiplier": 1,
        "cost_decimals": 5, "pair_decimals": 1, "lot_decimals": 8, "leverage_buy": [],
        "leverage_sell": [], "fees": [[0, 0.26]], "fees_maker": [[0, 0.16]],
        "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": "0.0001",
        "costmin": "0.5", "tick_size": "0.1", "status": "online",
    }  # fmt: skip


def ticker(last: str) -> dict[str, Any]:
    both = [last, last]
    rest = {"v": both, "p": both, "t": [1, 1], "l": both, "h": both, "o": last}
    return {"a": [last, "1", "1"], "b": [last, "1", "1"], "c": [last, "0.1"], **rest}


@pytest.fixture
def told() -> dict[str, Any]:
    """What it answers, by the last part of the path."""
    return {
        "Assets": {},
        "AssetPairs": {f"{base}USDT": market(base) for base in ("XBT", "ETH")},
        "Ticker": {symbol: ticker(last) for symbol, last in LAST.items()},
    }


@pytest.fixture
def settings(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    class Public(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].rpartition("/")[2]
            found = told.get(name)
            self.send_response(200 if found is not None else 503)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"error": [], "result": found}).encode())

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Public) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        there = f"http://127.0.0.1:{server.server_port}"
        urls = {"api": {"public": there, "private": there}}
        yield {"name": "kraken", "ccxt_config": {"urls": urls}}
        server.shutdown()


def asked(settings: dict[str, Any]) -> Any:
    quotes = Quotes(None)
    quotes.ask({KRAKEN: PAIRS}, {KRAKEN: settings})
    return quotes.of(KRAKEN)


def test_last_prices_are_taken_from_its_tickers(settings: dict[str, Any]) -> None:
    assert asked(settings) == {"BTC/USDT": D("29000.1"), "ETH/USDT": D("1900.55")}


def test_a_pair_that_it_tells_no_price_of_has_none(
    settings: dict[str, Any], told: dict[str, Any]
) -> None:
    del told["Ticker"]["ETHUSDT"]
    assert asked(settings) == {"BTC/USDT": D("29000.1")}


def test_a_pair_that_it_does_not_trade_has_none(
    settings: dict[str, Any], told: dict[str, Any]
) -> None:
    del told["AssetPairs"]["ETHUSDT"], told["Ticker"]["ETHUSDT"]
    assert asked(settings) == {"BTC/USDT": D("29000.1")}


@pytest.mark.parametrize("gone", ["AssetPairs", "Ticker"])
def test_one_that_does_not_answer_tells_nothing(
    settings: dict[str, Any], told: dict[str, Any], gone: str
) -> None:
    del told[gone]
    assert isinstance(asked(settings), Unknown)


@pytest.mark.parametrize("last", [["many", "1"], None, "", [None, None], ["0", "1"]])
def test_what_is_no_price_is_none(
    settings: dict[str, Any], told: dict[str, Any], last: Any
) -> None:
    told["Ticker"]["ETHUSDT"]["c"] = last
    found = asked(settings)
    # Nothing is within a fraction of no price.
    assert isinstance(divergence(PAIRS, {pair: D(1) for pair in PAIRS}, found), Unknown)
