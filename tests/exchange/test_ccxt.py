"""ccxt, unmodified, takes the exchange for Binance."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

BTC = "BTC/USDT"


@pytest.fixture
def api(exchange: Any) -> Iterator[Any]:
    """ccxt, at the exchange's time."""
    with exchange.then():
        api = exchange.ccxt()
        api.load_markets()
        yield api
        for order in api.fetch_open_orders(BTC):
            api.cancel_order(order["id"], BTC)


def price(api: Any, share: float = 1.0) -> float:
    return float(api.price_to_precision(BTC, api.fetch_ticker(BTC)["last"] * share))


def test_markets_have_the_ticks_and_lots_of_their_candles(api: Any) -> None:
    assert sorted(api.markets) == ["ADA/USDT", BTC, "ETH/USDT", "LTC/USDT", "SOL/USDT"]
    market = api.market(BTC)
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 1e-6
    assert market["limits"]["cost"]["min"] == 10
    assert market["active"]


def test_the_public_market_agrees_with_itself(exchange: Any, api: Any) -> None:
    now = int(exchange.now.timestamp() * 1000)
    last = api.fetch_ticker(BTC)["last"]
    top = api.fetch_order_book(BTC, 5)

    assert api.fetch_time() == now
    assert api.fetch_ohlcv(BTC, "1h", limit=2)[-1][4] == last
    assert api.fetch_trades(BTC, limit=3)[-1]["price"] == last
    assert api.fetch_trades(BTC, limit=3, params={"fetchTradesMethod": "publicGetTrades"})
    assert top["bids"][0][0] == last
    assert top["asks"][0][0] == pytest.approx(last + 0.01)
    assert len(top["asks"]) == 5
    assert set(api.fetch_tickers()) == set(api.fetch_bids_asks()) == set(api.markets)
    assert api.fetch_last_prices()[BTC]["price"] == last
    assert api.publicGetPing() == {}


def test_klines_end_at_the_exchange_s_clock(serve: Any) -> None:
    with serve("--start", "2023-01-02T10:20:00") as exchange, exchange.then():
        api = exchange.ccxt("", "")
        hours, fine = api.fetch_ohlcv(BTC, "1h", limit=3), api.fetch_ohlcv(BTC, "5m", limit=5)
        since = api.parse8601("2023-01-02T08:00:00Z")
        after = api.fetch_ohlcv(BTC, "1h", since=since)

        seen = fine[:-1]
        assert [api.iso8601(row[0])[11:16] for row in hours] == ["08:00", "09:00", "10:00"]
        assert [api.iso8601(row[0])[11:16] for row in fine][-2:] == ["10:15", "10:20"]
        assert after == hours
        assert hours[-1][1] == seen[0][1], "an open candle opens with its first part"
        assert hours[-1][2] == max(row[2] for row in seen)
        assert hours[-1][5] == pytest.approx(sum(row[5] for row in seen))
        exchange.step(minutes=40)
    with serve("--start", "2023-01-02T11:00:00") as exchange, exchange.then():
        whole = exchange.ccxt("", "").fetch_ohlcv(BTC, "1h", limit=2)[0]
        assert whole[0] == hours[-1][0]
        assert whole[5] > hours[-1][5]


def test_an_order_lives_through_ccxt(api: Any) -> None:
    bought = api.create_order(BTC, "market", "buy", 0.5)
    assert (bought["status"], bought["filled"]) == ("closed", 0.5)
    assert bought["fee"] == {"currency": "BTC", "cost": 0.0005}

    limit = api.create_order(BTC, "limit", "sell", 0.1, price(api, 1.1))
    stop = api.create_order(
        BTC, "stop_loss_limit", "sell", 0.1, price(api, 0.89), {"stopPrice": price(api, 0.9)}
    )
    assert [order["id"] for order in api.fetch_open_orders(BTC)] == [limit["id"], stop["id"]]
    assert api.fetch_balance()["BTC"]["used"] == pytest.approx(0.2)
    assert api.fetch_order(stop["id"], BTC)["stopPrice"] == price(api, 0.9)

    assert api.cancel_order(limit["id"], BTC)["status"] == "canceled"
    named = api.create_order(BTC, "limit", "sell", 0.1, price(api, 1.1), {"clientOrderId": "mine"})
    found = api.fetch_order(None, BTC, {"origClientOrderId": "mine"})
    assert found["id"] == named["id"]
    api.cancel_order(None, BTC, {"origClientOrderId": "mine"})

    statuses = [order["status"] for order in api.fetch_orders(BTC)]
    assert statuses[-4:] == ["closed", "canceled", "open", "canceled"]
    (trade,) = [t for t in api.fetch_my_trades(BTC) if t["order"] == bought["id"]]
    assert (trade["amount"], trade["takerOrMaker"]) == (0.5, "taker")
    maker = api.create_order(BTC, "limit", "buy", 0.1, price(api, 0.9), {"postOnly": True})
    assert maker["status"] == "open"


def test_what_is_asked_with_a_key_at_the_start_is_answered(api: Any) -> None:
    assert set(api.fetch_currencies()) == {"ADA", "BTC", "ETH", "LTC", "SOL", "USDT"}
    assert api.sapiGetMarginAllPairs() == api.sapiGetMarginIsolatedAllPairs() == []
    allowed = api.sapiGetAccountApiRestrictions()
    assert allowed["enableSpotAndMarginTrading"] is True
    assert allowed["enableWithdrawals"] is False


Ask = Callable[[Any], Any]


def late(api: Any, milliseconds: int) -> Any:
    """A signed request that says it was sent so much later."""
    return api.fetch_balance({"timestamp": api.milliseconds() + milliseconds})


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda api: late(api, -11_000), ccxt.InvalidNonce, "-1021"),
        (lambda api: late(api, 2_000), ccxt.InvalidNonce, "-1021"),
        (lambda api: api.fetch_balance({"recvWindow": 60_001}), ccxt.BaseError, "-1131"),
        (
            lambda api: api.privatePostOrder(
                {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.0000015"}
            ),
            ccxt.InvalidOrder,
            "LOT_SIZE",
        ),
        (
            lambda api: api.privatePostOrder(
                {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1234567891"}
            ),
            ccxt.BadRequest,
            "-1111",
        ),
        (
            lambda api: api.privatePostOrder(
                {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1e3"}
            ),
            ccxt.BadRequest,
            "-1100",
        ),
        (
            lambda api: api.privatePostOrder(
                {"symbol": "NOUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
            ),
            ccxt.BadSymbol,
            "-1121",
        ),
        (
            lambda api: api.privatePostOrder(
                {"symbol": "BTCUSDT", "side": "HOLD", "type": "MARKET", "quantity": "1"}
            ),
            ccxt.BaseError,
            "-1117",
        ),
        (lambda api: api.create_order(BTC, "limit", "buy", 0.0001, price(api)), None, "NOTIONAL"),
        (
            lambda api: api.create_order(BTC, "limit", "buy", 300, price(api)),
            ccxt.InsufficientFunds,
            "insufficient balance",
        ),
        (lambda api: api.fetch_order("999", BTC), ccxt.OrderNotFound, "-2013"),
        (lambda api: api.cancel_order("999", BTC), ccxt.OrderNotFound, "Unknown order sent"),
    ],
)
def test_what_is_wrong_gets_binance_s_error_and_changes_nothing(
    ask: Ask, error: type[Exception] | None, said: str, exchange: Any, api: Any
) -> None:
    before = exchange.ask("status")
    with pytest.raises(error or ccxt.BaseError, match=said):
        ask(api)
    after = exchange.ask("status")
    assert (after.accounts, after.orders, after.fills) == (
        before.accounts,
        before.orders,
        before.fills,
    )


@pytest.mark.parametrize(
    ("key", "secret", "error", "said"),
    [
        ("other", "secret", ccxt.AuthenticationError, "-2015"),
        ("key", "other", ccxt.AuthenticationError, "-1022"),
    ],
)
def test_a_wrong_key_or_secret_changes_nothing(
    key: str, secret: str, error: type[Exception], said: str, exchange: Any, api: Any
) -> None:
    before = exchange.ask("status")
    wrong = exchange.ccxt(key, secret)
    wrong.set_markets(api.markets)
    with pytest.raises(error, match=said):
        wrong.create_order(BTC, "market", "buy", 0.01)
    after = exchange.ask("status")
    assert (after.accounts, after.orders) == (before.accounts, before.orders)
    assert after.orders_sent == before.orders_sent + 1


def test_a_signature_does_not_fit_another_body(exchange: Any, api: Any) -> None:
    signed = api.sign(
        "order",
        ["private"],
        "POST",
        {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"},
    )
    forged = signed["body"].replace("quantity=0.01", "quantity=0.02")
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        api.fetch(signed["url"], "POST", signed["headers"], forged)
    assert Decimal(api.fetch(signed["url"], "POST", signed["headers"], signed["body"])["origQty"])


def test_the_lost_answer_leaves_an_order_that_nobody_was_told_of(exchange: Any, api: Any) -> None:
    exchange.fault()
    before = exchange.ask("status").orders
    with pytest.raises(ccxt.NetworkError):
        api.create_order(BTC, "market", "buy", 0.01)
    assert exchange.ask("status").orders == before + 1
    assert api.fetch_orders(BTC)[-1]["status"] == "closed"
    assert api.create_order(BTC, "market", "buy", 0.01)["status"] == "closed", "it happens once"
    assert "Traceback" not in exchange.log
