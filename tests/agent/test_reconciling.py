"""What is written down and told after a look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines import documents
from pipelines.domain.budget import Priority
from pipelines.domain.entry import ALL, Entry, Halted, Orphaned, Settled
from pipelines.domain.environment import Environment
from pipelines.domain.orphan import Finding, Missing, MissingStop, Orphan
from pipelines.domain.promotion import Promotion
from pipelines.domain.record import Line, Record
from runner.agent.alerts import Alerts
from runner.agent.books.accounts import Account, Trader
from runner.agent.books.looking import Looked
from runner.agent.house import House
from runner.agent.reconciling import Reconciling

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORPHAN = Orphan("sandbox", "ETH/USDT", "buy", Decimal("0.50"), order="7", at=NOW)
STOP = MissingStop("sandbox", "beat", "ETH/USDT", 1, Decimal(1))


class Agent:
    """A ledger in memory, and what a look says."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.reconciling = Reconciling(House(folder), None, Alerts(folder / "alerts.jsonl"))
        where = root / "environments" / "demo" / "sandbox.yaml"
        environment = documents.load(where, Environment, str(where))
        trader = Trader("beat", "beat", folder / "live.sqlite", ("ETH/USDT",))
        self.account = Account(environment, "sandbox", "spot", Priority.LIVE, (trader,))
        self.entries: list[Entry] = []

    @property
    def record(self) -> Record:
        return Record.of(Line(number, entry) for number, entry in enumerate(self.entries, 1))

    def look(self, *sure: Finding, known: frozenset[str] = frozenset()) -> list[Entry]:
        return self.follow(Looked(self.account, found=sure, sure=sure, known=known))

    def follow(self, looked: Looked) -> list[Entry]:
        new = list(self.reconciling._follow(looked, self.record, NOW))
        self.entries += new
        return new

    def told(self) -> list[tuple[str, str, str]]:
        every = self.reconciling.alerts.every()
        return [(each.severity, each.strategy, each.text) for each in every]


@pytest.fixture
def agent(tmp_path: Path, root: Path) -> Agent:
    return Agent(tmp_path, root)


def test_an_orphan_is_written_down_with_its_halt_and_told_once(agent: Agent) -> None:
    orphaned, halted = agent.look(ORPHAN)
    assert isinstance(orphaned, Orphaned)
    assert (orphaned.orphan, orphaned.amount, orphaned.strategy) == (
        ORPHAN.id,
        Decimal("0.5"),
        "beat",
    )
    assert isinstance(halted, Halted)
    assert (halted.by, halted.strategy) == ("agent", "beat")
    assert agent.look(ORPHAN) == []
    assert [severity for severity, _, _ in agent.told()] == ["money"]
    assert list(agent.record.track("sandbox", "beat").orphans) == [ORPHAN.id]


def test_what_is_halted_already_is_not_halted_again(agent: Agent) -> None:
    agent.entries.append(Halted(environment="sandbox", strategy=ALL, by="ann", at=NOW))
    assert [type(entry) for entry in agent.look(ORPHAN)] == [Orphaned]


def test_an_orphan_whose_owner_is_not_sure_halts_the_environment(agent: Agent) -> None:
    other = replace(agent.account.traders[0], strategy="other")
    agent.account = replace(agent.account, traders=(*agent.account.traders, other))
    assert {entry.strategy for entry in agent.look(ORPHAN) if isinstance(entry, Halted)} == {ALL}


@pytest.mark.parametrize(("known", "how"), [({"7"}, "imported"), (set(), "gone")])
def test_one_that_is_not_seen_any_more_is_over_at_the_second_look(
    agent: Agent, known: set[str], how: str
) -> None:
    agent.look(ORPHAN)
    assert agent.look(known=frozenset(known)) == []
    assert agent.look(ORPHAN) == []
    assert agent.look(known=frozenset(known)) == []
    (settled,) = agent.look(known=frozenset(known))
    assert isinstance(settled, Settled)
    assert (settled.how, settled.by, settled.orphan) == (how, "agent", ORPHAN.id)
    assert agent.record.track("sandbox", "beat").orphans == {}


def test_other_findings_alert_and_are_news_when_they_come_again(agent: Agent) -> None:
    missing = Missing("sandbox", "ETH/USDT", Decimal(2))
    for _ in range(3):
        assert agent.look(STOP, missing) == []
    assert agent.told() == [
        ("money", "beat", "trade 1 has no stop at the exchange: 1 of ETH/USDT"),
        ("money", "beat", "2 of ETH/USDT are missing on sandbox"),
    ]
    agent.look()
    agent.look(STOP)
    assert len(agent.told()) == 3


def test_an_account_that_nobody_looked_at_for_long_is_an_alert_and_settles_nothing(
    agent: Agent,
) -> None:
    agent.look(ORPHAN)
    for late in (False, True, True, True):
        trouble = Looked(agent.account, trouble="binance: it is away", late=late)
        assert agent.follow(trouble) == []
    (_, alert) = agent.told()
    assert alert == (
        "money",
        ALL,
        "sandbox could not be evaluated for 120 seconds: binance: it is away",
    )


def test_coins_of_nobody_are_told(agent: Agent) -> None:
    agent.follow(Looked(agent.account, strange=(("DOGE", Decimal("5.0")),)))
    ((severity, _, text),) = agent.told()
    assert (severity, text) == ("warning", "5 DOGE on sandbox are neither declared nor a bot's")


def test_accounts_that_cannot_be_told_are_an_alert(agent: Agent, tmp_path: Path) -> None:
    environment = agent.account.environment
    folder = tmp_path / "deployed" / ("a" * 64) / "beat"
    folder.mkdir(parents=True)
    (folder / "strategy.yaml").write_text("no: manifest\n")
    promotion = {"kind": "promote", "environment": "sandbox", "strategy": "beat", "by": "ann"}
    given = {**promotion, "release": "beat@1.0.0+aaaaaaaa", "digest": "a" * 64, "at": NOW}
    agent.entries.append(Promotion.model_validate(given, strict=False))
    later = NOW + timedelta(seconds=10)
    environments = {"sandbox": environment}
    assert agent.reconciling.round(environments, agent.record, {}, later) == ()
    ((severity, _, text),) = agent.told()
    assert (severity, text.startswith("could not be evaluated")) == ("money", True)
