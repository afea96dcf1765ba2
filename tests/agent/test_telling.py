"""What the agent tells of trades, by release, and what people may not have heard of yet."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.agent_trades import News, ReleaseTrades, Trades
from pipelines.domain.entry import Held, Seen, Verified
from pipelines.domain.promotion import Kind, Promotion
from pipelines.errors import BadInput, Refused
from runner.agent.alerts import Alert
from runner.agent.telling import read
from tests.agent.light import START, Light, launched_by, light, project

ONE, TWO = "1" * 64, "2" * 64
HOUR = timedelta(hours=1)

_TABLE = """
CREATE TABLE trades (
    id INTEGER PRIMARY KEY, is_open INTEGER, pair TEXT, is_short INTEGER, stake_amount FLOAT,
    open_date TEXT, close_date TEXT, realized_profit FLOAT, close_profit_abs FLOAT
)
"""


@pytest.fixture
def there(root: Path, tmp_path: Path) -> Iterator[Light]:
    """An agent whose bots never run: what it tells is read beside them."""
    with light(project(root, tmp_path, None), launched_by(tmp_path, root), tmp_path / "h") as there:
        yield there


def promoted(there: Light, environment: str, digest: str, at: datetime, **more: Any) -> None:
    release = f"beat@{digest[0]}.0.0+{digest[:8]}"
    entry = Promotion(
        kind=Kind.PROMOTE, environment=environment, strategy="beat", release=release,
        digest=digest, by="ann", at=at, **more,
    )  # fmt: skip
    there.agent.ledger.append(entry)


def trade(
    path: Path, opened: datetime, profit: float | None, pair: str = "BTC/USDT", days: int = 0
) -> None:
    """A trade; open without a profit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_TABLE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
        closed = None if profit is None else written(opened + timedelta(days=days))
        database.execute(
            "INSERT INTO trades (is_open, pair, is_short, stake_amount, open_date, close_date, "
            "realized_profit, close_profit_abs) VALUES (?, ?, 0, 100, ?, ?, 0, ?)",
            (profit is None, pair, written(opened), closed, profit),
        )


def written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def told(there: Light, **about: str) -> tuple[ReleaseTrades, ...]:
    return Trades.model_validate(there.ask("trades", **about), strict=False).releases


def test_two_versions_are_never_added_up(there: Light) -> None:
    """Incident: statistics of three versions were added up, and the wrong one was demoted."""
    path = there.database("test")
    trade(path, START - HOUR, 5)
    promoted(there, "test", ONE, START)
    trade(path, START, 10)
    trade(path, START + HOUR, -4, "ETH/USDT")
    promoted(there, "test", TWO, START + 2 * HOUR)
    trade(path, START + 2 * HOUR, 1.5, days=1)
    trade(path, START + 3 * HOUR, None)
    by = {each.release: each for each in told(there)}
    sums = {name: each.whole for name, each in by.items()}
    assert {name: (each.closed, each.won, each.profit) for name, each in sums.items()} == {
        None: (1, 1, Decimal(5)),
        "beat@1.0.0+11111111": (2, 1, Decimal(6)),
        "beat@2.0.0+22222222": (1, 1, Decimal("1.5")),
    }  # fmt: skip
    old, new = by["beat@1.0.0+11111111"], by["beat@2.0.0+22222222"]
    assert [(pair.of, pair.profit) for pair in old.pairs] == [("BTC/USDT", 10), ("ETH/USDT", -4)]
    assert [day.of for day in new.days] == ["2022-03-02"]
    assert ([one.id for one in new.open], old.open) == ([5], ())
    assert (new.currency, new.capital, new.latest[0].share) == ("USDT", 10000, Decimal("0.015"))


def test_what_cannot_be_read_is_not_nothing(there: Light) -> None:
    promoted(there, "test", ONE, START)
    assert [(each.unread, each.whole.closed) for each in told(there)] == [(False, 0)]
    path = there.database("test")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 100)
    assert [each.unread for each in told(there)] == [True]
    assert read(path) is None


def test_only_what_is_asked_for_is_told(there: Light) -> None:
    for environment in ("test", "sandbox"):
        trade(there.database(environment), START, 1)
    assert {each.environment for each in told(there)} == {"test", "sandbox"}
    assert [each.environment for each in told(there, environment="test")] == ["test"]
    assert told(there, strategy="other") == ()
    assert told(there, environment="nowhere") == ()


def test_an_acknowledged_alert_stands_in_the_ledger(there: Light) -> None:
    alert = Alert(at=START, severity="money", text="look")
    there.agent.alerts.raise_(alert)
    there.ask("acknowledge", alerts=[alert.id])
    assert there.entries()[-1] | {"at": ""} == {
        "entry": "acted", "what": "acknowledge", "about": [alert.id], "by": "ann", "reason": "",
        "environment": "", "strategy": "", "at": "",
    }  # fmt: skip
    with pytest.raises(BadInput, match="there is no alert nonsense"):
        there.ask("acknowledge", alerts=["nonsense"])
    assert len(there.entries()) == 1


def test_nothing_is_closed_where_no_trade_is_open(there: Light) -> None:
    with pytest.raises(Refused, match="no bot has an open trade"):
        there.ask("forceexit", environment="test", strategy="beat")
    with pytest.raises(BadInput, match="no such environment"):
        there.ask("forceexit", environment="nowhere", strategy="beat")
    assert there.entries() == []


def news(there: Light) -> News:
    return News.model_validate(there.ask("news"), strict=False)


def soaked(there: Light, environment: str, digest: str) -> None:
    """A day and a trade, verified and seen."""
    promoted(there, environment, digest, there.now, **{"stake": 100})
    about: dict[str, Any] = {"environment": environment, "strategy": "beat", "digest": digest}
    there.agent.ledger.append(Verified(**about, at=there.now))
    for hours in range(25):
        at = there.now + timedelta(hours=hours)
        there.agent.ledger.append(Seen(**about, closed=int(hours > 0), at=at))
    there.now += timedelta(hours=25)


def test_what_only_people_keep_out_waits_for_them(there: Light) -> None:
    promoted(there, "test", ONE, START)
    assert news(there).waiting == (), "it has not soaked"
    soaked(there, "test", ONE)
    (waits,) = news(there).waiting
    assert (waits.environment, waits.release) == ("sandbox", "beat@1.0.0+11111111")
    assert waits.missing == ("signed by 0 of 1 people",)
    about: Any = {"environment": "sandbox", "strategy": "*", "by": "ann", "at": there.now}
    there.agent.ledger.append(Held(**about))
    assert news(there).waiting == (), "a hold keeps it out, too"


def test_what_is_there_already_waits_for_nobody(there: Light) -> None:
    soaked(there, "test", ONE)
    promoted(there, "sandbox", ONE, there.now)
    assert news(there).waiting == ()
    wanted = {each.environment: (each.by, each.verified) for each in news(there).wanted}
    assert wanted == {"test": ("ann", True), "sandbox": ("ann", False)}
