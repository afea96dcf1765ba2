"""A lost entry is written into a database by freqtrade itself, once."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.bots.messages import Import

pytestmark = pytest.mark.freqtrade


def imported(asked: Import) -> str:
    argv = [sys.executable, "-m", "runner.bots.importing"]
    said = asked.model_dump_json()
    ended = subprocess.run(argv, input=said, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_it_looks_as_if_its_bot_had_just_placed_it_and_comes_once(tmp_path: Path) -> None:
    asked = Import(
        database=str(tmp_path / "live.sqlite"),
        pair="ETH/USDT",
        order="7",
        amount=0.05,
        price=2000.0,
        fee=0.001,
        at=datetime(2022, 3, 1, 12, tzinfo=UTC),
        strategy="Beat",
        timeframe=60,
        stake_currency="USDT",
        exchange="binance",
    )
    assert imported(asked) == "imported"
    assert imported(asked) == "known"
    assert imported(asked.model_copy(update={"order": "8"})) == "imported"
    query = """
SELECT t.id, t.is_open, t.amount, t.amount_requested, t.open_date, t.timeframe, o.order_id,
    o.ft_is_open, o.ft_order_side, o.status, o.filled, o.order_date
FROM trades t JOIN orders o ON o.ft_trade_id = t.id ORDER BY t.id
"""
    with closing(sqlite3.connect(asked.database)) as opened:
        first, second = opened.execute(query).fetchall()
    at = "2022-03-01 12:00:00.000000"
    assert first == (1, 1, 0.0, 0.05, at, 60, "7", 1, "buy", "open", 0.0, at)
    assert second[6] == "8"
