"""Whatever is ordered, cancelled, filled or crashed: money is conserved."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

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
    Filled,
    Funded,
    Kind,
    Opened,
    Side,
    TimeInForce,
)
from runner.exchange.core.path import Candle, price_at
from runner.exchange.core.placing import Market, Wish
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.rules import rules
from runner.exchange.core.terms import Terms
from runner.exchange.symbols import made_up

HOUR = 3_600_000
# A tick times a lot is finer than what the books keep, so that locks have to be rounded.
_BTC = rules(made_up("BTC/USDT"))
RULES = {"BTCUSDT": replace(_BTC, prices=replace(_BTC.prices, step=Decimal("0.001")))}
# Fees and ticks that do not divide evenly, so that rounding shows.
TERMS = Terms(Decimal("0.00075"), Decimal("0.07"))
FUNDS = {"USDT": Decimal("5000.00000007"), "BTC": Decimal("3.1")}
ACCOUNTS = ("alice", "bob")
JOURNAL: TypeAdapter[Event] = TypeAdapter(Event)

prices = st.integers(80_000, 125_000).map(lambda ticks: Decimal(ticks) / 1000)
amounts = st.integers(100_000, 4_000_000).map(lambda lots: Decimal(lots) / 1_000_000)


class Trading(RuleBasedStateMachine):
    """Two accounts on candles that come as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(RULES, TERMS, 0)
        self.events: list[Event] = []
        self.candles: dict[int, Candle] = {}

    @initialize(volume=st.integers(0, 40))
    def begin(self, volume: int) -> None:
        for name in ACCOUNTS:
            self.book.record(Opened(Account(name, f"key of {name}", "secret")))
            for asset, amount in FUNDS.items():
                self.book.record(Funded(name, asset, amount))
        self._next(Decimal(100), Decimal(100), (Decimal(101), Decimal(99)), volume)

    def _next(
        self, open_: Decimal, close: Decimal, reach: tuple[Decimal, Decimal], volume: int
    ) -> None:
        opens = len(self.candles) * HOUR
        high, low = max(open_, close, *reach), min(open_, close, *reach)
        self.candle = Candle(opens, HOUR, open_, high, low, close, Decimal(volume))
        self.candles[opens] = self.candle

    @property
    def market(self) -> Market:
        return Market(price_at(self.candle, self.book.now), self.candle)

    @rule(
        account=st.sampled_from(ACCOUNTS),
        side=st.sampled_from(Side),
        kind=st.sampled_from(Kind),
        time_in_force=st.sampled_from(TimeInForce),
        price=prices,
        stop=prices,
        quantity=amounts,
    )
    def order(
        self,
        account: str,
        side: Side,
        kind: Kind,
        time_in_force: TimeInForce,
        price: Decimal,
        stop: Decimal,
        quantity: Decimal,
    ) -> None:
        wish = Wish("BTCUSDT", side, kind, quantity=quantity)
        if kind is not Kind.MARKET:
            wish = replace(wish, price=price)
        if kind in (Kind.LIMIT, Kind.STOP_LOSS_LIMIT):
            wish = replace(wish, time_in_force=time_in_force)
        if kind is Kind.STOP_LOSS_LIMIT:
            wish = replace(wish, stop_price=stop)
        self.keep()
        try:
            placing.place(self.book, account, wish, self.market)
        except Rejection:
            assert self.book.drain() == ()

    @rule(pick=st.integers(0, 20))
    def cancel(self, pick: int) -> None:
        if found := self.book.open_orders():
            placing.cancel(self.book, found[pick % len(found)])

    @rule(share=st.integers(1, 100))
    def some_time_passes(self, share: int) -> None:
        until = self.book.now + (self.candle.closes - self.book.now) * share // 100
        self._advance(min(until, self.candle.closes - 1))

    @rule(open_=prices, close=prices, high=prices, low=prices, volume=st.integers(0, 40))
    def the_next_candle_opens(
        self, open_: Decimal, close: Decimal, high: Decimal, low: Decimal, volume: int
    ) -> None:
        self._advance(self.candle.closes)
        self._next(open_, close, (high, low), volume)

    def _advance(self, until: int) -> None:
        if until > self.book.now:
            advance(self.book, "BTCUSDT", self.candle, self.book.now, until)
            self.book.record(Advanced(until))

    @rule()
    def the_process_is_killed(self) -> None:
        self.keep()
        before = self.book
        self.book = Book(RULES, TERMS, 0)
        self.book.replay(JOURNAL.validate_json(JOURNAL.dump_json(each)) for each in self.events)
        assert self.book.balances == before.balances
        assert self.book.orders == before.orders
        assert self.book.fills == before.fills
        assert self.book.open_orders() == before.open_orders()
        left = [
            book.left_of("BTCUSDT", self.candle.opens, Decimal(9)) for book in (before, self.book)
        ]
        assert left[0] == left[1]

    def keep(self) -> None:
        self.events += self.book.drain()

    @invariant()
    def money_is_conserved(self) -> None:
        self.keep()
        expected: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for event in self.events:
            if isinstance(event, Funded):
                expected[event.account, event.asset] += event.amount
            if isinstance(event, Filled):
                fill = event.fill
                order = self.book.orders[fill.order_id]
                bought = order.side is Side.BUY
                sign = 1 if bought else -1
                fee = "BTC" if bought else "USDT"
                expected[order.account, "BTC"] += sign * fill.quantity
                expected[order.account, "USDT"] -= sign * fill.quote
                expected[order.account, fee] -= fill.commission
        held = {
            (name, asset): balance.free + balance.locked
            for name, balances in self.book.balances.items()
            for asset, balance in balances.items()
        }
        assert held == dict(expected)

    @invariant()
    def nobody_owes_and_only_open_orders_lock(self) -> None:
        for name in ACCOUNTS:
            mine = self.book.open_orders(account=name)
            for asset, side in (("USDT", Side.BUY), ("BTC", Side.SELL)):
                balance = self.book.balance(name, asset)
                assert balance.free >= 0
                assert balance.locked == sum(o.lock for o in mine if o.side is side)

    @invariant()
    def fills_keep_to_their_order(self) -> None:
        for order in self.book.orders.values():
            fills = self.book.fills_of(order.id)
            assert order.executed == sum(fill.quantity for fill in fills) <= order.quantity
            assert order.quote == sum(fill.quote for fill in fills)
            for fill in fills:
                assert fill.quantity % RULES["BTCUSDT"].step == 0 < fill.quantity
                if fill.maker:
                    assert fill.price == order.price
                elif order.kind is not Kind.MARKET:
                    beyond = fill.price - order.price
                    assert beyond <= 0 if order.side is Side.BUY else beyond >= 0

    @invariant()
    def nobody_takes_more_than_was_traded(self) -> None:
        taken: defaultdict[int, Decimal] = defaultdict(Decimal)
        for fill in self.book.fills:
            candle = self.candles[fill.candle]
            taken[fill.candle] += fill.quantity
            assert candle.opens <= fill.at <= candle.closes
            if not fill.maker:
                tick = RULES["BTCUSDT"].tick
                assert candle.low - tick <= fill.price <= candle.high + tick
        for opens, quantity in taken.items():
            assert quantity <= self.candles[opens].volume * TERMS.volume_share


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
