"""What is accepted, and what Binance says to the rest."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runner.exchange.core.futures import placing
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.events import Deposited, Levered, Phase, Trigger, WorkingType
from runner.exchange.core.futures.placing import Market, Wish, await_price, place
from runner.exchange.core.orders import Kind, Side, Standing, TimeInForce
from runner.exchange.core.path import Candle
from runner.exchange.core.rejection import Rejection
from runner.exchange.core.terms import Spread, Terms

Make = Callable[..., Candle]
Open = Callable[[Candle], Market]


def limit(side: Side, quantity: str, price: str, **more: Any) -> Wish:
    wish = Wish("ETHUSDT", side, Kind.LIMIT, Decimal(quantity), Decimal(price), TimeInForce.GTC)
    return replace(wish, **more)


def market_order(side: Side, quantity: str, **more: Any) -> Wish:
    return replace(Wish("ETHUSDT", side, Kind.MARKET, Decimal(quantity)), **more)


def stop(side: Side, quantity: str, at: str, **more: Any) -> Wish:
    wish = market_order(side, quantity, reduce_only=True, trigger=Trigger.STOP_MARKET)
    return replace(wish, trigger_price=Decimal(at), **more)


@pytest.fixture
def there(candle: Make, at_open: Open) -> Market:
    """At 100, with volume for 100."""
    return at_open(candle(100, 101, 99, 100, 1000))


def test_a_market_order_opens_at_the_market_s_price(book: Book, there: Market) -> None:
    bought = place(book, "alice", market_order(Side.BUY, "5"), there, 0)
    assert (bought.standing, bought.quote) == (Standing.FILLED, Decimal("500.05"))
    held = book.position("alice", "ETHUSDT")
    assert (held.size, held.entry, held.margin) == (5, Decimal("100.01"), Decimal("50.005"))
    # The fee of who takes is 0.05 %, from the wallet.
    assert book.wallets["alice", "USDT"] == Decimal(1000) - Decimal("0.250025")
    assert book.free("alice", "USDT") == book.wallets["alice", "USDT"] - held.margin


def test_spread_and_slippage_cost_as_on_spot_and_count_for_the_margin(
    book: Book, there: Market
) -> None:
    book.terms = Terms(spread=Spread(ticks=4), slippage=Decimal("0.01"))
    bought = place(book, "alice", market_order(Side.BUY, "50"), there, 0)
    # Half of the 100 that may be taken: half of 1 % above the ask of 100.03.
    assert bought.quote / 50 == Decimal("100.54")
    book.record(Deposited("bob", "USDT", Decimal("251"), 0))  # 5 % of 50 at 100.03 is 250.075
    book.record(Levered("bob", "ETHUSDT", 20))
    with pytest.raises(Rejection, match="Margin is insufficient"):
        place(book, "bob", market_order(Side.BUY, "50"), there, 0)


def test_a_resting_order_asks_for_its_margin_and_gives_it_back(book: Book, there: Market) -> None:
    order = place(book, "alice", limit(Side.BUY, "50", "99"), there, 0)
    assert book.available("alice", "USDT") == 505
    with pytest.raises(Rejection, match="Margin is insufficient") as refused:
        place(book, "alice", limit(Side.BUY, "60", "99"), there, 0)
    assert refused.value.code == -2019
    assert placing.cancel(book, order, 1).standing is Standing.CANCELED
    assert book.available("alice", "USDT") == 1000


def test_the_two_sides_need_the_margin_of_the_greater_one_only(book: Book, there: Market) -> None:
    place(book, "alice", limit(Side.BUY, "50", "99"), there, 0)
    place(book, "alice", limit(Side.SELL, "40", "101"), there, 0)
    assert book.available("alice", "USDT") == 505


def test_closing_needs_no_margin(book: Book, there: Market) -> None:
    place(book, "alice", market_order(Side.BUY, "90"), there, 0)
    place(book, "alice", limit(Side.SELL, "90", "101"), there, 0)
    assert book.available("alice", "USDT") == book.free("alice", "USDT")


def test_a_sale_beyond_what_is_held_turns_the_position(book: Book, there: Market) -> None:
    place(book, "alice", market_order(Side.BUY, "5"), there, 0)
    place(book, "alice", market_order(Side.SELL, "8"), there, 1)
    held = book.position("alice", "ETHUSDT")
    assert (held.size, held.entry, held.margin) == (-3, 100, 30)
    assert book.fills[-1].realised == Decimal("-0.05")


def test_reducing_closes_no_more_than_there_is(book: Book, there: Market) -> None:
    place(book, "alice", market_order(Side.BUY, "5"), there, 0)
    order = place(book, "alice", market_order(Side.SELL, "8", reduce_only=True), there, 1)
    assert (order.executed, order.standing) == (5, Standing.EXPIRED)
    assert not book.position("alice", "ETHUSDT").is_open


def test_orders_that_only_reduce_end_with_the_position(book: Book, there: Market) -> None:
    place(book, "alice", market_order(Side.BUY, "5"), there, 0)
    rests = place(book, "alice", limit(Side.SELL, "5", "105", reduce_only=True), there, 0)
    place(book, "alice", market_order(Side.SELL, "5"), there, 1)
    assert book.orders[rests.id].standing is Standing.EXPIRED


def test_a_conditional_order_waits_beside_the_others(book: Book, there: Market) -> None:
    waiting = await_price(book, "alice", stop(Side.SELL, "5", "98"), there, 0)
    assert (waiting.phase, book.waiting("ETHUSDT"), book.orders) == (Phase.NEW, [waiting], {})
    assert placing.drop(book, waiting, 1).phase is Phase.CANCELED
    with pytest.raises(Rejection, match="Unknown order sent"):
        placing.drop(book, book.conditionals[waiting.id], 1)


def test_which_price_triggers_is_the_account_s_choice(book: Book, there: Market) -> None:
    apart = replace(there, mark=Decimal(97))
    await_price(book, "alice", stop(Side.SELL, "5", "98"), apart, 0)
    by_mark = stop(Side.SELL, "5", "98", working_type=WorkingType.MARK_PRICE)
    with pytest.raises(Rejection, match="Order would immediately trigger"):
        await_price(book, "alice", by_mark, apart, 0)


@pytest.mark.parametrize(
    ("wish", "code", "message"),
    [
        (limit(Side.BUY, "1", "100.001"), -4014, "Price not increased by tick size."),
        (limit(Side.BUY, "1", "0"), -4001, "Price less than 0."),
        (limit(Side.BUY, "1.0001", "100"), -1111, "Precision is over the maximum"),
        (limit(Side.BUY, "0", "100"), -4003, "Quantity less than zero."),
        (limit(Side.BUY, "200000", "100"), -4005, "Quantity greater than max quantity."),
        (limit(Side.BUY, "0.199", "100"), -4164, "no smaller than 20 (unless you choose reduce"),
        (limit(Side.BUY, "1", "110.01"), -4016, "Limit price can't be higher than 110.00."),
        (limit(Side.SELL, "1", "89.99"), -4024, "Limit price can't be lower than 90.00."),
        (limit(Side.SELL, "1", "99", post_only=True), -5022, "Post Only order will be rejected"),
        (limit(Side.BUY, "1", "100", time_in_force=None), -1102, "'timeInForce' was not sent"),
        (replace(limit(Side.BUY, "1", "100"), price=None), -1102, "'price' was not sent"),
        (replace(market_order(Side.BUY, "1"), quantity=None), -1102, "'quantity' was not sent"),
        (market_order(Side.BUY, "1", price=Decimal(1)), -1106, "'price' sent when not required"),
        (market_order(Side.BUY, "1", reduce_only=True), -2022, "ReduceOnly Order is rejected."),
        (market_order(Side.BUY, "110"), -2019, "Margin is insufficient."),
        (market_order(Side.SELL, "110"), -2019, "Margin is insufficient."),
        (stop(Side.SELL, "1", "100"), -2021, "Order would immediately trigger."),
        (stop(Side.BUY, "1", "100"), -2021, "Order would immediately trigger."),
        (stop(Side.SELL, "1", "99.001"), -4014, "Price not increased by tick size."),
        (
            stop(Side.SELL, "1", "99", trigger=Trigger.STOP, kind=Kind.LIMIT),
            -1102,
            "'price' was not sent",
        ),
    ],
)
def test_what_is_refused_leaves_the_book_as_it_was(
    wish: Wish, code: int, message: str, book: Book, there: Market
) -> None:
    asked = await_price if wish.trigger else place
    with pytest.raises(Rejection) as refused:
        asked(book, "alice", wish, there, 0)
    assert refused.value.code == code
    assert message in refused.value.message
    assert (book.drain(), book.orders, book.conditionals) == ((), {}, {})


def test_one_client_s_id_names_one_open_order(book: Book, there: Market) -> None:
    first = place(book, "alice", limit(Side.BUY, "1", "99", client_id="mine"), there, 0)
    with pytest.raises(Rejection, match="ClientOrderId is duplicated"):
        place(book, "alice", limit(Side.BUY, "1", "98", client_id="mine"), there, 0)
    placing.cancel(book, first, 0)
    assert place(book, "alice", limit(Side.BUY, "1", "98", client_id="mine"), there, 0).id == 2
    await_price(book, "alice", stop(Side.SELL, "1", "98", client_id="stop"), there, 0)
    with pytest.raises(Rejection, match="ClientOrderId is duplicated"):
        await_price(book, "alice", stop(Side.SELL, "1", "97", client_id="stop"), there, 0)


def test_leverage_is_bounded_and_does_not_fall_below_a_position(book: Book, there: Market) -> None:
    for asked in (0, 126):
        with pytest.raises(Rejection, match=f"Leverage {asked} is not valid"):
            placing.lever(book, "alice", "ETHUSDT", asked, there.mark)
    place(book, "alice", market_order(Side.BUY, "5"), there, 0)
    margin = book.position("alice", "ETHUSDT").margin
    with pytest.raises(Rejection, match="Leverage reduction is not supported") as refused:
        placing.lever(book, "alice", "ETHUSDT", 9, there.mark)
    assert refused.value.code == -4161
    placing.lever(book, "alice", "ETHUSDT", 20, there.mark)
    assert book.leverage("alice", "ETHUSDT") == 20
    assert book.position("alice", "ETHUSDT").margin == margin


def test_a_position_may_be_worth_less_the_higher_its_leverage(book: Book, there: Market) -> None:
    placing.lever(book, "alice", "ETHUSDT", 125, there.mark)
    with pytest.raises(Rejection, match="Exceeded the maximum allowable position") as refused:
        place(book, "alice", limit(Side.BUY, "3030", "99.1"), there, 0)
    assert refused.value.code == -2027
