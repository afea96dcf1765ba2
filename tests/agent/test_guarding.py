"""Protections with a real live bot: what trips, how soon, and what follows."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agent.conftest import Lay
from tests.agent.holding import Holding, holding
from tests.exchange.running import Running, running

pytestmark = pytest.mark.freqtrade

LOOSE = {
    "max_drawdown": 1,
    "max_orders_per_hour": 2000,
    "max_rejected_per_hour": 2000,
    "max_cancelled_per_hour": 2000,
}


@pytest.fixture(scope="module")
def bot(lay: Lay) -> Iterator[Holding]:
    with holding(lay, "guarding") as made:
        declare(made)
        yield made


def declare(bot: Holding, **limits: Any) -> None:
    """The environment says this from now on: no bot has to be started anew for it."""
    path = bot.train.project / "environments" / "demo" / "sandbox.yaml"
    told = yaml.safe_load(path.read_text())
    told["protections"] = {**LOOSE, **limits}
    making = path.with_suffix(".new")
    making.write_text(yaml.safe_dump(told, sort_keys=False))
    making.rename(path)


def price(exchange: Running) -> float:
    """The last one of bitcoin."""
    with exchange.then():
        last = exchange.ccxt().fetch_ticker("BTC/USDT")["last"]
    assert last is not None
    return float(last)


def tripped(bot: Holding) -> list[dict[str, Any]]:
    return [entry for entry in bot.train.entries() if entry["entry"] == "tripped"]


def resumed(bot: Holding) -> None:
    declare(bot)
    assert bot.train.sluice("resume").returncode == 0
    bot.train.until_phase("sandbox", "running")


def watch(bot: Holding) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (bot.train.home / "guard" / "sandbox.beat.json").read_bytes()
    )
    return found


def test_a_flash_crash_trips_the_drawdown_within_two_ticks_and_everything_is_sold(
    bot: Holding,
) -> None:
    """No trade closes, no day goes by: only the price of what is open falls."""
    bot.until_held(2)
    declare(bot, max_drawdown={"limit": 0.01, "then": "flatten"})
    bot.train.round()
    assert tripped(bot) == []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        # Shallower than the stop, which would sell by itself.
        bot.train.exchange.fault("price_gap", symbol=symbol, by=Decimal("-0.12"))
    before = price(bot.train.exchange)
    while price(bot.train.exchange) > before * 0.95:
        bot.train.exchange.step(minutes=5)

    bot.train.round()

    (trip,) = tripped(bot)
    assert (trip["limit"], trip["then"], trip["by"]) == ("max_drawdown", "flatten", "agent")
    assert Decimal(trip["actual"]) > Decimal(trip["allowed"])
    assert any("everything is sold" in alert.text for alert in bot.train.alerts("money"))
    bot.train.step(1)
    assert (bot.sheet().kept.open, bot.open_orders) == ((), [])
    assert "max_drawdown" in bot.train.strategy("sandbox").decision
    # Looked at again and again it is one trip.
    bot.train.step(2)
    assert len(tripped(bot)) == 1


def test_after_a_resume_only_new_losses_count_also_for_the_next_agent(bot: Holding) -> None:
    declare(bot, max_drawdown=0.01)
    assert bot.train.sluice("resume").returncode == 0
    bot.train.until_phase("sandbox", "running")
    assert len(tripped(bot)) == 1
    peak, capital = watch(bot)["peak"], watch(bot)["capital"]
    assert (Decimal(peak) < 200, Decimal(capital)) == (True, 200)
    bot.train.kill()
    bot.train.start()
    bot.train.round()
    assert (watch(bot)["peak"], watch(bot)["capital"]) == (peak, capital)
    assert len(tripped(bot)) == 1


def test_more_orders_than_an_hour_may_have_halt(bot: Holding) -> None:
    """Knight Capital: what breaks the circuit stands outside of what runs away."""
    resumed(bot)
    declare(bot, max_orders_per_hour=1)
    for _ in range(12):
        if tripped(bot)[-1]["limit"] == "max_orders_per_hour":
            break
        bot.train.exchange.step(minutes=30)
        bot.train.round()
    # The round after the second order has seen both.
    assert (tripped(bot)[-1]["limit"], tripped(bot)[-1]["actual"]) == ("max_orders_per_hour", "2")
    bot.train.until_phase("sandbox", "halted")
    sent = len(bot.orders)
    bot.train.step(5)
    assert bot.bought(sent) == []


def test_orders_that_the_exchange_refuses_halt(bot: Holding) -> None:
    resumed(bot)
    declare(bot, max_rejected_per_hour=0)
    bot.train.exchange.fault("rejected_order", seconds=6 * 3600, account="guarding")
    for _ in range(6):
        bot.train.exchange.step(hours=1)
        bot.train.round()
        if tripped(bot)[-1]["limit"] == "max_rejected_per_hour":
            break
    bot.train.exchange.clear()
    assert tripped(bot)[-1]["limit"] == "max_rejected_per_hour"
    bot.train.until_phase("sandbox", "halted")


def test_a_limit_that_cannot_be_evaluated_alerts_then_halts_and_ends_by_itself(
    bot: Holding,
) -> None:
    resumed(bot)
    bot.until_held()
    before = len(tripped(bot))
    bot.train.exchange.fault("server_error", seconds=24 * 3600)
    bot.train.round()
    told = [alert.text for alert in bot.train.alerts("warning")]
    assert any(text.startswith("max_drawdown?: could not be evaluated") for text in told)
    assert len(tripped(bot)) == before
    bot.train.exchange.step(minutes=2)
    bot.train.round()
    # The host's exposure is limited by prod, for all that trade money.
    limits = {"max_drawdown?", "max_host_exposure?"}
    assert {trip["limit"] for trip in tripped(bot)[before:]} == limits
    assert {trip["actual"] for trip in tripped(bot)[before:]} == {None}
    bot.train.until_phase("sandbox", "halted")
    bot.train.exchange.clear()
    bot.train.until_phase("sandbox", "running")
    lifted = [entry for entry in bot.train.entries() if entry["entry"] == "resumed"][-1]
    # The last of them to be over lifts the halt.
    assert (lifted["by"], lifted["lifts"] in limits) == ("agent", True)
    assert watch(bot)["blind"] == {}


def follow(other: Running, bot: Holding) -> None:
    now = bot.train.exchange.now
    if other.now < now:
        other.step(seconds=int((now - other.now) / timedelta(seconds=1)))


def test_prices_that_are_apart_from_the_reference_s_halt_until_they_agree(
    bot: Holding, root: Path, tmp_path: Path
) -> None:
    resumed(bot)
    start = f"{bot.train.exchange.now:%Y-%m-%d}"
    with running(root, tmp_path, "--start", start) as other:
        # Theirs is the market without what ours went through.
        follow(other, bot)
        named = {"exchange": "binance", "address": other.ready.api_url, "max_divergence": 0.02}
        declare(bot, reference=named)
        bot.train.round()
        assert tripped(bot)[-1]["limit"] == "reference"
        assert tripped(bot)[-1]["then"] == "halt"
        bot.train.until_phase("sandbox", "halted")
        sent = len(bot.orders)
        # Who resumes is halted again: nobody can say that prices agree.
        assert bot.train.sluice("resume").returncode == 0
        bot.train.until_phase("sandbox", "halted")

        for symbol in ("BTCUSDT", "ETHUSDT"):
            other.fault("price_gap", symbol=symbol, by=Decimal("-0.12"))
        bot.train.exchange.step(hours=1, minutes=5)
        follow(other, bot)
        bot.train.until_phase("sandbox", "running")
        assert bot.bought(sent) == []
        lifted = [entry for entry in bot.train.entries() if entry["entry"] == "resumed"][-1]
        assert (lifted["by"], lifted["lifts"]) == ("agent", "reference")
    # A reference that is gone is no reference that agrees.
    bot.train.round()
    bot.train.exchange.step(minutes=2)
    bot.train.until_phase("sandbox", "halted")
    assert tripped(bot)[-1]["limit"] == "reference?"
