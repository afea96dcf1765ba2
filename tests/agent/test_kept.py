"""What is read of a bot's own database and of its tally, also when either is missing or broken."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.domain.protections import Unknown
from pipelines.domain.worth import Kept
from runner.agent.kept import Entry, Sheet, Tally, known, sheet, tally
from runner.bots.messages import TALLY, Deed, Done

D = Decimal
NOON = datetime(2023, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

SCHEMA = """
CREATE TABLE trades (id INTEGER PRIMARY KEY, pair TEXT, is_open INT, is_short INT DEFAULT 0,
  open_rate REAL, fee_open REAL DEFAULT 0.001, fee_close REAL DEFAULT 0.001,
  realized_profit REAL, funding_fees REAL, close_profit_abs REAL, open_date TEXT, close_date TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, ft_trade_id INT, order_id TEXT, ft_order_side TEXT,
  side TEXT, ft_pair TEXT, ft_is_open INT, status TEXT, ft_amount REAL, ft_price REAL, filled REAL,
  remaining REAL, price REAL, ft_fee_base REAL, order_date TEXT);
"""
"""What is read of freqtrade's own; tests with real bots read the rest of it."""


def at(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(SCHEMA)
    return path


def put(database: Path, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    with closing(sqlite3.connect(database)) as opened:
        opened.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        opened.commit()


def trade(database: Path, number: int, **changed: object) -> None:
    usual = {"pair": "BTC/USDT", "is_open": 1, "open_rate": 100.0, "open_date": at(NOON)}
    put(database, "trades", id=number, **usual | changed)


def order(database: Path, number: int, of: int, **changed: object) -> None:
    usual: dict[str, object] = {
        "order_id": str(number),
        "ft_order_side": "buy",
        "ft_pair": "BTC/USDT",
        "ft_is_open": 0,
        "status": "closed",
        "ft_amount": 2.0,
        "ft_price": 100.0,
        "filled": 2.0,
        "remaining": 0.0,
        "order_date": at(NOON),
    }
    put(database, "orders", ft_trade_id=of, **usual | changed)


def read(database: Path, promoted: datetime = NOON, since: datetime = NOON) -> Sheet:
    found = sheet(database, promoted, since)
    assert not isinstance(found, Unknown)
    return found


def test_a_bot_without_a_database_never_traded(tmp_path: Path, database: Path) -> None:
    assert read(tmp_path / "none.sqlite") == read(database) == Sheet()
    empty = tmp_path / "empty.sqlite"
    sqlite3.connect(empty).close()
    assert read(empty) == Sheet()


def test_a_database_that_is_broken_is_no_empty_one(tmp_path: Path) -> None:
    broken = tmp_path / "live.sqlite"
    broken.write_bytes(b"SQLite format 3\x00" + b"rubbish" * 200)
    assert isinstance(sheet(broken, NOON, NOON), Unknown)
    assert isinstance(known(broken, [1]), Unknown)


def test_what_is_held_is_what_was_bought_less_its_fee_and_what_was_sold(database: Path) -> None:
    trade(database, 1, realized_profit=3.5)
    order(database, 1, 1, ft_fee_base=0.002)
    order(database, 2, 1, ft_order_side="sell", filled=0.5)
    order(database, 3, 1, ft_order_side="stoploss", filled=0.25, ft_is_open=1)
    (found,) = read(database).kept.open
    assert (found.held, found.rate, found.realized) == (D("1.248"), D(100), D("3.5"))
    assert (found.fee_open, found.fee_close) == (D("0.001"), D("0.001"))


def test_an_entry_that_waits_is_known_with_what_it_would_cost(database: Path) -> None:
    """freqtrade's own amount of the trade is nothing meanwhile."""
    trade(database, 1)
    order(database, 1, 1, ft_is_open=1, status="open", filled=0.5, remaining=1.5, price=90.0)
    found = read(database)
    assert found.entries == (Entry("1", 1, "BTC/USDT"),)
    assert (found.kept.open[0].held, found.kept.open[0].waiting) == (D("0.5"), D(135))
    assert found.pairs == {"BTC/USDT"}


def test_a_short_enters_by_selling(database: Path) -> None:
    trade(database, 1, is_short=1)
    order(database, 1, 1, ft_order_side="sell")
    order(database, 2, 1, ft_order_side="buy", filled=0.5, ft_is_open=1)
    found = read(database)
    assert (found.kept.open[0].held, found.entries) == (D("1.5"), ())


def test_only_what_was_closed_since_the_release_came_is_its_profit(database: Path) -> None:
    for number, (closed, made) in enumerate([(NOON - HOUR, 5.0), (NOON, -2.0), (NOON + HOUR, 1.0)]):
        trade(database, number, is_open=0, close_date=at(closed), close_profit_abs=made)
    assert read(database).kept == Kept(realized=D(-1))


def test_orders_and_cancelled_ones_are_counted_since_a_moment(database: Path) -> None:
    trade(database, 1, is_open=0, close_date=at(NOON - HOUR))
    order(database, 1, 1, order_date=at(NOON - HOUR))
    order(database, 2, 1, status="canceled", filled=0.0)
    order(database, 3, 1, status="expired", filled=None)
    order(database, 4, 1, status="canceled", filled=0.1)
    kept = read(database).kept
    assert (kept.orders, kept.cancelled) == (3, 2)


def test_the_orders_of_a_trade_are_told_from_those_of_others_of_its_pair(database: Path) -> None:
    trade(database, 1)
    trade(database, 2, is_open=0)
    order(database, 1, 1, ft_fee_base=0.5)
    order(database, 2, 1, ft_is_open=1)
    order(database, 3, 2)
    order(database, 4, 2, ft_pair="ETH/USDT")
    found = known(database, [1])
    assert not isinstance(found, Unknown)
    assert (found[1].own, found[1].others, found[1].opened) == ({"1", "2"}, {"3"}, NOON)
    assert found[1].fees == {"1": D("0.5")}


def write(folder: Path, *deeds: tuple[Deed, datetime], name: str = TALLY) -> None:
    lines = (Done(at=when, deed=deed).model_dump_json() for deed, when in deeds)
    with (folder / name).open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def test_a_tally_counts_since_a_moment_across_its_two_files(tmp_path: Path) -> None:
    write(tmp_path, ("sent", NOON - HOUR), ("sent", NOON), name=f"{TALLY}.1")
    write(tmp_path, ("began", NOON), ("sent", NOON), ("rejected", NOON), ("cancelled", NOON))
    assert tally(tmp_path, NOON) == Tally(sent=2, rejected=1, cancelled=1)
    with (tmp_path / TALLY).open("a") as file:
        file.write('{"at":"2023-')
    assert tally(tmp_path, NOON) == Tally(sent=2, rejected=1, cancelled=1)


def test_a_bot_that_does_not_tell_of_its_orders_is_not_one_that_sends_none(tmp_path: Path) -> None:
    assert isinstance(tally(tmp_path, NOON), Unknown)
    (tmp_path / TALLY).write_text('{"deed": "sent"}\n')
    assert isinstance(tally(tmp_path, NOON), Unknown)
