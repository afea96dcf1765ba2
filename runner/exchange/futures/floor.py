"""Where futures are traded: their book, and the tape that its prices come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.exchange.core.futures import walking
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.placing import Market
from runner.exchange.core.rejection import Rejection, unknown_symbol
from runner.exchange.futures.marks import Marks
from runner.exchange.tape import Reel


@dataclass(frozen=True)
class Floor:
    """The contracts that are served: entries of exchangeInfo and prices, by symbol."""

    book: Book
    infos: Mapping[str, Mapping[str, Any]]
    marks: Mapping[str, Marks]

    def mark(self, symbol: str) -> Marks:
        """The mark price and funding of a symbol.

        :raises Rejection: when it is not traded here.
        """
        if symbol not in self.marks:
            raise unknown_symbol()
        return self.marks[symbol]

    def reel(self, symbol: str) -> Reel:
        """The candles of a symbol.

        :raises Rejection: when it is not traded here.
        """
        return self.mark(symbol).reel

    def market(self, symbol: str, now: int) -> Market:
        """How a contract stands now.

        :raises Rejection: when it is not traded here, or not yet.
        """
        marks = self.mark(symbol)
        price, mark = marks.reel.price(now), marks.price(now)
        if price is None or mark is None:
            raise Rejection(-4141, "Symbol is closed.")
        return Market(price, mark, marks.reel.candle(now))

    def last(self) -> int:
        """When the last candle ends."""
        return max(marks.reel.span()[1] for marks in self.marks.values())

    def turns(self, begins: int) -> list[int]:
        """The next moments at which a candle turns or funding is paid, of what is in use."""
        found = [self.marks[symbol].next_funding(begins) for symbol in self._used()]
        turns = (self.marks[symbol].reel.turn(begins) for symbol in self._used())
        return found + [at for at in turns if at]

    def advance(self, begins: int, ends: int) -> None:
        """Let the market go on between two moments without a turn between them."""
        for symbol in self._used():
            marks = self.marks[symbol]
            candle = marks.reel.candle(begins)
            if candle is not None:
                path = _between(marks) if marks.path(begins, ends) else None
                walking.advance(self.book, symbol, candle, begins, ends, path)
            rate, mark = marks.rate(ends), marks.price(ends)
            if rate is not None and mark is not None:
                walking.pay_funding(self.book, symbol, rate, mark, ends)

    def _used(self) -> list[str]:
        open_ = {order.symbol for order in self.book.open_orders()}
        waiting = {each.symbol for each in self.book.waiting()}
        return sorted(open_ | waiting | {symbol for _, symbol in self.book.held()})


def _between(marks: Marks) -> walking.Path:
    return lambda begins, ends: marks.path(begins, ends) or ()
