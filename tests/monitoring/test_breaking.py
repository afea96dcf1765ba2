"""Each way to break a real live bot turns its health red with the right reason, and back again.

One bot for all of them: what one test broke is well again when it ends.
"""

from collections.abc import Iterator

import pytest

from pipelines.adapters import agent
from pipelines.adapters.agent import BotHealth, Health, OfBots
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
    live.tick()
    asked = OfBots(environment="sandbox", strategy="beat")
    told = Health.model_validate(agent.ask(live.train.home, "health", asked), strict=False)
    (found,) = told.bots
    return found


def why(live: Live) -> dict[str, str]:
    return {each.check: each.text for each in look(live).reasons}


def until_well(live: Live) -> None:
    live.train.until(lambda: look(live).healthy)
    for _ in range(3):
        look(live)


def told(live: Live, *kinds: str) -> list[Alert]:
    return [alert for alert in live.train.alerts() if alert.kind in kinds]


def in_a_trade(live: Live) -> None:
    live.step_until(lambda: len(live.open_trades()) == len(live.stops()) > 0)


def back(live: Live, before: int) -> None:
    """It is told once that all is well again."""
    until_well(live)
    until_well(live)
    assert len(told(live, "recovered")) == before + 1
    assert told(live, "recovered")[-1].severity == "notice"


def test_a_bot_that_trades_is_healthy_and_nobody_is_told_of_anything(live: Live) -> None:
    for _ in range(5):
        live.train.exchange.step(hours=1)
        assert look(live).reasons == ()
    assert told(live, "down", "degraded", "recovered", "host", "clock") == []
    status = live.train.strategy("sandbox")
    assert (status.healthy, status.reasons) == (True, ())


def test_a_key_that_is_revoked(live: Live) -> None:
    in_a_trade(live)
    before = len(told(live, "recovered"))
    live.train.exchange.fault("key_revoked", account="sandbox", seconds=24 * HOURS)
    found = why(live)
    assert found["private"].startswith("the last private call failed: ")
    (alert,) = told(live, "degraded")
    assert (alert.severity, alert.strategy) == ("money", "beat")
    live.minutes(5)
    assert "AuthenticationError" in why(live)["private"]
    assert len(told(live, "degraded")) == 1
    live.train.exchange.clear()
    live.minutes(5)
    back(live, before)
