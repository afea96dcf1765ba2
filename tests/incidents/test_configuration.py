"""Incidents that a configuration made, each named as it is told by those to whom it happened.

What was written there is written here as well: it is refused, or does no harm.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import documents
from pipelines.adapters import plugins
from pipelines.domain import couplings
from pipelines.domain.couplings.arrangement import Arrangement, Bot, Host, Pin
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.verdict import Status
from pipelines.errors import BadInput
from pipelines.freqtrade import bot
from runner.agent.trades import used_in
from tests.agent.light import Light, files, launched_by, light, project
from tests.agent.train import Train
from tests.checks.test_manifest import environment, judged, plugin, with_file, without

__all__ = ["environment"]

COINS = ("BTC/USDT", "ETH/USDT")
CODE = "class Beat: ...\n"


def train(root: Path, **changes: Mapping[str, Any]) -> Arrangement:
    """The shipped train, with what somebody wrote into some of its environments."""
    found = {}
    for name in ("test", "sandbox", "prod"):
        where = f"environments/{name}.yaml"
        keys = yaml.safe_load((root / where).read_text())
        for key, value in changes.get(name, {}).items():
            keys[key] = keys[key] | value if isinstance(value, dict) else value
        found[where] = documents.parse(yaml.safe_dump(keys).encode(), Environment, where)
    return Arrangement(found, frozenset({"one", "two"}))


def told(arranged: Arrangement) -> set[tuple[str, str]]:
    """What is refused, and where that is said."""
    return {(clash.where, clash.key) for clash in couplings.clashes(arranged)}


def test_a_dry_run_bot_still_pointed_at_the_live_database(root: Path, tmp_path: Path) -> None:
    """One word was changed, and the file of trades stayed: here the mode is part of its name."""
    live = train(root).named("prod")
    assert live is not None
    paper = live.model_copy(update={"mode": "dry_run"})
    held = plugins.read(root, "trend_breakout").manifest
    where = [
        bot.configuration("one", held, each, "one", 100, 1)["db_url"] for each in (live, paper)
    ]
    assert where == [
        "sqlite:///bots/prod/one/live.sqlite",
        "sqlite:///bots/prod/one/dry_run.sqlite",
    ]

    # And wherever it got to, what was really traded in it is seen.
    file = tmp_path / paper.database("one")
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE trades (id INTEGER, is_open INTEGER)")
        database.execute("CREATE TABLE orders (order_id TEXT)")
        database.execute("INSERT INTO orders VALUES ('4711')")
    used = used_in(file)
    assert used == {"live"}
    arranged = train(root, prod={"mode": "dry_run", "account": None, "secrets": []})
    own = replace(
        arranged,
        bots=(Bot("prod", "one", COINS),),
        host=Host(databases={paper.database("one"): "live"}),
    )
    before = told(replace(own, host=Host()))
    assert told(own) - before == {("environments/prod.yaml", "mode")}


def test_stoploss_on_exchange_stayed_on_in_dry_run(root: Path) -> None:
    arranged = train(root, test={"stoploss_on_exchange": True})
    assert told(arranged) == {("environments/test.yaml", "stoploss_on_exchange")}
    # The strategy's own wish counts for nothing: all of it is said by the environment.
    paper = train(root).named("test")
    assert paper is not None
    held = plugins.read(root, "trend_breakout").manifest
    types = bot.configuration("one", held, paper, "one", 100, 1)["order_types"]
    assert types["stoploss_on_exchange"] is False


def test_two_bots_on_one_account_took_each_other_s_orders(root: Path) -> None:
    """freqtrade looks for orders by pair: with the same one it finds those of the other, too."""
    shared = train(root, prod={"portfolio": {"available_capital": 1000}})
    one = Bot("prod", "one", ("BTC/USDT",))
    apart, same = Bot("prod", "two", ("ETH/USDT",)), Bot("prod", "two", ("BTC/USDT",))
    futures = replace(apart, trading_mode="futures")
    assert told(replace(shared, bots=(one, apart))) == set()
    for other in (same, futures):
        assert ("environments/prod.yaml", "account") in told(replace(shared, bots=(one, other)))


def test_telegram_conflict_terminated_by_another_bot(root: Path) -> None:
    """Whoever asks Telegram with one token ends the other's asking: no bot is given one."""
    secrets = ["exchange_key", "exchange_secret", "telegram_token"]
    with pytest.raises(BadInput, match="no bot asks Telegram, the agent does"):
        train(root, prod={"secrets": secrets})
    train(root, prod={"secrets": secrets[:2]})


def test_sixteen_safety_tests_silently_never_ran_because_of_a_file_name(
    environment: Any,
) -> None:
    sixteen = "".join(f"def test_{n}(): ...\n" for n in range(16)).encode()
    own = without(plugin(), "test_trend.py")
    for name in ("safety_tests.py", "tests_trend.py", "Test_trend.py", "safety/test_trend.py"):
        found = judged(environment, with_file(plugin(), name, sixteen))
        (finding,) = found.findings
        assert found.status is Status.FAILED
        assert finding.what == f"strategies/trend/{name}: holds tests that are never run"
        assert finding.actual == f"16 in {name}"
    assert judged(environment, with_file(own, "test_safety.py", sixteen)).status is Status.PASSED


def test_an_image_tag_that_moves_may_be_anything_tomorrow(root: Path) -> None:
    pinned = Pin("freqtrade==2025.9", "2025.9", "2025.9")
    assert told(replace(train(root), host=Host(freqtrade=pinned))) == set()
    for moving in ("freqtrade", "freqtrade>=2025.9", "freqtrade==2025.*"):
        host = Host(freqtrade=replace(pinned, required=moving))
        assert told(replace(train(root), host=host)) == {("requirements/runtime.in", "freqtrade")}


@pytest.fixture(scope="module")
def laid(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    return project(root, tmp_path_factory.mktemp("train"), None)


@pytest.fixture
def moved(laid: Train, root: Path, tmp_path: Path) -> Iterator[Light]:
    """A host on which another freqtrade lies under the same name than the release is pinned to."""
    folder = tmp_path / "launcher"
    folder.mkdir()
    launcher = launched_by(folder, root)
    python = folder / "python"
    python.write_text(python.read_text().replace("STAND_IN_FREQTRADE=", "STAND_IN_FREQTRADE=9"))
    with light(laid, launcher, tmp_path / "home") as there:
        yield there
    launcher.close()


@pytest.mark.slow
def test_a_moving_image_tag_under_a_real_money_bot(laid: Train, moved: Light) -> None:
    """What really runs is asked, whatever it is called: it never trades, and a human is told."""
    release, tar, dsse = files(laid, "1.0.0", CODE)
    moved.deliver((tar, dsse))
    promoted = Promotion(
        kind=Kind.PROMOTE,
        environment="sandbox",
        strategy="beat",
        release=str(release.id),
        digest=release.digest,
        by="a test",
        at=moved.now,
    )
    moved.agent.ledger.append(promoted)
    moved.settle()
    said = [each for each in moved.entries() if each.get("environment") == "sandbox"]
    (unverified,) = [each for each in said if each["entry"] == "unverified"]
    assert "freqtrade" in unverified["reason"]
    assert [each for each in said if each["entry"] == "verified"] == []
    assert any("what runs is not the release" in text for text in moved.alerts())
    assert moved.runs("sandbox") is None
