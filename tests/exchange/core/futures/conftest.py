"""A small market of futures: one contract, candles of an hour, 10 % of the volume for all."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Contract, Fees, contract
from runner.exchange.core.futures.events import Deposited, Levered
from runner.exchange.core.futures.placing import Market
from runner.exchange.core.path import Candle
from runner.exchange.core.terms import Terms
from runner.exchange.futures.contracts import made_up


@pytest.fixture
def eth() -> Contract:
    """Ticks of 0.01, lots of 0.001, 20 USDT at least."""
    return contract(made_up("ETH/USDT:USDT"))


@pytest.fixture
def book(eth: Contract) -> Book:
    """Alice with 1,000 USDT and ten times leverage."""
    book = Book({"ETHUSDT": eth}, Terms(), Fees())
    book.record(Deposited("alice", "USDT", Decimal(1000), 0))
    book.record(Levered("alice", "ETHUSDT", 10))
    book.drain()
    return book


@pytest.fixture
def at_open() -> Callable[[Candle], Market]:
    """The market as it stands when a candle opens; the mark price is the last price."""
    return lambda candle: Market(candle.open, candle.open, candle)
