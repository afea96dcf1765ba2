"""Each fault, as ccxt meets it: what it is told, and what stands on the book after it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from pipelines.errors import BadInput

BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def exchange(serve: Any) -> Iterator[Any]:
    """One for all tests here: alice and carol, each with 100,000 USDT."""
    accounts = ("alice:key:secret:USDT=100000", "carol:hers:secret:USDT=100000")
    given = [part for each in accounts for part in ("--account", each)]
    with serve("--start", "2023-01-02", *given) as running:
        yield running


@pytest.fixture
def api(exchange: Any) -> Iterator[Any]:
    """Alice's ccxt, at the exchange's time. What is still wrong after a test ends."""
    with exchange.then():
        api = exchange.ccxt()
        api.load_markets()
        yield api
    exchange.clear()
    with exchange.then():
        for order in api.fetch_open_orders(BTC):
            api.cancel_order(order["id"], BTC)


def buy(api: Any, amount: float = 0.01) -> Any:
    return api.create_order(BTC, "market", "buy", amount)


def at(api: Any, side: str, share: float, amount: float = 0.01) -> Any:
    """A limit order at a share of the market's price."""
    price = api.price_to_precision(BTC, api.fetch_ticker(BTC)["last"] * share)
    return api.create_order(BTC, "limit", side, amount, price)


def passed(exchange: Any, **by: int) -> Any:
    """The exchange's time after a step."""
    exchange.step(**by)
    return exchange.then()


def book(exchange: Any) -> tuple[Any, ...]:
    told = exchange.ask("status")
    return told.accounts, told.orders, told.fills


@pytest.mark.parametrize(
    ("name", "how", "error", "said"),
    [
        ("server_error", {}, ccxt.OperationFailed, "-1001"),
        ("rate_limited", {}, ccxt.DDoSProtection, "429 .*-1003"),
        ("banned", {}, ccxt.DDoSProtection, "418 .*IP banned until"),
        ("rejected_order", {}, ccxt.InsufficientFunds, "insufficient balance"),
        ("rejected_order", {"code": -1013}, ccxt.BadRequest, "-1013.*NOTIONAL"),
        ("key_revoked", {}, ccxt.AuthenticationError, "-2015"),
        ("symbol_halted", {}, ccxt.OperationRejected, "Market is closed"),
        ("clock_skew", {}, ccxt.InvalidNonce, "-1021.*ahead of the server's time"),
        ("clock_skew", {"by": Decimal(-3_600_000)}, ccxt.InvalidNonce, "outside of the recvW"),
        ("delisting", {"symbol": "BTCUSDT"}, ccxt.BadSymbol, "-1121"),
    ],
)
def test_an_order_is_refused_and_nothing_happens(
    name: Any, how: Any, error: type[Exception], said: str, exchange: Any, api: Any
) -> None:
    before = book(exchange)
    exchange.fault(name, **how)
    with pytest.raises(error, match=f"(?s){said}"):
        buy(api)
    assert book(exchange) == before
    exchange.clear()
    assert buy(api)["status"] == "closed"
    assert "Traceback" not in exchange.log


def test_a_fault_happens_as_often_as_it_was_told_to(exchange: Any, api: Any) -> None:
    assert exchange.fault("server_error", times=2).faults[0].left == 2
    for _ in range(2):
        with pytest.raises(ccxt.OperationFailed):
            api.fetch_balance()
    assert api.fetch_balance()
    assert exchange.ask("status").faults == ()
    exchange.fault("server_error", times=5)
    assert exchange.fault("server_error", times=0).faults == ()
    assert api.fetch_balance()


def test_a_fault_lasts_for_a_time_of_the_exchange_s_clock(exchange: Any, api: Any) -> None:
    until = exchange.now + timedelta(seconds=60)
    assert exchange.fault("banned", seconds=60).faults[0].until == until
    for _ in range(3):
        with pytest.raises(ccxt.DDoSProtection):
            api.fetch_ticker(BTC)
    assert api.last_response_headers["Retry-After"] == "60"
    exchange.step(seconds=59)
    with pytest.raises(ccxt.DDoSProtection):
        api.fetch_ticker(BTC)
    assert exchange.step(seconds=1).faults == ()
    assert api.fetch_ticker(BTC)


def test_a_fault_of_requests_with_a_side_meets_orders_of_that_side_only(
    exchange: Any, api: Any
) -> None:
    exchange.fault("server_error", side="SELL")
    assert buy(api)["status"] == "closed"
    assert api.fetch_ticker(BTC)
    with pytest.raises(ccxt.OperationFailed):
        at(api, "sell", 1.01)
    assert at(api, "sell", 1.01)["status"] == "open"


@pytest.mark.parametrize("name", ["server_error", "rejected_order", "key_revoked", "clock_skew"])
def test_a_fault_of_one_account_leaves_others_alone(name: Any, exchange: Any, api: Any) -> None:
    exchange.fault(name, account="alice")
    hers = exchange.ccxt("hers")
    assert buy(hers)["status"] == "closed"
    with pytest.raises(ccxt.BaseError):
        buy(api)


def test_a_fault_of_one_symbol_leaves_others_alone(exchange: Any, api: Any) -> None:
    exchange.fault("rejected_order", symbol="ETHUSDT")
    assert buy(api)["status"] == "closed"
    with pytest.raises(ccxt.InsufficientFunds):
        api.create_order("ETH/USDT", "market", "buy", 0.1)


def test_a_timeout_says_nothing_for_longer_than_a_client_waits(exchange: Any, api: Any) -> None:
    before = book(exchange)
    api.timeout = 500
    exchange.fault("timeout")
    with pytest.raises(ccxt.RequestTimeout):
        buy(api)
    assert book(exchange) == before
    assert buy(api)["status"] == "closed"


def test_an_answer_is_lost_for_sales_only_when_that_is_asked_for(exchange: Any, api: Any) -> None:
    exchange.fault("lost_answer", side="SELL")
    assert buy(api)["status"] == "closed"
    with pytest.raises(ccxt.NetworkError):
        at(api, "sell", 1.01)
    lost = api.fetch_open_orders(BTC)
    assert [order["side"] for order in lost] == ["sell"]


def test_skewed_clocks_differ_in_what_the_exchange_tells(exchange: Any, api: Any) -> None:
    now = int(exchange.now.timestamp() * 1000)
    exchange.fault("clock_skew")
    assert api.fetch_time() == now - 3_600_000
    exchange.clear()
    exchange.fault("clock_skew", account="alice")
    assert api.fetch_time() == now


def test_an_order_that_takes_is_filled_in_part_and_the_rest_stays(exchange: Any, api: Any) -> None:
    exchange.fault("partial_fill", by=Decimal("0.25"))
    order = at(api, "buy", 1.2, 0.1)
    assert (order["status"], order["filled"]) == ("open", 0.025)
    with passed(exchange, hours=2):
        assert api.fetch_order(order["id"], BTC)["filled"] == 0.025
        assert buy(api, 0.02)["filled"] == 0.02, "it happens to one order"
        exchange.clear()
    with passed(exchange, hours=2):
        assert api.fetch_order(order["id"], BTC)["status"] == "closed"


def test_an_order_that_rests_is_filled_in_part_and_can_be_cancelled(
    exchange: Any, api: Any
) -> None:
    order = at(api, "buy", 0.9999, 0.1)
    exchange.fault("partial_fill", seconds=86_400)
    found = order
    while not found["filled"]:
        with passed(exchange, hours=1):
            found = api.fetch_order(order["id"], BTC)
    with exchange.then():
        assert (found["status"], found["filled"]) == ("open", 0.03)
        cancelled = api.cancel_order(order["id"], BTC)
    assert (cancelled["status"], cancelled["filled"]) == ("canceled", 0.03)


def test_a_market_order_expires_with_the_part_that_it_got(exchange: Any, api: Any) -> None:
    exchange.fault("partial_fill")
    order = buy(api, 0.1)
    assert (order["status"], order["filled"]) == ("expired", 0.03)


def test_a_halted_symbol_fills_nothing_until_it_trades_again(exchange: Any, api: Any) -> None:
    order = at(api, "buy", 0.9999, 0.01)
    exchange.fault("symbol_halted", symbol="BTCUSDT", seconds=86_400)
    assert {m["symbol"]: m["active"] for m in api.fetch_markets()}[BTC] is False
    exchange.step(hours=24)
    with exchange.then():
        assert api.fetch_order(order["id"], BTC)["filled"] == 0
        assert {m["symbol"]: m["active"] for m in api.fetch_markets()}[BTC] is True
        waiting = at(api, "buy", 1.01, 0.01)
        assert waiting["status"] == "closed"


def test_an_order_can_be_cancelled_while_its_symbol_is_halted(exchange: Any, api: Any) -> None:
    order = at(api, "buy", 0.9)
    exchange.fault("symbol_halted", symbol="BTCUSDT")
    assert api.cancel_order(order["id"], BTC)["status"] == "canceled"


def test_stale_candles_stop_while_the_clock_goes_on(exchange: Any, api: Any) -> None:
    exchange.step(minutes=20)
    with exchange.then():
        told = api.fetch_ohlcv(BTC, "1h", limit=5)
        exchange.fault("stale_candles", symbol="BTCUSDT")
        exchange.step(hours=3)
    with exchange.then():
        assert api.fetch_ohlcv(BTC, "1h", limit=5) == told
        assert api.fetch_ohlcv("ETH/USDT", "1h", limit=1)[0][0] > told[-1][0]
        assert api.fetch_ticker(BTC)["last"] != told[-1][4]
        exchange.clear()
        assert api.fetch_ohlcv(BTC, "1h", limit=1)[0][0] > told[-1][0]


def test_a_delisted_symbol_is_gone_and_its_orders_expire(exchange: Any, api: Any) -> None:
    free = api.fetch_balance()["USDT"]["free"]
    order = at(api, "buy", 0.9)
    exchange.fault("delisting", symbol="BTCUSDT")
    assert BTC not in {market["symbol"] for market in api.fetch_markets()}
    assert BTC not in api.fetch_tickers()
    for refused in (lambda: api.fetch_ohlcv(BTC), lambda: api.fetch_order(order["id"], BTC)):
        with pytest.raises(ccxt.BadSymbol):
            refused()
    assert exchange.ask("status").open_orders == 0
    assert api.fetch_balance()["USDT"]["free"] == free
    exchange.step(hours=1)
    exchange.clear()
    with exchange.then():
        assert api.fetch_order(order["id"], BTC)["status"] == "expired"


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("key_revoked", {"times": 3}, "fault: takes no --times"),
        ("key_revoked", {"symbol": "BTCUSDT"}, "takes no --symbol"),
        ("price_gap", {"seconds": 60}, "takes no --for"),
        ("stale_candles", {"account": "alice"}, "takes no --account"),
        ("server_error", {"code": -1013}, "takes no --code"),
        ("server_error", {"by": Decimal(1)}, "takes no --by or --share"),
        ("server_error", {"account": "nobody"}, "there is no account nobody"),
        ("server_error", {"symbol": "NOUSDT"}, "NOUSDT is not traded here"),
        ("delisting", {}, "needs a --symbol"),
        ("partial_fill", {"by": Decimal(1)}, "--share should be between 0 and 1"),
        ("price_gap", {"by": Decimal(-1)}, "--by should be above -100%"),
        ("flash_crash", {"by": Decimal(3_600_000)}, "--by should be above -100%"),
        ("clock_skew", {"by": Decimal("-0.1")}, "--by should be a span of time"),
    ],
)
def test_a_fault_does_not_take_what_makes_no_sense_for_it(
    name: Any, how: Any, said: str, exchange: Any
) -> None:
    before = exchange.ask("status")
    with pytest.raises(BadInput, match=said):
        exchange.fault(name, **how)
    assert exchange.ask("status") == before


def test_faults_that_are_armed_survive_a_killed_process(serve: Any) -> None:
    account = ("--account", "alice:key:secret:USDT=1000")
    with serve("--start", "2023-01-02", *account) as exchange:
        exchange.fault("server_error", times=2)
        exchange.fault("symbol_halted", symbol="ETHUSDT", seconds=3600)
        exchange.fault("partial_fill")
        with exchange.then():
            api = exchange.ccxt()
            for _ in range(2):
                with pytest.raises(ccxt.OperationFailed):
                    api.fetch_ticker(BTC)
            partly = at(api, "buy", 1.2, 0.01)
        before = exchange.ask("status")
        exchange.kill()
        exchange.start()
        assert exchange.ask("status") == before
        with passed(exchange, hours=1):
            api = exchange.ccxt()
            assert api.fetch_order(partly["id"], BTC)["filled"] == 0.003
            assert api.fetch_ticker(BTC)
        assert exchange.ask("status").faults == ()
