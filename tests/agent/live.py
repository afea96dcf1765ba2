"""A live bot in sandbox, its agent, and what the exchange and the bot's database say."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipelines.adapters import agent
from pipelines.adapters.agent import OfOrphan
from runner.agent.alerts import Alert
from runner.exchange import remote
from runner.exchange.core.orders import OPEN, Kind
from runner.exchange.messages import AccountBook, BookedOrder
from runner.rehearsal.kept import Kept, KeptTrade, kept
from tests.agent.conftest import Lay
from tests.agent.train import Train

MOST_HOURS = 12

CALM, ENTERS, EXITS = 0, 1, 3
"""Hours of four: Beat does nothing, buys, and sells what the candle before told it to."""


@dataclass
class Live:
    """A live bot in sandbox."""

    train: Train

    @property
    def database(self) -> Path:
        return self.train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"

    @property
    def book(self) -> AccountBook:
        return remote.book(self.train.exchange.ready, "key")

    @property
    def known(self) -> Kept:
        return kept(self.database)

    def unknown(self) -> list[BookedOrder]:
        """Filled orders that the bot does not have."""
        mine = {order.order_id for order in self.known.orders}
        return [o for o in self.book.orders if o.executed and str(o.id) not in mine]

    def unknown_exits(self) -> list[BookedOrder]:
        """Sales that the bot does not have."""
        mine = {order.order_id for order in self.known.orders}
        return [o for o in self.book.orders if o.side == "SELL" and str(o.id) not in mine]

    def stops(self) -> list[BookedOrder]:
        """Stops that rest at the exchange."""
        orders = self.book.orders
        return [o for o in orders if o.kind is Kind.STOP_LOSS_LIMIT and o.standing in OPEN]

    def open_trades(self) -> list[KeptTrade]:
        return [trade for trade in self.known.trades if trade.is_open]

    def tick(self, times: int = 1) -> None:
        """So many ticks of the agent, to their end."""
        for _ in range(times + 1):
            agent.ask(self.train.home, "status")

    def step_until(self, is_so: Callable[[], Any], **by: float) -> None:
        """The exchange goes on without the agent, hour by hour, until something is so."""
        for _ in range(MOST_HOURS):
            if is_so():
                return
            self.train.exchange.step(**(by or {"hours": 1}))
        raise AssertionError(self.train.told())

    def step_to(self, hour: int) -> None:
        """Until it is one of four hours."""
        self.step_until(lambda: self.train.exchange.now.hour % 4 == hour)

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.train.entries() if entry["entry"] == kind]

    def orphans(self) -> list[dict[str, Any]]:
        told: Any = agent.ask(self.train.home, "orphans")
        return list(told)

    def money(self) -> list[Alert]:
        """What was told about money, but for how the bot does."""
        health = ("down", "degraded")
        return [alert for alert in self.train.alerts("money") if alert.kind not in health]

    def ask(self, verb: str, orphan: str) -> Any:
        return agent.ask(self.train.home, verb, OfOrphan(orphan=orphan), 200)

    def plant(self, pair: str = "ETH/USDT", worth: float = 30) -> str:
        """An entry of nobody: the orphan that the agent finds."""
        with self.train.exchange.then():
            api = self.train.exchange.ccxt()
            price = api.fetch_ticker(pair)["last"]
            order = api.create_order(pair, "limit", "buy", worth / price, price * 1.02)
        return str(order["id"])

    def trades_of(self, order: str) -> list[tuple[int, int]]:
        """The trades that have this order: their numbers, and whether they are open."""
        query = "SELECT t.id, t.is_open FROM trades t JOIN orders o ON o.ft_trade_id = t.id"
        with closing(sqlite3.connect(self.database)) as opened:
            rows = opened.execute(f"{query} WHERE o.order_id = ?", (order,)).fetchall()
        return [(int(number), int(is_open)) for number, is_open in rows]

    def resume(self) -> None:
        assert self.train.sluice("resume", "sandbox", "beat").returncode == 0
        self.train.until_phase("sandbox", "running")

    def minutes(self, count: int = 1) -> None:
        self.train.exchange.step(seconds=timedelta(minutes=count).seconds)


@contextmanager
def live_in_sandbox(lay: Lay) -> Iterator[Live]:
    """A train whose sandbox runs beat with money."""
    with lay() as train:
        train.secret("sandbox")
        train.start()
        release = train.release()
        train.want("sandbox", release)
        train.until_running("sandbox", release)
        yield Live(train)
