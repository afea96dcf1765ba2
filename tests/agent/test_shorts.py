"""Shorts of a live futures bot: taken over, left, drained and flattened, by the exchange's book."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from pipelines.domain.promotion import Kind, Risk
from pipelines.domain.release import Release
from runner.agent.trades import Book, book
from runner.exchange.settings import ccxt_settings
from tests.agent.handing import HOLD, UNLIMITED
from tests.agent.train import MANIFEST, Train, laid
from tests.exchange.running import running

pytestmark = pytest.mark.freqtrade

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
CONTRACTS = MANIFEST.replace("BTC/USDT, ETH/USDT", ", ".join(PAIRS)).replace(": spot", ": futures")
SHORTS = HOLD.replace("enter_long", "enter_short").replace(
    "    timeframe",
    """    can_short = True

    def leverage(self, *args, **kwargs):
        return 3.0

    timeframe""",
)
"""Sells short as soon as it may, and never buys back."""

LEAVES = SHORTS.replace('dataframe["exit_long"] = 0', 'dataframe["exit_short"] = 1')
LOOSER = SHORTS.replace("stoploss = -0.2", "stoploss = -0.4")
ADOPTS: dict[str, Any] = {"handover": "adopt", "manifest": CONTRACTS}
NOTHING = "sandbox beat: nothing is left\n"
MOST_HOURS = 8


@dataclass
class Shorts:
    """A live futures bot in sandbox, and the exchange's own book of its account."""

    train: Train

    @property
    def api(self) -> ccxt.binance:
        settings = ccxt_settings(self.train.exchange.ready.api_url, market="futures")
        return ccxt.binance({**settings, "apiKey": "key", "secret": "secret"})

    def positions(self) -> dict[str, Decimal]:
        """What is held of each contract: below zero where it was sold short."""
        futures = self.train.exchange.ask("status").futures
        assert futures is not None
        return futures.positions.get("sandbox", {})

    def stops(self) -> dict[str, tuple[str, float, float]]:
        """The one stop that rests for each contract: its side, amount and price."""
        found = self._orders("fetch_open_orders", {"trigger": True})
        assert len({each["symbol"] for each in found}) == len(found), "never two for one position"
        return {o["symbol"]: (o["side"], o["amount"], o["stopPrice"]) for o in found}

    def waiting(self) -> list[str]:
        """Open orders that are no stops."""
        return [order["id"] for order in self._orders("fetch_open_orders", {})]

    def fills(self) -> list[tuple[str, float]]:
        with self.train.exchange.then():
            found = [fill for pair in PAIRS for fill in self.api.fetch_my_trades(pair)]
        found.sort(key=lambda fill: int(fill["id"]))
        return [(fill["side"], fill["amount"]) for fill in found]

    def _orders(self, method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        with self.train.exchange.then():
            return [o for p in PAIRS for o in getattr(self.api, method)(p, params=params)]

    @property
    def known(self) -> Book:
        found = book(self.train.database("sandbox"))
        assert found is not None
        return found

    def held(self) -> dict[str, Decimal]:
        """Hours later: both contracts are short, each with a stop above for all of it."""
        for _ in range(MOST_HOURS):
            if len(self.stops()) == len(self.positions()) == len(PAIRS) and not self.waiting():
                break
            self.train.step(1)
        there, stops = self.positions(), self.stops()
        assert len(there) == len(stops) == len(PAIRS), self.train.told()
        for pair in PAIRS:
            size = there[pair.partition(":")[0].replace("/", "")]
            side, amount, _ = stops[pair]
            assert (size < 0, side, Decimal(str(amount))) == (True, "buy", -size)
        assert all(trade.is_short and trade.leverage == 3 for trade in self.known.open)
        return there

    def is_empty(self) -> None:
        """Nothing is left at the exchange, and the bot knows it; nothing ever was an orphan."""
        assert (self.positions(), self.stops(), self.waiting()) == ({}, {}, [])
        self.train.step(1)
        assert (self.positions(), self.known.open) == ({}, ())
        assert "orphaned" not in self.train.counted()

    def trading(self) -> dict[str, Decimal]:
        assert self.train.sluice("resume").returncode == 0
        self.train.until_phase("sandbox", "running")
        return self.held()


@pytest.fixture(scope="module")
def bot(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shorts]:
    """A bot that is short of two contracts."""
    new = tmp_path_factory.mktemp
    account = "--account=sandbox:key:secret:futures.USDT=250:ip=127.0.0.1"
    with running(root, new("there"), "--market", "futures", "--start", "2022-03-01", account) as x:
        train = laid(root, new("train"), x)
        try:
            train.secret("sandbox")
            portfolio = {"stake": 60, "starting_balance": 250, "available_capital": 200}
            more = {"stake_currency": "USDT", "max_open_trades": 5, "fee": 0.001}
            train.declare("sandbox", handover={"way": "adopt"}, portfolio=portfolio | more)
            train.declare("sandbox", protections=UNLIMITED)
            train.start()
            train.want("sandbox", train.release("1.0.0", SHORTS, **ADOPTS))
            train.until_phase("sandbox", "running")
            made = Shorts(train)
            made.held()
            yield made
        finally:
            train.close()


@pytest.fixture(scope="module")
def old(bot: Shorts) -> Release:
    return bot.train.release("1.0.0", SHORTS, **ADOPTS)


def test_the_next_release_takes_shorts_over_with_their_stops_and_gives_them_back(
    bot: Shorts, old: Release
) -> None:
    there, stops, fills = bot.positions(), bot.stops(), bot.fills()
    new = bot.train.release("1.1.0", SHORTS, **ADOPTS)
    for wanted, kind in ((new, Kind.PROMOTE), (old, Kind.ROLLBACK)):
        bot.train.want("sandbox", wanted, kind)
        bot.train.until_running("sandbox", wanted)
        assert (bot.positions(), bot.stops(), bot.fills()) == (there, stops, fills)


def test_a_stop_that_would_lie_higher_is_a_looser_one_for_a_short(
    bot: Shorts, old: Release
) -> None:
    stops = bot.stops()
    bot.train.want("sandbox", bot.train.release("1.2.0", LOOSER, **ADOPTS))
    bot.train.until_phase("sandbox", "draining")
    assert bot.train.strategy("sandbox").decision.count(f"({Risk.LOOSER_STOP})") == 2
    bot.train.step(1)
    assert bot.stops() == stops
    bot.train.want("sandbox", old, Kind.ROLLBACK)
    bot.train.until_running("sandbox", old)


def test_a_release_that_took_a_short_over_buys_it_back(bot: Shorts, old: Release) -> None:
    there, before = bot.positions(), len(bot.fills())
    leaves = bot.train.release("1.3.0", LEAVES, **ADOPTS)
    bot.train.want("sandbox", leaves)
    bot.train.until_running("sandbox", leaves)
    for _ in range(MOST_HOURS):
        if not bot.positions():
            break
        bot.train.step(1)
    assert_bought(bot, before, there)
    bot.is_empty()


def assert_bought(bot: Shorts, since: int, there: dict[str, Decimal]) -> None:
    """Exactly what was short was bought back, and nothing else was done."""
    fills = bot.fills()[since:]
    assert {side for side, _ in fills} == {"buy"}
    assert sum(Decimal(str(amount)) for _, amount in fills) == -sum(there.values())


def test_a_short_that_drains_is_bought_back_at_its_deadline(bot: Shorts, old: Release) -> None:
    bot.train.declare(
        "sandbox", handover={"way": "drain", "deadline": {"hours": 1}, "then": "close_at_market"}
    )
    bot.train.want("sandbox", old, Kind.ROLLBACK)
    bot.held()
    new = bot.train.release("1.1.0", SHORTS, **ADOPTS)
    bot.train.want("sandbox", new)
    bot.train.until_phase("sandbox", "draining")
    assert len(bot.positions()) == len(bot.stops()) == 2
    bot.train.step(2)
    bot.train.until_running("sandbox", new)
    bot.held()


def test_flatten_buys_shorts_back_with_the_bot_alive(bot: Shorts) -> None:
    bot.held()
    ended = bot.train.sluice("flatten", "sandbox")
    assert (ended.returncode, ended.stdout) == (0, NOTHING), ended.stdout + ended.stderr
    bot.is_empty()


def test_flatten_buys_shorts_back_with_the_bot_dead_and_its_database_learns_of_it(
    bot: Shorts,
) -> None:
    there, before = bot.trading(), len(bot.fills())
    os.kill(bot.train.pid("sandbox"), signal.SIGKILL)
    bot.train.until(lambda: bot.train.house.lock("sandbox", "beat").holder() is None, 30)
    ended = bot.train.sluice("flatten", "sandbox")
    assert (ended.returncode, ended.stdout) == (0, NOTHING), ended.stdout + ended.stderr
    assert (bot.positions(), bot.stops(), bot.waiting()) == ({}, {}, [])
    assert_bought(bot, before, there)
    bot.train.round()
    bot.train.exchange.step(minutes=11)
    bot.train.until_phase("sandbox", "halted")
    bot.train.step(1)
    bot.is_empty()
