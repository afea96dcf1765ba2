"""A real freqtrade trades at the rehearsal exchange, in steps."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.exchange import remote
from runner.exchange.settings import freqtrade_settings
from runner.rehearsal import kept
from runner.rehearsal.reconciliation import STATUS, differences

pytestmark = pytest.mark.freqtrade

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")

BEAT = """
from freqtrade.strategy import IStrategy


class Beat(IStrategy):
    timeframe = "1h"
    stoploss = -0.2
    minimal_roi = {}
    startup_candle_count = 5
    order_types = {
        "entry": "limit",
        "exit": "market",
        "stoploss": "limit",
        "stoploss_on_exchange": True,
    }

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["date"].dt.hour % 4 == 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["date"].dt.hour % 4 == 2, "exit_long"] = 1
        return dataframe
"""
"""Buys in one hour and sells in another: what it earns is no matter here."""


def configured(api_url: str, *, dry_run: bool) -> dict[str, Any]:
    settings = freqtrade_settings(api_url, "key", "secret")
    settings["exchange"]["pair_whitelist"] = list(PAIRS)
    settings["exchange"]["_ft_has_params"] = {"ohlcv_candle_limit": 100}
    return settings | {
        "dry_run": dry_run,
        "dry_run_wallet": 5000,
        "stake_currency": "USDT",
        "stake_amount": 900,
        "max_open_trades": 3,
        "timeframe": "1h",
        "strategy": "Beat",
        "strategy_path": ".",
        "db_url": "sqlite:///trades.sqlite",
        "pairlists": [{"method": "StaticPairList"}],
        "unfilledtimeout": {"entry": 90, "exit": 90, "unit": "minutes"},
        # Buys at the bid, so that entries rest; the order book is asked for.
        "entry_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": False},
    }


def rows(folder: Path, query: str) -> list[dict[str, Any]]:
    """Rows of freqtrade's own database."""
    with closing(sqlite3.connect(folder / "trades.sqlite")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query)]


def closed_trades(folder: Path) -> list[dict[str, Any]]:
    return rows(folder, "SELECT * FROM trades WHERE is_open = 0")


def run(exchange: Any, bot: Any, hours: int) -> None:
    """Let the bot process after every hour."""
    for _ in range(hours):
        done = bot.turn(exchange.now)
        assert (done["state"], done["trouble"]) == ("running", "")
        exchange.step(hours=1)


@pytest.fixture(scope="module")
def traded(serve: Any, start_bot: Any, tmp_path_factory: Any) -> Iterator[tuple[Any, Path]]:
    """A day and a half of live trading; the last turn sees everything that was filled.

    Small volumes: everybody together may take a thousandth, so partial fills happen.
    """
    folder = tmp_path_factory.mktemp("bot")
    arguments = ("--start", "2022-03-01", "--account", "alice:key:secret:USDT=5000")
    with serve(*arguments, "--volume-share", "0.0005") as exchange:
        config = configured(exchange.ready.api_url, dry_run=False)
        with start_bot(folder, config, BEAT) as bot:
            run(exchange, bot, 36)
            bot.turn(exchange.now)
        yield exchange, folder


def test_at_least_three_trades_were_opened_and_closed(traded: tuple[Any, Path]) -> None:
    _, folder = traded
    trades = closed_trades(folder)
    assert len(trades) >= 3
    assert len({trade["pair"] for trade in trades}) > 1


def test_every_order_fee_and_balance_equals_the_exchange_s_book(
    traded: tuple[Any, Path],
) -> None:
    exchange, folder = traded
    mine, theirs = kept.kept(folder / "trades.sqlite"), remote.book(exchange.ready, "key")
    assert len(mine.orders) >= 6
    assert differences(mine, theirs) == ()


def test_the_book_that_is_compared_is_the_one_that_ccxt_is_told_of(
    traded: tuple[Any, Path],
) -> None:
    exchange, _ = traded
    book = remote.book(exchange.ready, "key")
    with exchange.then():
        api = exchange.ccxt()
        orders = [order for pair in PAIRS for order in api.fetch_orders(pair)]
        fills = [trade for pair in PAIRS for trade in api.fetch_my_trades(pair)]
        total = api.fetch_balance()["total"]
    assert sorted((o["id"], o["status"], o["amount"], o["filled"], o["cost"]) for o in orders) == (
        sorted(
            (
                str(o.id),
                STATUS[o.standing],
                float(o.quantity),
                float(o.executed),
                float(o.quote),
            )
            for o in book.orders
        )
    )
    assert sorted((f["order"], f["fee"]["cost"], f["fee"]["currency"]) for f in fills) == sorted(
        (str(fill.order), float(fill.commission), fill.asset) for fill in book.fills
    )
    assert {a: t for a, t in total.items() if t} == {a: float(b) for a, b in book.balances.items()}


def test_partial_fills_and_stops_on_the_exchange_happened(traded: tuple[Any, Path]) -> None:
    exchange, folder = traded
    with exchange.then():
        api = exchange.ccxt()
        trades = [trade for pair in PAIRS for trade in api.fetch_my_trades(pair)]
    orders = [trade["order"] for trade in trades]
    assert len(orders) > len(set(orders)), "no order was filled in more than one part"
    stops = rows(folder, "SELECT * FROM orders WHERE ft_order_side = 'stoploss'")
    with exchange.then():
        types = {api.fetch_order(s["order_id"], s["ft_pair"])["info"]["type"] for s in stops}
    assert types == {"STOP_LOSS_LIMIT"}


def test_a_dry_run_sends_no_order(serve: Any, start_bot: Any, tmp_path: Path) -> None:
    with serve("--start", "2022-03-01", "--account", "alice:key:secret:USDT=5000") as exchange:
        config = configured(exchange.ready.api_url, dry_run=True)
        with start_bot(tmp_path, config, BEAT) as bot:
            run(exchange, bot, 12)
        assert rows(tmp_path, "SELECT * FROM orders WHERE filled > 0")
        told = exchange.ask("status")
        assert (told.orders, told.orders_sent) == (0, 0)


def test_an_entry_whose_answer_was_lost_is_filled_there_and_unknown_here(
    serve: Any, start_bot: Any, tmp_path: Path
) -> None:
    with serve("--start", "2022-03-01", "--account", "alice:key:secret:USDT=5000") as exchange:
        config = configured(exchange.ready.api_url, dry_run=False)
        config["exchange"]["pair_whitelist"] = ["BTC/USDT"]
        config["entry_pricing"]["price_side"] = "other"
        with start_bot(tmp_path, config, BEAT) as bot:
            bot.turn(exchange.now)
            exchange.step(hours=1)
            assert exchange.ask("status").orders == 0
            exchange.fault()
            done = bot.turn(exchange.now)
            exchange.step(hours=3)
            run(exchange, bot, 2)

        assert (done["state"], done["trouble"]) == ("running", "")
        assert "Could not place buy order due to NetworkError" in (tmp_path / "log").read_text()
        book = remote.book(exchange.ready, "key")
        (order,) = (each for each in book.orders if each.side == "BUY" and each.id == 1)
        found = differences(kept.kept(tmp_path / "trades.sqlite"), book)
    assert [(each.what, each.key, each.kept) for each in found[:1]] == [
        ("order 1", "is there", "no")
    ]
    assert order.executed > 0
    assert {each.what for each in found[1:]} == {"balance of BTC", "balance of USDT"}
