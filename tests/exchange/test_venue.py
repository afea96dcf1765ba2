"""The exchange as a whole, without its ports."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange.core.book import Book
from runner.exchange.core.orders import Account, Funded, Kind, Side
from runner.exchange.core.placing import Wish
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.rules import rules
from runner.exchange.core.terms import Terms
from runner.exchange.journal import Journal
from runner.exchange.symbols import made_up
from runner.exchange.tape import Reel, Tape
from runner.exchange.venue import Venue

FINE = TIMEFRAMES["5m"]


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    """Five minutes at 100, then five at 200; notional and distance are of five minutes' average."""
    time, price = np.array([0, FINE]), np.array([100.0, 200.0])
    candles = Candles("BTC/USDT", "5m", time, price, price, price, price, np.full(2, 1000.0))
    info = made_up("BTC/USDT")
    filters = [each | {"avgPriceMins": 5} for each in info["filters"]]
    btc = rules({**info, "filters": filters})
    journal = Journal(tmp_path / "journal.sqlite")
    reel = Reel("BTCUSDT", btc.tick, ("5m",), lambda _: candles)
    book = Book({"BTCUSDT": btc}, Terms(), 0)
    venue = Venue(book, journal, Tape({"BTCUSDT": reel}), speed=0)
    venue.open_account(
        Account("alice", "key", "secret"), (Funded("alice", "USDT", Decimal(10_000)),)
    )
    yield venue
    journal.close()


def test_orders_are_held_to_the_average_price_of_the_last_minutes(venue: Venue) -> None:
    def bought(quantity: str) -> Decimal:
        wish = Wish("BTCUSDT", Side.BUY, Kind.MARKET, quantity=Decimal(quantity))
        return venue.place("alice", wish).executed

    venue.advance(FINE)
    assert venue.market("BTCUSDT").price == 200
    with pytest.raises(Rejection, match="Filter failure: NOTIONAL"):
        bought("0.099999")
    assert bought("0.1") == Decimal("0.1"), "worth 10 at the average of 100"
    venue.advance(FINE + FINE // 5 * 3)
    with pytest.raises(Rejection, match="Filter failure: NOTIONAL"):
        bought("0.06")
    assert bought("0.0625") == Decimal("0.0625"), "two minutes at 100 and three at 200: 160"
