"""Incidents with open trades, played by real bots: each is named as it is told elsewhere.

One train: on paper a bot that holds what it bought, with money one that buys and sells by the hour.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import yaml

from pipelines.domain.release import Release
from runner.agent.trades import Book, book
from runner.exchange import remote
from runner.exchange.messages import BookedOrder
from tests.agent.conftest import Lay
from tests.agent.handing import HOLD, LEAVES
from tests.agent.train import Train
from tests.exchange.test_live_bot import BEAT

pytestmark = pytest.mark.freqtrade

ADOPTS = {"handover": "adopt"}
MOST_HOURS = 12
LOOSE = {"max_drawdown": 1, "max_orders_per_hour": 2000, "max_cancelled_per_hour": 2000}


def trades(train: Train, environment: str) -> Book:
    found = book(train.database(environment))
    assert found is not None
    return found


def ids(train: Train, environment: str) -> list[int]:
    return [trade.id for trade in trades(train, environment).open]


def orders(train: Train) -> tuple[BookedOrder, ...]:
    return remote.book(train.exchange.ready, "key").orders


def bought(train: Train) -> int:
    return sum(order.side == "BUY" for order in orders(train))


def stops(train: Train) -> set[str]:
    """Coins whose stop rests at the exchange."""
    return {o.base for o in orders(train) if (o.kind, o.standing) == ("STOP_LOSS_LIMIT", "NEW")}


def coins(train: Train) -> set[str]:
    """What the account has besides money, as far as it can be sold."""
    told = remote.book(train.exchange.ready, "key").balances
    return {coin for coin, held in told.items() if coin != "USDT" and held > Decimal("0.0002")}


def hours_until(train: Train, so: Callable[[], Any]) -> None:
    for _ in range(MOST_HOURS):
        if so():
            return
        train.step(1)
    raise AssertionError(train.told())


def protected_by(train: Train, **limits: Any) -> None:
    path = train.project / "environments" / "demo" / "sandbox.yaml"
    train.declare(
        "sandbox", protections={**yaml.safe_load(path.read_text())["protections"], **limits}
    )


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    with lay() as laid:
        laid.secret("sandbox")
        laid.declare("test", handover={"way": "adopt"})
        protected_by(laid, **LOOSE)
        laid.start()
        laid.want("test", laid.release("1.0.0", HOLD, **ADOPTS))
        laid.want("sandbox", laid.release("1.0.1", BEAT))
        for environment in ("test", "sandbox"):
            laid.until_phase(environment, "running")
        hours_until(laid, lambda: len(ids(laid, "test")) == 2)
        yield laid


@dataclass(frozen=True)
class Changed:
    """A minor change, and the trades that were open before."""

    release: Release
    before: list[int]


@pytest.fixture(scope="module")
def changed(train: Train) -> Changed:
    before = ids(train, "test")
    code = HOLD.replace("startup_candle_count = 5", "startup_candle_count = 6")
    release = train.release("1.1.0", code, **ADOPTS)
    train.want("test", release)
    train.until(lambda: train.strategy("test").running == str(release.id))
    train.step(1)
    train.until_running("test", release)
    return Changed(release, before)


def test_trades_closed_unexpectedly_in_dry_run_after_restart(
    train: Train, changed: Changed
) -> None:
    """Minor adjustments, a restart, and every trade on paper was closed."""
    train.step(2)
    assert len(changed.before) == 2
    assert ids(train, "test") == changed.before


def test_users_update_by_an_hourly_pull_and_a_restart(train: Train, changed: Changed) -> None:
    """What is pulled into the folder is no release: whoever restarts starts the old one."""
    strategy = train.project / "strategies" / "beat" / "strategy.py"
    strategy.write_text(LEAVES)
    pid = train.pid("test")
    train.end_bot(train.house.lock("test", "beat"))
    train.until_phase("test", "failed")
    train.exchange.step(minutes=1)
    train.until(lambda: train.strategy("test").phase in ("running", "paused"))
    train.step(2)
    there = train.until_running("test", changed.release)
    assert (train.pid("test") != pid, there.open_trades) == (True, 2)
    assert ids(train, "test") == changed.before


def test_a_circuit_breaker_stopped_the_bots_and_a_position_ran_unmanaged(train: Train) -> None:
    """A breaker ends entries here, never a bot: what is open keeps its stop, and is sold."""
    hours_until(train, lambda: coins(train) and coins(train) == stops(train))
    held, pid = coins(train), train.pid("sandbox")
    protected_by(train, **LOOSE, max_exposure=1)
    train.round()
    (trip,) = [entry for entry in train.entries() if entry["entry"] == "tripped"]
    assert (trip["limit"], trip["then"]) == ("max_exposure", "halt")
    there = train.until_phase("sandbox", "halted")
    assert (train.pid("sandbox"), there.open_trades) == (pid, len(held))
    assert stops(train) == held

    # Not even when it dies meanwhile.
    train.end_bot(train.house.lock("sandbox", "beat"))
    train.until_phase("sandbox", "failed")
    assert stops(train) == held, "they lie at the exchange, not in the bot"
    train.exchange.step(minutes=1)
    train.until_phase("sandbox", "halted")
    before = bought(train)
    hours_until(train, lambda: not coins(train))
    assert (ids(train, "sandbox"), stops(train)) == ([], set())
    assert bought(train) == before
