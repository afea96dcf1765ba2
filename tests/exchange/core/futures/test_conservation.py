"""Whatever is ordered, reached, liquidated, funded or crashed: money is conserved."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import TypeAdapter

from runner.exchange.core.futures import placing, walking
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Fees, contract
from runner.exchange.core.futures.events import (
    Deposited,
    Funded,
    OnFutures,
    Source,
    Trigger,
    WorkingType,
)
from runner.exchange.core.futures.placing import Market, Wish
from runner.exchange.core.orders import Kind, Side, TimeInForce
from runner.exchange.core.path import Candle, price_at
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.terms import Spread, Terms
from runner.exchange.futures.contracts import made_up

HOUR = 3_600_000
SYMBOL = "ETHUSDT"
# A tick times a lot is finer than what the books keep, and a liquidation costs less than its
# maintenance margin, so that something is left to clear.
RULES = {
    SYMBOL: replace(
        contract(made_up("ETH/USDT:USDT")),
        tick=Decimal("0.001"),
        step=Decimal("0.0000001"),
        least=Decimal("0.0000001"),
        clearance=Decimal("0.001"),
    )
}
TERMS = Terms(
    volume_share=Decimal("0.07"), spread=Spread(ticks=3), slippage=Decimal("0.0005"), seed=7
)
FEES = Fees(Decimal("0.00013"), Decimal("0.00047"))
DEPOSIT = Decimal("500.00000007")
ACCOUNTS = ("alice", "bob")
JOURNAL: TypeAdapter[OnFutures] = TypeAdapter(OnFutures)

prices = st.integers(90_000, 112_000).map(lambda ticks: Decimal(ticks) / 1000)
amounts = st.integers(2_000_000, 90_000_000).map(lambda lots: Decimal(lots) / 10_000_000)
times = st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, *TimeInForce])
accounts, sides = st.sampled_from(ACCOUNTS), st.sampled_from(Side)


class Trading(RuleBasedStateMachine):
    """Two accounts on candles that come as they like, where the mark price is the last price."""

    def __init__(self) -> None:
        super().__init__()
        self.book, self.now = Book(RULES, TERMS, FEES), 0
        self.events: list[OnFutures] = []
        self.candles: dict[int, Candle] = {}

    @initialize(volume=st.integers(0, 900))
    def begin(self, volume: int) -> None:
        for name in ACCOUNTS:
            self.book.record(Deposited(name, "USDT", DEPOSIT, 0))
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
        price = price_at(self.candle, self.now)
        return Market(price, price, self.candle)

    def _ask(self, account: str, wish: Wish) -> None:
        self.keep()
        try:
            if wish.trigger:
                placing.await_price(self.book, account, wish, self.market, self.now)
            else:
                placing.place(self.book, account, wish, self.market, self.now)
        except Rejection:
            assert self.book.drain() == ()

    @rule(account=accounts, side=sides, quantity=amounts, reduce_only=st.booleans())
    def take(self, account: str, side: Side, quantity: Decimal, reduce_only: bool) -> None:
        self._ask(account, Wish(SYMBOL, side, Kind.MARKET, quantity, reduce_only=reduce_only))

    @rule(
        account=accounts,
        side=sides,
        quantity=amounts,
        price=prices,
        time=times,
        post_only=st.booleans(),
        reduce_only=st.booleans(),
    )
    def limit(
        self,
        account: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        time: TimeInForce,
        post_only: bool,
        reduce_only: bool,
    ) -> None:
        wish = Wish(SYMBOL, side, Kind.LIMIT, quantity, price, time, post_only, reduce_only)
        self._ask(account, wish)

    @rule(
        account=accounts,
        side=sides,
        quantity=amounts,
        stop=prices,
        price=st.none() | prices,
        by=st.sampled_from(WorkingType),
        reduce_only=st.booleans(),
    )
    def stop(
        self,
        account: str,
        side: Side,
        quantity: Decimal,
        stop: Decimal,
        price: Decimal | None,
        by: WorkingType,
        reduce_only: bool,
    ) -> None:
        kind = Kind.MARKET if price is None else Kind.LIMIT
        time = None if price is None else TimeInForce.GTC
        trigger = Trigger.STOP_MARKET if price is None else Trigger.STOP
        wish = Wish(SYMBOL, side, kind, quantity, price, time, reduce_only=reduce_only)
        wish = replace(wish, trigger=trigger, trigger_price=stop, working_type=by)
        self._ask(account, wish)

    @rule(account=accounts, leverage=st.sampled_from([1, 2, 5, 20, 50, 100, 125]))
    def lever(self, account: str, leverage: int) -> None:
        self.keep()
        try:
            placing.lever(self.book, account, SYMBOL, leverage, self.market.mark)
        except Rejection:
            assert self.book.drain() == ()

    @rule(pick=st.integers(0, 20))
    def cancel(self, pick: int) -> None:
        if found := self.book.open_orders():
            placing.cancel(self.book, found[pick % len(found)], self.now)

    @rule(pick=st.integers(0, 20))
    def drop(self, pick: int) -> None:
        if found := self.book.waiting():
            placing.drop(self.book, found[pick % len(found)], self.now)

    @rule(share=st.integers(1, 100))
    def some_time_passes(self, share: int) -> None:
        until = self.now + (self.candle.closes - self.now) * share // 100
        self._advance(min(until, self.candle.closes - 1))

    @rule(open_=prices, close=prices, high=prices, low=prices, volume=st.integers(0, 900))
    def the_next_candle_opens(
        self, open_: Decimal, close: Decimal, high: Decimal, low: Decimal, volume: int
    ) -> None:
        self._advance(self.candle.closes)
        self._next(open_, close, (high, low), volume)

    @precondition(lambda self: self.book.held())
    @rule(rate=st.integers(-300, 300).map(lambda parts: Decimal(parts) / 12_347))
    def funding_is_due(self, rate: Decimal) -> None:
        before = len(self.book.incomes)
        walking.pay_funding(self.book, SYMBOL, rate, self.market.mark, self.now)
        paid = [row.amount for row in self.book.incomes[before:] if row.source in _FUNDING]
        assert all(amount == amount.quantize(Decimal("1e-8")) for amount in paid)

    def _advance(self, until: int) -> None:
        if until <= self.now:
            return
        walking.advance(self.book, SYMBOL, self.candle, self.now, until, None)
        self.now = until
        price = price_at(self.candle, until)
        for account, _ in self.book.held():
            position = self.book.position(account, SYMBOL)
            level = position.liquidation(RULES[SYMBOL])
            assert price < level if position.size < 0 else price > level

    @rule()
    def the_process_is_killed(self) -> None:
        self.keep()
        before = self.book
        self.book = Book(RULES, TERMS, FEES)
        self.book.replay(JOURNAL.validate_json(JOURNAL.dump_json(each)) for each in self.events)
        assert self.book.wallets == before.wallets
        assert self.book.counters == before.counters
        assert self.book.positions == before.positions
        assert self.book.leverages == before.leverages
        assert self.book.orders == before.orders
        assert self.book.conditionals == before.conditionals
        assert self.book.fills == before.fills
        assert self.book.incomes == before.incomes
        assert self.book.open_orders() == before.open_orders()
        assert self.book.waiting() == before.waiting()
        left = [book.left_of(SYMBOL, self.candle.opens, Decimal(9)) for book in (before, self.book)]
        assert left[0] == left[1]

    def keep(self) -> None:
        """Write the journal."""
        self.events += self.book.drain()

    @invariant()
    def nothing_is_made_and_nothing_lost(self) -> None:
        held = sum(self.book.wallets.values(), Decimal(0))
        assert held + sum(self.book.counters.values()) == 0

    @invariant()
    def a_wallet_is_what_its_fills_fees_and_funding_say(self) -> None:
        self.keep()
        expected: defaultdict[str, Decimal] = defaultdict(lambda: DEPOSIT)
        for event in self.events:
            if isinstance(event.what, Funded):
                expected[event.what.account] += event.what.amount
        for fill in self.book.fills:
            order = self.book.orders[fill.order_id]
            sign = -1 if order.side is Side.BUY else 1
            expected[order.account] += sign * fill.quote - fill.commission
        for row in self.book.incomes:
            if row.source is Source.INSURANCE_CLEAR:
                expected[row.account] += row.amount
        for account in ACCOUNTS if self.candles else ():
            cost = self.book.position(account, SYMBOL).cost
            assert self.book.wallets[account, "USDT"] == expected[account] + cost

    @invariant()
    def nobody_owes_and_margin_is_part_of_the_wallet(self) -> None:
        for account in ACCOUNTS:
            position = self.book.position(account, SYMBOL)
            assert position.margin >= 0
            assert self.book.free(account, "USDT") >= 0
            if not position.is_open:
                assert (position.cost, position.margin) == (0, 0)

    @invariant()
    def a_position_is_the_sum_of_its_fills_and_reducing_only_reduces(self) -> None:
        sizes: defaultdict[str, Decimal] = defaultdict(Decimal)
        for fill in self.book.fills:
            order = self.book.orders[fill.order_id]
            before = sizes[order.account]
            after = before + (fill.quantity if order.side is Side.BUY else -fill.quantity)
            if order.reduce_only:
                assert abs(after) < abs(before)
                assert after * before >= 0
            sizes[order.account] = after
        for account in ACCOUNTS:
            assert self.book.position(account, SYMBOL).size == sizes[account]

    @invariant()
    def fills_keep_to_their_order(self) -> None:
        for order in self.book.orders.values():
            fills = self.book.fills_of(order.id)
            assert order.executed == sum(fill.quantity for fill in fills) <= order.quantity
            assert order.quote == sum(fill.quote for fill in fills)
            for fill in fills:
                assert fill.quantity % RULES[SYMBOL].step == 0 < fill.quantity
                if fill.maker:
                    assert fill.price == order.price
                elif order.kind is Kind.LIMIT and not order.liquidates:
                    beyond = fill.price - order.price
                    assert beyond <= 0 if order.side is Side.BUY else beyond >= 0
                assert not (order.post_only and not fill.maker)

    @invariant()
    def nobody_takes_more_than_was_traded(self) -> None:
        taken: defaultdict[int, Decimal] = defaultdict(Decimal)
        for fill in self.book.fills:
            candle, order = self.candles[fill.candle], self.book.orders[fill.order_id]
            assert candle.opens <= fill.at <= candle.closes
            if not order.liquidates:
                taken[fill.candle] += fill.quantity
            if not fill.maker:
                # A spread that is drawn up to 6 ticks, and what taking all moves the price by.
                away = 5 * RULES[SYMBOL].tick + candle.high * TERMS.slippage
                assert candle.low - away <= fill.price <= candle.high + away
        for opens, quantity in taken.items():
            assert quantity <= self.candles[opens].volume * TERMS.volume_share

    @invariant()
    def no_order_waits_to_reduce_nothing(self) -> None:
        for order in self.book.open_orders():
            if order.reduce_only:
                assert self.book.position(order.account, SYMBOL).reducible(order.side)


_FUNDING = (Source.FUNDING_FEE,)

TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
