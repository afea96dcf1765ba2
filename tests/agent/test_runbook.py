"""`docs/runbook.md` followed word by word, with a real live bot: afterwards the money is safe.

What is safe is told by the exchange's book, the bot's database and the processes, never by what a
command prints. The sections are followed in the page's order, on one train.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
import yaml

from pipelines.domain.release import Release
from runner.agent.locks import Lock
from runner.exchange import remote
from runner.exchange.core.orders import OPEN, Kind
from runner.exchange.messages import AccountBook, BookedOrder, NewKey
from runner.rehearsal.kept import KeptTrade, kept
from tests.agent.conftest import Lay
from tests.agent.handing import HOLD
from tests.agent.runbook import Page, Reader, not_printed
from tests.agent.train import Train

pytestmark = pytest.mark.freqtrade

STEADY = HOLD.replace(
    'dataframe["date"].dt.hour % 2 == 0,',
    'dataframe["date"].dt.hour % (n := 2 if metadata["pair"] == "BTC/USDT" else 6) == n - 1,',
)
"""Buys bitcoin within two hours and ether within six, and never sells."""

DUST = {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001")}
MOST_HOURS = 14


@dataclass
class Bot:
    """A live bot in sandbox: what the exchange's book, its database and the processes say."""

    train: Train
    reader: Reader

    @property
    def lock(self) -> Lock:
        return self.train.house.lock("sandbox", "beat")

    @property
    def book(self) -> AccountBook:
        return remote.book_of(self.train.exchange.ready, "sandbox")

    @property
    def open_orders(self) -> list[BookedOrder]:
        return [order for order in self.book.orders if order.standing in OPEN]

    @property
    def coins(self) -> dict[str, Decimal]:
        """What the account has besides money and dust."""
        told = self.book.balances
        return {asset: told[asset] for asset in DUST if told.get(asset, 0) > DUST[asset]}

    def bought(self, since: int = 0) -> list[BookedOrder]:
        return [order for order in self.book.orders[since:] if order.side == "BUY"]

    def stop(self, asset: str) -> BookedOrder | None:
        """The one stop that rests for it."""
        found = [o for o in self.open_orders if (o.base, o.kind) == (asset, Kind.STOP_LOSS_LIMIT)]
        return found[0] if len(found) == 1 else None

    def trades(self) -> list[KeptTrade]:
        """The open ones."""
        known = kept(self.train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite")
        return [trade for trade in known.trades if trade.is_open]

    def is_held(self, *assets: str) -> bool:
        return all(asset in self.coins and self.stop(asset) is not None for asset in assets)

    def step_until(self, is_so: Callable[[], Any]) -> None:
        """Hours go by, and the agent looks after each."""
        for _ in range(MOST_HOURS):
            if is_so():
                return
            self.train.step(1)
        raise AssertionError(self.train.told())

    def trading(self) -> None:
        """It is let in again, and holds bitcoin with its stop."""
        assert self.train.sluice("resume").returncode == 0
        self.train.until_phase("sandbox", "running")
        self.step_until(lambda: self.is_held("BTC"))

    def kill(self) -> None:
        os.kill(self.train.pid("sandbox"), signal.SIGKILL)
        self.train.until(lambda: self.lock.holder() is None, 30)

    def hang(self) -> int:
        pid = self.train.pid("sandbox")
        os.kill(pid, signal.SIGSTOP)
        return pid

    def back(self, phase: str) -> None:
        """It is there again, after its time to wait has gone by, and has processed."""

        def there() -> bool:
            self.train.exchange.step(seconds=20)
            return self.train.strategy("sandbox").phase == phase

        self.train.until(there)
        self.train.exchange.step(minutes=1)

    def enters_nothing(self, hours: int = 7) -> None:
        """Over hours in which it would have bought both, and the agent looks now and then."""
        sent = len(self.book.orders)
        for hour in range(hours):
            self.train.exchange.step(hours=1)
            if hour % 3 == 0:
                self.train.round()
        assert self.bought(sent) == []

    def assert_looked_after(self) -> None:
        """Each position has trades that know it, a process, and stops for all of it."""
        assets = set(self.coins)
        assert "BTC" in assets
        held = {asset: Decimal(0) for asset in assets}
        for trade in self.trades():
            held[trade.pair.partition("/")[0]] += Decimal(repr(trade.amount))
        for asset in assets:
            assert abs(self.coins[asset] - held[asset]) <= DUST[asset], asset
            stops = [o for o in self.open_orders if o.base == asset and o.side == "SELL"]
            assert {order.kind for order in stops} == {Kind.STOP_LOSS_LIMIT}
            assert abs(sum(o.quantity for o in stops) - held[asset]) <= DUST[asset], asset
        assert [order for order in self.open_orders if order.side == "BUY"] == []
        os.kill(self.train.pid("sandbox"), 0)

    def assert_empty(self) -> None:
        """Nothing is left at the exchange."""
        assert (self.open_orders, self.coins) == ([], {})


@pytest.fixture(scope="module")
def page(root: Path) -> Page:
    return Page.of((root / "docs" / "runbook.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bot(lay: Lay, page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """A live bot that holds bitcoin, and somebody with the page."""
    with lay() as train:
        train.secret("sandbox")
        # Whenever it is let in, the candle that it sees first is one that it buys nothing on.
        train.exchange.step(hours=1)
        train.start()
        train.want("sandbox", train.release("1.0.0", STEADY, handover="adopt"))
        train.until_phase("sandbox", "running")
        folder = tmp_path_factory.mktemp("safe")
        reader = Reader(page, train.project, variables(train))
        reader.fills = {
            "ENV": "sandbox",
            "STRATEGY": "beat",
            "FILE": str(folder / "monday.tar"),
            "KEYS": str(folder / "keys"),
            "NEW": str(folder / "home"),
        }
        made = Bot(train, reader)
        made.step_until(lambda: made.is_held("BTC"))
        yield made
        if reader.running is not None and reader.running.poll() is None:
            reader.running.terminate()
            reader.running.wait()
        made.train.close()


def variables(train: Train) -> dict[str, str]:
    """What the agent was started with, as the page says it has to be set."""
    return {
        "SLUICE_HOME": str(train.home),
        "SLUICE_ROOT": str(train.project),
        "SLUICE_TRAIN": "environments/demo",
        "SLUICE_HOST": "demo",
        "SLUICE_EXCHANGE": str(train.exchange.ready_file),
    }


def test_first_always(bot: Bot) -> None:
    with bot.reader.section("First, always") as page:
        page.follow()
        bot.train.until_phase("sandbox", "halted")
        page.follow()
    bot.enters_nothing()
    bot.assert_looked_after()
    assert set(bot.coins) == {"BTC"}


def test_the_exchange_has_something_that_no_bot_knows(bot: Bot) -> None:
    assert bot.train.sluice("resume").returncode == 0
    bot.train.until_phase("sandbox", "running")
    sent = len(bot.book.orders)
    bot.train.exchange.fault("lost_answer", times=1, account="sandbox", side="BUY")
    for _ in range(MOST_HOURS):
        if any(order.executed for order in bot.bought(sent)):
            break
        bot.train.exchange.step(hours=1)
    lost = bot.bought(sent)[0]
    bot.train.round()
    with bot.train.exchange.then():
        api = bot.train.exchange.ccxt()
        price = api.fetch_ticker("BTC/USDT")["last"]
        planted = api.create_order("BTC/USDT", "limit", "buy", 30 / price, price * 1.02)
    bot.train.round()
    bot.train.round()
    orphans = {e["order"]: e["orphan"] for e in entries(bot, "orphaned")}
    assert set(orphans) == {str(lost.id), str(planted["id"])}
    with bot.reader.section("The exchange has something that no bot knows") as page:
        page.follow()
        bot.reader.fills["ORPHAN"] = orphans[str(lost.id)]
        page.follow()
        bot.train.until_phase("sandbox", "halted")
        bot.train.exchange.step(minutes=5)
        bot.reader.fills["ORPHAN"] = orphans[str(planted["id"])]
        page.follow()
        bot.train.round()
        bot.train.round()
        page.follow()
    bot.enters_nothing()
    bot.assert_looked_after()
    assert set(bot.coins) == {"BTC", "ETH"}


def entries(bot: Bot, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in bot.train.entries() if entry["entry"] == kind]


def test_a_position_has_no_stop(bot: Bot) -> None:
    """Its bot is dead, so that nobody puts it back."""
    # freqtrade takes orders that are nobody's for those of a trade that was open already: anew.
    assert bot.train.sluice("flatten", "sandbox").returncode == 0
    bot.trading()
    assert bot.train.sluice("halt").returncode == 0
    bot.train.until_phase("sandbox", "halted")
    bot.kill()
    stop = bot.stop("BTC")
    assert stop is not None
    with bot.train.exchange.then():
        bot.train.exchange.ccxt().cancel_order(str(stop.id), "BTC/USDT")
    for _ in range(3):
        bot.train.exchange.step(seconds=2)
        bot.train.round()
    with bot.reader.section("A position has no stop") as page:
        page.follow()
        page.follow()
        bot.assert_empty()
    bot.back("halted")
    bot.train.step(1)
    assert bot.trades() == []


def test_a_bot_is_dead_or_does_not_answer(bot: Bot) -> None:
    bot.trading()
    bot.kill()
    bot.train.round()
    with bot.reader.section("A bot is dead, or does not answer") as page:
        page.follow()
        bot.back("running")
        bot.assert_looked_after()
        pid = bot.hang()
        page.follow()
    bot.back("running")
    assert bot.train.pid("sandbox") != pid
    bot.assert_looked_after()


def test_a_bot_lost_more_than_it_may(bot: Bot) -> None:
    bot.trading()
    file = bot.train.project / "environments" / "demo" / "sandbox.yaml"
    before = yaml.safe_load(file.read_text())["protections"]
    limit = {"max_drawdown": {"limit": 0.004, "then": "flatten"}}
    bot.train.declare("sandbox", protections=before | limit)
    bot.train.round()
    bot.train.exchange.fault("price_gap", symbol="BTCUSDT", by=Decimal("-0.12"))
    bot.step_until(lambda: entries(bot, "tripped"))
    bot.train.step(1)
    with bot.reader.section("A bot lost more than it may") as page:
        page.follow()
    bot.assert_empty()
    bot.enters_nothing()
    bot.train.declare("sandbox", protections=before)


def test_a_bad_release_trades(bot: Bot) -> None:
    good = bot.train.release("1.0.0", STEADY, handover="adopt")
    # Its trades have a tag that the good one knows: or else nothing could be taken over.
    bad = bot.train.release("1.1.0", STEADY, handover="adopt")
    assert bot.train.sluice("flatten", "sandbox").returncode == 0
    bot.train.step(1)
    bot.train.want("sandbox", bad)
    assert bot.train.sluice("resume").returncode == 0
    bot.train.until_running("sandbox", bad)
    bot.step_until(lambda: bot.is_held("BTC"))
    bot.reader.fills["RELEASE"] = str(bad.id)
    with bot.reader.section("A bad release trades") as page:
        page.follow()
        bot.enters_nothing()
        bot.assert_looked_after()
        before, filled = bot.stop("BTC"), len(bot.book.fills)
        bot.train.declare("sandbox", handover={"way": "adopt"})
        runs(bot, good)
        page.follow()
        bot.enters_nothing()
        bot.assert_looked_after()
        after = bot.stop("BTC")
        assert before
        assert after
        assert (after.stop_price, len(bot.book.fills)) == (before.stop_price, filled)
        page.follow()
        bot.assert_empty()
        page.follow()
    bot.train.declare("sandbox", handover={"way": "drain"})
    bot.enters_nothing()
    bot.assert_empty()


def runs(bot: Bot, release: Release) -> None:
    """It was switched to a release, which enters nothing yet."""
    bot.train.exchange.step(minutes=1)

    def there() -> bool:
        told = bot.train.strategy("sandbox")
        return (told.running, told.phase) == (str(release.id), "halted")

    bot.train.until(there)


def test_the_agent_is_dead(bot: Bot) -> None:
    bot.trading()
    bot.train.kill()
    with bot.reader.section("The agent is dead") as page:
        page.follow()
        page.follow()
        sent = len(bot.book.orders)
        for _ in range(7):
            bot.train.exchange.step(hours=1)
        assert bot.bought(sent) == []
        bot.assert_looked_after()
        bot.kill()
        page.follow()
        bot.assert_empty()
        page.follow()
        bot.train.process = bot.reader.running
        answers(bot)
        bot.back("halted")
        page.follow()
    bot.enters_nothing()
    bot.assert_empty()


def answers(bot: Bot) -> None:
    process = bot.train.process
    assert process is not None

    def there() -> bool:
        assert process.poll() is None
        return bot.train.sluice("status").returncode == 0

    bot.train.until(there)


def test_the_host_is_gone(bot: Bot) -> None:
    bot.trading()
    old, new = bot.train, Path(bot.reader.fills["NEW"])
    with bot.reader.section("The host is gone") as page:
        page.follow()
        shutil.copytree(old.home / "secrets" / "sandbox" / "keys", bot.reader.fills["KEYS"])
        old.reboot()
        old.home.rename(old.home.with_name("gone"))
        old.exchange.step(minutes=11)
        page.follow()
        bot.train = Train(old.project, new, old.exchange, old.key)
        bot.train.process = bot.reader.running
        answers(bot)
        bot.back("halted")
        page.follow()
    bot.reader.environment = variables(bot.train)
    bot.enters_nothing()
    bot.assert_looked_after()


def test_a_key_leaked_or_was_revoked(bot: Bot) -> None:
    ready, pid = bot.train.exchange.ready, bot.train.pid("sandbox")
    with bot.reader.section("A key leaked, or was revoked") as page:
        page.follow()
        remote.ask(ready, "key", NewKey(name="sandbox", key="another-key", secret="another-secret"))
        page.follow("another-key\n")
        page.follow("another-secret\n")
        page.follow()
        bot.back("halted")
        page.follow()
    with bot.train.exchange.then(), pytest.raises(ccxt.AuthenticationError):
        bot.train.exchange.ccxt().fetch_balance()
    assert bot.train.pid("sandbox") != pid
    bot.enters_nothing()
    bot.assert_looked_after()


def test_out_of_it_again(bot: Bot) -> None:
    with bot.reader.section("Out of it again") as page:
        page.follow()
        page.follow()
        page.follow()
        bot.train.until_phase("sandbox", "running")
        page.follow()
    bot.step_until(lambda: bot.is_held("BTC"))
    bot.assert_looked_after()


def test_nothing_on_the_page_was_left_out(bot: Bot, page: Page) -> None:
    assert bot.reader.read == list(page.sections)
    assert page.commands - bot.reader.ran == set()


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (("imported 1f",), ""),
        (("imported 2e", "next: sluice resume sandbox beat"), ""),
        (("…", "next: sluice …"), ""),
        (("closed 1f",), "closed 1f"),
        (("next: sluice resume sandbox beat", "imported 1f"), "imported 1f"),
        (("next: sluice resume prod beat",), "next: sluice resume prod beat"),
    ],
)
def test_a_transcript_is_what_was_printed_but_for_figures(
    shown: tuple[str, ...], missing: str
) -> None:
    assert not_printed(shown, "imported 9c\nnext: sluice resume sandbox beat\n") == missing
