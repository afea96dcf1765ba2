"""The train with real bots: from a delivered release to real orders."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.domain.release import Release
from pipelines.errors import CannotTell, Refused
from pipelines.freqtrade.rest import Rest
from pipelines.workflow import train as workflow
from runner.agent import records
from runner.agent.house import user_of
from runner.agent.trades import closed_since, open_trades
from runner.exchange import remote
from runner.rehearsal import kept
from runner.rehearsal.reconciliation import differences
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = [pytest.mark.freqtrade, pytest.mark.needs("ssh-keygen")]

Gone = tuple[Train, Release]

SOAK_HOURS = 13


@pytest.fixture(scope="module")
def delivered(lay: Lay, approver: Path) -> Iterator[Gone]:
    """A release that was delivered, and is verified in test."""
    with lay(approver) as train:
        train.secret("sandbox")
        train.start()
        release = train.release()
        ended = train.sluice("deliver", str(release.id))
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.splitlines()[1].startswith("wanted in test")
        train.until_phase("test", "running")
        yield train, release


@pytest.fixture(scope="module")
def soaked(delivered: Gone) -> Gone:
    """The same, soaked in test."""
    train, release = delivered
    train.step(SOAK_HOURS)
    return train, release


@pytest.fixture(scope="module")
def live(soaked: Gone, approver: Path) -> Gone:
    """The same, approved and promoted: a bot that trades money, for a day of the exchange."""
    train, release = soaked
    for command in (
        ("approve", str(release.id), "sandbox", "--key", str(approver)),
        ("promote", str(release.id), "sandbox", "--reason", "it soaked"),
    ):
        ended = train.sluice(*command)
        assert ended.returncode == 0, ended.stderr
    train.until_phase("sandbox", "running")
    train.step(12)
    return train, release


def test_what_was_delivered_runs_verified_and_as_a_user_of_its_own(delivered: Gone) -> None:
    train, release = delivered
    there = train.strategy("test")

    assert (there.running, there.desired) == (str(release.id), str(release.id))
    assert (there.verified, there.healthy, there.decision) == (True, True, "")
    assert train.counted() == {"lease": 1, "delivered": 1, "promotion": 1, "verified": 1}
    own = user_of("test")
    process = Path(f"/proc/{train.pid('test')}")
    assert process.stat().st_uid == (own.uid if own else os.geteuid())


def test_delivering_the_same_again_changes_nothing(delivered: Gone) -> None:
    train, release = delivered
    before = train.entries()

    told = workflow.deliver(train.place, str(release.id))

    same = {"release": str(release.id), "digest": release.digest}
    assert told == {**same, "promoted": ["test"], "refused": {}}
    assert train.entries() == before


def test_what_has_not_soaked_is_refused_with_every_reason_and_nothing_changes(
    delivered: Gone,
) -> None:
    train, release = delivered
    before = train.entries()

    ended = train.sluice("promote", str(release.id), "sandbox")

    assert ended.returncode == Refused.code
    said = [line.split(": ")[1] for line in ended.stderr.splitlines() if "error:" in line]
    assert said == ["soak time", "soak trades", "approval"]
    assert "hint: " in ended.stderr
    assert train.entries() == before


def test_the_soak_counts_hours_and_closed_trades(soaked: Gone) -> None:
    train, release = soaked
    told = workflow.explain(train.place, str(release.id), "sandbox", 1)

    assert [reason.because for reason in told.reasons] == ["approval"]
    soak = {ground.because: ground.text for ground in told.grounds}
    assert soak["soak time"] == f"{SOAK_HOURS}.0 of 12.0 hours verified in test"
    assert int(soak["soak trades"].split()[0]) >= 1


def test_an_approval_for_another_environment_opens_nothing(soaked: Gone, approver: Path) -> None:
    train, release = soaked
    with pytest.raises(Refused):
        workflow.approve(train.place, str(release.id), "test", 1, approver, timedelta(days=1))


def test_every_order_of_the_live_bot_equals_the_exchange_s_book(live: Gone) -> None:
    train, _ = live
    database = train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"
    mine, theirs = kept.kept(database), remote.book(train.exchange.ready, "key")

    assert len(theirs.orders) >= 4
    assert len(mine.closed) >= 1
    assert differences(mine, theirs) == ()


def test_a_bot_shows_no_secret_to_whoever_looks_at_it(live: Gone) -> None:
    train, _ = live
    process = Path(f"/proc/{train.pid('sandbox')}")
    record = train.house.record("sandbox", "beat")

    shown = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    assert b"secret" not in shown
    assert record.stat().st_mode & 0o777 == 0o600
    assert [
        path
        for path in train.home.rglob("*")
        if path.is_file() and b'"secret": "secret"' in path.read_bytes()
    ] == []


def test_the_bot_s_own_api_tells_what_its_database_has(live: Gone) -> None:
    train, release = live
    record = records.load(train.house.record("sandbox", "beat"))
    assert record is not None
    since = record.promotion.at
    database = train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"

    shown, balance = record.rest.shown(), record.rest.balance()
    assert (shown.dry_run, shown.state, shown.strategy) == (False, "running", "Beat")
    assert shown.bot_name == f"sandbox beat {release.version}"
    assert (balance.stake, 0 < balance.own <= 250) == ("USDT", True)
    assert len(record.rest.open_trades()) == open_trades(database)
    closed = record.rest.closed_trades(since)
    assert len(closed) == closed_since(database, since)
    assert all(not each.is_open and each.opened_at >= since for each in closed)
    assert record.rest.closed_trades(since + timedelta(days=99)) == ()
    for wrong in (Rest(record.rest.url, "agent", "guessed"), Rest("http://127.0.0.1:9", "", "")):
        with pytest.raises(CannotTell, match="the bot"):
            wrong.shown()


def test_a_halt_ends_entries_and_resuming_lets_them_in_again(live: Gone) -> None:
    train, _ = live
    assert train.sluice("halt", "sandbox", "--reason", "careful").returncode == 0
    train.until_phase("sandbox", "halted")
    sent = remote.book(train.exchange.ready, "key").orders
    train.step(5)
    more = remote.book(train.exchange.ready, "key").orders[len(sent) :]
    assert [order for order in more if order.side == "BUY"] == []

    assert train.sluice("resume", "sandbox").returncode == 0
    train.until_phase("sandbox", "running")
    train.step(5)
    more = remote.book(train.exchange.ready, "key").orders[len(sent) :]
    assert [order for order in more if order.side == "BUY"] != []


def test_bots_go_on_without_the_agent_and_the_next_one_finds_them(live: Gone) -> None:
    train, _ = live
    pids = train.pid("test"), train.pid("sandbox")
    train.kill()
    traded = len(remote.book(train.exchange.ready, "key").orders)
    for _ in range(4):
        state = train.exchange.step(hours=1)
    assert state.followers == ("sandbox.beat", "test.beat")
    assert len(remote.book(train.exchange.ready, "key").orders) > traded

    train.start()

    assert train.strategy("sandbox").healthy
    assert (train.pid("test"), train.pid("sandbox")) == pids
    assert train.counted()["verified"] == 2


def test_a_killed_bot_is_missed_by_nobody_and_comes_back_verified(live: Gone) -> None:
    train, release = live
    pid = train.pid("sandbox")
    assert train.strategy("sandbox").pid == pid
    os.kill(pid, signal.SIGKILL)
    assert train.until_phase("sandbox", "failed").pid is None

    def back() -> bool:
        # It opens no trades before an order that was on its way has come to its end.
        train.exchange.step(minutes=5)
        return train.strategy("sandbox").phase == "running"

    train.until(back)
    there = train.strategy("sandbox")

    assert (there.running, there.verified) == (str(release.id), True)
    assert train.pid("sandbox") != pid
    train.step(4)
    database = train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"
    book = remote.book(train.exchange.ready, "key")
    assert differences(kept.kept(database), book) == ()
