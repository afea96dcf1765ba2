"""What runs against what should: each single difference is told."""

from typing import Any

import pytest

from pipelines.freqtrade.rest import Shown
from runner.agent.readback import Expected, differences
from runner.bots.messages import Loaded

PID = 77
FILES = {"beat/strategy.py": "a" * 64, "beat/strategy.json": "b" * 64, "shared/m.py": "c" * 64}

EXPECTED = Expected(
    bot="sandbox beat 1.0.0",
    class_name="Beat",
    strategy_file="beat/strategy.py",
    files=FILES,
    freqtrade="2025.9",
    python="/venvs/one/bin/python",
    config="d" * 64,
    initial_state="running",
    dry_run=False,
    trading_mode="spot",
    exchange="binance",
    key="e" * 64,
    database="sqlite:///bots/sandbox/beat/live.sqlite",
)
LOADED: dict[str, Any] = {
    "pid": PID,
    "freqtrade": "2025.9",
    "python": "/venvs/one/bin/python",
    "strategy": "Beat",
    "files": {"beat/strategy.py": "a" * 64, "shared/m.py": "c" * 64},
    "source": "a" * 64,
    "parameters": "0" * 64,
    "config": "d" * 64,
    "initial_state": "running",
    "dry_run": False,
    "trading_mode": "spot",
    "exchange": "binance",
    "key": "e" * 64,
    "database": "sqlite:///bots/sandbox/beat/live.sqlite",
}
SHOWN: dict[str, Any] = {
    "version": "2025.9",
    "dry_run": False,
    "trading_mode": "spot",
    "exchange": "binance",
    "strategy": "Beat",
    "bot_name": "sandbox beat 1.0.0",
    "state": "paused",
}


def found(loaded: dict[str, Any], shown: dict[str, Any], pid: int = PID) -> tuple[str, ...]:
    return differences(EXPECTED, pid, Loaded(**{**LOADED, **loaded}), Shown(**{**SHOWN, **shown}))


def test_what_is_as_it_should_be_differs_in_nothing() -> None:
    assert found({}, {}) == ()
    assert found({"initial_state": "paused"}, {}) == (), "a pause is always allowed"


@pytest.mark.parametrize(
    ("loaded", "told"),
    [
        ({"pid": 78}, "process: should be 77, is 78"),
        ({"strategy": "Other"}, "strategy: should be Beat, is Other"),
        ({"freqtrade": "2025.8"}, "freqtrade: should be 2025.9, is 2025.8"),
        (
            {"python": "/venvs/two/bin/python"},
            "packages: should be /venvs/one/bin/python, is /venvs/two/bin/python",
        ),
        ({"config": "f" * 64}, "configuration: should be dddddddd, is ffffffff"),
        ({"initial_state": "stopped"}, "initial state: should be running, is stopped"),
        ({"dry_run": True}, "dry_run: should be False, is True"),
        ({"trading_mode": "futures"}, "trading mode: should be spot, is futures"),
        ({"exchange": "kraken"}, "exchange: should be binance, is kraken"),
        ({"key": "f" * 64}, "exchange key: should be eeeeeeee, is ffffffff"),
        ({"key": ""}, "exchange key: should be eeeeeeee, is none"),
        (
            {"database": "sqlite://"},
            "database: should be sqlite:///bots/sandbox/beat/live.sqlite, is sqlite://",
        ),
        ({"source": "f" * 64}, "strategy's source: should be aaaaaaaa, is ffffffff"),
        (
            {"files": {"beat/strategy.py": "f" * 64}},
            "beat/strategy.py: is not as it is in the release",
        ),
        (
            {"files": {"beat/strategy.py": "a" * 64, "beat/strategy.json": "f" * 64}},
            "beat/strategy.json: is not as it is in the release",
        ),
        (
            {"files": {"beat/strategy.py": "a" * 64, "beat/other.py": "a" * 64}},
            "beat/other.py: was loaded, but the release does not have it",
        ),
        (
            {"files": {"shared/m.py": "c" * 64}},
            "beat/strategy.py: should be what runs, but another file was loaded",
        ),
    ],
)
def test_each_thing_that_a_bot_found_in_itself_counts(loaded: dict[str, Any], told: str) -> None:
    assert found(loaded, {}) == (told,)


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"bot_name": "prod x"}, "bot: should be sandbox beat 1.0.0, is prod x"),
        ({"strategy": "Other"}, "strategy by REST: should be Beat, is Other"),
        ({"version": "2025.8"}, "freqtrade by REST: should be 2025.9, is 2025.8"),
        ({"dry_run": True}, "dry_run by REST: should be False, is True"),
        ({"trading_mode": "futures"}, "trading mode by REST: should be spot, is futures"),
        ({"exchange": "kraken"}, "exchange by REST: should be binance, is kraken"),
    ],
)
def test_each_thing_that_freqtrade_says_counts(shown: dict[str, Any], told: str) -> None:
    assert found({}, shown) == (told,)


def test_everything_is_told_at_once() -> None:
    assert len(found({"dry_run": True, "key": ""}, {"dry_run": True})) == 3
