"""ccxt, unmodified, takes the exchange's futures for Binance's."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import httpx
import pytest

from pipelines.errors import BadInput
from runner.exchange.messages import NewAccount

BTC = "BTC/USDT:USDT"
HOUR = 3_600_000
NEVER = {"reduceOnly": True}


def price(api: Any, share: float = 1.0) -> float:
    return float(api.price_to_precision(BTC, api.fetch_ticker(BTC)["last"] * share))


def test_markets_are_perpetuals_in_usdt(api: Any) -> None:
    names = ("ADA", "BTC", "ETH", "LTC", "SOL")
    assert sorted(api.markets) == [f"{name}/USDT:USDT" for name in names]
    market = api.market(BTC)
    assert (market["swap"], market["linear"], market["settle"]) == (True, True, "USDT")
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.001)
    assert market["limits"]["cost"]["min"] == 100
    assert (market["contractSize"], market["active"]) == (1, True)


def test_the_public_market_agrees_with_itself(exchange: Any, api: Any) -> None:
    now = int(exchange.now.timestamp() * 1000)
    last, top = api.fetch_ticker(BTC)["last"], api.fetch_order_book(BTC, 5)
    rate = api.fetch_funding_rate(BTC)

    assert api.fetch_time() == now
    assert api.fetch_ohlcv(BTC, "1h", limit=2)[-1][4] == last
    assert api.fetch_trades(BTC, limit=3)[-1]["symbol"] == BTC
    assert api.fetch_trades(BTC, limit=3, params={"fetchTradesMethod": "fapiPublicGetTrades"})
    assert (top["bids"][0][0], len(top["asks"])) == (last, 5)
    assert top["asks"][0][0] == pytest.approx(last + 0.1)
    assert set(api.fetch_tickers()) == set(api.fetch_bids_asks()) == set(api.markets)
    assert api.fetch_tickers()[BTC]["bid"] is None, "Binance tells the best prices elsewhere"
    assert api.fetch_last_prices()[BTC]["price"] == last
    assert api.fapiPublicGetPing() == {}
    assert rate["markPrice"] == last, "without mark candles it is the last price"
    assert api.fetch_mark_price(BTC)["markPrice"] == last
    assert rate["fundingRate"] == 0.0001
    assert rate["fundingTimestamp"] == now - now % (8 * HOUR) + 8 * HOUR
    assert set(api.fetch_funding_rates()) == set(api.markets)
    assert api.fetch_funding_intervals() == {}


def test_mark_candles_and_funding_have_a_history(api: Any) -> None:
    plain = api.fetch_ohlcv(BTC, "1h", limit=3)
    marked = api.fetch_ohlcv(BTC, "1h", limit=3, params={"price": "mark"})
    assert [row[:5] for row in marked] == [row[:5] for row in plain]
    since = api.parse8601("2023-01-01T01:00:00Z")
    rates = api.fetch_funding_rate_history(BTC, since=since, limit=2)
    assert [row["datetime"][5:16] for row in rates] == ["01-01T08:00", "01-01T16:00"]
    assert api.fetch_ohlcv(BTC, "1h", since=since, params={"price": "mark"})[0][0] == since
    with pytest.raises(ccxt.BadRequest, match="-1120"):
        api.fetch_ohlcv(BTC, "2h")


def test_brackets_and_fees_are_told(api: Any) -> None:
    tiers = api.fetch_leverage_tiers([BTC])[BTC]
    assert (tiers[0]["maintenanceMarginRate"], tiers[0]["maxNotional"]) == (0.004, 300_000)
    assert [tier["info"]["cum"] for tier in tiers[:3]] == [0, 300, 1500]
    fee = api.fetch_trading_fee(BTC)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.0005)
    assert set(api.fetch_trading_fees()) == set(api.markets)


def test_a_position_lives_through_ccxt(exchange: Any, api: Any) -> None:
    assert api.set_leverage(10, BTC)["leverage"] == 10
    assert api.fetch_leverage(BTC)["longLeverage"] == 10
    assert api.fetch_margin_mode(BTC)["marginMode"] == "isolated"
    before = api.fetch_balance()["USDT"]["total"]
    bought = api.create_order(BTC, "market", "buy", 0.5)
    assert (bought["status"], bought["filled"]) == ("closed", 0.5)

    (held,) = api.fetch_positions()
    assert (held["side"], held["contracts"], held["marginMode"]) == ("long", 0.5, "isolated")
    assert held["entryPrice"] == bought["average"]
    assert held["unrealizedPnl"] == pytest.approx(-0.05)
    worth = bought["average"] * 0.5
    assert held["positionMargin"] == pytest.approx(worth / 10, abs=1e-6)
    level = (worth - worth / 10) / (0.5 * (1 - 0.004))
    assert held["liquidationPrice"] == pytest.approx(level, rel=1e-6)
    for symbols, params in (([BTC], {}), (None, {"useV2": True}), (None, {"method": "account"})):
        (again,) = [p for p in api.fetch_positions(symbols, params) if p["contracts"]]
        assert (again["symbol"], again["contracts"]) == (BTC, 0.5)
    assert api.fetch_positions([BTC], {"useV2": True})[0]["leverage"] == 10

    balance = api.fetch_balance()["USDT"]
    fee = worth * 0.0005
    assert balance["total"] == pytest.approx(before - fee - 0.05, abs=1e-6)
    assert balance["free"] == pytest.approx(before - fee - worth / 10, abs=1e-5)
    assert api.fetch_balance({"useV2": True})["USDT"]["total"] == balance["total"]
    assert float(api.fapiPrivateV3GetBalance()[0]["availableBalance"]) == balance["free"]

    sold = api.create_order(BTC, "market", "sell", 0.5, None, NEVER)
    assert api.fetch_positions() == []
    (trade,) = [t for t in api.fetch_my_trades(BTC) if t["order"] == sold["id"]]
    assert (trade["takerOrMaker"], trade["fee"]["currency"]) == ("taker", "USDT")
    assert Decimal(trade["info"]["realizedPnl"]) == Decimal("-0.05")
    sources = [row["info"]["incomeType"] for row in api.fetch_ledger("USDT")]
    assert sources == ["TRANSFER", "COMMISSION", "REALIZED_PNL", "COMMISSION"]


def test_a_short_and_its_stop_live_through_ccxt(api: Any) -> None:
    sold = api.create_order(BTC, "limit", "sell", 0.2, price(api, 0.99))
    assert (sold["status"], sold["average"]) == ("closed", price(api))
    (held,) = api.fetch_positions([BTC])
    assert (held["side"], held["contracts"]) == ("short", 0.2)
    assert held["liquidationPrice"] > held["entryPrice"]

    params = {"stopPrice": price(api, 1.05), "reduceOnly": True, "workingType": "MARK_PRICE"}
    stop = api.create_order(BTC, "stop_market", "buy", 0.2, None, params)
    assert (stop["status"], stop["type"], stop["stopPrice"]) == ("open", "market", price(api, 1.05))
    limited = {"stopPrice": price(api, 1.06), "clientOrderId": "mine"}
    other = api.create_order(BTC, "stop", "buy", 0.1, price(api, 1.07), limited)
    assert other["price"] == price(api, 1.07)
    triggered = {"trigger": True}
    open_ = api.fetch_open_orders(BTC, params=triggered)
    assert [order["id"] for order in open_] == [stop["id"], other["id"]]
    assert api.fetch_open_orders(BTC) == []
    found = api.fetch_order(None, BTC, {**triggered, "clientOrderId": "mine"})
    assert (found["id"], found["reduceOnly"]) == (other["id"], False)
    api.cancel_order(other["id"], BTC, triggered)
    statuses = [order["status"] for order in api.fetch_orders(BTC, params=triggered)]
    assert statuses == ["open", "canceled"]


def test_a_stop_that_is_reached_names_the_order_that_it_became(serve: Any, connect: Any) -> None:
    arguments = ("--market", "futures", "--start", "2023-01-02T00:30:00")
    with serve(*arguments, "--account", "alice:key:secret:futures.USDT=9000") as exchange:
        with exchange.then():
            api = connect(exchange)
            api.create_order(BTC, "market", "buy", 0.2)
            low = {"stopPrice": price(api, 0.985), "reduceOnly": True}
            stop = api.create_order(BTC, "stop_market", "sell", 0.2, None, low)
        while exchange.ask("status").futures.positions:
            exchange.step(hours=6)
        with exchange.then():
            fired = api.fetch_order(stop["id"], BTC, {"trigger": True})
            assert (fired["status"], fired["info"]["algoStatus"]) == ("closed", "FINISHED")
            became = api.fetch_order(fired["info"]["actualOrderId"], BTC)
            assert (became["status"], became["reduceOnly"]) == ("closed", True)
            assert became["average"] <= stop["stopPrice"]
            funding = api.fetch_funding_history(BTC)
            assert funding
            assert all(row["timestamp"] % (8 * HOUR) == 0 for row in funding)
            assert all(row["amount"] < 0 for row in funding), "a long pays the usual rate"


def test_orders_are_found_listed_and_cancelled(api: Any) -> None:
    low = price(api, 0.95)
    first = api.create_order(BTC, "limit", "buy", 0.1, low, {"clientOrderId": "first"})
    maker = api.create_order(BTC, "limit", "buy", 0.1, low, {"postOnly": True})
    assert maker["timeInForce"] == "PO"
    assert [o["id"] for o in api.fetch_open_orders(BTC)] == [first["id"], maker["id"]]
    assert api.fetch_open_order(first["id"], BTC)["price"] == low
    assert api.fetch_order(None, BTC, {"origClientOrderId": "first"})["id"] == first["id"]
    used = api.fetch_balance()["USDT"]["used"]
    assert used == pytest.approx(0.2 * low / api.fetch_leverage(BTC)["longLeverage"], abs=1e-6)
    assert api.cancel_order(first["id"], BTC)["status"] == "canceled"
    api.cancel_all_orders(BTC)
    assert [o["status"] for o in api.fetch_orders(BTC)[-2:]] == ["canceled", "canceled"]
    killed = api.create_order(BTC, "limit", "buy", 0.1, low, {"timeInForce": "IOC"})
    assert (killed["status"], killed["filled"]) == ("expired", 0)


def test_spot_and_futures_have_wallets_of_their_own(exchange: Any, api: Any) -> None:
    api.create_order(BTC, "market", "buy", 0.1)
    spot = exchange.ccxt()
    assert spot.fetch_balance()["USDT"]["total"] == 1000
    assert spot.fetch_open_orders("BTC/USDT") == []
    told = exchange.ask("status")
    assert (told.orders, told.accounts["alice"]["USDT"].free) == (0, 1000)
    assert told.futures.positions == {"alice": {"BTCUSDT": Decimal("0.100")}}
    held = sum(told.futures.wallets["alice"].values())
    assert held + sum(told.futures.counters.values()) == 0


def test_accounts_do_not_see_each_other_s_positions(exchange: Any, api: Any, connect: Any) -> None:
    carol = NewAccount(name="carol", key="c", secret="c", futures={"USDT": Decimal(500)})
    exchange.ask("account", carol)
    hers = connect(exchange, "c", "c")
    order = hers.create_order(BTC, "market", "sell", 0.01)
    assert api.fetch_positions() == []
    with pytest.raises(ccxt.OrderNotFound):
        api.fetch_order(order["id"], BTC)
    hers.create_order(BTC, "market", "buy", 0.01, None, NEVER)
    with pytest.raises(BadInput, match="there are no futures in BTC here"):
        exchange.ask(
            "account", NewAccount(name="d", key="d", secret="d", futures={"BTC": Decimal(1)})
        )


Ask = Callable[[Any], Any]


def order(api: Any, **given: Any) -> Any:
    """An order as it is given, past what ccxt would put right."""
    asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    return api.fapiPrivatePostOrder(asked | given)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda api: order(api, quantity="0.0001"), '"code": -1111'),
        (lambda api: order(api, quantity="1e3"), '"code": -1100'),
        (lambda api: order(api, symbol="NOUSDT"), '"code": -1121'),
        (lambda api: order(api, side="HOLD"), '"code": -1117'),
        (lambda api: order(api, type="HOPE"), '"code": -1116'),
        (lambda api: order(api, type="STOP_MARKET", stopPrice="1"), '"code": -4120'),
        (lambda api: order(api, positionSide="LONG"), '"code": -4061'),
        (lambda api: order(api, closePosition="true"), '"code": -4084'),
        (lambda api: order(api, newClientOrderId="x" * 37), '"code": -4015'),
        (lambda api: order(api, type="LIMIT", price="100", timeInForce="SOON"), '"code": -1115'),
        (lambda api: order(api, reduceOnly="true"), '"code": -2022'),
        (lambda api: order(api, quantity="900"), '"code": -2019'),
        (lambda api: order(api, quantity="0.001"), '"code": -4164'),
        (lambda api: order(api, timestamp="1"), '"code": -1021'),
        (lambda api: api.set_margin_mode("isolated", BTC), '"code": -4046'),
        (lambda api: api.set_margin_mode("cross", BTC), '"code": -4084'),
        (lambda api: api.set_position_mode(False), '"code": -4059'),
        (lambda api: api.set_position_mode(True), '"code": -4084'),
        (lambda api: api.fapiPrivatePostLeverage({"symbol": "BTCUSDT"}), '"code": -1102'),
        (
            lambda api: api.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 126}),
            '"code": -4028',
        ),
        (lambda api: api.fetch_order("999", BTC), '"code": -2013'),
        (lambda api: api.cancel_order("999", BTC), '"code": -2011'),
        (lambda api: api.fetch_order("999", BTC, {"trigger": True}), '"code": -2013'),
        (lambda api: api.cancel_order("999", BTC, {"trigger": True}), '"code": -2011'),
        (lambda api: api.fapiPrivateGetOrder({"symbol": "BTCUSDT"}), '"code": -1102'),
        (lambda api: api.fapiPrivateGetAlgoOrder(), '"code": -1102'),
        (
            lambda api: api.fetch_orders(BTC, since=1, params={"until": 30 * 24 * HOUR}),
            '"code": -4165',
        ),
        (
            lambda api: api.create_order(
                BTC, "stop_market", "sell", 0.1, None, {"stopPrice": price(api, 1.01)}
            ),
            '"code": -2021',
        ),
    ],
)
def test_what_is_wrong_gets_binance_s_error_and_changes_nothing(
    ask: Ask, said: str, exchange: Any, api: Any
) -> None:
    before = exchange.ask("status").futures
    with pytest.raises(ccxt.BaseError) as refused:
        ask(api)
    assert said in str(refused.value)
    assert exchange.ask("status").futures == before


def test_a_wrong_key_or_secret_changes_nothing(exchange: Any, api: Any, connect: Any) -> None:
    before = exchange.ask("status").futures
    for key, secret, code in (("other", "secret", -2015), ("key", "other", -1022)):
        wrong = connect(exchange, key, secret)
        wrong.set_markets(api.markets)
        with pytest.raises(ccxt.AuthenticationError, match=str(code)):
            wrong.create_order(BTC, "market", "buy", 0.01)
    assert exchange.ask("status").futures == before


def test_the_lost_answer_leaves_an_order_that_nobody_was_told_of(exchange: Any, api: Any) -> None:
    exchange.fault()
    with pytest.raises(ccxt.NetworkError):
        api.create_order(BTC, "market", "buy", 0.1)
    assert [held["contracts"] for held in api.fetch_positions()] == [0.1]


def test_where_no_futures_are_served_there_are_none(serve: Any) -> None:
    with serve("--start", "2023-01-02") as exchange:
        url = f"{exchange.ready.api_url}/fapi/v1/exchangeInfo"
        assert httpx.get(url, trust_env=False).status_code == 404
        assert exchange.ask("status").futures is None
