"""The read-only client against the rehearsal exchange, which it knows by its settings alone."""

import decimal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.domain.account import Holding, Lot
from pipelines.errors import CannotTell
from runner.agent.books import client as module
from runner.agent.books import weights
from runner.agent.books.client import Client, client_for
from runner.exchange import remote
from runner.exchange.settings import freqtrade_settings
from tests.exchange.running import Running, running

PAIRS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture(scope="module")
def exchange(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    accounts = ("--account", "alice:key:secret:USDT=5000:BTC=0.12345678")
    folder = tmp_path_factory.mktemp("exchange")
    with running(root, folder, "--start", "2022-03-01", *accounts) as found:
        yield found


@pytest.fixture(scope="module")
def traded(exchange: Running) -> Running:
    """Bought ETH at the market, an order that rests, a stop, and one that was cancelled."""
    with exchange.then():
        api = exchange.ccxt()
        api.create_order("ETH/USDT", "market", "buy", 0.5)
        price = api.fetch_ticker("ETH/USDT")["last"]
        api.create_order("ETH/USDT", "limit", "buy", 0.1, price * 0.9)
        stop = {"stopPrice": price * 0.9}
        api.create_order("ETH/USDT", "limit", "sell", 0.2, price * 0.89, stop)
        gone = api.create_order("BTC/USDT", "limit", "buy", 0.001, 20_000)
        api.cancel_order(gone["id"], "BTC/USDT")
    exchange.step(hours=1)
    return exchange


def client(exchange: Running, key: str = "key", secret: str = "secret") -> Client:
    return client_for(freqtrade_settings(exchange.ready.api_url, "", "")["exchange"], key, secret)


def test_balances_are_exact_and_only_of_what_is_there(traded: Running) -> None:
    held = client(traded).balances()
    book = remote.book(traded.ready, "key").balances
    assert {asset: each.total for asset, each in held.items()} == book
    assert held["BTC"] == Holding(Decimal("0.12345678"), Decimal(0))
    assert held["ETH"].used == Decimal("0.2")
    assert held["USDT"].used > 0


def test_orders_and_fills_are_those_of_the_exchange_s_book(traded: Running) -> None:
    there, book = client(traded), remote.book(traded.ready, "key")
    since = traded.now - timedelta(hours=5)
    orders = [order for pair in PAIRS for order in there.orders(pair, since)]
    assert {order.id: (order.amount, order.filled) for order in orders} == {
        str(order.id): (order.quantity, order.executed) for order in book.orders
    }
    assert [order.status for order in orders if order.pair == "BTC/USDT"] == ["canceled"]
    fills = there.fills("ETH/USDT", since)
    assert [(each.order_id, each.amount, each.fee, each.fee_asset) for each in fills] == [
        (str(each.order), each.quantity, each.commission, each.asset) for each in book.fills
    ]
    assert fills[0].at == since + timedelta(hours=4)
    assert there.fills("ETH/USDT", traded.now) == ()


def test_open_orders_tell_which_are_stops(traded: Running) -> None:
    found = client(traded).open_orders(PAIRS)
    assert sorted((order.side, order.is_stop) for order in found) == [
        ("buy", False),
        ("sell", True),
    ]
    assert client(traded).open_orders(["BTC/USDT"]) == ()


def test_many_pairs_are_asked_for_at_once(traded: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "FEW_PAIRS", 1)
    there = client(traded)
    assert there.open_orders(PAIRS) == client(traded).open_orders(["ETH/USDT"])


def test_pages_are_put_together(traded: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    since = traded.now - timedelta(hours=5)
    whole = client(traded).orders("ETH/USDT", since)
    assert len(whole) == 3
    monkeypatch.setattr(module, "PAGE", 2)
    with pytest.raises(CannotTell, match="no end"):
        # All three were placed in the same moment: nobody can tell what comes after them.
        client(traded).orders("ETH/USDT", since)


def test_prices_and_lots(traded: Running) -> None:
    there = client(traded)
    prices, lots = there.prices(PAIRS), there.lots(PAIRS)
    assert set(prices) == set(PAIRS)
    assert all(isinstance(price, Decimal) and price > 0 for price in prices.values())
    assert lots["BTC/USDT"] == Lot(Decimal("0.000001"), Decimal("0.000001"), Decimal(10))
    assert there.positions() == ()
    assert there.weight_limit == 6000
    assert (there.used_weight or 0) > 0


def test_what_was_asked_weighs_as_much_as_the_exchange_counts(traded: Running) -> None:
    there = client(traded)
    there.prices(["BTC/USDT"])
    before, spent = there.used_weight or 0, there.spent
    there.balances()
    there.open_orders(PAIRS)
    there.orders("ETH/USDT", traded.now)
    there.fills("ETH/USDT", traded.now)
    there.prices(PAIRS)
    assert (there.used_weight or 0) - before == there.spent - spent > 70
    assert weights.look(2, "spot", orders=True) == 32
    assert weights.look(20, "spot", orders=True) == 100
    assert weights.look(2, "futures", orders=False) == 10


def test_time_that_moved_by_hours_is_found_again(traded: Running) -> None:
    there = client(traded)
    before = there.balances()
    traded.step(hours=3)
    assert set(there.balances()) == set(before)


def test_the_way_the_process_rounds_is_left_alone(traded: Running) -> None:
    there = client(traded)
    with decimal.localcontext(decimal.Context(rounding=decimal.ROUND_HALF_EVEN)):
        there.lots(PAIRS)
        there.ask("amount_to_precision", "BTC/USDT", 0.123456789)
        after = decimal.getcontext()
        assert (after.rounding, after.traps[decimal.Underflow]) == (decimal.ROUND_HALF_EVEN, False)


def test_what_is_wrong_is_told_without_what_is_secret(traded: Running) -> None:
    with pytest.raises(CannotTell, match="AuthenticationError") as wrong:
        client(traded, "unknown", "guessed").balances()
    assert "guessed" not in wrong.value.message
    with pytest.raises(CannotTell) as unsigned:
        client(traded, "key", "wrong").balances()
    assert "signature=" not in unsigned.value.message
    with pytest.raises(CannotTell, match="NOPE/USDT"):
        client(traded).prices(["NOPE/USDT"])
    with pytest.raises(CannotTell, match="nowhere: ccxt knows no such exchange"):
        client_for({"name": "nowhere"}, "", "")
    # What an environment declares for a rehearsal that nobody has told where it is.
    declared = {"name": "binance", "ccxt_config": {"urls": {"api": "rehearsal"}}}
    nowhere = client_for(declared, "key", "secret")
    with pytest.raises(CannotTell, match="binance"):
        nowhere.balances()


@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "banned"])
def test_an_exchange_that_fails_is_no_answer(traded: Running, fault: str) -> None:
    there = client(traded)
    traded.fault(fault, seconds=10)  # type: ignore[arg-type]
    try:
        with pytest.raises(CannotTell, match="binance"):
            there.balances()
    finally:
        traded.clear()
    assert there.balances()


def test_an_exchange_that_says_nothing_is_given_up_in_real_time(
    traded: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.3)
    there = client(traded)
    traded.fault("timeout", times=1)
    begun = time.monotonic()
    with pytest.raises(CannotTell, match="RequestTimeout") as silent:
        there.balances()
    assert "timestamp" not in silent.value.message
    assert time.monotonic() - begun < 3
    traded.clear()


def test_an_answer_that_is_not_whole_is_none(traded: Running) -> None:
    there = client(traded)
    there.balances()
    whole = there.api.fetch_balance()
    for broken in (whole | {"free": {}}, whole | {"used": dict.fromkeys(whole["used"])}, {}):
        there.api.fetch_balance = lambda params, said=broken: said
        with pytest.raises(CannotTell, match="not whole"):
            there.balances()


def test_the_agent_stays_small_with_it(traded: Running) -> None:
    program = f"""
import runner.agent.cli
from pathlib import Path
from runner.agent.books.client import client_for
from runner.exchange.settings import freqtrade_settings
settings = freqtrade_settings({traded.ready.api_url!r}, "", "")["exchange"]
there = client_for(settings, "key", "secret")
assert there.balances() and there.open_orders({PAIRS!r}) and there.prices({PAIRS!r})
import sys
print(len([n for n in sys.modules if n.startswith("ccxt.") and n.count(".") == 1]))
print([n for n in sys.modules if n.startswith("freqtrade")])
told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(told["VmHWM"].split()[0]) // 1024)
"""
    argv = [sys.executable, "-c", program]
    ended = subprocess.run(argv, capture_output=True, text=True, check=True)
    exchanges, freqtrade, megabytes = ended.stdout.splitlines()
    assert int(exchanges) < 10
    assert freqtrade == "[]"
    assert int(megabytes) < 120
