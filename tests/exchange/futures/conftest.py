"""Futures of a rehearsal exchange, and an unmodified ccxt that talks to it."""

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from runner.exchange.settings import ccxt_settings


def futures_api(exchange: Any, key: str = "key", secret: str = "secret") -> ccxt.binance:
    """ccxt as it is, configured only."""
    settings = ccxt_settings(exchange.ready.api_url, market="futures")
    return ccxt.binance({**settings, "apiKey": key, "secret": secret})


@pytest.fixture(scope="session")
def connect() -> Any:
    """Make a ccxt for an exchange's futures: `connect(exchange)`."""
    return futures_api


@pytest.fixture(scope="module")
def exchange(serve: Any) -> Iterator[Any]:
    """Spot and futures on the embedded market; alice has 1,000 USDT on spot, 100,000 beside it."""
    funds = "alice:key:secret:USDT=1000:futures.USDT=100000"
    arguments = ("--market", "both", "--start", "2023-01-02T00:30:00")
    with serve(*arguments, "--account", funds) as running:
        yield running


@pytest.fixture
def api(exchange: Any) -> Iterator[Any]:
    """ccxt, at the exchange's time; what it leaves open is closed again."""
    with exchange.then():
        api = futures_api(exchange)
        api.load_markets()
        yield api
        for symbol in ("BTC/USDT:USDT", "ETH/USDT:USDT"):
            api.cancel_all_orders(symbol)
            api.cancel_all_orders(symbol, {"stop": True})
        for held in api.fetch_positions():
            side = "sell" if held["side"] == "long" else "buy"
            amount = held["contracts"]
            api.create_order(held["symbol"], "market", side, amount, None, {"reduceOnly": True})
