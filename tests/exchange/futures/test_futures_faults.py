"""Faults as futures meet them, what a key needs for them, and what their requests weigh."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from pipelines.errors import BadInput
from runner.exchange.core.faults import FaultName
from runner.exchange.messages import NewAccount

BTC = "BTC/USDT:USDT"
SPOT_ONLY: tuple[FaultName, ...] = (
    "partial_fill",
    "symbol_halted",
    "stale_candles",
    "delisting",
    "price_gap",
    "flash_crash",
)


@pytest.fixture
def wrong(exchange: Any) -> Iterator[Any]:
    """Arm a fault; what is still wrong after a test ends."""
    yield exchange.fault
    exchange.clear()


def buy(api: Any) -> Any:
    return api.create_order(BTC, "market", "buy", 0.01)


def stop(api: Any) -> Any:
    average = api.fetch_ticker(BTC)["last"]
    how = {"stopPrice": api.price_to_precision(BTC, average * 0.9), "reduceOnly": True}
    return api.create_order(BTC, "stop_market", "sell", 0.01, None, how)


def book(exchange: Any) -> Any:
    return exchange.ask("status").futures


@pytest.mark.parametrize("ask", [buy, stop])
@pytest.mark.parametrize(
    ("name", "how", "error", "said"),
    [
        ("server_error", {"side": "BUY"}, ccxt.OperationFailed, "-1001"),
        ("rate_limited", {}, ccxt.DDoSProtection, "429 .*-1003"),
        ("banned", {}, ccxt.DDoSProtection, "418 .*IP banned until"),
        ("rejected_order", {"symbol": "BTCUSDT"}, ccxt.ExchangeError, "-2019.*Margin is insuff"),
        ("rejected_order", {"code": -1013}, ccxt.ExchangeError, "-4164.*notional"),
        ("key_revoked", {}, ccxt.BaseError, "-2015"),
        ("clock_skew", {}, ccxt.InvalidNonce, "-1021.*ahead of the server's time"),
    ],
)
def test_an_order_is_refused_and_nothing_happens(
    name: FaultName,
    how: Any,
    error: type[Exception],
    said: str,
    ask: Any,
    exchange: Any,
    api: Any,
    wrong: Any,
) -> None:
    before, side = book(exchange), "BUY" if ask is buy else "SELL"
    wrong(name, **(how | {"side": side} if "side" in how else how))
    with pytest.raises(error, match=f"(?s){said}"):
        ask(api)
    assert book(exchange) == before
    exchange.clear()
    assert ask(api)["id"]


def test_only_the_order_whose_answer_is_lost_is_dropped(
    exchange: Any, api: Any, wrong: Any
) -> None:
    before = book(exchange).orders
    wrong("lost_answer", times=1)
    assert api.fetch_balance()
    with pytest.raises(ccxt.NetworkError):
        buy(api)
    assert book(exchange).orders == before + 1
    assert buy(api)["status"] == "closed"


def test_a_timeout_does_nothing(exchange: Any, api: Any, wrong: Any) -> None:
    before = book(exchange)
    wrong("timeout", times=1)
    api.timeout = 500
    with pytest.raises(ccxt.RequestTimeout):
        buy(api)
    assert book(exchange) == before


def test_clocks_differ_for_futures_too(exchange: Any, api: Any, wrong: Any) -> None:
    wrong("clock_skew", by=Decimal(3_600_000))
    assert exchange.now.timestamp() * 1000 - api.fetch_time() == 3_600_000


@pytest.mark.parametrize("name", SPOT_ONLY)
def test_what_happens_to_a_spot_market_is_refused_for_futures(name: FaultName, serve: Any) -> None:
    arguments = ("--market", "futures", "--start", "2023-01-02")
    with serve(*arguments) as exchange:
        for symbol in ("", "BTCUSDT"):
            with pytest.raises(BadInput, match=f"{name}: fault: happens to spot markets only"):
                exchange.fault(name, symbol=symbol)
        assert exchange.ask("status").faults == ()


def test_a_gap_of_spot_leaves_futures_as_they_are(exchange: Any, connect: Any, wrong: Any) -> None:
    def last() -> tuple[float, float]:
        with exchange.then():
            futures = api.fetch_ticker(BTC)["last"]
            return exchange.ccxt().fetch_ticker("BTC/USDT")["last"], futures

    with exchange.then():
        api = connect(exchange, "", "")
    spot, futures = last()
    assert spot == pytest.approx(futures, abs=0.1)
    wrong("price_gap", symbol="BTCUSDT", by=Decimal("-0.5"))
    exchange.step(hours=2)
    spot, futures = last()
    assert spot == pytest.approx(futures / 2, rel=1e-3)
    with exchange.then():
        candles = api.fetch_ohlcv(BTC, "1h", limit=2)
    assert candles[-1][4] == futures


def test_a_key_needs_a_permission_for_futures(exchange: Any, connect: Any) -> None:
    funds = {"USDT": Decimal(500)}
    trader = NewAccount(
        name="dora", key="d", secret="s", permissions=("trade",), funds=funds, futures=funds
    )
    usual = NewAccount(name="emil", key="e", secret="s", futures=funds)
    for account in (trader, usual):
        exchange.ask("account", account)
    with exchange.then():
        assert exchange.ccxt("d", "s").fetch_balance()["USDT"]["free"] == 500
        api = connect(exchange, "d", "s")
        for ask in (api.fetch_balance, lambda: buy(api)):
            with pytest.raises(ccxt.BaseError, match="-2015"):
                ask()
        assert connect(exchange, "e", "s").fetch_balance()["USDT"]["free"] == 500


def test_answers_tell_the_weight_and_orders_of_futures(exchange: Any, api: Any) -> None:
    def used() -> int:
        return int(api.last_response_headers["X-Mbx-Used-Weight-1m"])

    api.fapiPrivateV3GetAccount()
    before = used()
    api.fapiPrivateGetIncome()
    assert used() == before + 30
    buy(api)
    assert used() == before + 30
    assert int(api.last_response_headers["X-Mbx-Order-Count-1m"]) >= 1
    limits = api.fapiPublicGetExchangeInfo()["rateLimits"]
    assert [each["limit"] for each in limits] == [2400, 300, 1200]
