"""A small market for the pure core: one symbol, candles of an hour, 10 % of the volume for all."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from runner.exchange.core.book import Book
from runner.exchange.core.orders import Account, Funded, Opened
from runner.exchange.core.path import Candle
from runner.exchange.core.placing import Market
from runner.exchange.core.rules import Rules, rules
from runner.exchange.core.terms import Terms
from runner.exchange.symbols import made_up

HOUR = 3_600_000

MakeCandle = Callable[..., Candle]


@pytest.fixture
def btc() -> Rules:
    return rules(made_up("BTC/USDT"))


@pytest.fixture
def book(btc: Rules) -> Book:
    """Alice with 1,000 USDT and 1 BTC, at time zero."""
    book = Book({"BTCUSDT": btc}, Terms(), 0)
    book.record(Opened(Account("alice", "key", "secret")))
    book.record(Funded("alice", "USDT", Decimal(1000)))
    book.record(Funded("alice", "BTC", Decimal(1)))
    book.drain()
    return book


@pytest.fixture
def candle() -> MakeCandle:
    """A candle of an hour from whole numbers: open, high, low, close, volume."""

    def make(*numbers: float, opens: int = 0) -> Candle:
        open_, high, low, close, volume = (Decimal(str(number)) for number in numbers)
        return Candle(opens, HOUR, open_, high, low, close, volume)

    return make


@pytest.fixture
def at_open() -> Callable[[Candle], Market]:
    """The market as it stands when a candle opens."""
    return lambda candle: Market(candle.open, candle)
