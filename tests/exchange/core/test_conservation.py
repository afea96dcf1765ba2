"""Whatever is ordered, cancelled, filled or crashed: money is conserved.

What is expected is computed anew here, with fractions: nothing that rounds is taken from the book.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import TypeAdapter

from runner.exchange.core import placing
from runner.exchange.core.book import Book
from runner.exchange.core.matching import advance
from runner.exchange.core.orders import (
    Account,
    Advanced,
    Event,
    Fill,
    Filled,
    Funded,
    Kind,
    Opened,
    Order,
    Side,
    TimeInForce,
)
from runner.exchange.core.path import Candle, price_at
from runner.exchange.core.placing import Market, Wish
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.rules import Rules, rules
from runner.exchange.core.terms import Spread, Terms
from runner.exchange.symbols import made_up

HOUR = 3_600_000
TICK, STEP = Decimal("0.001"), Decimal("0.000001")
UNITS = 10**8


def fine(pair: str) -> Rules:
    """A tick times a lot is finer than what the books keep, so that locks have to be rounded."""
    found = rules(made_up(pair))
    ranges = {"prices": replace(found.prices, step=TICK), "lots": replace(found.lots, step=STEP)}
    return replace(found, **ranges)


RULES = {pair.replace("/", ""): fine(pair) for pair in ("BTC/USDT", "BNB/USDT")}
# Fees that do not divide evenly. Bob's fee asset lasts for a few trades only.
TERMS = Terms(fee=Decimal("0.00075"), volume_share=Decimal("0.07"), discount=Decimal("0.3"))
FUNDS = {
    "alice": {"USDT": Decimal("5000.00000007"), "BTC": Decimal("3.1"), "BNB": Decimal(3)},
    "bob": {"USDT": Decimal("4000.00000001"), "BTC": Decimal("2.7"), "BNB": Decimal("0.004")},
}
JOURNAL: TypeAdapter[Event] = TypeAdapter(Event)

prices = st.integers(80_000, 125_000).map(lambda ticks: ticks * TICK)
amounts = st.integers(100_000, 4_000_000).map(lambda lots: lots * STEP)
# Scarce, so that orders are filled in parts; or enough for all that anybody has.
volumes = st.one_of(st.integers(0, 40), st.just(2000)).map(Decimal)
paths = st.tuples(prices, prices, prices, prices, volumes)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    """Any order of any type."""
    symbol, side = draw(st.sampled_from(sorted(RULES))), draw(st.sampled_from(Side))
    kind, quantity = draw(st.sampled_from(Kind)), draw(amounts)
    if kind is Kind.MARKET:
        if draw(st.booleans()):
            return Wish(symbol, side, kind, spend=draw(prices))
        return Wish(symbol, side, kind, quantity=quantity)
    timed = draw(st.sampled_from(TimeInForce)) if kind is not Kind.LIMIT_MAKER else None
    stop = draw(prices) if kind is Kind.STOP_LOSS_LIMIT else None
    return Wish(symbol, side, kind, timed, quantity, draw(prices), stop)


class World:
    """A book, the candles that it trades on, and every commit to its journal."""

    def __init__(self, terms: Terms) -> None:
        self.terms, self.commits = terms, list[tuple[Event, ...]]()
        self.candles = {symbol: dict[int, Candle]() for symbol in RULES}
        self.book = self.empty()

    def empty(self) -> Book:
        return Book(RULES, self.terms, 0, self.price)

    def begin(self, *paths: tuple[Decimal, ...]) -> None:
        for name, funds in FUNDS.items():
            self.book.record(Opened(Account(name, f"key of {name}", "secret")))
            for asset, amount in funds.items():
                self.book.record(Funded(name, asset, amount))
        self.open_candles(*paths)

    def open_candles(self, *paths: tuple[Decimal, ...]) -> None:
        opens = self.book.now
        for symbol, (open_, high, low, close, volume) in zip(RULES, paths, strict=True):
            extremes = max(open_, high, low, close), min(open_, high, low, close)
            self.candles[symbol][opens] = Candle(opens, HOUR, open_, *extremes, close, volume)

    def candle(self, symbol: str) -> Candle:
        return list(self.candles[symbol].values())[-1]

    def price(self, symbol: str, at: int) -> Decimal:
        # What is filled at the end of a candle is priced there, not where the next one opens.
        return price_at(self.candle(symbol), at)

    def order(self, account: str, wish: Wish) -> None:
        market = Market(self.price(wish.symbol, self.book.now), self.candle(wish.symbol))
        try:
            placing.place(self.book, account, wish, market)
        except Rejection:
            assert self.book.drain() == (), "what is refused changes nothing"

    def cancel(self, pick: int) -> None:
        if found := self.book.open_orders():
            placing.cancel(self.book, found[pick % len(found)])

    def wait(self, share: int) -> None:
        candle = self.candle("BTCUSDT")
        until = self.book.now + (candle.closes - self.book.now) * share // 100
        if until > self.book.now:
            for symbol in RULES:
                advance(self.book, symbol, self.candle(symbol), self.book.now, until)
            self.book.record(Advanced(until))

    def turn(self, *paths: tuple[Decimal, ...]) -> None:
        self.wait(100)
        self.open_candles(*paths)

    def do(self, what: str, *arguments: Any) -> None:
        """Do something, and commit what happened."""
        getattr(self, what)(*arguments)
        if new := self.book.drain():
            self.commits.append(new)

    @property
    def events(self) -> list[Event]:
        return [event for commit in self.commits for event in commit]


def through_the_journal(events: Iterable[Event]) -> list[Event]:
    return [JOURNAL.validate_json(JOURNAL.dump_json(event)) for event in events]


def needed(order: Order) -> Decimal:
    """What an open order must lock: as little as covers it, in whole units."""
    if order.side is Side.SELL:
        return order.remaining
    exact = Fraction(order.price) * Fraction(order.remaining)
    return Decimal(math.ceil(exact * UNITS)) / UNITS


def cut(exact: Fraction) -> Decimal:
    """Whole units that are not more."""
    return Decimal(math.floor(exact * UNITS)) / UNITS


class Trading(RuleBasedStateMachine):
    """Two accounts on candles that come as they like."""

    @initialize(
        paths=st.tuples(paths, paths),
        spread=st.sampled_from([Spread(), Spread(ticks=7), Spread(share=Decimal("0.003"))]),
        slippage=st.sampled_from(["0", "0.01", "0.3"]).map(Decimal),
        fee_asset=st.sampled_from(["", "BNB", "BNB"]),
        seed=st.sampled_from([None, 7]),
    )
    def begin(self, paths: Any, **terms: Any) -> None:
        self.world, self.done = World(replace(TERMS, **terms)), list[tuple[Any, ...]]()
        self.do("begin", *paths)

    def do(self, what: str, *arguments: Any) -> None:
        self.done.append((what, *arguments))
        self.world.do(what, *arguments)

    @rule(account=st.sampled_from(sorted(FUNDS)), wish=wishes())
    def somebody_orders(self, account: str, wish: Wish) -> None:
        self.do("order", account, wish)

    @rule(
        account=st.sampled_from(sorted(FUNDS)),
        symbol=st.sampled_from(sorted(RULES)),
        side=st.sampled_from(Side),
        limit=st.none() | prices,
    )
    def somebody_spends_all_that_is_free(
        self, account: str, symbol: str, side: Side, limit: Decimal | None
    ) -> None:
        book, tick = self.world.book, RULES[symbol].tick
        last = self.world.price(symbol, book.now)
        if side is Side.SELL:
            quantity = book.balance(account, RULES[symbol].base).free
        else:
            ask = last - last % tick + tick
            quantity = book.balance(account, "USDT").free / (limit or ask)
        kind, timed = (Kind.LIMIT, TimeInForce.GTC) if limit else (Kind.MARKET, None)
        self.do("order", account, Wish(symbol, side, kind, timed, quantity // STEP * STEP, limit))

    @rule(pick=st.integers(0, 20))
    def somebody_cancels(self, pick: int) -> None:
        self.do("cancel", pick)

    @rule(share=st.integers(1, 99))
    def some_time_passes(self, share: int) -> None:
        self.do("wait", share)

    @rule(paths=st.tuples(paths, paths))
    def the_next_candles_open(self, paths: Any) -> None:
        self.do("turn", *paths)

    @rule(share=st.integers(0, 100))
    def the_process_is_killed(self, share: int) -> None:
        """The journal may end at any commit; a book that ends there is sound, and goes on."""
        commits, before = self.world.commits, self.world.book
        kept = len(commits) * share // 100
        book = self.world.empty()
        for some in (commits[:kept], commits[kept:]):
            book.replay(through_the_journal(event for commit in some for event in commit))
            self.check_balances(book)
        assert (book.balances, book.orders, book.now) == (
            before.balances,
            before.orders,
            before.now,
        )
        assert (book.fills, book.open_orders()) == (before.fills, before.open_orders())
        left = [(s, c.opens, c.volume) for s in RULES for c in [self.world.candle(s)]]
        assert [book.left_of(*each) for each in left] == [before.left_of(*each) for each in left]
        self.world.book = book

    @invariant()
    def money_is_conserved(self) -> None:
        expected: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for event in self.world.events:
            if isinstance(event, Funded):
                expected[event.account, event.asset] += event.amount
            if isinstance(event, Filled):
                fill, order = event.fill, self.world.book.orders[event.fill.order_id]
                base, sign = RULES[order.symbol].base, 1 if order.side is Side.BUY else -1
                expected[order.account, base] += sign * fill.quantity
                expected[order.account, "USDT"] -= sign * fill.quote
                expected[order.account, fill.commission_asset] -= fill.commission
        held = {
            (name, asset): balance.free + balance.locked
            for name, balances in self.world.book.balances.items()
            for asset, balance in balances.items()
        }
        assert held == dict(expected)

    @invariant()
    def nobody_owes_and_only_open_orders_lock(self) -> None:
        self.check_balances(self.world.book)

    def check_balances(self, book: Book) -> None:
        locked: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for order in book.open_orders():
            asset = "USDT" if order.side is Side.BUY else RULES[order.symbol].base
            locked[order.account, asset] += needed(order)
        for name, balances in book.balances.items():
            for asset, balance in balances.items():
                assert balance.free >= 0
                assert balance.locked == locked[name, asset]

    @invariant()
    def fills_keep_to_their_order(self) -> None:
        for order in self.world.book.orders.values():
            fills = self.world.book.fills_of(order.id)
            assert order.executed == sum(fill.quantity for fill in fills) <= order.quantity
            assert order.quote == sum(fill.quote for fill in fills)

    @invariant()
    def every_fill_has_the_price_and_the_fee_of_its_moment(self) -> None:
        taken: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for fill in self.world.book.fills:
            order = self.world.book.orders[fill.order_id]
            taken[order.symbol, fill.candle] += fill.quantity
            self.check_price(order, fill, taken[order.symbol, fill.candle])
            self.check_fee(order, fill)

    def check_price(self, order: Order, fill: Fill, taken: Decimal) -> None:
        """A resting order at its price; one that takes at the market's, within its limit."""
        better = 1 if order.side is Side.BUY else -1
        if fill.maker:
            assert fill.price == order.price
            return
        assert order.kind is Kind.MARKET or (order.price - fill.price) * better >= 0
        terms, last = self.world.terms, self.last(order.symbol, fill)
        spread = 2 * max(terms.spread.ticks * TICK, last * terms.spread.share) + 3 * TICK
        volume = self.world.candles[order.symbol][fill.candle].volume
        slip = terms.slippage * taken / volume / terms.share(order.symbol, fill.candle)
        worse = (fill.price - last) * better
        assert last * slip * Decimal("0.99") <= worse <= spread + (last + spread) * slip

    def check_fee(self, order: Order, fill: Fill) -> None:
        terms, rules = self.world.terms, RULES[order.symbol]
        assert fill.quantity % STEP == 0 < fill.quantity
        assert fill.quote == cut(Fraction(fill.price) * Fraction(fill.quantity))
        buying = order.side is Side.BUY
        received = (rules.base, fill.quantity) if buying else ("USDT", fill.quote)
        reduced = Fraction(terms.fee) * (1 - Fraction(terms.discount))
        if fill.commission_asset == received[0]:
            rate = reduced if terms.fee_asset == received[0] else Fraction(terms.fee)
            assert fill.commission == cut(Fraction(received[1]) * rate)
        else:
            assert fill.commission_asset == terms.fee_asset
            worth = Fraction(self.last("BNBUSDT", fill))
            assert fill.commission == cut(Fraction(fill.quote) * reduced / worth)

    def last(self, symbol: str, fill: Fill) -> Decimal:
        return price_at(self.world.candles[symbol][fill.candle], fill.at)

    @invariant()
    def nobody_takes_more_than_was_traded(self) -> None:
        taken: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for fill in self.world.book.fills:
            symbol = self.world.book.orders[fill.order_id].symbol
            candle = self.world.candles[symbol][fill.candle]
            taken[symbol, fill.candle] += fill.quantity
            assert candle.opens <= fill.at <= candle.closes
        for (symbol, opens), quantity in taken.items():
            share = self.world.terms.share(symbol, opens)
            assert quantity <= self.world.candles[symbol][opens].volume * share
            assert TERMS.volume_share / 2 <= share <= TERMS.volume_share

    def teardown(self) -> None:
        """The same requests, to another exchange that never crashed: the same book."""
        if hasattr(self, "world"):
            other = World(self.world.terms)
            for what, *arguments in self.done:
                other.do(what, *arguments)
            assert other.commits == self.world.commits


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
