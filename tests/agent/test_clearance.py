"""With which keys, and on which hosts, a live bot is started: looked at before every start."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from shutil import copytree

import pytest

from pipelines.adapters.agent import StrategyStatus
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.promotion import Risk
from pipelines.domain.release import Release
from pipelines.domain.secret import Scope, SecretName
from pipelines.errors import ExitCode
from pipelines.workflow import train as workflow
from runner.agent.trades import open_trades
from runner.exchange import remote
from runner.exchange.core.orders import Permission
from runner.exchange.messages import NewAccount
from tests.agent.conftest import Lay
from tests.agent.train import Train

pytestmark = [pytest.mark.freqtrade, pytest.mark.needs("ssh-keygen")]

HERE = ("127.0.0.1",)
MOST_HOURS = 12


@pytest.fixture(scope="module")
def train(lay: Lay, approver: Path) -> Iterator[Train]:
    """An agent without bots."""
    with lay(approver) as train:
        train.start()
        yield train


@pytest.fixture(scope="module")
def release(train: Train) -> Release:
    return train.release()


def account(  # the agent looks again after each answer: what a test leaves behind is unfit, too
    train: Train,
    name: str,
    *may: Permission,
    at: tuple[str, ...] = HERE,
    usdt: int = 250,
) -> None:
    """Open an account, and let sandbox have its key."""
    funds = {"USDT": Decimal(usdt)}
    key, secret = f"key-of-{name}", f"secret-of-{name}"
    opened = NewAccount(
        name=name, key=key, secret=secret, permissions=may or None, addresses=at, funds=funds
    )
    train.exchange.ask("account", opened)
    train.secret("sandbox", key, secret)


def forget(train: Train, scope: Scope) -> None:
    for name in (SecretName.EXCHANGE_KEY, SecretName.EXCHANGE_SECRET):
        SecretStore(train.home).remove(scope, name)


def refused(train: Train) -> str:
    """Why no bot runs in sandbox, after a round; nobody trades there."""
    there = train.strategy("sandbox")
    assert (there.phase, there.running, there.healthy) == ("absent", None, False), there
    assert not train.house.lock("sandbox", "beat").held()
    told = (alert.text.removeprefix("Start: ").splitlines() for alert in train.alerts())
    assert there.decision in {"; ".join(lines) for lines in told}
    return there.decision


@pytest.fixture(scope="module")
def wanted(train: Train, release: Release) -> Train:
    """The same, and a release is wanted in sandbox that has no secrets."""
    train.want("sandbox", release)
    return train


def test_without_secrets_nothing_is_asked(wanted: Train) -> None:
    told = refused(wanted)
    assert "secrets: should be sandbox/sandbox exchange_key on the host, got none" in told
    assert "sluice secrets set sandbox/sandbox exchange_key" in told


@pytest.mark.parametrize(
    ("may", "told"),
    [
        ("withdraw", "may move money away: enableWithdrawals"),
        ("internal-transfer", "may move money away: enableInternalTransfer"),
        ("universal-transfer", "may move money away: permitsUniversalTransfer"),
    ],
)
def test_a_key_that_may_move_money_away_is_refused(
    wanted: Train, may: Permission, told: str
) -> None:
    account(wanted, may, "trade", may)
    said = refused(wanted)
    assert f"key: the key of sandbox/sandbox at binance {told}" in said
    assert "take the right from it at binance" in said


def test_a_key_that_may_not_trade_is_refused(wanted: Train) -> None:
    account(wanted, "reader", "read")
    assert "key: the key of sandbox/sandbox at binance may not trade spot" in refused(wanted)


def test_a_key_of_another_secret_is_refused(wanted: Train) -> None:
    """As after the first of the two was changed and before the second was."""
    account(wanted, "halves")
    wanted.secret("sandbox", "key-of-halves", "secret-of-reader")
    said = refused(wanted)
    assert "is not accepted: AuthenticationError" in said
    assert "'sluice secrets set sandbox/sandbox exchange_key'" in said


def test_a_revoked_key_is_refused_and_taken_once_it_is_none_any_more(wanted: Train) -> None:
    account(wanted, "revoked", at=())
    wanted.exchange.fault("key_revoked", account="revoked")
    try:
        assert "is not accepted: AuthenticationError" in refused(wanted)
    finally:
        wanted.exchange.clear()
    assert "not accepted" not in refused(wanted)


def test_a_key_for_another_machine_is_refused(wanted: Train) -> None:
    account(wanted, "elsewhere", at=("192.0.2.1",))
    assert "is not accepted: AuthenticationError" in refused(wanted)


def test_a_key_of_another_account_is_refused(wanted: Train) -> None:
    wanted.secret("prod", "pkey", "ps")
    wanted.secret("sandbox", "pkey", "ps")
    try:
        said = refused(wanted)
    finally:
        account(wanted, "after another's", at=())
        forget(wanted, Scope("prod", "prod"))
    assert "should be a key of its own for sandbox/sandbox, got the one of prod/prod" in said


def test_an_account_that_has_less_than_its_bots_may_use_is_refused(wanted: Train) -> None:
    account(wanted, "poor", usdt=100)
    told = "should be at most 101.00 together on the account sandbox at the rehearsal of binance"
    assert told in refused(wanted)


def test_a_key_on_paper_is_refused(wanted: Train) -> None:
    """One changed word would make the bot trade with money."""
    account(wanted, "paper", at=())
    wanted.secret("test")
    try:
        told = "should be no exchange secret on the host in dry_run, got test/test exchange_key"
        assert told in refused(wanted)
    finally:
        forget(wanted, Scope("test", "test"))


def test_a_variable_that_overrides_bots_is_refused(
    wanted: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(wanted, "overridden", at=())
    wanted.stop()
    with monkeypatch.context() as patch:
        patch.setenv("FREQTRADE__EXCHANGE__SECRET", "of-somebody")
        wanted.start()
        try:
            told = refused(wanted)
        finally:
            wanted.stop()
    wanted.start()
    assert "the host's variables: FREQTRADE__EXCHANGE__SECRET: should be none" in told
    assert "of-somebody" not in told


def test_explaining_and_promoting_tell_what_is_wrong_with_the_key(
    wanted: Train, release: Release
) -> None:
    account(wanted, "both", "trade", "withdraw", at=())
    told = workflow.explain(wanted.place, str(release.id), "sandbox", 1)

    keys = {each.because: each for each in told.reasons if each.because.startswith("key")}
    assert not told.eligible
    assert "enableWithdrawals" in keys["key"].text
    assert "'sluice approve" in keys["key open"].hint
    assert f"{release.id} sandbox --key KEY --accept no-ip-list'" in keys["key open"].hint

    before = wanted.entries()
    ended = wanted.sluice("promote", str(release.id), "sandbox")
    assert ended.returncode == ExitCode.REFUSED
    assert "error: key: the key of sandbox/sandbox at binance may move money away" in ended.stderr
    assert "error: key open: " in ended.stderr
    assert "hint: " in ended.stderr
    assert wanted.entries() == before


def test_a_key_that_is_fit_is_a_ground(wanted: Train, release: Release) -> None:
    account(wanted, "fit", usdt=100)
    told = workflow.explain(wanted.place, str(release.id), "sandbox", 1)
    grounds = {each.because: each.text for each in told.grounds}
    assert "moves no money away, and can be used from a list of addresses only" in grounds["key"]


def test_a_key_that_can_be_used_from_anywhere_is_signed_for_or_refused(
    wanted: Train, release: Release
) -> None:
    account(wanted, "anywhere", at=())
    said = refused(wanted)
    assert said.startswith("key open: the key of sandbox/sandbox at binance can be used from any")
    command = f"'sluice approve {release.id} sandbox --key KEY --accept no-ip-list'"
    assert command in said

    wanted.want("sandbox", release, accepts=(Risk.NO_IP_LIST,))
    there = wanted.until_phase("sandbox", "running")
    assert (there.running, there.verified, there.healthy) == (str(release.id), True, True)


@pytest.fixture(scope="module")
def live(lay: Lay) -> Iterator[tuple[Train, Release]]:
    """Another train: a bot that trades money, on an account of its own."""
    with lay() as train:
        account(train, "live")
        release = train.release()
        train.want("sandbox", release)
        train.start()
        train.until_phase("sandbox", "running")
        yield train, release


Live = tuple[Train, Release]


DAY = 86_400
BOTH = 2
"""The exchange's book is looked at first in every round, then the key."""


def database(train: Train) -> Path:
    return train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"


def stepped_until(train: Train, open_: bool) -> None:
    for _ in range(MOST_HOURS):
        if bool(open_trades(database(train))) is open_:
            return
        train.step(1)
    raise AssertionError(train.told())


def dies(train: Train, fault: Callable[[], object]) -> StrategyStatus:
    """The bot is killed, something is wrong with the exchange, and it is time to start again."""
    train.end_bot(train.house.lock("sandbox", "beat"))
    train.until_phase("sandbox", "failed")
    # Before the time comes: the agent may look at once.
    fault()
    train.exchange.step(minutes=11)
    return train.strategy("sandbox")


def runs_again(train: Train, release: Release) -> None:
    """The exchange is well again, and so is the bot, once it has looked after its trades."""
    train.exchange.clear()
    for _ in range(MOST_HOURS):
        if train.strategy("sandbox").phase == "running":
            break
        train.step(1)
    assert train.until_phase("sandbox", "running").running == str(release.id)


def of_the_key(train: Train, told: int) -> list[str]:
    """How urgent it was, since so many alerts, that the key could not be read."""
    return [alert.severity for alert in train.alerts()[told:] if "key unread: " in alert.text]


def sent(train: Train) -> int:
    return len(remote.book(train.exchange.ready, "key-of-live").orders)


def test_a_bot_without_open_trades_waits_until_its_key_can_be_read(live: Live) -> None:
    train, release = live
    stepped_until(train, open_=False)

    there = dies(train, lambda: train.exchange.fault("server_error", account="live", seconds=DAY))

    assert (there.phase, there.running) == ("failed", None)
    told = "key unread: what the key of sandbox/sandbox at binance may do could not be read"
    assert told in there.decision
    runs_again(train, release)


def test_a_bot_with_open_trades_is_started_though_its_key_cannot_be_read(live: Live) -> None:
    train, release = live
    stepped_until(train, open_=True)
    before, told = sent(train), len(train.alerts())

    dies(train, lambda: train.exchange.fault("server_error", account="live", seconds=DAY))
    train.until(lambda: train.round() and of_the_key(train, told))

    assert of_the_key(train, told) == ["money"], "it was told, and waited for nothing"
    runs_again(train, release)
    # It looks after them: what is open is sold when its time comes.
    stepped_until(train, open_=False)
    assert sent(train) > before


def test_after_a_reboot_it_is_the_same(live: Live) -> None:
    """Nobody knows the bot any more; its database and the ledger do."""
    train, release = live
    stepped_until(train, open_=True)
    train.kill()
    train.end_bot(train.house.lock("sandbox", "beat"))
    train.house.record("sandbox", "beat").unlink()
    train.exchange.fault("server_error", account="live", times=BOTH)
    told = len(train.alerts())

    train.start()
    there = train.until_phase("sandbox", "running")

    assert there.running == str(release.id)
    assert there.open_trades
    assert of_the_key(train, told) == ["money"]


def test_what_is_known_to_be_wrong_keeps_it_from_its_open_trades(live: Live) -> None:
    train, release = live
    stepped_until(train, open_=True)
    # What was silent a moment ago is not asked again; a new agent knows nothing of that.
    train.stop()
    train.start()

    there = dies(train, lambda: train.exchange.fault("key_revoked", account="live", seconds=DAY))
    assert (there.phase, there.running) == ("failed", None)
    assert "is not accepted" in there.decision

    runs_again(train, release)


def test_a_release_that_never_was_there_gets_no_open_trades(live: Live) -> None:
    """Here nobody wrote down whose the trades are."""
    train, _ = live
    stepped_until(train, open_=True)
    other = train.home.parent / "other"
    copytree(train.home / "bots", other / "bots")
    copytree(train.home / "secrets", other / "secrets")
    copytree(train.home / "releases", other / "releases")
    train.exchange.fault("server_error", account="live", times=BOTH)
    second = Train(train.project, other, train.exchange, train.key)
    second.want("sandbox", train.release())
    second.start()
    try:
        told = second.strategy("sandbox").decision
        assert "nobody knows which release opened its trades" in told
        assert not second.house.lock("sandbox", "beat").held()
    finally:
        train.exchange.clear()
        second.kill()


def test_trades_on_paper_are_never_taken_for_money(live: Live) -> None:
    """Even where they lie in the place of the live ones, and whatever else goes on."""
    train, release = live
    train.want("test", release)
    train.until_phase("test", "running")
    paper = train.home / "bots" / "demo.test" / "beat" / "dry_run.sqlite"
    for _ in range(MOST_HOURS):
        if open_trades(paper):
            break
        train.step(1)
    train.end_bot(train.house.lock("sandbox", "beat"))
    train.until_phase("sandbox", "failed")
    money = train.home / "money.sqlite"
    copied(database(train), money)
    train.exchange.step(minutes=11)
    copied(paper, database(train))
    there = train.strategy("sandbox")
    database(train).write_bytes(b"no database at all" * 100)
    unreadable = train.strategy("sandbox")
    database(train).unlink()
    copied(money, database(train))

    assert "should be a database that was never used in dry_run" in there.decision
    assert "nobody can tell what was traded in it" in unreadable.decision
    assert (there.running, unreadable.running) == (None, None)

    def again() -> bool:
        # Of trades that no database knew for a while the account was halted, maybe.
        found = train.strategy("sandbox")
        return found.running == str(release.id) and found.phase in ("running", "halted")

    train.until(again)


def copied(one: Path, other: Path) -> None:
    """What lies in one database, with what its log has, in place of what lies in another."""
    with closing(sqlite3.connect(one)) as source, closing(sqlite3.connect(other)) as target:
        source.backup(target)
