"""Requests weigh what Binance says, and too much of them is refused as it refuses it."""

from typing import Any

import ccxt
import httpx
import pytest

from runner.exchange.signing import Parameters
from runner.exchange.weighing import weight
from runner.exchange.weights import (
    FUTURES,
    MINUTE,
    PATIENCE,
    PLACING,
    SPOT,
    Limits,
    Throttled,
    rate_limits,
    seconds,
)

HERE = "127.0.0.1"
KLINES = ("GET", "/api/v3/klines")
NONE = Parameters({})
SPOT_ORDER = ("POST", "/api/v3/order")


@pytest.mark.parametrize(
    ("path", "asked", "weighs"),
    [
        ("ping", {}, 1),
        ("time", {}, 1),
        ("exchangeInfo", {}, 20),
        ("klines", {"symbol": "BTCUSDT", "limit": "1000"}, 2),
        ("depth", {"symbol": "BTCUSDT"}, 5),
        ("depth", {"limit": "100"}, 5),
        ("depth", {"limit": "101"}, 25),
        ("depth", {"limit": "1000"}, 50),
        ("depth", {"limit": "1001"}, 250),
        ("depth", {"limit": "nonsense"}, 5),
        ("trades", {}, 25),
        ("aggTrades", {}, 4),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {"symbols": '["A","B"]'}, 2),
        ("ticker/24hr", {"symbols": str(["A"] * 21).replace("'", '"')}, 40),
        ("ticker/24hr", {"symbols": "[["}, 80),
        ("ticker/24hr", {}, 80),
        ("ticker/price", {"symbol": "BTCUSDT"}, 2),
        ("ticker/price", {}, 4),
        ("ticker/bookTicker", {"symbols": '["A"]'}, 4),
        ("account", {}, 20),
        ("order", {}, 4),
        ("openOrders", {"symbol": "BTCUSDT"}, 6),
        ("openOrders", {}, 80),
        ("allOrders", {}, 20),
        ("myTrades", {}, 20),
        ("myTrades", {"orderId": "7"}, 5),
        ("nothing", {}, 1),
    ],
)
def test_a_request_weighs_what_binance_documents(
    path: str, asked: dict[str, str], weighs: int
) -> None:
    assert weight(("GET", f"/api/v3/{path}"), Parameters(asked)) == weighs


@pytest.mark.parametrize(
    ("path", "asked", "weighs"),
    [
        ("v1/time", {}, 1),
        ("v1/exchangeInfo", {}, 1),
        ("v1/klines", {"limit": "99"}, 1),
        ("v1/klines", {"limit": "100"}, 2),
        ("v1/markPriceKlines", {}, 5),
        ("v1/klines", {"limit": "1001"}, 10),
        ("v1/depth", {"limit": "50"}, 2),
        ("v1/depth", {"limit": "100"}, 5),
        ("v1/depth", {}, 10),
        ("v1/depth", {"limit": "1000"}, 20),
        ("v1/premiumIndex", {}, 10),
        ("v1/fundingRate", {}, 0),
        ("v1/ticker/24hr", {"symbol": "BTCUSDT"}, 1),
        ("v1/ticker/24hr", {}, 40),
        ("v1/ticker/bookTicker", {}, 5),
        ("v3/account", {}, 5),
        ("v1/openOrders", {}, 40),
        ("v1/openAlgoOrders", {"symbol": "BTCUSDT"}, 1),
        ("v1/income", {}, 30),
        ("v1/userTrades", {}, 5),
    ],
)
def test_so_does_a_request_of_futures(path: str, asked: dict[str, str], weighs: int) -> None:
    assert weight(("GET", f"/fapi/{path}"), Parameters(asked)) == weighs


def test_orders_of_futures_weigh_nothing_and_count_by_themselves() -> None:
    assert [weight(route, NONE) for route in PLACING] == [1, 0, 0]
    limits = Limits()
    _, order, conditional = PLACING
    for _ in range(150):
        limits.order("alice", order, 0)
        limits.order("alice", conditional, 0)
    with pytest.raises(Throttled, match="current limit is 300 orders per 10 SECOND"):
        limits.order("alice", order, 9_999)
    limits.order("alice", SPOT_ORDER, 9_999)
    assert limits.order_headers("alice", SPOT_ORDER, 9_999)["X-MBX-ORDER-COUNT-10S"] == "1"
    assert limits.order_headers("alice", order, 9_999) == {
        "X-MBX-ORDER-COUNT-10S": "300",
        "X-MBX-ORDER-COUNT-1M": "300",
    }


def test_futures_have_a_limit_and_a_ban_of_their_own() -> None:
    limits, route = Limits(), ("GET", "/fapi/v1/positionSide/dual")
    for _ in range(80):
        limits.charge(HERE, route, NONE, 0)
    with pytest.raises(Throttled, match="current limit is 2400 request weight") as refused:
        limits.charge(HERE, route, NONE, 0)
    while refused.value.status == 429:
        with pytest.raises(Throttled) as refused:
            limits.charge(HERE, route, NONE, 0)
    limits.charge(HERE, KLINES, NONE, 0)
    assert limits.headers(HERE, KLINES, 0)["X-MBX-USED-WEIGHT-1M"] == "2"
    assert int(limits.headers(HERE, route, 0)["X-MBX-USED-WEIGHT-1M"]) > 2400


def test_another_limit_holds_for_both() -> None:
    limits = Limits(7)
    assert [limits.limit(("GET", path)) for path in ("/api/v3/ping", "/fapi/v1/ping")] == [7, 7]
    rows = [rate_limits(quota, 7) for quota in (SPOT, FUTURES)]
    assert [each[0]["limit"] for each in rows] == [7, 7]
    assert rows[1][2] == {
        "rateLimitType": "ORDERS",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 1200,
    }


def test_the_weight_counts_in_minutes_of_the_exchange_s_clock() -> None:
    limits = Limits(10)
    for _ in range(5):
        limits.charge(HERE, KLINES, NONE, 59_000)
    assert limits.headers(HERE, KLINES, 59_000)["X-MBX-USED-WEIGHT-1M"] == "10"
    with pytest.raises(Throttled, match="current limit is 10 request weight per 1 M") as refused:
        limits.charge(HERE, KLINES, NONE, 59_000)
    assert (refused.value.status, refused.value.code, refused.value.wait) == (429, -1003, 1)
    limits.charge("127.0.0.2", KLINES, NONE, 59_000)
    limits.charge(HERE, KLINES, NONE, MINUTE)
    assert limits.headers(HERE, KLINES, MINUTE)["X-MBX-USED-WEIGHT"] == "2"


def banned_at(limits: Limits, now: int) -> Throttled:
    """Go on asking until the answer is 418."""
    for asked in range(1000):
        with pytest.raises(Throttled) as refused:
            limits.charge(HERE, KLINES, NONE, now)
        if refused.value.status == 418:
            assert asked == PATIENCE
            return refused.value
    raise AssertionError("nobody was banned")


def test_who_goes_on_is_banned_and_the_next_time_for_longer() -> None:
    limits = Limits(1)
    first = banned_at(limits, 0)
    assert first.wait == 120
    assert str(first).startswith(f"Way too much request weight used; IP banned until {2 * MINUTE}.")
    with pytest.raises(Throttled) as still:
        limits.charge(HERE, ("GET", "/sapi/v1/margin/allPairs"), NONE, 2 * MINUTE - 1)
    assert (still.value.status, still.value.wait) == (418, 1)
    limits.charge(HERE, ("GET", "/api/v3/ping"), NONE, 2 * MINUTE)
    assert [banned_at(limits, at * MINUTE).wait for at in (3, 10, 100)] == [240, 480, 960]


def test_a_ban_is_never_longer_than_three_days() -> None:
    limits, now = Limits(1), 0
    for _ in range(20):
        now += (banned_at(limits, now).wait or 0) * 1000
    assert banned_at(limits, now).wait == 3 * 86_400


def test_a_few_refusals_in_each_minute_ban_nobody() -> None:
    limits = Limits(1)
    for minute in range(3 * PATIENCE):
        with pytest.raises(Throttled) as refused:
            limits.charge(HERE, KLINES, NONE, minute * MINUTE)
        assert refused.value.status == 429


def test_requests_below_sapi_count_each_by_itself() -> None:
    limits = Limits(1)
    for path, weighs in (("margin/allPairs", 1), ("capital/config/getall", 10)):
        route = ("GET", f"/sapi/v1/{path}")
        limits.charge(HERE, route, NONE, 0)
        told = limits.headers(HERE, route, 0)
        assert (told["X-SAPI-USED-IP-WEIGHT-1M"], told["X-MBX-USED-WEIGHT"]) == (str(weighs), "0")


def test_orders_count_for_an_account_in_ten_seconds_and_a_day() -> None:
    limits = Limits()
    for _ in range(100):
        limits.order("alice", SPOT_ORDER, 0)
    with pytest.raises(Throttled, match="current limit is 100 orders per 10 SECOND") as refused:
        limits.order("alice", SPOT_ORDER, 9_999)
    assert (refused.value.code, refused.value.status, refused.value.wait) == (-1015, 429, None)
    limits.order("bob", SPOT_ORDER, 0)
    limits.order("alice", SPOT_ORDER, 10_000)
    assert limits.order_headers("alice", SPOT_ORDER, 10_000) == {
        "X-MBX-ORDER-COUNT-10S": "1",
        "X-MBX-ORDER-COUNT-1D": "101",
    }


def test_what_is_not_enforced_is_told_only() -> None:
    limits = Limits(1, enforced=False)
    for _ in range(10 * PATIENCE):
        limits.charge(HERE, KLINES, NONE, 0)
        limits.order("alice", SPOT_ORDER, 0)
    assert limits.headers(HERE, KLINES, 0)["X-MBX-USED-WEIGHT"] == str(20 * PATIENCE)


def test_seconds_to_wait_are_never_too_few() -> None:
    assert [seconds(each) for each in (0, 1, 1000, 1001)] == [1, 1, 1, 2]


def test_every_answer_tells_the_weight_and_an_order_how_many_there_were(exchange: Any) -> None:
    url = f"{exchange.ready.api_url}/api/v3"
    with httpx.Client(trust_env=False) as client:
        first = client.get(f"{url}/ticker/price").headers
        second = client.get(f"{url}/klines?symbol=NOUSDT&interval=1h").headers
    used = [int(each["X-MBX-USED-WEIGHT-1M"]) for each in (first, second)]
    assert used[1] - used[0] == 2
    assert first["X-MBX-USED-WEIGHT"] == first["X-MBX-USED-WEIGHT-1M"]
    with exchange.then():
        api = exchange.ccxt()
        kinds = [each["rateLimitType"] for each in api.publicGetExchangeInfo()["rateLimits"]]
        assert kinds == ["REQUEST_WEIGHT", "ORDERS", "ORDERS"]
        api.load_markets()
        api.create_order("BTC/USDT", "market", "buy", 0.01)
    assert int(api.last_response_headers["X-Mbx-Order-Count-10s"]) >= 1
    assert int(api.last_response_headers["X-Mbx-Order-Count-1d"]) >= 1


def test_too_much_is_429_then_418_and_changes_nothing(serve: Any) -> None:
    account = ("--account", "alice:key:secret:USDT=1000")
    with serve("--start", "2023-01-02", *account, "--weight-limit", "60") as exchange:
        with exchange.then():
            api = exchange.ccxt()
            api.load_markets()
            for _ in range(PATIENCE + 50):
                with httpx.Client(trust_env=False) as client:
                    told = client.get(f"{exchange.ready.api_url}/api/v3/ping")
                if told.status_code == 418:
                    break
            assert 0 < int(told.headers["Retry-After"]) <= 120
            assert told.json()["code"] == -1003
            with pytest.raises(ccxt.DDoSProtection, match="IP banned until"):
                api.create_order("BTC/USDT", "market", "buy", 0.01)
        assert exchange.ask("status").orders == 0
        exchange.step(minutes=2)
        with exchange.then():
            assert api.create_order("BTC/USDT", "market", "buy", 0.01)["status"] == "closed"


def test_a_stepped_clock_bans_nobody_who_asks_much_between_two_steps(exchange: Any) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(90):
            told = client.get(f"{exchange.ready.api_url}/api/v3/ticker/24hr")
            assert told.status_code == 200
    assert int(told.headers["X-MBX-USED-WEIGHT"]) > 6000
