"""What a bot knows, read from the tables that freqtrade makes."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.known import BotBook
from pipelines.errors import CannotTell
from runner.agent.books.known import known

TABLES = """
CREATE TABLE trades (id INTEGER PRIMARY KEY, pair TEXT, is_open BOOLEAN, is_short BOOLEAN,
    open_date DATETIME);
CREATE TABLE orders (id INTEGER PRIMARY KEY, ft_trade_id INTEGER, order_id TEXT, ft_order_side TEXT,
    ft_is_open BOOLEAN, ft_amount FLOAT, amount FLOAT, filled FLOAT, ft_fee_base FLOAT);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as opened:
        opened.executescript(TABLES)
    return path


def trade(database: Path, number: int, pair: str, *, open_: bool, short: bool = False) -> None:
    row = (number, pair, open_, short, "2022-03-01 12:00:00.000000")
    put(database, "INSERT INTO trades VALUES (?, ?, ?, ?, ?)", row)


def order(database: Path, trade: int, name: str, side: str, *rest: Any) -> None:
    """`rest`: is open, amount asked for, amount, filled, fee in the base asset."""
    query = "INSERT INTO orders (ft_trade_id, order_id, ft_order_side, ft_is_open, ft_amount, "
    query += "amount, filled, ft_fee_base) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    put(database, query, (trade, name, side, *rest))


def put(database: Path, statement: str, row: tuple[Any, ...]) -> None:
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(statement, row)


def read(database: Path) -> BotBook:
    return known(database, "prod", "beat", ["BTC/USDT"], stops_on_exchange=True)


def test_a_bot_that_never_traded_knows_nothing(tmp_path: Path) -> None:
    book = read(tmp_path / "live.sqlite")
    assert (book.pairs, book.trades, book.orders) == (frozenset({"BTC/USDT"}), (), frozenset())
    sqlite3.connect(tmp_path / "half.sqlite").close()
    assert read(tmp_path / "half.sqlite") == book


def test_open_trades_are_read_with_their_orders_exact(database: Path) -> None:
    trade(database, 1, "BTC/USDT", open_=True)
    order(database, 1, "a", "buy", False, 0.1, 0.1, 0.1, 0.0001)
    order(database, 1, "b", "stoploss", True, 0.0999, None, None, None)
    (found,) = read(database).trades
    entry, stop = found.orders
    assert found.opened_at == datetime(2022, 3, 1, 12, tzinfo=UTC)
    assert (entry.is_entry, entry.filled, entry.fee) == (True, Decimal("0.1"), Decimal("0.0001"))
    assert (stop.is_entry, stop.is_stop, stop.is_open) == (False, True, True)
    assert (stop.amount, stop.filled, stop.fee) == (Decimal("0.0999"), Decimal(0), None)


def test_an_entry_of_a_short_trade_is_a_sale(database: Path) -> None:
    trade(database, 1, "BTC/USDT:USDT", open_=True, short=True)
    order(database, 1, "a", "sell", False, 1.0, 1.0, 1.0, None)
    order(database, 1, "b", "buy", True, 1.0, 1.0, 0.0, None)
    (found,) = read(database).trades
    assert [each.is_entry for each in found.orders] == [True, False]


def test_closed_trades_are_known_by_their_orders_and_by_what_they_left(database: Path) -> None:
    for number, (bought, fee, sold) in enumerate([(1.0, 0.001, 0.99), (2.0, None, 2.0)], 1):
        trade(database, number, "ETH/USDT", open_=False)
        order(database, number, f"in{number}", "buy", False, bought, bought, bought, fee)
        order(database, number, f"out{number}", "sell", False, sold, sold, sold, None)
    trade(database, 3, "ETH/USDT", open_=False)
    order(database, 3, "more", "sell", False, 1.0, 1.0, 1.0, None)
    book = read(database)
    assert book.trades == ()
    assert book.pairs == {"BTC/USDT", "ETH/USDT"}
    assert book.orders == {"in1", "in2", "out1", "out2", "more"}
    # What one sold more than it bought takes nothing from what others left.
    assert float(book.leftovers["ETH"]) == pytest.approx(0.009)


def test_a_closed_trade_with_an_open_order_is_still_looked_at(database: Path) -> None:
    trade(database, 1, "BTC/USDT", open_=False)
    order(database, 1, "a", "sell", True, 1.0, 1.0, 0.0, None)
    (found,) = read(database).trades
    assert (found.is_open, found.is_unsettled) == (False, True)


def test_what_cannot_be_read_is_no_empty_book(tmp_path: Path) -> None:
    (tmp_path / "live.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(CannotTell, match="cannot be read"):
        read(tmp_path / "live.sqlite")
