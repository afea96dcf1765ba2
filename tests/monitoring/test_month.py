"""A replayed month of a healthy bot that trades with money: nobody is told of anything.

Its candles take a day, so that the month is played in half a minute; the benchmark plays one hour
by hour.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from runner.monitoring.store import FILE, LOOKS, Store
from tests.agent import train as trains
from tests.agent.conftest import Lay
from tests.agent.live import Live
from tests.exchange.test_live_bot import BEAT

pytestmark = pytest.mark.freqtrade

DAYS = 30
CODE = (
    BEAT.replace('"1h"', '"1d"')
    .replace(".dt.hour % 4 == 0", ".dt.day % 2 == 0")
    .replace(".dt.hour % 4 == 2", ".dt.day % 2 == 1")
)


HEALTH = ("down", "degraded", "stop", "recovered", "host", "clock")
"""What an alarm about a healthy bot would be about."""


@pytest.fixture(scope="module")
def live(lay: Lay) -> Iterator[Live]:
    with lay() as train, pytest.MonkeyPatch.context() as patch:
        patch.setattr(trains, "MANIFEST", trains.MANIFEST.replace("1h", "1d"))
        train.secret("sandbox")
        train.start()
        release = train.release("1.0.0", CODE)
        train.want("sandbox", release)
        train.until_running("sandbox", release)
        yield Live(train)


def test_a_month_of_a_healthy_bot_raises_no_alarm_and_is_all_there(live: Live) -> None:
    for _ in range(DAYS):
        live.train.exchange.step(hours=24)
        live.tick()
    told = [alert for alert in live.train.alerts() if alert.kind in HEALTH]
    assert told == []
    (release,) = Store(live.train.home / FILE).releases("sandbox", "beat")
    day = live.train.exchange.now - timedelta(days=1)
    looks = Store(live.train.home / FILE).spans(LOOKS, ("sandbox", "beat", release), day)
    last = looks[-1].figures
    closed = [trade for trade in live.known.trades if not trade.is_open]
    assert looks[-1].healthy == 1
    assert len(closed) > 10
    assert last["closed_trades"] == len(closed)
    assert last["candle_lag"] == 0, "it processes at once when the clock has moved"
    fees, slippage = last["fees"], last["slippage"]
    assert isinstance(fees, Decimal)
    assert fees > 0
    assert isinstance(slippage, Decimal)
    assert abs(slippage) < Decimal("0.05")
    assert last["failures"] == 0
    assert any(look.figures["calls"] for look in looks)
