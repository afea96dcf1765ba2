"""The plumbing of the benchmarks. What they measure is not judged here: this machine is busy."""

import importlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.domain.trades.trade import TradeLog


@pytest.fixture
def gate(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`benchmarks/gate.py`, with the modules beside it."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    yield importlib.import_module("gate")
    for name in ("figures", "gate", "loading", "seeded", "stock", "warm"):
        sys.modules.pop(name, None)


@pytest.fixture
def exchange(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`benchmarks/exchange.py`, with the modules beside it."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    yield importlib.import_module("exchange")
    for name in ("busy", "exchange", "figures", "scaled"):
        sys.modules.pop(name, None)


@pytest.fixture
def train(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`benchmarks/train.py`, with the modules beside it."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    yield importlib.import_module("train")
    for name in ("busy", "exchange", "figures", "fleet", "scaled", "train"):
        sys.modules.pop(name, None)


@pytest.fixture
def alerting(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`benchmarks/alerting.py`, with the modules beside it."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    yield importlib.import_module("alerting")
    for name in ("alerting", "figures"):
        sys.modules.pop(name, None)


def figures(gate: ModuleType) -> list[object]:
    return [gate.Figure("quick", 7.25, "x", ">= 6"), gate.Figure("slow", 2.0, "s", "< 1")]


def test_machines_read_one_line(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["gate.py", "--json"])
    gate.main(lambda candles, home: figures(gate))
    assert json.loads(capsys.readouterr().out) == {
        "figures": [
            {"name": "quick", "value": 7.25, "unit": "x"},
            {"name": "slow", "value": 2.0, "unit": "s"},
        ]
    }


def test_people_see_each_goal_beside_its_figure(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["gate.py"])
    gate.main(lambda candles, home: figures(gate))
    quick, slow = capsys.readouterr().out.splitlines()
    assert quick.split() == ["quick", "7.25", "x", ">=", "6"]
    assert slow.split() == ["slow", "2.00", "s", "<", "1", "missed"]


@pytest.mark.freqtrade
def test_loading_is_compared_on_what_was_loaded(gate: ModuleType, tmp_path: Path) -> None:
    plan = gate.Plan(tmp_path / "home", None, gate.SIGNALS[:1], ("bear",))
    (job,) = plan.jobs(plan.bench())
    rows = 9000
    small = gate.seeded_job(tmp_path / "seeded", job, count=2, rows=rows)
    span = f"{gate.seeded.FIRST}-{gate.seeded.FIRST + gate.seeded.STEP * rows - 1}"
    kept, first = gate.load_vs_freqtrade(small, span)
    assert kept > 0
    assert first > 0
    wrong = {path: bytes(len(text)) for path, text in small.files.items() if "ticks/" in path}
    other = replace(small, files={**small.files, **wrong})
    loaded = [gate._load("warm", job, span)["loaded"] for job in (small, other)]
    assert loaded[0] != loaded[1]


@pytest.mark.freqtrade
def test_warm_and_cold_are_compared_trade_by_trade(
    gate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = gate.Plan(tmp_path, None, gate.SIGNALS[:1], ("bear",))
    compare, compared = gate.stock.differences, []

    def noted(told: Any, log: TradeLog) -> list[str]:
        compared.append((told, log))
        return compare(told, log)

    monkeypatch.setattr(gate.stock, "differences", noted)
    assert gate.warm_vs_cold(plan) > 0
    ((told, log),) = compared
    fewer = log.model_copy(update={"trades": log.trades[:-1]})
    assert compare(told, fewer)[0].endswith(f"not {len(log.trades)}")
    first = log.trades[0].model_copy(update={"profit": log.trades[0].profit + 1e-9})
    assert compare(told, log.model_copy(update={"trades": (first, *log.trades[1:])}))
    poorer = log.model_copy(update={"final_balance": log.final_balance - 0.01})
    assert compare(told, poorer)


def test_the_exchange_is_measured_on_all_of_its_candles(
    exchange: ModuleType, tmp_path: Path
) -> None:
    found = {figure.name: figure for figure in exchange.speeds(None, tmp_path, share=0.02)}
    assert found["klines_per_second"].goal == ">= 1000"
    assert found["memory_mb"].goal == "< 150"
    assert all(figure.value > 0 for figure in found.values())


def test_a_wrong_answer_is_no_figure(exchange: ModuleType, tmp_path: Path) -> None:
    def all_of(path: str) -> list[bytes]:
        return [exchange.request("GET", path, "")] * 3

    with exchange.serving(None, tmp_path, "--clock", "stepped") as ready:
        asked = exchange.busy(ready.pid, ready.api_url, all_of("/api/v3/time"), lambda _: True)
        assert asked.requests == 3
        wrong = sys.modules["busy"].Wrong
        with pytest.raises(wrong, match="serverTime"):
            exchange.busy(ready.pid, ready.api_url, all_of("/api/v3/time"), lambda _: False)
        with pytest.raises(wrong, match="404 Not Found"):
            exchange.busy(ready.pid, ready.api_url, all_of("/nothing"), lambda _: True)


def test_a_candle_counts_from_its_close_and_when_it_was_the_last_one(
    exchange: ModuleType,
) -> None:
    scaled = exchange.scaled
    step, pairs = scaled.STEP, ["A", "B"]
    lines = [["", 0, 2000.0]]  # the bot's clock is two seconds behind
    for number in range(4):
        for pair, late in (("A", 1000), ("B", 3000)):
            if (pair, number) != ("B", 2):
                lines.append([pair, number * step, number * step + step + late])
    lines.append(["A", step, 9 * step])  # once more, much later
    text = "".join(json.dumps(line) + "\n" for line in lines)
    seen = scaled.read(text + '["A", 12')

    # What was there when the bot began does not count.
    assert scaled.told(seen, pairs, 2) == scaled.Day(4, 1, (3.0, 3.0, 5.0))
    assert scaled.over(seen, 2)
    assert not scaled.over(seen, 3)
    assert not scaled.over([], 1)


def test_all_but_one_of_a_hundred_lags_are_within_p99(exchange: ModuleType) -> None:
    def p99(count: int) -> float:
        found: float = exchange.scaled.Day(count, 0, tuple(float(n) for n in range(count))).p99
        return found

    assert [p99(count) for count in (1, 2, 100, 101, 1440)] == [0, 1, 98, 99, 1425]


@pytest.mark.freqtrade
@pytest.mark.needs("libfaketime")
def test_a_stock_bot_is_followed_candle_by_candle(exchange: ModuleType, tmp_path: Path) -> None:
    found = {figure.name: figure for figure in exchange.replayed(None, tmp_path, 2)}
    assert found["scaled_day_missed_candles"].unit == "of 10"
    assert found["scaled_day_missed_candles"].goal == "< 1"
    assert found["scaled_p99_lag_seconds"].goal == "< 60"
    assert 0 < found["scaled_p99_lag_seconds"].value <= found["scaled_worst_lag_seconds"].value


@pytest.mark.slow
@pytest.mark.freqtrade
def test_the_agent_is_measured_beside_doing_it_by_hand(
    train: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, few in (("BOTS", 2), ("SEPARATE", 1), ("TURNS", 1), ("ROUNDS", 2)):
        monkeypatch.setattr(train, name, few)
    for name, few in (("BOTS", 2), ("MINUTES", 1), ("PLANTED", 1)):
        monkeypatch.setattr(train.books, name, few)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = {figure.name: figure for figure in train.measure(None, tmp_path)}
    assert all(figure.value > 0 for figure in found.values())
    assert found["orphan_detection_ticks"].reached
    # Two bots do not share as much as twenty do, and two processes never share nothing.
    assert found["bot_memory_mb"].value < found["separate_bot_memory_mb"].value
    assert found["manual_seconds"].value > 1


def test_a_year_of_observations_fills_every_level(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    monitoring = importlib.import_module("monitoring")
    path, span = tmp_path / "observations.sqlite", timedelta(days=16)
    monkeypatch.setattr(monitoring, "DAY", timedelta(minutes=30))
    monkeypatch.setattr(monitoring, "FORTNIGHT", timedelta(hours=8))
    assert 0 < monitoring.year(path, 1, span) < 2
    with closing(sqlite3.connect(path)) as opened:
        levels = ("looks", "minutes", "hours")
        rows = [opened.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in levels]
    assert rows[0] > 180
    assert rows[1] > 450
    assert rows[2] == 16 * 24 - 1
    for name in ("exchange", "figures", "fleet", "monitoring", "train", "books", "holding"):
        sys.modules.pop(name, None)


TRIED = """
import sys
sys.path.insert(0, "benchmarks")
from trying import ROOT, tried
path = ROOT / "pipelines" / "domain" / "handover.py"
same = path.read_text()
wrong = same.replace("if berth == FIRST", "if berth != FIRST")
assert wrong != same
codes = [lambda: same, lambda: wrong, lambda: "import nothing_of_that_name"]
print([each.name for each in tried(path, codes, ["tests/domain/test_handover.py"])])
"""


def test_a_mutant_survives_is_killed_or_cannot_even_be_imported(root: Path) -> None:
    argv = [sys.executable, "-c", TRIED]
    ran = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=300, check=True)
    assert ran.stdout.strip() == "['SURVIVED', 'KILLED', 'STILLBORN']"


def test_a_fault_is_followed_to_the_bot_api(alerting: ModuleType, tmp_path: Path) -> None:
    measured = alerting.measured(tmp_path, samples=1, tick=0.5, flood=40)
    by = {each.name: each for each in measured}
    assert by["alert_delay_seconds_p99"].goal == "< 15"
    assert by["alert_delay_seconds_p99"].value > 0
    assert by["telegram_memory_mb"].value > 10
    assert 1 <= by["flood_messages"].value <= 8
