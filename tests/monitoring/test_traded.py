"""What a release traded: only its own, with its fees, and how much worse than the signal."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from runner.bots.messages import TALLY, Done
from runner.monitoring.traded import Traded, Trading

NOON = datetime(2023, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

SCHEMA = """
CREATE TABLE trades (id INTEGER PRIMARY KEY, is_open INT, is_short INT, fee_open REAL,
  fee_close REAL, close_profit_abs REAL, open_date TEXT);
CREATE TABLE orders (order_id TEXT, ft_trade_id INT, ft_order_side TEXT, side TEXT, filled REAL,
  average REAL, price REAL);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(SCHEMA)
    return path


def trade(database: Path, number: int, when: datetime = NOON, **how: float | None) -> None:
    told = {"is_open": 0, "is_short": 0, "profit": 1.5} | how
    row = (number, told["is_open"], told["is_short"], 0.001, 0.002, told["profit"])
    with closing(sqlite3.connect(database)) as opened, opened:
        at = when.replace(tzinfo=None).isoformat(" ", "microseconds")
        opened.execute("INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, at))


def order(database: Path, of: int, kind: str, side: str, price: float, filled: float = 2.0) -> None:
    row = (f"{of}{kind}", of, kind, side, filled, price, price)
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def signal(database: Path, name: str, close: float | None, file: str = TALLY) -> None:
    done = Done(at=NOON, deed="placed", order=name, signal=close)
    with database.with_name(file).open("a") as told:
        told.write(done.model_dump_json() + "\n")


def test_fees_are_those_of_every_filled_order_in_the_stake_currency(database: Path) -> None:
    trade(database, 1)
    order(database, 1, "buy", "buy", 100)
    order(database, 1, "sell", "sell", 110)
    trade(database, 2, is_open=1, is_short=1, profit=None)
    order(database, 2, "sell", "sell", 100)
    order(database, 2, "buy", "buy", 90, filled=0)
    found = Trading().of(database, NOON)
    assert found == Traded(1, Decimal("1.5"), Decimal("0.2") + Decimal("0.44") + Decimal("0.2"))


def test_what_was_opened_before_the_release_came_is_another_s(database: Path) -> None:
    trade(database, 1, NOON - HOUR, profit=-50.0)
    order(database, 1, "buy", "buy", 100)
    trade(database, 2, NOON + HOUR, profit=3.0)
    found = Trading().of(database, NOON)
    assert found == Traded(1, Decimal(3), Decimal(0))


def test_slippage_is_worse_for_who_buys_dearer_and_for_who_sells_cheaper(database: Path) -> None:
    trade(database, 1)
    order(database, 1, "buy", "buy", 101)
    order(database, 1, "sell", "sell", 97)
    order(database, 1, "stoploss", "sell", 50)
    signal(database, "1buy", 100.0, f"{TALLY}.1")
    signal(database, "1sell", 100.0)
    signal(database, "1stoploss", 100.0)
    signal(database, "unknown", None)
    found = Trading().of(database, NOON)
    assert found is not None
    assert found.slippage == Decimal("0.02")


def test_without_a_signal_nobody_knows_the_slippage_and_a_torn_line_is_left_out(
    database: Path,
) -> None:
    trade(database, 1)
    order(database, 1, "buy", "buy", 101)
    with database.with_name(TALLY).open("w") as told:
        told.write('{"deed":"placed","order":"1buy"}\n{"at":"2023-05-06T12:00:00Z","deed":"placed"')
    found = Trading().of(database, NOON)
    assert found is not None
    assert found.slippage is None


def test_it_is_read_again_once_something_has_changed(database: Path) -> None:
    trading = Trading()
    trade(database, 1)
    assert trading.of(database, NOON) is trading.of(database, NOON)
    trade(database, 2)
    found = trading.of(database, NOON)
    assert found is not None
    assert found.closed == 2
    later = trading.of(database, NOON + HOUR)
    assert later == Traded()


def test_none_yet_is_nothing_and_a_broken_one_is_unknown(tmp_path: Path) -> None:
    assert Trading().of(tmp_path / "none.sqlite", NOON) == Traded()
    (tmp_path / "broken.sqlite").write_bytes(b"no database" * 100)
    assert Trading().of(tmp_path / "broken.sqlite", NOON) is None
