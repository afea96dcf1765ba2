"""`sluice demo`: the whole train with real freqtrade processes, and nothing that stays behind.

What it says is not asked: the ledger, the exchange's book, the bots' databases and the system's
list of processes tell what happened.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from pipelines.adapters.ledger import Ledger
from pipelines.adapters.releases import ReleaseStore
from pipelines.domain.entry import (
    Delivered,
    Entry,
    Halted,
    LeaseTaken,
    Orphaned,
    Resumed,
    Seen,
    Settled,
    Tripped,
    Verified,
)
from pipelines.domain.evidence import Evidence
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.record import Record
from pipelines.errors import BadInput
from pipelines.reports.timeline import Timeline
from pipelines.workflow.demo import project as demo_project
from pipelines.workflow.demo.chronicle import runs, trades
from pipelines.workflow.demo.project import STRATEGY
from runner.exchange.core.faults import Struck
from runner.exchange.core.orders import Accepted, Closed, Event, Filled, Order
from runner.exchange.journal import Journal
from runner.rehearsal.kept import Kept, kept

PATIENCE_SECONDS = 1500


@dataclass(frozen=True)
class Ran:
    """A demo that ended: where everything lies, how it ended, what it printed."""

    out: Path
    checkout: Path
    user: Path
    code: int
    said: str

    @property
    def home(self) -> Path:
        return self.out / "state"

    @cached_property
    def entries(self) -> list[Entry]:
        """What the ledger has of the sandbox, but for what was only seen."""
        every = (line.entry for line in self.ledger.read().lines)
        quiet = (Seen, LeaseTaken, Delivered)
        return [e for e in every if not isinstance(e, quiet) and e.environment == "sandbox"]

    @property
    def verified(self) -> list[datetime]:
        """When each release was read back in the sandbox."""
        return [entry.at for entry in self.entries if isinstance(entry, Verified)]

    @cached_property
    def live(self) -> Kept:
        """What the sandbox's bots had in their database."""
        return kept(self.home / f"bots/demo.sandbox/{STRATEGY}/live.sqlite")

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What the exchange wrote down."""
        journal = Journal(self.out / "exchange.sqlite")
        try:
            return journal.events()
        finally:
            journal.close()

    @property
    def orders(self) -> dict[int, Order]:
        """Orders of the sandbox's account."""
        accepted = [event.order for event in self.events if isinstance(event, Accepted)]
        return {order.id: order for order in accepted if order.account == "sandbox"}

    @property
    def bought(self) -> list[Order]:
        return [order for order in self.orders.values() if order.side == "BUY"]

    @property
    def executed(self) -> set[int]:
        """Those of which something was filled."""
        filled = {event.fill.order_id for event in self.events if isinstance(event, Filled)}
        return filled & set(self.orders)

    @property
    def resting(self) -> set[int]:
        """Those that were neither filled nor cancelled."""
        closed = {event.order_id for event in self.events if isinstance(event, Closed)}
        return set(self.orders) - self.executed - closed

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(f"sqlite:///{self.home / 'ledger.sqlite'}", self.home / "ledger.head")


def checkout_of(root: Path, folder: Path) -> Path:
    """A checkout with the one strategy that the demo follows."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "environments", folder / "environments")
    for name in (STRATEGY, "shared"):
        shutil.copytree(root / "strategies" / name, folder / "strategies" / name, ignore=ignored)
    return folder


def environment(user: Path) -> dict[str, str]:
    """A user with a home of his own, and settings that are about something else."""
    user.mkdir()
    others = {"HOME": str(user), "XDG_STATE_HOME": str(user), "SLUICE_HOME": str(user / "state")}
    return {**os.environ, **others, "SLUICE_LEDGER": "sqlite:////nowhere/ledger.sqlite"}


def command(checkout: Path, out: Path) -> list[str]:
    sluice = [sys.executable, "-m", "pipelines.cli", "--root", str(checkout)]
    return [*sluice, "demo", "--out", str(out)]


def left(out: Path) -> list[str]:
    """Every process that has to do with this demo."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            told = (each / "cmdline").read_bytes() + (each / "environ").read_bytes()
        except OSError:
            continue
        if str(out).encode() in told and each.name != str(os.getpid()):
            found.append(f"{each.name} {told[:200]!r}")
    return found


@pytest.fixture(scope="module")
def ran(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The whole demo, once."""
    folder = tmp_path_factory.mktemp("demo")
    out, user = folder / "out", folder / "user"
    checkout = checkout_of(root, folder / "checkout")
    ended = subprocess.run(
        command(checkout, out),
        env=environment(user),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Ran(out, checkout, user, ended.returncode, ended.stdout)


whole = [
    pytest.mark.slow,
    pytest.mark.freqtrade,
    pytest.mark.needs("git"),
    pytest.mark.needs("ssh-keygen"),
]


class TestTheWholeDemo:
    """One run, looked at from every side."""

    pytestmark = whole

    def test_it_comes_to_its_end(self, ran: Ran) -> None:
        assert ran.code == 0, ran.said[-4000:]

    def test_every_environment_got_its_releases_in_order(self, ran: Ran) -> None:
        way: dict[str, list[tuple[str, str]]] = {}
        for each in ran.ledger.read().lines:
            if isinstance(each.entry, Promotion):
                version = (each.entry.release or "").partition("@")[2].partition("+")[0]
                way.setdefault(each.entry.environment, []).append((each.entry.kind, version))
        old, new = (Kind.PROMOTE, "1.0.0"), (Kind.PROMOTE, "1.1.0")
        assert way == {
            "test": [old, new],
            "sandbox": [old, new, (Kind.ROLLBACK, "1.0.0")],
            "prod": [old],
        }

    def test_every_promotion_was_read_back_before_another_came(self, ran: Ran) -> None:
        entries = [line.entry for line in ran.ledger.read().lines]
        for name in ("test", "sandbox", "prod"):
            kept = (Promotion, Verified)
            own = [e for e in entries if isinstance(e, kept) and e.environment == name]
            kinds = [type(entry) for entry in own]
            assert kinds == [Promotion, Verified] * (len(own) // 2)
            assert all(p.digest == v.digest for p, v in zip(own[::2], own[1::2], strict=True))

    def test_it_ends_with_the_old_release_and_on_hold(self, ran: Ran) -> None:
        chain = ran.ledger.read()
        track = Record.of(chain.lines).track("sandbox", STRATEGY)
        assert track.current is not None
        assert track.current.verified
        assert "@1.0.0+" in (track.current.promotion.release or "")
        assert track.undone is not None
        assert "@1.1.0+" in (track.undone.release or "")
        assert ran.ledger.verify().broken is None

    def test_live_bots_left_orders_in_the_exchange_s_book(self, ran: Ran) -> None:
        journal = Journal(ran.out / "exchange.sqlite")
        accepted = [event for event in journal.events() if isinstance(event, Accepted)]
        journal.close()
        booked = {str(event.order.id) for event in accepted}
        for name in ("sandbox", "prod"):
            own = _orders(ran.home / f"bots/demo.{name}/{STRATEGY}/live.sqlite")
            assert own
            assert set(own) <= booked

    def test_live_trades_were_closed_and_held_to_the_books(self, ran: Ran) -> None:
        database = ran.home / f"bots/demo.sandbox/{STRATEGY}/live.sqlite"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
            closed = opened.execute("SELECT COUNT(*) FROM trades WHERE is_open = 0").fetchone()
        assert closed[0] >= 3
        assert ran.said.count("freqtrade and the exchange's book are equal to the last unit") == 2

    def test_on_paper_nothing_was_ordered(self, ran: Ran) -> None:
        orders = _orders(ran.home / f"bots/demo.test/{STRATEGY}/dry_run.sqlite")
        assert orders
        assert all(str(order).startswith("dry_run") for order in orders)

    def test_both_releases_are_labelled_demo(self, ran: Ran) -> None:
        store = ReleaseStore(ran.home)
        labels = [store.stored(digest).statement.predicate.label for digest in store.digests()]
        assert labels == ["demo", "demo"]

    def test_an_entry_whose_answer_was_lost_is_found_halted_for_and_imported_once(
        self, ran: Ran
    ) -> None:
        assert len([event for event in ran.events if isinstance(event, Struck)]) == 1
        own = [e for e in ran.entries if isinstance(e, Orphaned | Halted | Settled | Resumed)]
        orphan, halt, settled, resumed = own[:4]
        assert isinstance(orphan, Orphaned)
        assert isinstance(halt, Halted)
        assert isinstance(settled, Settled)
        assert isinstance(resumed, Resumed)
        assert (halt.by, halt.strategy, orphan.orphan in halt.reason) == ("agent", STRATEGY, True)
        assert (settled.orphan, settled.how) == (orphan.orphan, "imported")
        assert int(orphan.order) in ran.orders
        assert [type(e) for e in own].count(Orphaned) == [type(e) for e in own].count(Settled) == 1

        (order,) = [each for each in ran.live.orders if each.order_id == orphan.order]
        (trade,) = [each for each in ran.live.trades if each.id == order.ft_trade_id]
        exits = [
            each
            for each in ran.live.orders
            if each.ft_trade_id == trade.id
            and each.side == "sell"
            and (each.filled if not trade.is_open else int(each.order_id) in ran.resting)
        ]
        assert len(exits) == 1, "one exit that was filled, or one stop that rests at the exchange"

    def test_after_the_crash_there_was_one_bot_and_nothing_was_doubled(self, ran: Ran) -> None:
        told = timeline(ran)
        killed, healed = (e for e in told.entries if e.what in ("killed", "healed"))
        assert (killed.what, killed.number, healed.number) == ("killed", None, None)
        around = [
            standing
            for sample in told.samples
            for standing in sample.standings
            if standing.environment == "sandbox" and killed.at <= sample.at <= healed.at
        ]
        after = around[-1]
        before = [each for each in around if each.pid not in (None, after.pid)][-1]
        assert before.open_trades
        assert killed.text.endswith(f"open trades: {before.open_trades}")
        assert (before.running, after.running) == (killed.release, killed.release)
        assert (after.phase, after.open_trades) == ("running", before.open_trades)
        # One after the other: began, gave way to the import, was killed.
        of_first = list(pids(told, "sandbox", "@1.0.0+"))
        assert len(set(of_first[: of_first.index(after.pid or 0) + 1])) == 3

        entered = [(order.symbol, order.placed_at) for order in ran.bought]
        assert len(set(entered)) == len(entered)
        known = [int(order.order_id) for order in ran.live.orders if order.filled]
        assert sorted(known) == sorted(ran.executed)

    def test_a_protection_halted_the_worse_release_for_good(self, ran: Ran) -> None:
        (trip,) = [entry for entry in ran.entries if isinstance(entry, Tripped)]
        (halt,) = [entry for entry in ran.entries if isinstance(entry, Halted) and entry.limit]
        assert (trip.environment, trip.limit) == ("sandbox", "max_asset_exposure")
        assert trip.actual is not None
        assert trip.actual > trip.allowed
        assert (halt.by, halt.limit, halt.reason) == ("agent", trip.limit, trip.reason)
        new, old = ran.verified[-2:]
        bought = [o for o in ran.bought if milliseconds(new) <= o.placed_at < milliseconds(old)]
        assert bought
        assert max(order.placed_at for order in bought) <= milliseconds(halt.at)

    def test_the_worse_release_was_drained_and_had_lost_when_it_was_taken_back(
        self, ran: Ran
    ) -> None:
        (back,) = [e for e in ran.entries if isinstance(e, Promotion) and e.kind is Kind.ROLLBACK]
        (halt,) = [entry for entry in ran.entries if isinstance(entry, Halted) and entry.limit]
        new, old = ran.verified[-2:]
        assert back.reason == halt.reason
        own = [t for t in ran.live.trades if new <= date(t.open_date) < old]
        assert own
        assert all(trade.close_date and date(trade.close_date) <= old for trade in own)
        assert sum(trade.close_profit_abs or 0 for trade in own) < 0
        last = ran.entries[-1]
        assert isinstance(last, Resumed)
        assert trades(timeline(ran).samples[-1], "sandbox", back.release or "")

    def test_prod_never_ran_another_release(self, ran: Ran) -> None:
        told = timeline(ran)
        ran_there = {
            standing.running
            for sample in told.samples
            for standing in sample.standings
            if standing.environment == "prod"
        } - {None}
        (only,) = ran_there
        assert runs(told.samples[-1], "prod", only or "")

    def test_it_ends_as_the_readme_shows(self, ran: Ran, root: Path) -> None:
        readme = (root / "README.md").read_text(encoding="utf-8")
        shown = readme.partition("$ sluice status\n")[2].partition("```")[0]
        printed = {_plain(line) for line in ran.said.splitlines()}
        assert shown
        assert [line for line in shown.splitlines() if _plain(line) not in printed] == []

    def test_it_leaves_a_page(self, ran: Ran) -> None:
        page = (ran.out / "index.html").read_text()
        assert "SYNTHETIC CANDLES" in page
        assert (ran.out / "report" / "index.html").is_file()

    def test_no_process_stays_behind(self, ran: Ran) -> None:
        assert left(ran.out) == []

    def test_neither_the_checkout_nor_the_home_changed(self, ran: Ran, root: Path) -> None:
        assert list(ran.user.iterdir()) == []
        assert {path.name for path in ran.checkout.iterdir()} == {"environments", "strategies"}
        for path in (ran.checkout / "environments").rglob("*"):
            if path.is_file():
                assert path.read_bytes() == (root / path.relative_to(ran.checkout)).read_bytes()

    def test_no_secret_is_printed(self, ran: Ran) -> None:
        key = (ran.out / "keys" / demo_project.APPROVER).read_text().splitlines()[1]
        assert key not in ran.said
        assert "--account=sandbox:…:…:USDT=250:ip=127.0.0.1" in ran.said


def _plain(line: str) -> str:
    """A line without its figures, which are another market's, another pin's or another day's."""
    return " ".join(re.sub(r"\S*\d\S*", "#", line).split())


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def date(told: str) -> datetime:
    """A moment of freqtrade's, which has no other time than UTC."""
    return datetime.fromisoformat(told).replace(tzinfo=UTC)


def pids(told: Timeline, environment: str, version: str) -> Iterator[int]:
    """The bot's process at every look at a release."""
    for sample in told.samples:
        for standing in sample.standings:
            own = standing.environment == environment and version in (standing.running or "")
            if own and standing.pid:
                yield standing.pid


def timeline(ran: Ran) -> Timeline:
    return Timeline.model_validate_json((ran.out / "timeline.json").read_bytes())


def _orders(database: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return [row[0] for row in opened.execute("SELECT order_id FROM orders")]


EASY = """\
admission:
  max_forced_exit_share: 1
  windows:
    bull: {min_trades: 1}
  incumbent: {max_sharpe_loss: 10, max_profit_loss: 1, max_drawdown_rise: 1}
"""
"""A door that opens soon: how long the gate takes is no matter here."""


@pytest.mark.slow
@pytest.mark.freqtrade
@pytest.mark.needs("git")
@pytest.mark.needs("ssh-keygen")
@pytest.mark.needs("bubblewrap")
@pytest.mark.parametrize(
    ("number", "weak"), [(signal.SIGINT, False), (signal.SIGTERM, True)], ids=["int", "term, weak"]
)
def test_an_interrupt_leaves_no_process(
    root: Path, tmp_path: Path, number: signal.Signals, *, weak: bool
) -> None:
    """And where there is no isolation it does without, and says so."""
    checkout, out = checkout_of(root, tmp_path / "checkout"), tmp_path / "out"
    door = checkout / "environments/demo/test.yaml"
    door.write_text(door.read_text().partition("admission:")[0] + EASY)
    manifest = checkout / "strategies" / STRATEGY / "strategy.yaml"
    pairs = "pairs: [BTC/USDT, ETH/USDT, SOL/USDT, ADA/USDT, LTC/USDT]"
    assert pairs in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(pairs, "pairs: [BTC/USDT]"))
    said = tmp_path / "said"
    with said.open("wb") as log:
        demo = subprocess.Popen(
            command(checkout, out),
            env={**environment(tmp_path / "user"), **(_bare(tmp_path) if weak else {})},
            stdout=log,
            stderr=log,
            # As at a keyboard: the interrupt reaches the whole group.
            start_new_session=True,
        )
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while "test     verified" not in said.read_text():
            assert demo.poll() is None, said.read_text()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.2)
        there = left(out)
        assert any("runner.bots.preloaded" in each for each in there)
        assert any("runner.exchange" in each for each in there)
        os.killpg(demo.pid, number)
        assert demo.wait(120) == 130
    finally:
        demo.kill()
        demo.wait()
    assert left(out) == []
    assert "interrupted" in said.read_text()
    told = said.read_text().count("weak isolation, for the demo only")
    evidence = [Evidence.model_validate_json(p.read_bytes()) for p in out.rglob("evidence/*/*")]
    kinds = {each.isolation for each in evidence}
    assert (told, kinds) == ((1, {"weak"}) if weak else (0, {"full"}))


def _bare(tmp_path: Path) -> dict[str, str]:
    """A machine with git and ssh-keygen, and no isolation."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "ssh-keygen"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(folder)}


def test_what_is_no_demo_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="something else than a demo of ours"):
        demo_project.clear(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_earlier_demo_makes_room(tmp_path: Path) -> None:
    ground = demo_project.clear(tmp_path / "out")
    (ground.out / "timeline.json").write_text("{}")
    assert demo_project.clear(tmp_path / "out") == ground
    assert not (ground.out / "timeline.json").exists()
