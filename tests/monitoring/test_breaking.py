"""Each way to break a real live bot turns its health red with the right reason, and back again.

One bot for all of them: what one test broke is well again when it ends.
"""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal

import pytest

from pipelines.adapters import agent
from pipelines.adapters.health import BotHealth, Health, OfBots
from pipelines.errors import ExitCode
from runner.agent.alerts import Alert
from tests.agent.conftest import Lay
from tests.agent.live import CALM, Live, live_in_sandbox

pytestmark = pytest.mark.freqtrade

HOURS = 3600


@pytest.fixture(scope="module")
def live(lay: Lay) -> Iterator[Live]:
    with live_in_sandbox(lay) as found:
        yield found


@pytest.fixture(autouse=True)
def well(live: Live) -> Iterator[None]:
    """Before and after each."""
    live.step_to(CALM)
    until_well(live)
    live.resume()
    yield
    live.train.exchange.clear()


def look(live: Live) -> BotHealth:
    """How the bot is after a whole round."""
    asked = OfBots(environment="sandbox", strategy="beat")
    agent.ask(live.train.home, "health", asked)
    told = Health.model_validate(agent.ask(live.train.home, "health", asked), strict=False)
    (found,) = told.bots
    return found


def why(live: Live) -> dict[str, str]:
    return {each.check: each.text for each in look(live).reasons}


def until_well(live: Live) -> None:
    live.train.until(lambda: look(live).healthy)
    for _ in range(3):
        look(live)


def heard(live: Live) -> int:
    """How often it was told that all is well again."""
    return len(told(live, "recovered"))


def told(live: Live, *kinds: str) -> list[Alert]:
    return [alert for alert in live.train.alerts() if alert.kind in kinds]


def in_a_trade(live: Live) -> None:
    live.step_until(lambda: len(live.open_trades()) == len(live.stops()) > 0)


def back(live: Live, before: int) -> None:
    """It is told once that all is well again."""
    until_well(live)
    assert heard(live) == before + 1
    assert told(live, "recovered")[-1].severity == "notice"


def test_a_bot_that_trades_is_healthy_and_nobody_is_told_of_anything(live: Live) -> None:
    for _ in range(5):
        live.train.exchange.step(hours=1)
        assert look(live).reasons == ()
    assert told(live, "down", "degraded", "recovered", "host", "clock") == []
    status = live.train.strategy("sandbox")
    assert (status.healthy, status.reasons) == (True, ())
    ended = live.train.sluice("health", "sandbox", "beat")
    assert (ended.returncode, ended.stdout.split()[-1]) == (ExitCode.DONE, "healthy"), ended.stdout
    assert live.train.sluice("health", "nowhere").returncode == ExitCode.BAD_INPUT


def test_a_key_that_is_revoked(live: Live) -> None:
    in_a_trade(live)
    before = heard(live)
    live.train.exchange.fault("key_revoked", account="sandbox", seconds=24 * HOURS)
    assert "-2015" in why(live)["private"]
    look(live)
    (alert,) = told(live, "degraded")
    assert (alert.severity, alert.environment, alert.strategy) == ("money", "sandbox", "beat")
    live.train.exchange.clear()
    back(live, before)


def test_an_exchange_that_answers_nothing_but_errors(live: Live) -> None:
    in_a_trade(live)
    before = heard(live)
    live.train.exchange.fault("server_error", seconds=24 * HOURS)
    live.minutes(5)
    found = why(live)
    assert found["private"].startswith("the last private call failed: ")
    assert found["limits"].startswith("could not be evaluated: ")
    assert "clock" in found
    live.train.exchange.clear()
    live.minutes(5)
    back(live, before)


def test_a_clock_that_is_not_the_exchange_s(live: Live) -> None:
    before = heard(live)
    live.train.exchange.fault("clock_skew", by=Decimal(3_600_000), seconds=24 * HOURS)
    assert why(live)["clock"] == "the clock is 3600 s ahead of binance's"
    (alert,) = told(live, "clock")
    assert (alert.environment, alert.severity) == ("", "money")
    live.train.exchange.clear()
    back(live, before)


def test_candles_that_do_not_go_on(live: Live) -> None:
    before = heard(live)
    live.train.exchange.fault("stale_candles", symbol="ETHUSDT", seconds=24 * HOURS)
    live.train.exchange.step(hours=1)
    assert look(live).healthy, "a candle takes an hour"
    live.train.exchange.step(hours=1)
    assert "the newest candle of ETH/USDT closed" in why(live)["candles"]
    live.train.exchange.clear()
    live.train.exchange.step(hours=1)
    back(live, before)


def test_a_stop_that_is_lost(live: Live) -> None:
    in_a_trade(live)
    before = heard(live)
    live.train.exchange.fault("rejected_order", account="sandbox", side="SELL", seconds=3000)
    for stop in live.stops():
        with live.train.exchange.then():
            live.train.exchange.ccxt().cancel_order(str(stop.id), f"{stop.base}/USDT")
    look(live)
    live.minutes(5)
    look(live)
    live.minutes(5)
    assert "has no stop at the exchange" in why(live)["stops"]
    look(live)
    assert len(told(live, "stop")) == len(live.open_trades())
    live.train.exchange.clear()
    live.minutes(5)
    back(live, before)


def test_a_process_that_is_stopped(live: Live) -> None:
    before, pid = heard(live), live.train.pid("sandbox")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert why(live) == {"process": "its process is stopped by a signal"}
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [alert.text for alert in told(live, "down")][-1].startswith("down: process: ")
    back(live, before)


def test_a_process_that_is_killed(live: Live) -> None:
    before, downs = heard(live), len(told(live, "down"))
    os.kill(live.train.pid("sandbox"), signal.SIGKILL)
    assert live.train.until(lambda: why(live)) == {"process": "it does not run: failed"}
    look(live)
    assert len(told(live, "down")) == downs + 1
    live.train.exchange.step(minutes=11)
    back(live, before)
