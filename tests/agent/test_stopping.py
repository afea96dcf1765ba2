"""Halt, resume and flatten with a real live bot that is alive, dead, or stopped in its tracks."""

import importlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from tests.agent.conftest import Lay
from tests.agent.holding import Holding, holding

pytestmark = pytest.mark.freqtrade

NOTHING = "sandbox beat: nothing is left\n"


@pytest.fixture(scope="module")
def bot(lay: Lay) -> Iterator[Holding]:
    with holding(lay, "stopping") as made:
        yield made


def test_halting_everything_cancels_the_entry_that_waits_and_none_follows(bot: Holding) -> None:
    bot.until_waiting()
    waits = {order.id for order in bot.sheet().entries}
    assert {str(order.id) for order in bot.open_orders if order.side == "BUY"} == waits

    ended = bot.train.sluice("halt", "--reason", "it looks wrong")

    assert ended.returncode == 0, ended.stderr
    bot.train.until_phase("sandbox", "halted")
    bot.train.until(lambda: not bot.sheet().entries, 30)
    assert [order for order in bot.open_orders if order.side == "BUY"] == []
    sent = len(bot.orders)
    bot.train.step(5)
    assert bot.bought(sent) == []


def test_a_pause_lived_in_memory_only(bot: Holding) -> None:
    """The bot dies, the agent dies, both do, and a bot is reloaded: it never enters."""
    sent = len(bot.orders)
    bot.kill_bot()
    bot.back("halted")
    bot.train.step(5)
    bot.train.kill()
    bot.kill_bot()
    bot.train.exchange.step(hours=1)
    bot.train.start()
    bot.back("halted")
    bot.train.step(5)
    assert bot.bought(sent) == []


def test_a_bot_that_somebody_told_to_trade_in_spite_of_the_halt_is_halted_again(
    bot: Holding,
) -> None:
    from runner.agent import records

    record = records.load(bot.train.house.record("sandbox", "beat"))
    assert record is not None
    record.rest.start()
    bot.train.round()
    assert record.rest.shown().state == "paused"


def test_exits_are_managed_while_halted_also_after_both_died(bot: Holding) -> None:
    assert bot.train.sluice("resume").returncode == 0
    bot.train.until_phase("sandbox", "running")
    bot.until_held()
    assert bot.train.sluice("halt", "sandbox").returncode == 0
    bot.train.until_phase("sandbox", "halted")
    assert [order for order in bot.open_orders if order.kind == "STOP_LOSS_LIMIT"] != []
    sent = len(bot.orders)
    bot.train.kill()
    bot.kill_bot()
    bot.train.start()
    bot.back("halted")
    bot.train.step(6)
    assert bot.sheet().kept.open == ()
    assert [order.side for order in bot.orders[sent:] if order.standing == "FILLED"] != []
    assert bot.bought(sent) == []


def resumed(bot: Holding) -> None:
    """It trades again, and holds something."""
    assert bot.train.sluice("resume", "sandbox").returncode == 0
    bot.train.until_phase("sandbox", "running")
    bot.until_held(2)


def is_empty(bot: Holding) -> None:
    """Nothing is left at the exchange, and nothing enters any more."""
    assert bot.open_orders == []
    lots = {"BTC": 1e-5, "ETH": 1e-4}
    assert [asset for asset, held in bot.coins().items() if held >= lots[asset] * 10] == []
    sent = len(bot.orders)
    bot.train.step(4)
    assert bot.bought(sent) == []
    assert bot.sheet().kept.open == ()


def test_flatten_with_the_bot_alive_and_how_long_it_takes(
    bot: Holding, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed(bot)
    monkeypatch.syspath_prepend(root / "benchmarks")
    measured = importlib.import_module("flatten").flatten_seconds
    figure = measured(bot.train.project, bot.train.home, "sandbox", "flatten_seconds")
    assert (figure.name, figure.unit, 0 < figure.value < 60) == ("flatten_seconds", "s", True)
    print(f"flatten_seconds {figure.value:.2f}")
    is_empty(bot)
    assert bot.train.strategy("sandbox").phase == "halted"


def test_flatten_with_the_bot_dead_and_its_database_learns_of_it(bot: Holding) -> None:
    resumed(bot)
    bot.kill_bot()
    ended = bot.train.sluice("flatten", "sandbox")
    assert (ended.returncode, ended.stdout) == (0, NOTHING), ended.stdout + ended.stderr
    bot.back("halted")
    bot.train.step(1)
    is_empty(bot)


def test_flatten_with_the_bot_stopped_in_its_tracks(bot: Holding) -> None:
    resumed(bot)
    pid = bot.train.pid("sandbox")
    os.kill(pid, signal.SIGSTOP)
    ended = bot.train.sluice("flatten", "sandbox", "beat")
    assert (ended.returncode, ended.stdout) == (0, NOTHING), ended.stdout + ended.stderr
    bot.back("halted")
    assert bot.train.pid("sandbox") != pid
    bot.train.step(1)
    is_empty(bot)


def test_flatten_says_what_could_not_be_closed_and_goes_on_trying(bot: Holding) -> None:
    resumed(bot)
    bot.train.exchange.fault("symbol_halted", symbol="BTCUSDT")
    ended = bot.train.sluice("flatten", "sandbox")
    assert ended.returncode == ExitCode.REFUSED
    assert "BTC/USDT: 0." in ended.stdout
    assert "ETH/USDT" not in ended.stdout
    assert any("BTC/USDT" in alert.text for alert in bot.train.alerts("money"))
    bot.train.exchange.clear()
    bot.train.exchange.step(minutes=1)
    bot.train.round()
    bot.train.step(1)
    is_empty(bot)


def test_flatten_without_an_agent_after_a_reboot(bot: Holding) -> None:
    """Nobody knows of any bot: only the databases and the exchange are left."""
    resumed(bot)
    bot.train.kill()
    bot.kill_bot()
    bot.train.house.record("sandbox", "beat").unlink()
    process = bot.train.agent("flatten", "sandbox")
    assert process.wait(120) == 0, bot.train.log
    assert bot.open_orders == []
    bot.train.start()
    bot.back("halted")
    bot.train.step(1)
    is_empty(bot)
