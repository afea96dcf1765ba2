"""Incidents of health and statistics: what looked well and was not, and what was added up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.adapters import agent
from pipelines.adapters.health import BotHealth, Health
from runner.agent import records
from runner.monitoring.store import FILE, LOOKS, Store
from tests.agent.conftest import Lay
from tests.agent.light import files, launched_by, light, project
from tests.agent.live import Live
from tests.exchange.test_live_bot import BEAT

DAY = 24 * 3600

SCHEMA = """
CREATE TABLE trades (id INTEGER PRIMARY KEY, pair TEXT DEFAULT 'BTC/USDT', is_open INT DEFAULT 0,
  is_short INT DEFAULT 0, fee_open REAL DEFAULT 0.001, fee_close REAL DEFAULT 0.001,
  close_profit_abs REAL, open_date TEXT);
CREATE TABLE orders (order_id TEXT, ft_trade_id INT, ft_order_side TEXT, side TEXT,
  ft_is_open INT DEFAULT 0, filled REAL DEFAULT 1, average REAL, price REAL DEFAULT 100);
"""


IMPATIENT = (
    BEAT
    + """
    def bot_start(self, **kwargs):
        import freqtrade.exchange.common
        freqtrade.exchange.common.calculate_backoff = lambda *_: 0
"""
)
"""Asks again at once what the exchange refuses: a turn of it takes no minute."""


@pytest.fixture(scope="module")
def live(lay: Lay) -> Iterator[Live]:
    with lay() as train:
        train.secret("sandbox")
        train.start()
        release = train.release("1.0.0", IMPATIENT)
        train.want("sandbox", release)
        train.until_running("sandbox", release)
        found = Live(train)
        found.step_until(lambda: len(found.open_trades()) == len(found.stops()) > 0)
        yield found


def look(live: Live) -> BotHealth:
    agent.ask(live.train.home, "health")
    told = Health.model_validate(agent.ask(live.train.home, "health"), strict=False)
    return told.bots[0]


@pytest.mark.freqtrade
def test_a_drawdown_trigger_was_breached_and_nobody_had_looked_at_it(live: Live) -> None:
    """The checker had looked at trade counts and dates only: the trigger was never evaluated."""
    live.train.until(lambda: look(live).healthy)
    live.train.exchange.fault("server_error", seconds=DAY)
    found = look(live)
    (reason,) = (each for each in found.reasons if each.check == "limits")
    assert (found.healthy, reason.state) == (False, "unknown")
    assert "max_drawdown" in reason.text
    live.train.exchange.clear()
    live.train.until(lambda: look(live).healthy)


@pytest.mark.freqtrade
def test_health_was_green_while_take_profits_were_dead_and_the_exchange_answered_429(
    live: Live,
) -> None:
    live.train.until(lambda: look(live).healthy)
    record = records.load(live.train.house.record("sandbox", "beat"))
    assert record is not None
    live.train.exchange.fault("rate_limited", seconds=DAY, account="sandbox")
    before = record.rest.processed()
    live.minutes(1)
    found = {each.check: each.text for each in look(live).reasons}
    # The bot says that it goes on, and its API that it runs.
    assert record.rest.processed() != before
    assert record.rest.shown().state == "running"
    assert found["private"] == "the last private call failed: DDoSProtection"
    degraded = [alert for alert in live.train.alerts("money") if alert.kind == "degraded"]
    assert len(degraded) == 1
    live.train.exchange.clear()
    live.minutes(5)
    live.train.until(lambda: look(live).healthy)


@pytest.mark.slow
def test_statistics_of_three_versions_were_added_up_and_the_wrong_one_was_demoted(
    root: Path, tmp_path: Path
) -> None:
    """One database, three releases, one of which loses: what each closed is its own."""
    train, launcher = project(root, tmp_path / "laid", None), launched_by(tmp_path, root)
    earned = {"1.0.0": (4, 12), "1.1.0": (3, -7), "1.2.0": (2, 5)}
    with light(train, launcher, tmp_path / "home") as there:
        database = there.database("test")
        database.parent.mkdir(parents=True)
        with closing(sqlite3.connect(database)) as opened:
            opened.executescript(SCHEMA)
        for version, (count, profit) in earned.items():
            there.deliver(files(train, version, f"class Beat: ...  # {version}\n")[1:])
            there.settle()
            there.now += timedelta(minutes=1)
            closed(database, there.now.replace(tzinfo=None).isoformat(" "), count, profit)
            there.agent.tick()
            there.now += timedelta(minutes=1)
        observing, store = there.agent.observing, Store(there.home / FILE)
        releases = store.releases("test", "beat")
        found = {
            release.partition("@")[2].partition("+")[0]: store.spans(
                LOOKS, ("test", "beat", release), there.now - timedelta(days=1)
            )[-1].figures
            for release in releases
        }
        told = {v: (f["closed_trades"], f["profit"], f["fees"]) for v, f in found.items()}
        assert told == {
            version: (count, Decimal(count * profit), Decimal(count) / 10)
            for version, (count, profit) in earned.items()
        }
        (now,) = observing.bots.values()
        assert (now.observation.closed_trades, now.observation.profit) == (2, Decimal(10))
    launcher.close()


def closed(database: Path, when: str, count: int, profit: int) -> None:
    trade = "INSERT INTO trades (close_profit_abs, open_date) VALUES (?, ?) RETURNING id"
    order = "INSERT INTO orders (order_id, ft_trade_id, ft_order_side, side) VALUES (?, ?, ?, ?)"
    with closing(sqlite3.connect(database)) as opened, opened:
        for _ in range(count):
            (number,) = opened.execute(trade, (profit, when)).fetchone()
            opened.execute(order, (f"dry_run_{number}", number, "buy", "buy"))
