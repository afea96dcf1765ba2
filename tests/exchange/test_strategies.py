"""Shipped strategies trade recorded days: an unmodified freqtrade, live and dry-run, in steps."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.exchange.settings import freqtrade_settings
from tests.exchange.test_live_bot import kept

pytestmark = [pytest.mark.freqtrade, pytest.mark.needs("candles")]

FUNDS = Decimal(10_000)
COINS = ("BTC", "ETH", "SOL", "ADA", "LTC")
PAIRS = [f"{coin}/USDT" for coin in COINS]
RECORDED = "binance_spot_markets_2021-04-29.json"


@dataclass(frozen=True)
class Days:
    """Recorded days on which a strategy opens and closes five trades, and how it leaves them."""

    plugin: str
    strategy: str
    start: str
    hours: int
    stops_on_exchange: bool


DAYS = (
    Days("trend_breakout", "TrendBreakout", "2022-09-10T01:00:00", 91, True),
    Days("bollinger_rsi", "BollingerRsi", "2023-04-26T08:00:00", 48, False),
)


@dataclass(frozen=True)
class Played:
    """An exchange after these days, and where the two bots left their databases."""

    days: Days
    exchange: Any
    live: Path
    dry: Path


def configured(days: Days, api_url: str, key: str, *, dry_run: bool) -> dict[str, Any]:
    settings = freqtrade_settings(api_url, key, "secret")
    settings["exchange"]["pair_whitelist"] = PAIRS
    # freqtrade asks for start-up candles five times at most; what it asks for later is as long.
    settings["exchange"]["_ft_has_params"] = {"ohlcv_candle_limit": 260}
    price = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    kinds = dict.fromkeys(("entry", "exit", "stoploss"), "limit")
    return settings | {
        "dry_run": dry_run,
        "dry_run_wallet": float(FUNDS),
        "stake_currency": "USDT",
        "stake_amount": 900,
        "max_open_trades": len(PAIRS),
        "strategy": days.strategy,
        "strategy_path": ".",
        "db_url": "sqlite:///trades.sqlite",
        "pairlists": [{"method": "StaticPairList"}],
        "order_types": kinds | {"stoploss_on_exchange": days.stops_on_exchange},
        "entry_pricing": price,
        "exit_pricing": price,
    }


@pytest.fixture(scope="module", params=DAYS, ids=lambda days: days.plugin)
def played(
    request: Any,
    root: Path,
    serve: Any,
    start_bot: Any,
    candles_folder: Path,
    tmp_path_factory: Any,
) -> Iterator[Played]:
    """Both bots at one exchange: alice's trades live, bob's has a key, but is told to dry-run."""
    days, folder = request.param, tmp_path_factory.mktemp("bots")
    accounts = [f"--account={name}:{name}:secret:USDT={FUNDS}" for name in ("alice", "bob")]
    markets = str(candles_folder / "markets" / RECORDED)
    arguments = ("--candles", str(candles_folder), "--markets", markets, "--start", days.start)
    source = (root / "strategies" / days.plugin / "strategy.py").read_text()
    with ExitStack() as stack:
        exchange = stack.enter_context(serve(*arguments, *accounts))
        bots = []
        for name, dry_run in (("alice", False), ("bob", True)):
            config = configured(days, exchange.ready.api_url, name, dry_run=dry_run)
            bots.append(stack.enter_context(start_bot(folder / name, config, source)))
        with ThreadPoolExecutor(len(bots)) as pool:
            for hour in range(days.hours + 1):
                now = exchange.now
                done = list(pool.map(lambda bot, now=now: bot.turn(now), bots))
                assert {(each["state"], each["trouble"]) for each in done} == {("running", "")}
                if hour < days.hours:
                    exchange.step(hours=1)
        yield Played(days, exchange, folder / "alice", folder / "bob")


def trades(folder: Path) -> list[dict[str, Any]]:
    return kept(folder, "SELECT * FROM trades ORDER BY id")


def test_five_trades_were_opened_and_closed_in_more_than_two_days(played: Played) -> None:
    assert played.days.hours >= 48
    for folder in (played.live, played.dry):
        assert sum(not trade["is_open"] for trade in trades(folder)) >= 5


def test_every_order_that_freqtrade_keeps_equals_the_exchange_s_book(played: Played) -> None:
    orders = kept(played.live, "SELECT * FROM orders ORDER BY id")
    with played.exchange.then():
        api = played.exchange.ccxt("alice")
        book = {order["id"]: order for pair in PAIRS for order in api.fetch_orders(pair)}
        fills = [fill for pair in PAIRS for fill in api.fetch_my_trades(pair)]
    fees: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        fees[fill["order"]] += Decimal(fill["info"]["commission"])

    for order in orders:
        there = book.pop(order["order_id"])
        for name in ("status", "amount", "filled", "average", "price", "cost"):
            if name != "price" or there["type"] != "market":
                assert order[name] == there[name], (name, order, there)
        if order["ft_order_side"] == "buy":
            assert Decimal(str(order["ft_fee_base"])) == fees[there["id"]]
    # It forgets entries that were cancelled before anything was filled, and nothing else.
    assert {(order["status"], order["filled"]) for order in book.values()} <= {("canceled", 0.0)}


def test_what_freqtrade_keeps_adds_up_to_the_balances_to_the_last_unit(played: Played) -> None:
    expected: defaultdict[str, Decimal] = defaultdict(Decimal, USDT=FUNDS)
    for trade in trades(played.live):
        query = f"SELECT * FROM orders WHERE filled > 0 AND ft_trade_id = {trade['id']}"
        for order in kept(played.live, query):
            sign = 1 if order["ft_order_side"] == "buy" else -1
            expected[trade["base_currency"]] += sign * Decimal(str(order["filled"]))
            expected[trade["base_currency"]] -= Decimal(str(order["ft_fee_base"] or 0))
            expected["USDT"] -= sign * Decimal(str(order["cost"]))
        expected["USDT"] -= Decimal(str(trade["fee_close_cost"] or 0))
    held = played.exchange.ask("status").accounts["alice"]
    assert {asset: each.free + each.locked for asset, each in held.items()} == dict(expected)


def test_the_dry_run_has_a_key_and_sends_no_order(played: Played) -> None:
    assert kept(played.dry, "SELECT * FROM orders WHERE filled > 0")
    told = played.exchange.ask("status")
    with played.exchange.then():
        api = played.exchange.ccxt("alice")
        placed = sum(len(api.fetch_orders(pair)) for pair in PAIRS)
        assert [o for pair in PAIRS for o in played.exchange.ccxt("bob").fetch_orders(pair)] == []
    assert (told.orders_sent, told.orders) == (placed, placed)
    assert {name: each.free for name, each in told.accounts["bob"].items()} == {"USDT": FUNDS}


def test_live_and_dry_run_make_the_same_trades_but_for_fees_and_stops(played: Played) -> None:
    """Entries and signals are the same. A dry-run differs from the exchange in two things.

    It pays the fee of a purchase in USDT, where the exchange keeps it from the coins; and it
    looks at a stop when it processes, where the exchange fills it on the way.
    """
    live, dry = trades(played.live), trades(played.dry)
    same = ("pair", "open_date", "open_rate", "exit_reason")
    assert [[t[name] for name in same] for t in live] == [[t[name] for name in same] for t in dry]
    for here, there in zip(live, dry, strict=True):
        assert there["amount"] * 0.998 < here["amount"] < there["amount"]
        assert there["fee_open_currency"] == "USDT" != here["fee_open_currency"]
        closed = [datetime.fromisoformat(trade["close_date"]) for trade in (here, there)]
        if played.days.stops_on_exchange:
            assert timedelta() < closed[1] - closed[0] < timedelta(hours=2)
            assert here["close_rate"] == pytest.approx(there["close_rate"], rel=0.02)
            assert here["close_rate"] > there["close_rate"], "it fell on until the bot looked"
        else:
            assert (closed[0], here["close_rate"]) == (closed[1], there["close_rate"])
