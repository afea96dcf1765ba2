"""The exchange as a whole: the book, the journal, the tape and the clock.

What is accepted is committed before anybody hears of it. A journal that cannot be written ends
the process: the book in memory would then know more than what survives.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pipelines.errors import Problem
from runner.exchange.bend import Move, bent
from runner.exchange.clock import Clock, RunningClock, SteppedClock
from runner.exchange.core import matching, placing
from runner.exchange.core.book import Book
from runner.exchange.core.faults import Fault, FaultName, Struck
from runner.exchange.core.futures.events import Deposited, OnFutures
from runner.exchange.core.orders import Account, Advanced, Event, Funded, Opened, Order
from runner.exchange.core.path import mean_price
from runner.exchange.core.placing import Market, Wish
from runner.exchange.core.rejection import closed, unknown_symbol
from runner.exchange.futures.floor import Floor
from runner.exchange.journal import Journal
from runner.exchange.tape import Reel, Tape, utc

T = TypeVar("T")

_NOTICEABLE = 100  # milliseconds


class Venue:
    """Where orders are placed. Requests come one at a time: nothing in here waits.

    `futures` are traded beside it, on the same clock and in the same journal. `speed` is that of
    the clock, which goes on where the journal ends; 0: it is stepped.

    :raises KeyError: when the journal holds what is not served.
    """

    def __init__(
        self, book: Book, journal: Journal, tape: Tape, *, speed: int, futures: Floor | None = None
    ) -> None:
        self.book, self.journal, self.tape, self._recorded = book, journal, tape, tape
        self.futures = futures
        self._replay()
        self._bend()
        self.clock: Clock = RunningClock(book.now, speed) if speed else SteppedClock(book.now)

    def _replay(self) -> None:
        for event in self.journal.events():
            if not isinstance(event, OnFutures):
                self.book.replay([event])
            elif self.futures is None:
                raise KeyError("futures")
            else:
                self.futures.book.replay([event])

    def last(self) -> int:
        """When the last candle ends."""
        ends = [self.tape.last()] if self.tape.reels else []
        return max(ends + ([self.futures.last()] if self.futures else []))

    @property
    def now(self) -> int:
        """The exchange's time."""
        return self.book.now

    def open_account(
        self, account: Account, funds: tuple[Funded, ...], deposits: tuple[Deposited, ...] = ()
    ) -> None:
        """Open an account, unless it is there already with the same key and secret.

        :raises BadInput: when the name or the key is taken by another one.
        """
        known = self.book.accounts.get(account.name) or self.book.account_of(account.key)
        if known == account:
            return
        if known:
            raise Problem(account.name, "there is another account with this name or key")
        self.book.record(Opened(account))
        for fund in funds:
            self.book.record(fund)
        if self.futures:
            for deposit in deposits:
                self.futures.book.record(deposit)
        self._commit()

    def change_key(self, name: str, key: str, secret: str) -> None:
        """Give an account another key, which may do the same; the one before is gone.

        :raises BadInput: when there is no such account, or the key is another one's.
        """
        known = self.book.accounts.get(name)
        if known is None:
            raise Problem(name, "there is no such account")
        if self.book.account_of(key) not in (None, known):
            raise Problem(name, "there is another account with this key")
        self.book.record(Opened(replace(known, key=key, secret=secret)))
        self._commit()

    def reel(self, symbol: str) -> Reel:
        """The candles of a symbol.

        :raises Rejection: when it is not traded here.
        """
        if symbol not in self.tape.reels or self._stands("delisting", symbol):
            raise unknown_symbol()
        return self.tape.reels[symbol]

    def listed(self) -> list[str]:
        """The symbols that are traded here now."""
        return [each for each in self.tape.reels if not self._stands("delisting", each)]

    def halted(self, symbol: str) -> bool:
        """True while nothing is traded and no order is taken."""
        return self._stands("symbol_halted", symbol) is not None

    def shown_until(self, symbol: str) -> int:
        """The moment up to which candles are told: now, unless they are stale."""
        stale = self._stands("stale_candles", symbol)
        return self.now if stale is None else stale.since

    def time_of(self, account: str = "") -> int:
        """The time that is told, and that requests are held to: another one while clocks differ."""
        skew = self.book.faults.find("clock_skew", self.now, account)
        return self.now if skew is None else self.now - int(skew.by)

    def _stands(self, fault: FaultName, symbol: str) -> Fault | None:
        return self.book.faults.find(fault, self.now, symbol=symbol)

    def market(self, symbol: str) -> Market:
        """How a symbol stands now.

        :raises Rejection: when it is not traded here, or not yet.
        """
        reel = self.reel(symbol)
        price = reel.price(self.now)
        if price is None:
            raise closed()
        return Market(price, reel.candle(self.now))

    def place(self, account: str, wish: Wish) -> Order:
        """Accept an order: it is in the journal when this returns.

        :raises Rejection: when it is not accepted.
        """
        if self.halted(wish.symbol):
            raise closed()
        market = self._averaged(wish.symbol, self.market(wish.symbol))
        return self.committed(lambda: placing.place(self.book, account, wish, market))

    def _averaged(self, symbol: str, market: Market) -> Market:
        begins = self.now - self.book.rules[symbol].minutes * 60_000
        candles = self.reel(symbol).between(begins, self.now)
        return replace(market, mean=mean_price(candles, begins, self.now))

    def cancel(self, order: Order) -> Order:
        """Cancel an order: it is in the journal when this returns.

        :raises Rejection: when it is not open.
        """
        return self.committed(lambda: placing.cancel(self.book, order))

    def advance(self, to: int) -> None:
        """Let the market go on to a moment, filling what it reaches; all of it or nothing."""
        if to <= self.now:
            return
        while self.now < to:
            begins, symbols = self.now, {order.symbol for order in self.book.open_orders()}
            turns = [self.tape.reels[symbol].turn(begins) for symbol in symbols]
            ends = self.book.faults.turns(begins)
            beside = self.futures.turns(begins) if self.futures else []
            at = min([to, *ends, *(turn for turn in turns if turn), *beside])
            for symbol in sorted(symbols):
                candle = self.tape.reels[symbol].candle(begins)
                if candle is not None and not self.halted(symbol):
                    matching.advance(self.book, symbol, candle, begins, at)
            if self.futures:
                self.futures.advance(begins, at)
            self.book.record(Advanced(at))
        self._commit()

    def step(self, to: int) -> None:
        """Move a stepped clock on, and the market with it.

        :raises BadInput: when the clock runs by itself, or would go back, or past the candles.
        """
        if not isinstance(self.clock, SteppedClock):
            raise Problem("step", "the clock runs by itself", hint="serve with --clock stepped")
        if to < self.now:
            raise Problem("step", f"the clock is at {utc(self.now):%Y-%m-%dT%H:%M:%SZ} already")
        if to > self.last():
            raise Problem("step", f"the candles end at {utc(self.last()):%Y-%m-%dT%H:%M:%SZ}")
        self.advance(to)
        self.clock.move(to)

    def tick(self) -> None:
        """Catch up with a clock that runs by itself; not for every request, each is an event."""
        to = min(self.clock.now(), self.last())
        if to - self.now >= _NOTICEABLE:
            self.advance(to)

    def record(self, *events: Event) -> None:
        """Let something happen to the exchange itself: it is in the journal when this returns."""
        for event in events:
            self.book.record(event)
        self._commit()
        self._bend()

    def strikes(
        self, name: FaultName, account: str = "", symbol: str = "", side: str = ""
    ) -> Fault | None:
        """The armed fault of a name that happens now; it is then used up by one."""
        fault = self.book.faults.find(name, self.now, account, symbol, side)
        if fault is not None and fault.left is not None:
            self.book.record(Struck(fault.id))
            self._commit()
        return fault

    def _bend(self) -> None:
        """Let the candles be those of a market in which what was armed happens."""
        moves: dict[str, list[Move]] = {}
        for each in self.book.faults.moves:
            move = Move(each.since, 1 + float(each.by), each.name == "flash_crash")
            moves.setdefault(each.symbol, []).append(move)
        reels = self._recorded.reels
        changed = {symbol: bent(reels[symbol], tuple(all_)) for symbol, all_ in moves.items()}
        self.tape = Tape({**reels, **changed}) if changed else self._recorded

    def committed(self, change: Callable[[], T]) -> T:
        """Change a book: what changed is in the journal when this returns."""
        changed = change()
        self._commit()
        return changed

    def _commit(self) -> None:
        futures = self.futures.book.drain() if self.futures else ()
        self.journal.append((*self.book.drain(), *futures))
