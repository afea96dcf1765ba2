"""Looks at real accounts of the rehearsal exchange: in whose order, how often, and what is late."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines import documents
from pipelines.domain.account import ZERO
from pipelines.domain.budget import LATE, Priority
from pipelines.domain.environment import Environment
from pipelines.domain.known import BotBook
from pipelines.domain.orphan import Orphan
from runner.agent.books import client as client_module
from runner.agent.books.accounts import Account, Trader
from runner.agent.books.client import Client, client_for
from runner.agent.books.closing import close
from runner.agent.books.looking import WHOLE_SECONDS, Looked, Looking
from runner.agent.reconciling import TURN_SECONDS, _entry
from runner.exchange.messages import NewKey
from runner.exchange.settings import freqtrade_settings
from tests.exchange.running import Running, running

NAMES = ("ann", "bob")
PAIRS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture(scope="module")
def exchange(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    accounts = [a for n in NAMES for a in ("--account", f"{n}:{n}:secret:USDT=5000")]
    folder = tmp_path_factory.mktemp("exchange")
    with running(root, folder, "--start", "2022-03-01", *accounts) as found:
        yield found


class Host:
    """Two accounts, and a monotonic clock that the test moves."""

    def __init__(self, exchange: Running, root: Path, turn: float = TURN_SECONDS) -> None:
        self.exchange, self.real = exchange, 1000.0
        where = root / "environments" / "demo" / "sandbox.yaml"
        base = documents.load(where, Environment, str(where))
        self.accounts = [
            Account(
                base.model_copy(update={"account": name}),
                name,
                "spot",
                priority,
                (Trader("beat", "beat", root / "nowhere.sqlite", PAIRS),),
            )
            for name, priority in zip(NAMES, (Priority.OLD, Priority.LIVE), strict=True)
        ]
        self.opened: list[str] = []
        self.keys = {name: name for name in NAMES}
        self.looking = Looking(self._client, turn, enforced=bool(turn), real=lambda: self.real)

    def look(self, seconds: float = 10) -> dict[str, Looked]:
        self.real += seconds
        looked = self.looking.look(self.accounts, self.exchange.now)
        return {each.account.name: each for each in looked}

    def _client(self, account: Account) -> Client:
        self.opened.append(account.name)
        return client_for(
            freqtrade_settings(self.exchange.ready.api_url, "", "")["exchange"],
            self.keys[account.name],
            "secret",
        )


@pytest.fixture
def host(exchange: Running, root: Path) -> Host:
    return Host(exchange, root)


def plant(exchange: Running, name: str, amount: float = 0.05) -> str:
    with exchange.then():
        order = exchange.ccxt(name).create_order("ETH/USDT", "market", "buy", amount)
    return str(order["id"])


def test_an_orphan_is_seen_at_once_believed_at_the_second_look_and_over_when_closed(
    host: Host,
) -> None:
    assert host.look()["ann"].sure == ()
    order = plant(host.exchange, "ann")
    first = host.look()["ann"]
    assert (first.sure, len(first.seen)) == ((), 1)
    assert host.look(1)["ann"].sure == ()
    second = host.look(TURN_SECONDS)
    (orphan,) = second["ann"].sure
    assert isinstance(orphan, Orphan)
    assert (orphan.order, orphan.amount) == (order, Decimal("0.04995"))
    assert second["bob"].seen == frozenset()

    entry = _entry(orphan, "sandbox", "beat", host.exchange.now)
    client, since = host._client(host.accounts[0]), host.exchange.now
    left = close(client, entry, since)
    assert ZERO <= left < Decimal("0.0001")
    assert close(client, entry, since) == left
    assert host.look()["ann"].seen == frozenset()


def test_after_a_key_was_changed_the_next_look_uses_the_new_one(host: Host) -> None:
    """Or else the account would stay dark until the agent is started again."""
    assert host.look()["ann"].trouble == ""
    host.exchange.ask("key", NewKey(name="ann", key="another", secret="secret"))
    try:
        assert "Invalid API-key" in host.look()["ann"].trouble
        host.keys["ann"] = "another"
        assert host.look()["ann"].trouble == ""
        assert host.opened.count("ann") == 2
    finally:
        host.exchange.ask("key", NewKey(name="ann", key="ann", secret="secret"))


def test_in_steps_two_looks_are_enough(exchange: Running, root: Path) -> None:
    host = Host(exchange, root, turn=0)
    host.look(0)
    plant(exchange, "bob")
    assert host.look(0)["bob"].sure == ()
    assert len(host.look(0)["bob"].sure) == 1


def test_a_quiet_account_costs_its_balances_only(host: Host) -> None:
    host.look()
    before = host.looking.spent.used(host.real)
    host.real += 60
    assert host.looking.spent.used(host.real) == 0 < before
    host.look(0)
    # Once more for the exchange's clock, which stands still here.
    assert host.looking.spent.used(host.real) <= 2 * (20 + 21)
    host.look(WHOLE_SECONDS)
    whole = host.looking.spent.used(host.real)
    assert whole > 2 * 20 + 2 * 6


def test_who_may_trade_comes_first_and_the_other_is_late_one_day(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Looking, "_left", lambda self, real: 60)
    looked = host.look()
    assert host.opened == ["bob"]
    assert (looked["bob"].trouble, looked["ann"].late) == ("", False)
    assert "no request weight" in looked["ann"].trouble
    monkeypatch.setattr(Looking, "_left", lambda self, real: 0)
    looked = host.look(LATE + 1)
    assert looked["ann"].late
    assert looked["bob"].late


def test_not_one_question_is_asked_beyond_the_budget(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A quarter of this is less than the first look weighs, though more than is foreseen of it.
    monkeypatch.setattr(Looking, "_limit", 240)
    troubles = [host.look()["bob"].trouble for _ in range(3)]
    assert "no request weight" in troubles[0]
    assert 32 <= host.looking.spent.used(host.real) <= 60
    monkeypatch.setattr(Looking, "_limit", 6000)
    assert host.look()["bob"].trouble == ""


def test_an_exchange_that_does_not_answer_is_waited_for_once(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT_SECONDS", 0.3)
    host.exchange.fault("timeout", seconds=60)
    try:
        looked = host.look()
    finally:
        host.exchange.clear()
    assert "RequestTimeout" in looked["bob"].trouble
    assert "another account" in looked["ann"].trouble
    assert host.opened == ["bob"]
    after = host.look()
    assert {each.trouble for each in after.values()} == {""}


def test_a_pair_that_a_bot_begins_to_trade_meanwhile_is_looked_at_the_next_time(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([PAIRS, (*PAIRS, "SOL/USDT")] * 2)

    def books(_: Account) -> tuple[BotBook, ...]:
        return (BotBook("sandbox", "beat", frozenset(next(answers, (*PAIRS, "SOL/USDT")))),)

    monkeypatch.setattr(Account, "books", books)
    assert "SOL/USDT: is traded only since" in host.look()["bob"].trouble
    assert host.look()["bob"].trouble == ""


def test_a_database_that_cannot_be_read_is_no_all_clear(host: Host, tmp_path: Path) -> None:
    broken: Any = tmp_path / "live.sqlite"
    broken.write_bytes(b"no database" * 100)
    for number, account in enumerate(host.accounts):
        traders = (Trader("beat", "beat", broken, PAIRS),)
        host.accounts[number] = Account(
            account.environment, account.name, "spot", account.priority, traders
        )
    assert all("cannot be read" in each.trouble for each in host.look().values())
    assert all(each.late for each in host.look(LATE + 1).values())
