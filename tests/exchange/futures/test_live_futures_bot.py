"""A real freqtrade trades futures at the rehearsal exchange, long and short, on real candles."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.exchange.settings import freqtrade_settings

pytestmark = [pytest.mark.freqtrade, pytest.mark.needs("candles")]

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
TRIGGER = {"trigger": True}
FEE = Decimal("0.0005")

HELD = """
from freqtrade.strategy import IStrategy


class Held(IStrategy):
    timeframe = "1h"
    can_short = True
    stoploss = -0.99
    minimal_roi = {}
    startup_candle_count = 5
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }

    def leverage(self, *args, **kwargs):
        return 20.0

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""
"""Always long with twenty times leverage, and no stop worth the name."""


@pytest.fixture(scope="module")
def both_ways(root: Path) -> str:
    """The source of the plugin that trades both directions."""
    return (root / "tests" / "plugins" / "both_ways" / "strategy.py").read_text()


def configured(api_url: str, strategy: str, *, dry_run: bool = False) -> dict[str, Any]:
    settings = freqtrade_settings(api_url, "key", "secret", market="futures")
    settings["exchange"]["pair_whitelist"] = list(PAIRS)
    settings["exchange"]["_ft_has_params"] = {"ohlcv_candle_limit": 100}
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    return settings | {
        "dry_run": dry_run,
        "dry_run_wallet": 5000,
        "stake_currency": "USDT",
        "stake_amount": 1000,
        "max_open_trades": 2,
        "timeframe": "1h",
        "strategy": strategy,
        "strategy_path": ".",
        "db_url": "sqlite:///trades.sqlite",
        "pairlists": [{"method": "StaticPairList"}],
        "unfilledtimeout": {"entry": 90, "exit": 90, "unit": "minutes"},
        "entry_pricing": pricing,
        "exit_pricing": pricing,
    }


def kept(folder: Path, query: str) -> list[dict[str, Any]]:
    """Rows of freqtrade's own database."""
    with closing(sqlite3.connect(folder / "trades.sqlite")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query)]


def run(exchange: Any, bot: Any, hours: int) -> None:
    """Let the bot process after every hour, some seconds late as a real one."""
    for _ in range(hours):
        done = bot.turn(exchange.now)
        assert (done["state"], done["trouble"]) == ("running", "")
        exchange.step(hours=1)


def serving(candles: Path, start: str) -> tuple[str, ...]:
    funds = "alice:key:secret:futures.USDT=5000"
    where = ("--candles", str(candles), "--market", "futures")
    return (*where, "--start", start, "--account", funds)


@pytest.fixture(scope="module")
def traded(
    serve: Any, start_bot: Any, both_ways: str, candles_folder: Path, tmp_path_factory: Any
) -> Iterator[tuple[Any, Path]]:
    """A day and some hours of live trading; the last turn sees everything that was filled."""
    folder = tmp_path_factory.mktemp("bot")
    with serve(*serving(candles_folder, "2023-06-01T00:00:05")) as exchange:
        config = configured(exchange.ready.api_url, "BothWays")
        with start_bot(folder, config, both_ways) as bot:
            run(exchange, bot, 30)
            bot.turn(exchange.now)
        yield exchange, folder


@pytest.fixture
def api(traded: tuple[Any, Path], connect: Any) -> Iterator[Any]:
    exchange, _ = traded
    with exchange.then():
        yield connect(exchange)


def test_longs_and_shorts_of_both_pairs_were_opened_and_closed(traded: tuple[Any, Path]) -> None:
    _, folder = traded
    trades = kept(folder, "SELECT * FROM trades WHERE is_open = 0")
    ways = Counter((trade["pair"], trade["is_short"]) for trade in trades)
    assert set(ways) == {(pair, short) for pair in PAIRS for short in (0, 1)}
    assert {trade["leverage"] for trade in trades} == {3}
    assert {trade["exit_reason"] for trade in trades} == {"exit_signal"}


def test_every_order_that_freqtrade_keeps_equals_the_exchange_s_book(
    traded: tuple[Any, Path], api: Any
) -> None:
    _, folder = traded
    book = {o["id"]: o for pair in PAIRS for o in api.fetch_orders(pair)}
    book |= {o["id"]: o for pair in PAIRS for o in api.fetch_orders(pair, params=TRIGGER)}
    orders = kept(folder, "SELECT * FROM orders ORDER BY id")
    assert len(orders) > 20
    for order in orders:
        there = book.pop(order["order_id"])
        assert order["status"] == there["status"]
        assert order["side"] == there["side"]
        assert order["amount"] == there["amount"]
        assert order["filled"] == there["filled"]
        if there["filled"]:
            assert order["average"] == there["average"]
        assert order["stop_price"] == there["stopPrice"]
    assert book == {}


def test_stops_lay_at_the_exchange_and_were_taken_away_with_their_trade(
    traded: tuple[Any, Path], api: Any
) -> None:
    _, folder = traded
    stops = kept(folder, "SELECT * FROM orders WHERE ft_order_side = 'stoploss'")
    statuses = Counter(stop["status"] for stop in stops)
    assert statuses["canceled"] >= 4
    waiting = [order for pair in PAIRS for order in api.fetch_open_orders(pair, params=TRIGGER)]
    assert statuses["open"] == len(waiting)
    assert {stop["info"]["orderType"] for stop in waiting} <= {"STOP_MARKET"}


def test_profits_of_closed_trades_are_what_the_wallet_got(
    traded: tuple[Any, Path], api: Any
) -> None:
    _, folder = traded
    fills = [fill["info"] for pair in PAIRS for fill in api.fetch_my_trades(pair)]
    for trade in kept(folder, "SELECT * FROM trades WHERE is_open = 0"):
        orders = kept(folder, f"SELECT * FROM orders WHERE ft_trade_id = {trade['id']}")
        mine = [f for f in fills if str(f["orderId"]) in {o["order_id"] for o in orders}]
        got = sum(Decimal(f["realizedPnl"]) - Decimal(f["commission"]) for f in mine)
        expected = float(got) + trade["funding_fees"]
        # freqtrade rounds a profit once, the exchange every fee.
        rounding = 1e-8 * len(mine) + 1e-12
        assert trade["close_profit_abs"] == pytest.approx(expected, abs=rounding)
        assert {f["commissionAsset"] for f in mine} == {"USDT"}


def test_the_wallet_is_the_deposit_and_what_was_earned_and_paid_to_the_last_unit(
    traded: tuple[Any, Path], api: Any
) -> None:
    exchange, _ = traded
    expected = Decimal(5000)
    for pair in PAIRS:
        for fill in (trade["info"] for trade in api.fetch_my_trades(pair)):
            expected += Decimal(fill["realizedPnl"]) - Decimal(fill["commission"])
        for row in api.fetch_funding_history(pair):
            expected += Decimal(row["info"]["income"])
    told = api.fapiPrivateV3GetAccount()
    assert Decimal(told["totalWalletBalance"]) == expected
    assert exchange.ask("status").futures.wallets["alice"]["USDT"] == expected


def test_funding_reached_the_trades_that_were_open_then(traded: tuple[Any, Path], api: Any) -> None:
    _, folder = traded
    rows = [row for pair in PAIRS for row in api.fetch_funding_history(pair)]
    assert len(rows) >= 4
    trades = kept(folder, "SELECT * FROM trades")
    told = sum(trade["funding_fees"] or 0 for trade in trades)
    assert told == pytest.approx(sum(row["amount"] for row in rows), abs=1e-8)
    rates = {row["timestamp"]: row for row in api.fetch_funding_rate_history(PAIRS[0], limit=20)}
    for row in (row for row in rows if row["symbol"] == PAIRS[0]):
        rate = rates[row["timestamp"]]["info"]
        each = Decimal(rate["markPrice"]) * Decimal(rate["fundingRate"])
        size = -Decimal(row["info"]["income"]) / each
        sizes = {(-1 if t["is_short"] else 1) * t["amount"] for t in trades}
        assert any(size == pytest.approx(Decimal(str(each)), rel=Decimal("1e-6")) for each in sizes)


def test_positions_are_what_freqtrade_holds(traded: tuple[Any, Path], api: Any) -> None:
    _, folder = traded
    open_ = kept(folder, "SELECT * FROM trades WHERE is_open = 1 AND amount > 0")
    held = {(p["symbol"], p["side"] == "short", p["contracts"]) for p in api.fetch_positions()}
    assert {(t["pair"], bool(t["is_short"]), t["amount"]) for t in open_} == held
    for trade in open_:
        (position,) = api.fetch_positions([trade["pair"]])
        level, entry = position["liquidationPrice"], trade["open_rate"]
        # freqtrade leaves before: it keeps 5 % of the way as a buffer.
        assert trade["liquidation_price"] == pytest.approx(level + 0.05 * (entry - level), abs=0.1)


def test_a_dry_run_sends_no_order(
    serve: Any, start_bot: Any, both_ways: str, candles_folder: Path, tmp_path: Path
) -> None:
    with serve(*serving(candles_folder, "2023-06-01T00:00:05")) as exchange:
        config = configured(exchange.ready.api_url, "BothWays", dry_run=True)
        with start_bot(tmp_path, config, both_ways) as bot:
            run(exchange, bot, 12)
        trades = kept(tmp_path, "SELECT * FROM trades")
        assert {trade["is_short"] for trade in trades} == {0, 1}
        assert any(trade["funding_fees"] for trade in trades)
        told = exchange.ask("status")
        assert (told.futures.orders, told.orders_sent) == (0, 0)


def test_a_liquidation_is_told_by_the_book_and_by_freqtrade_s_database(
    serve: Any, start_bot: Any, connect: Any, candles_folder: Path, tmp_path: Path
) -> None:
    """In the evening of 17 August 2023 prices fell by 8 % within half an hour."""
    with serve(*serving(candles_folder, "2023-08-17T20:00:05")) as exchange:
        config = configured(exchange.ready.api_url, "Held")
        with start_bot(tmp_path, config, HELD) as bot:
            run(exchange, bot, 2)
            fallen = exchange.ask("status").futures
            run(exchange, bot, 2)
        with exchange.then():
            api = connect(exchange)
            orders = {o["id"]: o for pair in PAIRS for o in api.fetch_orders(pair)}

    # The book: both positions are gone, and so is their margin; the insurance fund has its share.
    assert fallen.positions == {}
    closed = [o for o in orders.values() if o["info"]["clientOrderId"].startswith("autoclose")]
    assert sorted(o["symbol"] for o in closed) == list(PAIRS)
    assert {(o["status"], o["side"], o["reduceOnly"]) for o in closed} == {("closed", "sell", True)}
    entries = [o for o in orders.values() if o["side"] == "buy"][:2]
    gone = sum(Decimal(o["info"]["cumQuote"]) * (Decimal("0.05") + FEE) for o in entries)
    assert fallen.wallets["alice"]["USDT"] == pytest.approx(5000 - gone, abs=Decimal("1e-6"))
    assert fallen.counters["insurance"] > 0

    # The database: it found the strange orders, and took them for the exits of its trades.
    trades = kept(tmp_path, "SELECT * FROM trades WHERE is_open = 0 ORDER BY pair")
    assert [trade["pair"] for trade in trades] == list(PAIRS)
    assert {trade["exit_reason"] for trade in trades} == {"sold_on_exchange"}
    for trade in trades:
        (there,) = [o for o in closed if o["symbol"] == trade["pair"]]
        assert trade["close_rate"] == there["average"]
        kept_ids = kept(tmp_path, f"SELECT order_id FROM orders WHERE ft_trade_id = {trade['id']}")
        assert there["id"] in {row["order_id"] for row in kept_ids}
    # It does not know of what the insurance fund took.
    lost = sum(Decimal(str(trade["close_profit_abs"])) for trade in trades)
    missing = 5000 + lost - fallen.wallets["alice"]["USDT"]
    assert missing == pytest.approx(fallen.counters["insurance"], abs=Decimal("1e-6"))
