"""No honest trade is taken for an orphan, and every planted one is found."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipelines.domain.account import Holding, Lot, Position
from pipelines.domain.known import BotBook, KnownOrder, KnownTrade
from pipelines.domain.orphan import CLOSING, Missing, MissingStop, Orphan, Stray, closing_name
from pipelines.domain.reconciliation import (
    Book,
    Declared,
    Unexplained,
    findings,
    strange_coins,
    unexplained,
)
from pipelines.domain.sighting import LOOKS, TURNS, sighted
from tests.domain.honest import DUST, PAIRS, START, Account, Bot, look

PAPER = Declared("main", frozenset({"USDT"}))
BTC, ETH = PAIRS

AMOUNTS = st.integers(30, 100_000).map(lambda steps: steps * Decimal("0.00001"))
"""From just above what may be traded at all to 20,000 USDT."""

SHARES = st.sampled_from([Decimal("0.3"), Decimal("0.5"), Decimal(1)])


class Trading(RuleBasedStateMachine):
    """Two bots on one account, with coins of the owner's. What is planted is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.account.held["BTC"] = Decimal("1.5")
        self.bots = (Bot(self.account), Bot(self.account))
        self.declared = replace(PAPER, holdings={"BTC": Decimal("1.5")})
        self.lost: list[tuple[Bot, int, str]] = []
        self.planted: list[str] = []

    def _bot(self, pair: str) -> Bot:
        return self.bots[PAIRS.index(pair)]

    def _open(self, pair: str) -> list[int]:
        bot = self._bot(pair)
        lost = {number for owner, number, _ in self.lost if owner is bot}
        return [n for n, t in bot.trades.items() if t.is_open and n not in lost]

    @rule(pair=st.sampled_from(PAIRS), amount=AMOUNTS)
    def enter(self, pair: str, amount: Decimal) -> None:
        self._bot(pair).enter(pair, amount)

    @rule(share=SHARES, which=st.integers(0, 20))
    def fill(self, share: Decimal, which: int) -> None:
        waiting = [order for order in self.account.orders.values() if order.is_open]
        if waiting:
            order = waiting[which % len(waiting)]
            self.account.fill(order.id, order.remaining * share)

    @rule(which=st.integers(0, 20))
    def cancel(self, which: int) -> None:
        waiting = [order for order in self.account.orders.values() if order.is_open]
        if waiting:
            self.account.cancel(waiting[which % len(waiting)].id)

    @rule(pair=st.sampled_from(PAIRS), share=SHARES, stop=st.booleans(), which=st.integers(0, 9))
    def exit(self, pair: str, share: Decimal, stop: bool, which: int) -> None:
        if trades := self._open(pair):
            self._bot(pair).exit(trades[which % len(trades)], share, stop=stop)

    @precondition(lambda self: not self.lost)
    @rule(pair=st.sampled_from(PAIRS), which=st.integers(0, 9))
    def lose_the_answer_to_an_exit(self, pair: str, which: int) -> None:
        if trades := self._open(pair):
            number, bot = trades[which % len(trades)], self._bot(pair)
            before = set(self.account.orders)
            bot.exit(number, Decimal(1), lost=True)
            for order in set(self.account.orders) - before:
                self.lost.append((bot, number, order))

    @rule()
    def bots_process(self) -> None:
        for bot, number, order in self.lost:
            bot.knows(number, order)
        self.lost = []
        for bot in self.bots:
            bot.process()

    @rule(pair=st.sampled_from(PAIRS), amount=AMOUNTS)
    def plant(self, pair: str, amount: Decimal) -> None:
        order = self.account.place(pair, "buy", amount + 2 * DUST)
        self.account.fill(order, amount + 2 * DUST)
        self.planted.append(order)

    @invariant()
    def nothing_but_what_was_planted_is_found(self) -> None:
        found = look(tuple(bot.book() for bot in self.bots), self.account, self.declared)
        orphans = {each.order: each.amount for each in found if isinstance(each, Orphan)}
        assert set(orphans) <= set(self.planted)
        for pair in PAIRS:
            planted = [o for o in self.planted if self.account.orders[o].pair == pair]
            own = self.declared.holdings.get(pair[:3], Decimal(0)) + self._bot(pair).claims(pair)
            # Bots pay fees with what lies there, as freqtrade does, until it is dust. And a sale
            # that nobody knows may be of an orphan, until its bot has found it.
            if planted and not self.lost and self.account.held[pair[:3]] - own > DUST:
                assert planted[-1] in orphans
        assert {each.order.id for each in found if isinstance(each, Stray)} <= {
            order for _, _, order in self.lost
        }
        if not self.lost:
            assert not [each for each in found if isinstance(each, Missing)]


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def held(bot: Bot, pair: str = BTC, amount: str = "0.1") -> None:
    """An open trade, and its bot knows that it is filled."""
    order = bot.enter(pair, Decimal(amount))
    bot.account.fill(order, Decimal(amount))
    bot.process()


@pytest.fixture
def bot() -> Bot:
    return Bot(Account())


def orphans(bot: Bot, declared: Declared = PAPER) -> list[Orphan]:
    found = look((bot.book(),), bot.account, declared)
    return [each for each in found if isinstance(each, Orphan)]


def test_a_filled_entry_that_no_bot_knows_is_an_orphan_with_its_order(bot: Bot) -> None:
    held(bot)
    order = bot.account.place(BTC, "buy", Decimal("0.05"))
    bot.account.fill(order, Decimal("0.05"))
    (orphan,) = orphans(bot)
    assert (orphan.order, orphan.pair, orphan.side) == (order, BTC, "buy")
    assert Decimal("0.0499") < orphan.amount <= Decimal("0.05")
    assert str(orphan).startswith(f"orphan {orphan.id} on main: 0.0")


def test_an_open_order_that_no_bot_knows_is_an_orphan_before_it_is_filled(bot: Bot) -> None:
    order = bot.account.place(ETH, "buy", Decimal(1))
    (orphan,) = orphans(bot)
    assert (orphan.amount, orphan.waiting, orphan.order) == (0, 1, order)
    text = f"orphan {orphan.id} on main: ETH/USDT by order {order}, 1 more may follow"
    assert str(orphan) == text
    bot.account.fill(order, Decimal("0.4"))
    (later,) = orphans(bot)
    assert (later.id, later.waiting) == (orphan.id, Decimal("0.6"))
    assert later.amount == Decimal("0.3996")
    bot.account.cancel(order)
    (rest,) = orphans(bot)
    assert (rest.id, rest.amount, rest.waiting) == (orphan.id, Decimal("0.3996"), 0)


def test_entries_that_were_cancelled_unfilled_are_none(bot: Bot) -> None:
    bot.account.cancel(bot.enter(BTC, Decimal(1)))
    bot.process()
    assert bot.trades == {}
    assert look((bot.book(),), bot.account, PAPER) == ()


def test_coins_without_an_order_are_an_orphan_unless_they_are_declared(bot: Bot) -> None:
    bot.account.held["ETH"] = Decimal(2)
    (orphan,) = orphans(bot)
    assert (orphan.order, orphan.amount) == ("", 2)
    assert "of which no order is found" in str(orphan)
    assert orphans(bot, replace(PAPER, holdings={"ETH": Decimal(2)})) == []
    assert orphans(bot, replace(PAPER, fee_asset="ETH")) == []
    (more,) = orphans(bot, replace(PAPER, holdings={"ETH": Decimal("1.5")}))
    assert more.amount == Decimal("0.5")


@pytest.mark.parametrize(("beyond", "count"), [(Decimal(0), 0), (Decimal("0.00000001"), 1)])
def test_what_is_too_little_to_be_sold_is_dust(bot: Bot, beyond: Decimal, count: int) -> None:
    bot.account.held["BTC"] = DUST + beyond
    assert len(orphans(bot)) == count


@pytest.mark.parametrize(("left", "count"), [("3", 0), ("2", 0), ("1.9", 1)])
def test_what_closed_trades_left_behind_is_no_orphan_however_much_it_became(
    bot: Bot, left: str, count: int
) -> None:
    bot.account.held["BTC"] = 3 * DUST
    mine = replace(bot.book(), leftovers={"BTC": Decimal(left) * DUST})
    assert len(look((mine,), bot.account, PAPER)) == count


def test_an_owner_who_sold_an_orphan_himself_has_none_any_more(bot: Bot) -> None:
    bot.account.fill(bot.account.place(BTC, "buy", Decimal(1)), Decimal(1))
    assert len(orphans(bot)) == 1
    sold = bot.account.place(BTC, "sell", Decimal("0.999"))
    bot.account.fill(sold, Decimal("0.999"))
    assert orphans(bot) == []


@pytest.mark.parametrize("which", [0, 1])
def test_the_orphan_that_was_closed_here_is_over_and_the_other_is_not(bot: Bot, which: int) -> None:
    for _ in range(2):
        bot.account.fill(bot.account.place(BTC, "buy", Decimal(1)), Decimal(1))
    both = orphans(bot)
    closed, stays = both[which], both[1 - which]
    sold = bot.account.place(BTC, "sell", closed.amount)
    named = replace(bot.account.orders[sold], client_id=f"{closing_name(closed.id)}0")
    bot.account.orders[sold] = named
    assert [each.order for each in orphans(bot)] == [each.order for each in both]
    bot.account.fill(sold, closed.amount)
    assert [each.order for each in orphans(bot)] == [stays.order]


def test_what_the_agent_sold_of_a_trade_itself_is_not_missing(bot: Bot) -> None:
    held(bot)
    bot.exit(1, Decimal(1), lost=True)
    bot.account.orders["2"] = replace(bot.account.orders["2"], client_id=f"{CLOSING}0123-0")
    assert look((bot.book(),), bot.account, PAPER) == ()
    bot.account.fill("2", Decimal(1))
    assert look((bot.book(),), bot.account, PAPER) == ()
    bot.knows(1, "2")
    assert look((bot.book(),), bot.account, PAPER) == ()


def test_a_sale_of_the_owner_s_own_coins_is_no_entry(bot: Bot) -> None:
    bot.account.held["BTC"] = Decimal(2)
    bot.account.fill(bot.account.place(BTC, "buy", Decimal("0.1")), Decimal("0.1"))
    bot.account.fill(bot.account.place(BTC, "sell", Decimal(1)), Decimal(1))
    own = replace(PAPER, holdings={"BTC": Decimal(1)})
    assert [(each.side, each.order) for each in orphans(bot, own)] == [("buy", "1")]


def test_an_entry_of_nobody_of_which_dust_is_left_is_no_orphan(bot: Bot) -> None:
    bot.account.fill(bot.account.place(BTC, "buy", Decimal(1)), Decimal(1))
    waits = bot.account.place(BTC, "buy", Decimal(1))
    bot.account.held["BTC"] = DUST
    assert [each.order for each in orphans(bot)] == [waits]
    bot.account.held["BTC"] += Decimal("0.00000001")
    assert [each.order for each in orphans(bot)] == ["1", waits]


def test_what_a_bot_has_not_heard_of_yet_hides_no_orphan(bot: Bot) -> None:
    held(bot, amount="0.0006")
    bot.exit(1, Decimal(1))
    bot.account.fill("2", Decimal("0.0006"))
    # As much as was sold.
    lost = bot.account.place(BTC, "buy", Decimal("0.0006"))
    bot.account.fill(lost, Decimal("0.0006"))
    assert [each.order for each in orphans(bot)] == [lost]


def test_a_stop_that_was_filled_while_its_bot_was_dead_is_nothing_to_tell(bot: Bot) -> None:
    held(bot)
    bot.exit(1, Decimal(1), stop=True)
    bot.account.fill("2", Decimal(1))
    assert look((bot.book(stops=True),), bot.account, PAPER) == ()


def test_coins_that_are_gone_are_missing(bot: Bot) -> None:
    held(bot)
    bot.account.held["BTC"] -= Decimal("0.02")
    (missing,) = look((bot.book(),), bot.account, PAPER)
    assert isinstance(missing, Missing)
    assert Decimal("0.0199") < missing.amount < Decimal("0.0201")
    assert str(missing).endswith("of BTC/USDT are missing on main")


def test_an_exit_whose_answer_was_lost_is_a_stray_and_no_orphan(bot: Bot) -> None:
    held(bot)
    bot.exit(1, Decimal(1), lost=True)
    (stray,) = look((bot.book(),), bot.account, PAPER)
    assert isinstance(stray, Stray)
    assert stray.order.id == "2"
    bot.account.fill("2", Decimal(1))
    assert [type(each) for each in look((bot.book(),), bot.account, PAPER)] == [Missing]
    bot.knows(1, "2")
    assert look((bot.book(),), bot.account, PAPER) == ()


def test_a_sale_of_what_no_bot_holds_is_an_orphan(bot: Bot) -> None:
    bot.account.held["BTC"] = Decimal(1)
    bot.account.place(BTC, "sell", Decimal(1))
    (orphan,) = orphans(bot, replace(PAPER, holdings={"BTC": Decimal(1)}))
    assert (orphan.side, orphan.amount, orphan.waiting) == ("sell", 0, 1)


def test_the_bots_of_an_account_explain_it_together(bot: Bot) -> None:
    other = Bot(bot.account)
    held(bot)
    held(other, amount="0.2")
    assert look((bot.book(), other.book()), bot.account, PAPER) == ()
    assert {type(each) for each in look((bot.book(),), bot.account, PAPER)} == {Orphan}


def test_a_stop_that_does_not_rest_at_the_exchange_is_missed(bot: Bot) -> None:
    held(bot)
    (missing,) = look((bot.book(stops=True),), bot.account, PAPER)
    assert isinstance(missing, MissingStop)
    assert (missing.environment, missing.strategy, missing.trade) == ("prod", "beat", 1)
    assert str(missing) == "trade 1 has no stop at the exchange: 0.0999 of BTC/USDT"
    assert look((bot.book(stops=False),), bot.account, PAPER) == ()
    bot.exit(1, Decimal(1), stop=True)
    assert look((bot.book(stops=True),), bot.account, PAPER) == ()
    bot.account.cancel("2")
    assert len(look((bot.book(stops=True),), bot.account, PAPER)) == 1


def test_an_exit_on_its_way_takes_the_place_of_a_stop_and_half_a_stop_does_not(bot: Bot) -> None:
    held(bot)
    bot.exit(1, Decimal("0.5"), stop=True)
    assert len(look((bot.book(stops=True),), bot.account, PAPER)) == 1
    bot.account.cancel("2")
    bot.process()
    bot.exit(1, Decimal(1))
    assert look((bot.book(stops=True),), bot.account, PAPER) == ()


def test_coins_that_no_bot_can_trade_are_told_apart(bot: Bot) -> None:
    bot.account.held |= {"DOGE": Decimal(5), "BNB": Decimal(1), "BTC": Decimal(1)}
    declared = replace(PAPER, fee_asset="BNB", holdings={"DOGE": Decimal(2)})
    book = bot.account.book(())
    assert strange_coins((bot.book(),), book, declared) == (("DOGE", Decimal(3)),)


def test_coins_that_are_all_declared_are_not_strange(bot: Bot) -> None:
    bot.account.held |= {"DOGE": Decimal(5), "XRP": Decimal("0.5"), "SOL": Decimal("0.5")}
    own = {"DOGE": Decimal(5), "XRP": Decimal(1)}
    book = bot.account.book(())
    assert strange_coins((bot.book(),), book, replace(PAPER, holdings=own)) == (
        ("SOL", Decimal("0.5")),
    )


@pytest.mark.parametrize(
    ("lot", "price", "dust"),
    [
        (Lot(Decimal(1), Decimal(2), Decimal(15)), "5", "3"),
        (Lot(Decimal(1), Decimal(4), Decimal(15)), "5", "4"),
        (Lot(Decimal(5), Decimal(4), Decimal(15)), "5", "5"),
        (Lot(Decimal(1), Decimal(2), Decimal(5)), "0.5", "10"),
        # A price that nobody knows makes nothing dust that could be sold.
        (Lot(Decimal(1), Decimal(2), Decimal(15)), "0", "2"),
    ],
)
def test_dust_is_what_the_exchange_would_not_take(lot: Lot, price: str, dust: str) -> None:
    assert Book({}, {BTC: lot}, {BTC: Decimal(price)}).dust(BTC) == Decimal(dust)


# What bots know, and what is there, order by order.


def entry(filled: str, number: str = "1", **changed: Any) -> KnownOrder:
    amount = Decimal(filled)
    return replace(KnownOrder(number, True, False, False, amount, amount, Decimal(0)), **changed)


def sale(filled: str, number: str = "2", **changed: Any) -> KnownOrder:
    return replace(entry(filled, number), is_entry=False, fee=None, **changed)


def book_of(*trades: tuple[KnownOrder, ...], **changed: Any) -> BotBook:
    """A bot with these trades of bitcoins, all open, each by its orders."""
    kept = tuple(KnownTrade(n, BTC, True, False, START, each) for n, each in enumerate(trades, 1))
    ids = frozenset(order.id for each in trades for order in each)
    return replace(BotBook("prod", "beat", frozenset({BTC}), kept, ids), **changed)


def closed(book: BotBook, number: int = 1) -> BotBook:
    trades = (replace(t, is_open=t.is_open and t.id != number) for t in book.trades)
    return replace(book, trades=tuple(trades))


def there(held: str, account: Account | None = None) -> Book:
    """So many bitcoins, and all orders of an account."""
    book = (account or Account()).book((BTC,))
    return replace(book, balances={"BTC": Holding(Decimal(held), Decimal(0))})


def placed(*orders: tuple[str, str, str], **changed: Any) -> Account:
    """An account with orders of bitcoins: side, amount, and what was filled of it."""
    account = Account({"BTC": Decimal(100)})
    for side, amount, filled in orders:
        account.fill(account.place(BTC, side, Decimal(amount)), Decimal(filled))
    account.orders = {n: replace(o, **changed) for n, o in account.orders.items()}
    return account


def test_what_adds_up_is_not_looked_at_order_by_order(bot: Bot) -> None:
    held(bot)
    waits = bot.enter(BTC, Decimal("0.2"))
    assert unexplained((bot.book(),), bot.account.book(()), PAPER) == ()
    # Its bot does not know yet what was bought: that would hide as much of what is over.
    bot.account.fill(waits, Decimal("0.1"))
    assert [u.pair for u in unexplained((bot.book(),), bot.account.book(()), PAPER)] == [BTC]


@pytest.mark.parametrize("beyond", [Decimal(0), Decimal("0.00000001")])
def test_only_more_than_dust_is_looked_at_order_by_order(bot: Bot, beyond: Decimal) -> None:
    bot.account.held["BTC"] = DUST + beyond
    looked_at = unexplained((bot.book(),), bot.account.book(()), PAPER)
    assert [each.pair for each in looked_at] == ([BTC] if beyond else [])


@pytest.mark.parametrize("beyond", [Decimal(0), Decimal("0.00000001")])
def test_less_by_dust_is_not_looked_at_order_by_order(beyond: Decimal) -> None:
    lacking = there(str(1 - DUST - beyond))
    looked_at = unexplained((book_of((entry("1"),)),), lacking, PAPER)
    assert [each.pair for each in looked_at] == ([BTC] if beyond else [])


def test_an_open_order_of_nobody_is_looked_at_though_the_coins_add_up(bot: Bot) -> None:
    bot.account.place(BTC, "buy", Decimal(1))
    assert [u.pair for u in unexplained((bot.book(),), bot.account.book(()), PAPER)] == [BTC]


def test_how_much_there_is_of_what_bots_pay_with_nobody_foretells() -> None:
    paid = replace(PAPER, money=frozenset({"USDT", "BTC"}))
    assert findings((book_of(),), there("5"), paid) == ()


def test_what_does_not_add_up_is_looked_at_since_its_first_trade() -> None:
    early = KnownTrade(1, ETH, True, False, START - timedelta(days=2), (entry("1"),))
    first, second = book_of((entry("1"),), (entry("2", "2"),)).trades
    second = replace(second, opened_at=START + timedelta(days=1))
    pairs = frozenset({BTC, ETH})
    mine = replace(book_of(), trades=(early, second, first), pairs=pairs)
    account = Account({"BTC": Decimal("3.5"), "ETH": Decimal(1)})
    assert unexplained((mine,), account.book(()), PAPER) == (
        Unexplained(BTC, START, Decimal("0.5"), Decimal("-0.5")),
    )


@pytest.mark.parametrize(("beyond", "kinds"), [("0", []), ("0.00000001", [Missing])])
def test_what_is_missing_is_more_than_dust(beyond: str, kinds: list[type[Any]]) -> None:
    lacking = str(1 - DUST - Decimal(beyond))
    found = findings((book_of((entry("1"),)),), there(lacking), PAPER)
    assert [type(each) for each in found] == kinds


def test_a_fee_that_nobody_knows_is_at_most_half_a_percent() -> None:
    mine = book_of((entry("1", fee=None),))
    assert findings((mine,), there("0.995"), PAPER) == ()
    (missing,) = findings((mine,), there("0.9"), PAPER)
    assert isinstance(missing, Missing)
    assert missing.amount == Decimal("0.095")


def test_an_order_explains_no_more_than_it_brought() -> None:
    account = placed(("buy", "1", "1"))
    found = findings((book_of(),), there("1.5", account), PAPER)
    told = [(each.order, each.amount) for each in found if isinstance(each, Orphan)]
    assert told == [("1", Decimal("0.999")), ("", Decimal("0.501"))]


def test_orphans_of_one_moment_are_told_in_the_order_of_their_numbers() -> None:
    account = placed(("buy", "1", "1"), ("buy", "1", "1"), at=START)
    account.orders = dict(reversed(account.orders.items()))
    found = findings((book_of(),), there("1.998", account), PAPER)
    assert [each.order for each in found if isinstance(each, Orphan)] == ["1", "2"]


def test_a_closed_trade_whose_stop_still_sells_takes_from_the_others() -> None:
    stop = sale("0", "3", is_open=True, amount=Decimal("0.2"))
    mine = closed(book_of((entry("1"), sale("1"), stop), (entry("1", "4"),)))
    account = placed(
        ("buy", "1", "1"), ("sell", "1", "1"), ("sell", "0.2", "0.2"), ("buy", "1", "1")
    )
    assert findings((mine,), there("0.8", account), PAPER) == ()


def test_what_is_left_of_a_settled_trade_is_no_bot_s() -> None:
    mine = closed(book_of((entry("1"), sale("0.9"))))
    (orphan,) = findings((mine,), there("0.1"), PAPER)
    assert isinstance(orphan, Orphan)
    assert orphan.amount == Decimal("0.1")


@pytest.mark.parametrize(
    ("amount", "is_open", "kind"),
    [("1", True, Stray), ("1.1", True, Orphan), ("1", False, Orphan)],
)
def test_a_sale_is_an_exit_only_of_what_an_open_trade_can_sell(
    amount: str, is_open: bool, kind: type[Any]
) -> None:
    account = placed(("buy", "1", "1"), ("sell", amount, "0"))
    waits = sale("0", "3", is_open=True, amount=Decimal(1))
    mine = book_of((entry("1"), waits))
    mine = mine if is_open else closed(mine)
    assert kind in [type(each) for each in findings((mine,), there("1", account), PAPER)]


def test_what_the_agent_sold_counts_once() -> None:
    account = placed(("buy", "1", "1"), ("sell", "0.5", "0.5"))
    account.orders["2"] = replace(account.orders["2"], client_id=f"{CLOSING}0123-0")
    mine = book_of((entry("1"), sale("0.5")))
    (missing,) = findings((mine,), there("0.2", account), PAPER)
    assert isinstance(missing, Missing)
    assert missing.amount == Decimal("0.3")


STOPPED = {"is_open": True, "is_stop": True}


def stops_missed(account: Account, *trades: tuple[KnownOrder, ...], held: str = "9") -> list[int]:
    own = replace(PAPER, holdings={"BTC": Decimal(9)})
    found = findings((book_of(*trades, stops_on_exchange=True),), there(held, account), own)
    return [each.trade for each in found if isinstance(each, MissingStop)]


def test_a_trade_after_one_that_needs_no_stop_is_looked_at_too() -> None:
    account = placed(("buy", "0.0001", "0.0001"), ("buy", "1", "1"))
    assert stops_missed(account, (entry("0.0001"),), (entry("1", "2"),)) == [2]


def test_a_closed_trade_needs_no_stop() -> None:
    mine = closed(book_of((entry("1"), sale("0", is_open=True)), stops_on_exchange=True))
    found = findings((mine,), there("9"), replace(PAPER, holdings={"BTC": Decimal(9)}))
    assert [each for each in found if isinstance(each, MissingStop)] == []


def test_an_entry_that_waits_is_no_stop() -> None:
    account = placed(("buy", "1", "0.4"))
    assert stops_missed(account, (entry("0.4", is_open=True, amount=Decimal(1)),)) == [1]


@pytest.mark.parametrize(("beyond", "missed"), [("0", []), ("0.00000001", [1])])
def test_dust_needs_no_stop(beyond: str, missed: list[int]) -> None:
    amount = str(DUST + Decimal(beyond))
    assert stops_missed(placed(("buy", amount, amount)), (entry(amount),)) == missed
    # Nor is a stop too small that leaves no more than dust.
    rests = str(1 - DUST - Decimal(beyond))
    account = placed(("buy", "1", "1"), ("sell", rests, "0"))
    stop = sale("0", amount=Decimal(rests), **STOPPED)
    assert stops_missed(account, (entry("1"), stop)) == missed


def test_what_an_order_waits_for_makes_it_a_stop() -> None:
    account = placed(("sell", "1", "0"))
    plain = account.orders["1"]
    assert [o.is_stop for o in (plain, replace(plain, stop_price=Decimal(5)))] == [False, True]
    assert not plain.reduce_only


def test_an_orphan_cost_what_it_was_filled_at_rather_than_its_limit() -> None:
    order = replace(placed(("buy", "1", "0")).orders["1"], price=Decimal(6))
    made = [
        Orphan.of("main", replace(order, average=each), Decimal(1)) for each in (Decimal(5), None)
    ]
    assert [each.price for each in made] == [5, 6]


def test_an_orphan_that_was_filled_waits_for_nothing() -> None:
    assert str(ORPHAN) == f"orphan {ORPHAN.id} on main: 1 BTC/USDT by order 7"


def test_coins_that_are_bound_by_an_order_are_there() -> None:
    bound = {"BTC": Holding(Decimal("0.4"), Decimal("0.6"))}
    assert findings((book_of((entry("1"),)),), replace(there("1"), balances=bound), PAPER) == ()


def test_orphans_are_told_apart_by_account_pair_and_order() -> None:
    every = [
        replace(ORPHAN, **changed)
        for changed in ({}, {"account": "other"}, {"pair": ETH}, {"order": "8"})
    ]
    assert len({each.id for each in every}) == 4
    assert {len(each.id) for each in every} == {8}
    assert replace(ORPHAN, amount=Decimal(5)).id == ORPHAN.id


PERP = "BTC/USDT:USDT"


def contract(side: str, amount: str) -> Book:
    """A futures account with one position."""
    there = Position(PERP, side, Decimal(amount))  # type: ignore[arg-type]
    lots = dict.fromkeys([PERP], Account().book(()).lots[BTC])
    return Book({}, lots, {PERP: Decimal(20_000)}, (), (there,) if there.amount else ())


@pytest.mark.parametrize(
    ("side", "there", "is_short", "known", "kinds"),
    [
        ("long", "1", False, "1", []),
        ("short", "1", True, "1", []),
        ("long", "1.5", False, "1", [Orphan]),
        ("short", "1", True, "0", [Orphan]),
        ("long", "0.5", False, "1", [Missing]),
        ("long", "0", True, "1", [Missing]),
        ("long", "1", True, "1", [Orphan, Missing]),
    ],
)
def test_positions_of_futures_are_held_against_trades(
    side: str, there: str, is_short: bool, known: str, kinds: list[type[Any]]
) -> None:
    order = KnownOrder("1", True, False, False, Decimal(known), Decimal(known), Decimal(0))
    trade = KnownTrade(1, PERP, True, is_short, START, (order,))
    mine = BotBook("prod", "beat", frozenset({PERP}), (trade,), frozenset({"1"}))
    found = findings((mine,), contract(side, there), PAPER)
    assert [type(each) for each in found] == kinds


def test_a_position_is_held_against_the_trades_of_its_own_pair() -> None:
    other = "ETH/USDT:USDT"
    trades = tuple(
        KnownTrade(n, pair, True, False, START, (entry("1", str(n)),))
        for n, pair in enumerate((PERP, other), 1)
    )
    mine = BotBook("prod", "beat", frozenset({PERP, other}), trades, frozenset({"1", "2"}))
    lot = Account().book(()).lots[BTC]
    positions = tuple(Position(pair, "long", Decimal(1)) for pair in (PERP, other))
    lots, prices = {PERP: lot, other: lot}, {PERP: Decimal(20_000), other: Decimal(20_000)}
    assert findings((mine,), Book({}, lots, prices, positions=positions), PAPER) == ()


@pytest.mark.parametrize(
    ("side", "other", "order", "told"),
    [
        ("long", "long", "buy", [("1", Decimal(1))]),
        ("short", "long", "sell", [("1", Decimal(1))]),
        # What takes from a position has not made it.
        ("long", "short", "sell", [("", Decimal(1))]),
        ("short", "long", "buy", [("", Decimal(1))]),
    ],
)
def test_a_position_that_no_bot_knows_is_the_orphan_of_what_added_to_it(
    side: Any, other: Any, order: str, told: list[tuple[str, Decimal]]
) -> None:
    account = Account()
    number = account.place(PERP, order, Decimal(1))
    account.orders[number] = replace(account.orders[number], filled=Decimal(1), status="closed")
    pairs = [Position(PERP, side, Decimal(1)), Position("ETH/USDT:USDT", other, Decimal(1))]
    found = replace(
        contract(side, "1"), positions=tuple(pairs), orders=account.book((PERP,)).orders
    )
    mine = BotBook("prod", "beat", frozenset({PERP}))
    orphans = [each for each in findings((mine,), found, PAPER) if isinstance(each, Orphan)]
    assert [(each.order, each.amount) for each in orphans] == told


NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORPHAN = Orphan("main", BTC, "buy", Decimal(1), order="7")
STOP = MissingStop("prod", "beat", BTC, 1, Decimal(1))


def test_an_orphan_is_believed_at_the_second_look() -> None:
    seen = sighted({}, [ORPHAN], NOW, 100.0)
    assert not seen[ORPHAN.key].is_sure(100.0, 0)
    seen = sighted(seen, [ORPHAN], NOW, 100.0)
    assert seen[ORPHAN.key].looks == LOOKS
    assert seen[ORPHAN.key].is_sure(100.0, 0)
    # Two looks in the same second are one: an order may be on its way for as long.
    assert not seen[ORPHAN.key].is_sure(107.9, 8.0)
    assert seen[ORPHAN.key].is_sure(108.0, 8.0)


def test_what_was_not_seen_in_between_begins_anew() -> None:
    seen = sighted(sighted({}, [ORPHAN], NOW, 100.0), [], NOW, 110.0)
    assert seen == {}
    assert not sighted(seen, [ORPHAN], NOW, 120.0)[ORPHAN.key].is_sure(120.0, 0)


def test_a_bot_has_two_turns_to_put_back_its_stop() -> None:
    seen = sighted({}, [STOP], NOW, 100.0)
    for _ in range(5):
        seen = sighted(seen, [STOP], NOW, 100.0)
    assert not seen[STOP.key].is_sure(100.0, 0)
    for turn in range(1, TURNS + 1):
        assert not seen[STOP.key].is_sure(100.0, 0)
        seen = sighted(seen, [STOP], NOW + timedelta(hours=turn), 100.0)
    assert seen[STOP.key].is_sure(100.0, 0)
    assert not seen[STOP.key].is_sure(115.0, 8.0)
    assert seen[STOP.key].is_sure(116.0, 8.0)
