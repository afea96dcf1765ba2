"""`sluice import-bot` over open trades: a stock freqtrade opened them, and a release sells them."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters import agent
from pipelines.adapters.agent import TakenOver, TakeOver
from pipelines.adapters.ledger import Ledger
from pipelines.domain.entry import Seen, Verified
from pipelines.domain.promotion import Kind, Promotion, Risk
from pipelines.domain.release import Release
from pipelines.errors import ExitCode
from runner.agent import records
from runner.exchange import remote
from runner.exchange.messages import AccountBook, BookedOrder
from runner.rehearsal.bot import SteppedBot, stepped_bot
from runner.rehearsal.kept import Kept, kept
from runner.rehearsal.reconciliation import differences
from tests.agent.conftest import Lay
from tests.agent.train import Train
from tests.exchange.test_live_bot import BEAT, configured

pytestmark = [pytest.mark.freqtrade, pytest.mark.needs("ssh-keygen")]

MOST_HOURS = 12
SOAKED_HOURS = 14
TRAIN = ("--train", "environments/demo")
LOOSER = BEAT.replace("stoploss = -0.2", "stoploss = -0.4")


@dataclass
class Mine:
    """A freqtrade of one's own in its folder, and the train that may take it over."""

    train: Train
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "trades.sqlite"

    @property
    def kept(self) -> tuple[bytes, ...]:
        """Its database, and what SQLite has not written into it yet."""
        log = self.database.with_name(f"{self.database.name}-wal")
        return tuple(path.read_bytes() for path in (self.database, log) if path.exists())

    @property
    def taken(self) -> Path:
        """Where its trades would be."""
        return self.train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"

    @property
    def book(self) -> AccountBook:
        return remote.book(self.train.exchange.ready, "key")

    def sent(self, side: str) -> list[BookedOrder]:
        return [order for order in self.book.orders if order.side == side]

    def stops(self) -> list[BookedOrder]:
        """Stops that rest at the exchange."""
        return [o for o in self.book.orders if (o.kind, o.standing) == ("STOP_LOSS_LIMIT", "NEW")]

    def imported(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.train.sluice("import-bot", str(self.folder), "sandbox", *TRAIN, *words)

    def refused(self, *words: str) -> list[str]:
        """Why nothing is taken over; nothing has changed by it, and the old database least."""
        before = self.kept, self.train.entries(), self.book
        ended = self.imported(*words)
        assert ended.returncode == ExitCode.REFUSED, ended.stderr
        assert (self.kept, self.train.entries(), self.book) == before
        assert not self.taken.exists()
        assert not self.train.house.owner("sandbox", "beat").exists()
        said = (line for line in ended.stderr.splitlines() if line.startswith("error: "))
        return [line.removeprefix("error: ") for line in said]

    def approve(self, release: Release, *risks: Risk) -> None:
        words = [word for risk in risks for word in ("--accept", risk)]
        key = ("--key", str(self.train.approver))
        ended = self.train.sluice("approve", str(release.id), "sandbox", *key, *words)
        assert ended.returncode == 0, ended.stderr


@contextmanager
def stock(folder: Path, config: dict[str, Any]) -> Iterator[SteppedBot]:
    """freqtrade as it is, with files of one's own."""
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "beat.py").write_text(BEAT)
    with ExitStack() as bot, pytest.MonkeyPatch.context() as patch:
        # freqtrade writes no log where it thinks that it is itself being tested.
        for name in [name for name in os.environ if "PYTEST" in name]:
            patch.delenv(name)
        yield bot.enter_context(stepped_bot(folder, [folder / "config.json"]))


def soaked(train: Train, release: Release) -> None:
    """It ran upstream, on another host, for as long as is asked."""
    about = {"environment": "test", "strategy": "beat", "digest": release.digest}
    began = train.exchange.now - timedelta(hours=SOAKED_HOURS)
    promoted = Promotion(
        kind=Kind.PROMOTE,
        environment="test",
        strategy="beat",
        release=str(release.id),
        digest=release.digest,
        by="a test",
        at=began,
    )
    seen = [
        Seen(**about, closed=1, at=began + timedelta(minutes=30 * n))
        for n in range(1, 2 * SOAKED_HOURS)
    ]
    with closing(Ledger.open(train.house.ledger, train.house.anchor)) as ledger:
        ledger.append(promoted, Verified(**about, at=began), *seen)


@pytest.fixture(scope="module")
def mine(lay: Lay, approver: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mine]:
    with lay(approver) as train:
        train.secret("sandbox")
        train.declare("test", host="elsewhere")
        train.start()
        yield Mine(train, tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def running(mine: Mine) -> Iterator[ExitStack]:
    """It has opened a trade by itself, whose stop rests at the exchange; it still runs."""
    exchange = mine.train.exchange
    config = configured(exchange.ready.api_url, dry_run=False)
    config["exchange"]["pair_whitelist"] = ["BTC/USDT", "ETH/USDT"]
    config |= {"stake_amount": 20, "available_capital": 200, "max_open_trades": 5}
    config["entry_pricing"]["price_side"] = "other"
    with ExitStack() as stack:
        bot = stack.enter_context(stock(mine.folder, config))
        for _ in range(MOST_HOURS):
            bot.turn(exchange.now)
            if len(mine.stops()) == 2:
                break
            exchange.step(minutes=30)
        assert len(mine.stops()) == 2, bot.log.read_text()
        yield stack


@pytest.fixture(scope="module")
def release(mine: Mine) -> Release:
    return mine.train.release("1.0.0", BEAT)


@pytest.fixture(scope="module")
def looser(mine: Mine) -> Release:
    return mine.train.release("1.1.0", LOOSER)


def test_while_it_runs_it_keeps_what_it_has(
    mine: Mine, running: ExitStack, release: Release
) -> None:
    said = mine.refused("--release", str(release.id))
    assert len(said) == 1
    assert said[0].startswith(f"{mine.database}: is in use: end the bot first, process ")


@pytest.fixture(scope="module")
def stopped(mine: Mine, running: ExitStack) -> tuple[bytes, ...]:
    """It was ended, over its open trades; what it kept of them."""
    running.close()
    assert len(mine.stops()) == 2
    return mine.kept


def test_without_a_release_nobody_would_look_after_what_is_open(
    mine: Mine, stopped: tuple[bytes, ...]
) -> None:
    reason = "2 trades are open: name the release that takes them over, with --release"
    assert mine.refused() == [reason]


def test_a_release_that_may_not_come_in_gets_no_trades_either(
    mine: Mine, stopped: tuple[bytes, ...], release: Release
) -> None:
    said = mine.refused("--release", str(release.id))
    assert any(line.startswith("upstream: it never was in test") for line in said), said
    assert any(line.startswith("approval: ") for line in said), said


def test_what_a_release_would_loosen_is_refused(
    mine: Mine, stopped: tuple[bytes, ...], looser: Release
) -> None:
    soaked(mine.train, looser)
    mine.approve(looser)
    said = mine.refused("--release", str(looser.id))
    assert len(said) == 2, said
    assert all("its stop is loosened from " in line for line in said)
    assert all(line.endswith(f"({Risk.LOOSER_STOP})") for line in said)


def test_what_the_book_has_and_the_database_does_not_is_refused_with_all_the_rest(
    mine: Mine, stopped: tuple[bytes, ...], looser: Release
) -> None:
    """Somebody bought by hand, or an answer was lost: whose coins these are nobody can tell."""
    with mine.train.exchange.then():
        api = mine.train.exchange.ccxt()
        price = api.fetch_ticker("ETH/USDT")["last"]
        order = api.create_order("ETH/USDT", "limit", "buy", 30 / price, price * 1.02)
    said = mine.refused("--release", str(looser.id))
    assert sum("its stop is loosened" in line for line in said) == 2
    assert any(line.startswith("orphan ") and order["id"] in line for line in said), said
    with mine.train.exchange.then():
        amount = api.fetch_order(order["id"], "ETH/USDT")["filled"] * 0.999
        sale = api.create_order("ETH/USDT", "market", "sell", amount)
    assert sale["status"] == "closed"
    assert not any("orphan" in line for line in mine.refused("--release", str(looser.id))), (
        "what is gone is no reason any more"
    )


def test_coins_that_are_gone_are_a_reason_too(
    mine: Mine, stopped: tuple[bytes, ...], looser: Release, tmp_path: Path
) -> None:
    """By a copy in which more was bought than there is."""
    other = Mine(mine.train, tmp_path / "other")
    shutil.copytree(mine.folder, other.folder)
    with closing(sqlite3.connect(other.database)) as database, database:
        database.execute("UPDATE orders SET filled = 10, amount = 10 WHERE ft_order_side = 'buy'")
        database.execute("UPDATE orders SET order_id = order_id || '7'")
    said = other.refused("--release", str(looser.id))
    assert any(" are missing on sandbox" in line for line in said), said


def test_a_looser_stop_that_was_signed_for_is_no_reason_any_more(
    mine: Mine, stopped: tuple[bytes, ...], looser: Release
) -> None:
    mine.approve(looser, Risk.LOOSER_STOP)
    given = TakeOver(
        environment="sandbox",
        strategy="beat",
        database=str(mine.database),
        dry_run=False,
        look=True,
        release=str(looser.id),
        source=str(mine.folder / "beat.py"),
    )
    told = TakenOver.model_validate(agent.ask(mine.train.home, "take-over", given))
    assert told.open == 2
    assert not mine.taken.exists(), "it was only looked at"


@pytest.fixture(scope="module")
def taken(mine: Mine, stopped: tuple[bytes, ...], release: Release) -> Kept:
    """What it knew is taken over by a release that may; what it was."""
    before = kept(mine.database)
    soaked(mine.train, release)
    mine.approve(release)
    ended = mine.imported("--release", str(release.id), "--json")
    assert ended.returncode == 0, ended.stderr + mine.train.told()
    told = json.loads(ended.stdout)
    assert (told["planted"], told["database"]["open"]) == (False, 2)
    assert f"{release.id} looks after the open ones: 2" in ended.stderr
    return before


def test_the_release_is_wanted_and_knows_whose_trades_they_are(
    mine: Mine, taken: Kept, release: Release
) -> None:
    (promoted,) = [
        e
        for e in mine.train.entries()
        if e.get("environment") == "sandbox" and e["entry"] == "promotion"
    ]
    assert (promoted["digest"], promoted["reason"]) == (
        release.digest,
        f"takes over what {mine.database} traded",
    )
    assert len(promoted["approvals"]) == 1


def test_it_trades_only_with_every_stop_at_the_exchange(
    mine: Mine, taken: Kept, release: Release
) -> None:
    resting, bought = mine.stops(), mine.sent("BUY")
    mine.train.until(lambda: mine.train.strategy("sandbox").phase in ("running", "paused"))
    mine.train.exchange.step(minutes=1)
    there = mine.train.until_running("sandbox", release)
    assert there.open_trades == 2
    record = records.load(mine.train.house.record("sandbox", "beat"))
    assert record is not None
    assert set(record.inherited) == {trade.id for trade in taken.trades if trade.is_open}
    known = kept(mine.taken)
    assert [t.id for t in known.trades if t.is_open] == [t.id for t in taken.trades if t.is_open]
    assert [stop.base for stop in mine.stops()] == [stop.base for stop in resting]
    assert {str(stop.id) for stop in mine.stops()} <= {o.order_id for o in known.orders}
    assert mine.sent("BUY") == bought, "nothing was bought twice"


def test_it_sells_them_and_the_books_agree(
    mine: Mine, taken: Kept, stopped: tuple[bytes, ...]
) -> None:
    own = {trade.id for trade in taken.trades if trade.is_open}
    for _ in range(MOST_HOURS):
        closed = {trade.id for trade in kept(mine.taken).trades if not trade.is_open}
        if own <= closed:
            break
        mine.train.step(1)
    assert own <= closed, mine.train.told()
    known, book = kept(mine.taken), mine.book
    sold = [o for o in known.orders if o.ft_trade_id in own and o.side == "sell" and o.filled]
    assert len(sold) == 2, "each once"
    by_hand = {f"order {o.id}" for o in book.orders} - {f"order {o.order_id}" for o in known.orders}
    assert len(by_hand) == 2, "what was bought and sold by hand, and nothing else"
    told = [d for d in differences(known, book) if d.what.startswith(("order ", "trade "))]
    assert [d for d in told if d.what not in by_hand] == []
    assert all(book.balances[coin] < Decimal("0.0002") for coin in ("BTC", "ETH"))
    assert mine.kept == stopped, "the old one is as it was"
    mine.train.round()
    assert [e for e in mine.train.entries() if e["entry"] == "orphaned"] == []


def test_it_is_imported_once(mine: Mine, taken: Kept, release: Release) -> None:
    ended = mine.imported("--release", str(release.id))
    assert ended.returncode == ExitCode.REFUSED
    assert "beat is wanted in sandbox already" in ended.stderr
