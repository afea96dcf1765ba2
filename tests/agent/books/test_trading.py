"""Straight at the exchange: what a trade holds is sold, once, and nothing else of the account."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.domain.orphan import closing_name
from pipelines.errors import CannotTell
from runner.agent.books.client import client_for
from runner.agent.books.trading import Desk, Left, Owned
from runner.exchange import remote
from runner.exchange.messages import NewAccount
from runner.exchange.settings import freqtrade_settings
from tests.exchange.running import Running, running

D = Decimal
PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def exchange(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("exchange")
    arguments = ("--start", "2022-03-01", "--account", "alice:key:secret:USDT=10")
    with running(root, folder, *arguments) as there:
        yield there


@pytest.fixture
def desk(exchange: Running, request: pytest.FixtureRequest) -> Desk:
    """An account that has two coins of its owner's."""
    name = request.node.name
    funds = {"USDT": D(1000), "BTC": D(2)}
    exchange.ask("account", NewAccount(name=name, key=name, secret="s", funds=funds))
    settings = freqtrade_settings(exchange.ready.api_url, "", "")["exchange"]
    return Desk(client_for(settings, name, "s"))


def bought(exchange: Running, desk: Desk, amount: str = "0.01") -> Owned:
    """A trade that bought so much at the market's price."""
    desk.client.prices([PAIR])
    order = desk.client.ask("create_order", PAIR, "market", "buy", D(amount), None, {})
    own = frozenset({str(order["id"])})
    return Owned("sandbox.beat.1", PAIR, False, exchange.now, own, frozenset())


def coins(exchange: Running, desk: Desk) -> Decimal:
    return remote.book(exchange.ready, desk.client.api.apiKey).balances["BTC"]


def test_what_a_trade_holds_is_sold_and_never_the_owner_s_coins(
    exchange: Running, desk: Desk
) -> None:
    trade = bought(exchange, desk)
    assert desk.held(trade) == (D("0.00999"), 0)
    assert desk.close(trade) is None
    assert D(2) <= coins(exchange, desk) < D("2.00001")


def test_selling_again_sells_nothing(exchange: Running, desk: Desk) -> None:
    """After a kill -9 between the order and whatever would have remembered it."""
    trade = bought(exchange, desk)
    assert desk.close(trade) is None
    before = coins(exchange, desk)
    for again in (trade, replace(trade)):
        assert desk.close(again) is None
    assert coins(exchange, desk) == before


def test_an_answer_that_was_lost_sells_nothing_twice(exchange: Running, desk: Desk) -> None:
    trade = bought(exchange, desk)
    exchange.fault("lost_answer", times=1, account=desk.client.api.apiKey, side="SELL")
    desk.close(trade)
    assert desk.close(trade) is None
    assert D(2) <= coins(exchange, desk) < D("2.00001")


def test_what_the_bot_sold_before_it_died_and_never_wrote_down_counts(
    exchange: Running, desk: Desk
) -> None:
    trade = bought(exchange, desk)
    exchange.step(minutes=1)
    desk.client.ask("create_order", PAIR, "market", "sell", D("0.00999"), None, {})
    assert desk.close(trade) is None
    assert coins(exchange, desk) >= D(2)


def test_what_another_trade_of_the_pair_sold_does_not_count(exchange: Running, desk: Desk) -> None:
    trade = bought(exchange, desk)
    sold = desk.client.ask("create_order", PAIR, "market", "sell", D("0.005"), None, {})
    other = replace(trade, others=frozenset({str(sold["id"])}))
    assert desk.held(other)[0] == D("0.00999")
    assert desk.held(trade)[0] == D("0.00499")
    named = replace(trade, name="sandbox.beat.2", own=frozenset())
    assert named.mark != trade.mark
    desk.close(trade)
    assert desk.held(replace(other, own=frozenset()))[0] == 0


def test_what_was_sold_of_an_orphan_of_the_pair_does_not_count(
    exchange: Running, desk: Desk
) -> None:
    """Or else nothing would be left of the trade, and its coins would never be sold."""
    trade = bought(exchange, desk)
    params = {"clientOrderId": f"{closing_name('1f2e3d4c')}0"}
    desk.client.ask("create_order", PAIR, "market", "sell", D("0.02"), None, params)
    assert desk.held(trade) == (D("0.00999"), 0)
    assert desk.close(trade) is None
    assert coins(exchange, desk) < D("1.98001")


def test_a_fee_that_the_bot_paid_with_dust_is_sold_with_its_trade(
    exchange: Running, desk: Desk
) -> None:
    """freqtrade thinks so: with less sold it would keep the trade open, with a dust of coins."""
    trade = bought(exchange, desk)
    (order,) = trade.own
    eaten = replace(trade, fees={order: D(0)})
    assert desk.held(eaten)[0] == D("0.01")
    assert desk.held(replace(trade, fees={order: D("0.00001")}))[0] == D("0.00999")
    assert desk.close(eaten) is None
    assert coins(exchange, desk) == D("1.99999")


def test_dust_is_said_and_not_sold(exchange: Running, desk: Desk) -> None:
    trade = bought(exchange, desk)
    desk.client.ask("create_order", PAIR, "market", "sell", D("0.0099"), None, {})
    left = desk.close(trade)
    assert left == Left(PAIR, D("0.00009"), "too little to be sold: dust")
    assert left.text == "BTC/USDT: 0.00009 left: too little to be sold: dust"


def test_an_order_that_is_refused_is_said(exchange: Running, desk: Desk) -> None:
    trade = bought(exchange, desk)
    exchange.fault("symbol_halted", symbol="BTCUSDT")
    left = desk.close(trade)
    exchange.clear()
    assert left is not None
    assert (left.pair, left.amount) == (PAIR, D("0.00999"))
    assert "Market is closed" in left.why
    assert desk.close(trade) is None


def test_a_market_order_that_gets_a_part_is_followed_by_others(
    exchange: Running, desk: Desk
) -> None:
    trade = bought(exchange, desk)
    exchange.fault("partial_fill", by=D("0.3"), times=1, account=desk.client.api.apiKey)
    assert desk.close(trade) is None
    assert D(2) <= coins(exchange, desk) < D("2.00001")


def test_open_orders_are_cancelled_all_or_those_that_are_named(
    exchange: Running, desk: Desk
) -> None:
    price = desk.client.prices([PAIR])[PAIR]
    low = (price * D("0.9")).quantize(D("0.01"))
    ids = [
        str(desk.client.ask("create_order", PAIR, "limit", "buy", D("0.001"), low, {})["id"])
        for _ in range(2)
    ]
    assert desk.cancel([PAIR], frozenset(ids[:1])) == ()
    assert [order.id for order in desk.client.open_orders([PAIR])] == ids[1:]
    assert desk.cancel(["ETH/USDT"]) == ()
    assert desk.cancel([PAIR]) == ()
    assert desk.client.open_orders([PAIR]) == ()


def test_an_exchange_that_does_not_answer_is_no_empty_account(
    exchange: Running, desk: Desk
) -> None:
    trade = bought(exchange, desk)
    exchange.fault("server_error", seconds=60)
    with pytest.raises(CannotTell):
        desk.left(trade)
    with pytest.raises(CannotTell):
        desk.cancel([PAIR])
    exchange.clear()
    assert desk.left(trade) == Left(PAIR, D("0.00999"), "it is not sold yet")
