"""What a real freqtrade makes of each fault, on the exchange's book and in its own database.

These are the rows of the table that the platform's own recovery has to live with.
"""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import CannotTell
from runner.exchange.settings import freqtrade_settings

pytestmark = pytest.mark.freqtrade

BTC = "BTC/USDT"
STAKE = 900
PUPPET = """
from pathlib import Path

from freqtrade.strategy import IStrategy


def wanted():
    return Path("wanted").read_text()


class Beat(IStrategy):
    timeframe = "1h"
    stoploss = -0.05
    minimal_roi = {}
    startup_candle_count = 5
    order_types = {
        "entry": "limit",
        "exit": "limit",
        "stoploss": "limit",
        "stoploss_on_exchange": True,
        "stoploss_on_exchange_interval": 0,
    }

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def confirm_trade_entry(self, *args, **kwargs):
        return wanted() == "entry"

    def custom_exit(self, *args, **kwargs):
        return "wanted" if wanted() == "exit" else None
"""
"""It does what a file says."""


@dataclass
class Trader:
    """A bot in a folder, and the exchange where it trades: with 5,000 USDT."""

    exchange: Any
    folder: Path
    start_bot: Any
    bot: Any = None

    def alive(self) -> AbstractContextManager[Any]:
        """Start freqtrade, on the database that is there."""
        settings = freqtrade_settings(self.exchange.ready.api_url, "key", "secret")
        settings["exchange"]["pair_whitelist"] = [BTC]
        settings["exchange"]["_ft_has_params"] = {"ohlcv_candle_limit": 100}
        settings["exchange"]["ccxt_config"]["timeout"] = 1000
        rest = {
            "dry_run": False,
            "stake_currency": "USDT",
            "stake_amount": STAKE,
            "max_open_trades": 1,
            "timeframe": "1h",
            "strategy": "Beat",
            "strategy_path": ".",
            "db_url": "sqlite:///trades.sqlite",
            "pairlists": [{"method": "StaticPairList"}],
            "unfilledtimeout": {"entry": 600, "exit": 90, "unit": "minutes"},
            "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
            "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        }
        self.wants("")
        started: AbstractContextManager[Any] = self.start_bot(self.folder, settings | rest, PUPPET)
        return started

    def wants(self, what: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "wanted").write_text(what)

    def turns(self, bot: Any, what: str = "", times: int = 1) -> None:
        """An hour passes, and the bot does what is wanted: it runs on, whatever happens."""
        self.wants(what)
        for _ in range(times):
            self.exchange.step(hours=1)
            assert bot.turn(self.exchange.now)["state"] == "running"

    def kept(self, query: str) -> list[dict[str, Any]]:
        """Rows of freqtrade's own database."""
        with closing(sqlite3.connect(self.folder / "trades.sqlite")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query)]

    @property
    def trades(self) -> list[dict[str, Any]]:
        return self.kept("SELECT * FROM trades ORDER BY id")

    @property
    def known(self) -> set[str]:
        """The numbers of the orders that freqtrade has in its database."""
        return {row["order_id"] for row in self.kept("SELECT order_id FROM orders")}

    def book(self, side: str) -> list[dict[str, Any]]:
        """The exchange's orders of a side, stops among them."""
        with self.exchange.then():
            return [o for o in self.exchange.ccxt().fetch_orders(BTC) if o["side"] == side]

    def held(self) -> Decimal:
        """What the account has of the base asset."""
        held = self.exchange.ask("status").accounts["alice"].get("BTC")
        return held.free + held.locked if held else Decimal(0)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def trader(serve: Any, start_bot: Any, tmp_path: Path) -> Iterator[Trader]:
    with serve("--start", "2023-01-02", "--account", "alice:key:secret:USDT=5000") as exchange:
        yield Trader(exchange, tmp_path / "bot", start_bot)


def opened(trader: Trader, bot: Any) -> dict[str, Any]:
    """An open trade with its stop on the exchange."""
    trader.turns(bot, "entry")
    trader.turns(bot)
    (trade,) = trader.trades
    assert trade["is_open"]
    assert trade["amount"] > 0
    (stop,) = [order for order in trader.book("sell") if order["status"] == "open"]
    assert stop["info"]["type"] == "STOP_LOSS_LIMIT"
    assert stop["amount"] == trade["amount"]
    return trade


@pytest.mark.parametrize("fault", ["server_error", "timeout"])
def test_an_entry_that_fails_before_it_is_accepted_leaves_nothing_and_is_placed_again(
    fault: Any, trader: Trader
) -> None:
    with trader.alive() as bot:
        trader.exchange.fault(fault, side="BUY")
        trader.turns(bot, "entry")
        assert trader.exchange.ask("status").faults == (), "the fault did not happen"
        assert (trader.book("buy"), trader.trades, trader.known) == ([], [], set())

        trader.turns(bot, "entry")
        (order,) = trader.book("buy")
        assert {order["id"]} <= trader.known
        assert len(trader.trades) == 1


def test_an_entry_whose_answer_is_lost_is_an_orphan_for_ever(trader: Trader) -> None:
    with trader.alive() as bot:
        trader.exchange.fault("lost_answer", side="BUY")
        trader.turns(bot, "entry")
        trader.turns(bot, times=2)
    with trader.alive() as bot:
        trader.turns(bot, times=2)
    (orphan,) = trader.book("buy")
    assert orphan["status"] == "closed"
    assert trader.held() > 0
    assert (trader.trades, trader.known) == ([], set())


def test_an_exit_whose_answer_is_lost_heals_with_the_next_attempts(trader: Trader) -> None:
    with trader.alive() as bot:
        opened(trader, bot)
        trader.exchange.fault("lost_answer", side="SELL")
        trader.turns(bot, "exit")
        (sale,) = [order for order in trader.book("sell") if order["status"] == "closed"]
        assert sale["id"] not in trader.known
        assert trader.trades[0]["is_open"]

        # The first attempt finds the wallet empty, the second one then looks for the order.
        trader.turns(bot, "exit", times=2)
    healed(trader, sale)


def test_an_exit_whose_answer_is_lost_heals_with_a_restart(trader: Trader) -> None:
    with trader.alive() as bot:
        opened(trader, bot)
        trader.exchange.fault("lost_answer", side="SELL")
        trader.turns(bot, "exit")
        (sale,) = [order for order in trader.book("sell") if order["status"] == "closed"]
        assert trader.trades[0]["is_open"]
    with trader.alive() as bot:
        trader.turns(bot, times=2)
    healed(trader, sale)


def healed(trader: Trader, sale: dict[str, Any]) -> None:
    (trade,) = trader.trades
    assert not trade["is_open"]
    assert trade["exit_reason"] == "sold_on_exchange"
    assert trade["close_rate"] == sale["average"]
    assert sale["id"] in trader.known
    assert len([order for order in trader.book("sell") if order["filled"]]) == 1
    assert trader.held() < Decimal(str(trade["amount"])) / 100


def test_with_clocks_apart_it_runs_on_and_cannot_exit_and_recovers(trader: Trader) -> None:
    with trader.alive() as bot:
        opened(trader, bot)
        held, orders = trader.held(), trader.exchange.ask("status").orders
        trader.exchange.fault("clock_skew", by=Decimal(3_600_000))
        trader.turns(bot, "exit", times=2)
        assert trader.exchange.ask("status").orders == orders
        assert trader.held() == held
        assert trader.trades[0]["is_open"]
        assert "-1021" in trader.log

        trader.exchange.clear()
        trader.turns(bot, "exit", times=2)
    (trade,) = trader.trades
    assert (trade["is_open"], trade["exit_reason"]) == (0, "wanted")
    assert trader.held() < held / 100


def test_an_entry_that_is_filled_in_part_has_no_amount_while_it_is_open(trader: Trader) -> None:
    with trader.alive() as bot:
        trader.exchange.fault("partial_fill", side="BUY")
        trader.turns(bot, "entry")
        trader.turns(bot)
        (order,) = trader.book("buy")
        (trade,) = trader.trades
        assert (order["status"], order["filled"] > 0) == ("open", True)
        assert trade["is_open"]
        assert trade["amount"] == 0.0
        assert trader.kept("SELECT filled FROM orders")[0]["filled"] == order["filled"]
        assert trader.book("sell") == [], "no stop protects what was bought so far"

        trader.exchange.clear()
        while trader.book("buy")[0]["status"] == "open":
            trader.turns(bot)
        trader.turns(bot)
    (trade,) = trader.trades
    (order,) = trader.book("buy")
    assert trade["amount"] == pytest.approx(order["filled"] * 0.999, rel=1e-3)
    assert len([order for order in trader.book("sell") if order["status"] == "open"]) == 1


def test_an_exit_that_is_filled_in_part_is_cancelled_and_its_stop_placed_again(
    trader: Trader,
) -> None:
    with trader.alive() as bot:
        trade = opened(trader, bot)
        trader.exchange.fault("partial_fill", side="SELL")
        trader.turns(bot, "exit")
        (sale,) = [o for o in trader.book("sell") if o["info"]["type"] == "LIMIT"]
        assert (sale["status"], sale["filled"] > 0) == ("open", True)
        trader.turns(bot, times=4)

    (sale,) = [o for o in trader.book("sell") if o["info"]["type"] == "LIMIT"]
    assert sale["status"] == "canceled"
    (after,) = trader.trades
    assert after["is_open"]
    assert after["amount"] == pytest.approx(trade["amount"] - sale["filled"], abs=1e-9)
    (stop,) = [order for order in trader.book("sell") if order["status"] == "open"]
    assert stop["amount"] == after["amount"]
    assert trader.held() >= Decimal(str(after["amount"]))


def test_a_stop_that_was_filled_while_the_bot_was_dead_is_found_at_the_restart(
    trader: Trader,
) -> None:
    def dies() -> None:
        with trader.alive() as bot:
            opened(trader, bot)
            os.kill(bot.stepped.pid, signal.SIGKILL)

    with pytest.raises(CannotTell, match="freqtrade ended with -9"):
        dies()
    trader.exchange.fault("flash_crash", symbol="BTCUSDT", by=Decimal("-0.3"))
    trader.exchange.step(hours=2)
    (stop,) = [order for order in trader.book("sell") if order["status"] == "closed"]
    assert trader.trades[0]["is_open"]
    with trader.alive() as bot:
        trader.turns(bot)
    (trade,) = trader.trades
    assert (trade["is_open"], trade["exit_reason"]) == (0, "stoploss_on_exchange")
    assert trade["close_rate"] == stop["average"]
    assert stop["id"] in trader.known
