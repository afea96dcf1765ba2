"""What freqtrade keeps is held against the exchange's book: nothing that differs is missed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runner.exchange.core.orders import Kind, Side, Standing
from runner.exchange.messages import AccountBook, BookedFill, BookedOrder
from runner.rehearsal.kept import Kept, KeptOrder, KeptTrade
from runner.rehearsal.reconciliation import Difference, differences

TRADE = KeptTrade(
    id=1,
    pair="BTC/USDT",
    is_open=False,
    amount=0.02997,
    open_date="2023-01-02 01:00:00",
    open_rate=1000.0,
    fee_open=0.001,
    fee_open_currency="BTC",
    close_date="2023-01-02 03:00:00",
    close_rate=1100.5,
    close_profit_abs=2.9,
    fee_close=0.001,
    fee_close_currency="USDT",
    exit_reason="exit_signal",
)

BUY = KeptOrder(
    order_id="1",
    ft_trade_id=1,
    ft_order_side="buy",
    ft_pair="BTC/USDT",
    side="buy",
    status="closed",
    order_type="limit",
    price=1000.0,
    stop_price=None,
    average=1000.0,
    amount=0.03,
    filled=0.03,
    cost=30.0,
    ft_fee_base=0.00003,
)

SELL = replace(
    BUY,
    order_id="2",
    ft_order_side="sell",
    side="sell",
    order_type="market",
    price=1100.6006006006005,
    average=1100.6006006006005,
    amount=0.02997,
    filled=0.02997,
    cost=32.985,
    ft_fee_base=None,
)

BOUGHT = BookedOrder(
    id=1,
    base="BTC",
    quote_asset="USDT",
    side=Side.BUY,
    kind=Kind.LIMIT,
    standing=Standing.FILLED,
    price=Decimal(1000),
    stop_price=Decimal(0),
    quantity=Decimal("0.03"),
    executed=Decimal("0.03"),
    quote=Decimal(30),
)

SOLD = BOUGHT.model_copy(
    update={
        "id": 2,
        "side": Side.SELL,
        "kind": Kind.MARKET,
        "price": Decimal(0),
        "quantity": Decimal("0.02997"),
        "executed": Decimal("0.02997"),
        "quote": Decimal("32.985"),
    }
)

FILLS = (
    BookedFill(
        order=1,
        quantity=Decimal("0.01"),
        quote=Decimal(10),
        commission=Decimal("0.00001"),
        asset="BTC",
    ),
    BookedFill(
        order=1,
        quantity=Decimal("0.02"),
        quote=Decimal(20),
        commission=Decimal("0.00002"),
        asset="BTC",
    ),
    BookedFill(
        order=2,
        quantity=Decimal("0.02997"),
        quote=Decimal("32.985"),
        commission=Decimal("0.032985"),
        asset="USDT",
    ),
)

KEPT = Kept((TRADE,), (BUY, SELL))
BOOK = AccountBook(
    account="alice",
    deposits={"USDT": Decimal(100)},
    balances={"USDT": Decimal("102.952015"), "BTC": Decimal("0.00000000")},
    orders=(BOUGHT, SOLD),
    fills=FILLS,
)


def found(kept: Kept = KEPT, book: AccountBook = BOOK) -> list[tuple[str, str]]:
    return [(each.what, each.key) for each in differences(kept, book)]


def with_order(**changes: Any) -> Kept:
    return replace(KEPT, orders=(replace(BUY, **changes), SELL))


def with_trade(**changes: Any) -> Kept:
    return replace(KEPT, trades=(replace(TRADE, **changes),))


def test_equal_books_have_no_differences() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ft_pair": "ETH/USDT"}, "pair"),
        ({"side": "sell"}, "side"),
        ({"status": "canceled"}, "status"),
        ({"amount": 0.03000001}, "amount"),
        ({"filled": 0.02999999}, "filled"),
        ({"filled": None}, "filled"),
        ({"cost": 30.00000001}, "cost"),
        ({"average": 1000.0000000001}, "average"),
        ({"average": None}, "average"),
        ({"price": 999.99}, "price"),
        ({"stop_price": 900.0}, "stop_price"),
        ({"ft_fee_base": 0.00003001}, "fee"),
        ({"ft_fee_base": 0.0}, "fee"),
    ],
)
def test_an_order_that_differs_in_one_unit_is_named(changes: Any, expected: str) -> None:
    assert ("order 1", expected) in found(with_order(**changes))


def test_a_difference_says_what_either_side_has() -> None:
    (told,) = differences(with_order(status="open"), BOOK)
    assert told == Difference("order 1", "status", "open", "closed")
    assert str(told) == "order 1: status: freqtrade open, the exchange closed"


def test_a_fee_that_was_taken_from_dust_is_not_in_the_amount() -> None:
    assert found(with_order(ft_fee_base=None)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fee_open": 0.0011}, "fee_open"),
        ({"fee_close": 0.0}, "fee_close"),
        ({"fee_open_currency": None}, "fee_open_currency"),
        ({"fee_close_currency": "BNB"}, "fee_close_currency"),
    ],
)
def test_a_trade_s_fees_are_those_that_were_paid(changes: Any, expected: str) -> None:
    assert found(with_trade(**changes)) == [("trade 1", expected)]


def test_the_fee_of_an_open_trade_s_exit_is_not_known_yet() -> None:
    open_ = replace(TRADE, is_open=True, fee_close=0.5, fee_close_currency=None, amount=0.0)
    assert found(replace(KEPT, trades=(open_,))) == []


def test_a_fee_in_another_asset_is_compared_by_its_name_and_the_balance() -> None:
    paid = FILLS[2].model_copy(update={"asset": "BNB", "commission": Decimal("0.0001")})
    balances = {"USDT": Decimal("102.985"), "BNB": Decimal("0.9999"), "BTC": Decimal(0)}
    deposits = {**BOOK.deposits, "BNB": Decimal(1)}
    book = BOOK.model_copy(
        update={"fills": (*FILLS[:2], paid), "balances": balances, "deposits": deposits}
    )
    kept = with_trade(fee_close=0.00075, fee_close_currency="BNB")
    assert found(kept, book) == []
    assert found(book=book) == [("trade 1", "fee_close_currency")]


def test_an_order_that_the_exchange_never_saw_is_a_difference() -> None:
    kept = replace(KEPT, orders=(*KEPT.orders, replace(SELL, order_id="7", filled=0.0, cost=0.0)))
    assert found(kept) == [("order 7", "is there")]


@pytest.mark.parametrize(
    ("standing", "executed", "expected"),
    [
        (Standing.CANCELED, "0", []),
        (Standing.EXPIRED, "0", []),
        (Standing.NEW, "0", [("order 3", "is there")]),
        (Standing.CANCELED, "0.00000001", [("order 3", "is there")]),
        (Standing.FILLED, "0.03", [("order 3", "is there")]),
    ],
)
def test_freqtrade_may_forget_only_what_came_to_nothing(
    standing: Standing, executed: str, expected: list[Any]
) -> None:
    orphan = {"id": 3, "standing": standing, "executed": Decimal(executed)}
    book = BOOK.model_copy(update={"orders": (*BOOK.orders, BOUGHT.model_copy(update=orphan))})
    assert found(book=book) == expected


@pytest.mark.parametrize("asset", ["BTC", "USDT", "ETH"])
def test_a_balance_that_is_one_unit_off_is_named(asset: str) -> None:
    balances = dict(BOOK.balances)
    balances[asset] = balances.get(asset, Decimal(0)) + Decimal("0.00000001")
    book = BOOK.model_copy(update={"balances": balances})
    assert found(book=book) == [(f"balance of {asset}", "amount")]


def test_an_open_trade_cannot_hold_more_than_there_is() -> None:
    assert found(with_trade(is_open=True, amount=0.00000001)) == [
        ("open trades of BTC", "amount"),
    ]


def test_a_stop_that_was_never_reached_has_its_own_prices() -> None:
    stop = {"id": 3, "kind": Kind.STOP_LOSS_LIMIT, "standing": Standing.CANCELED, "side": Side.SELL}
    stop |= {"executed": Decimal(0), "quote": Decimal(0), "stop_price": Decimal(800)}
    book = BOOK.model_copy(update={"orders": (*BOOK.orders, BOUGHT.model_copy(update=stop))})
    placed = replace(BUY, order_id="3", side="sell", status="canceled", stop_price=800.0)
    placed = replace(placed, filled=0.0, cost=0.0, average=None, ft_fee_base=None)
    assert found(replace(KEPT, orders=(*KEPT.orders, placed)), book) == []
    lower = replace(placed, stop_price=799.99)
    assert found(replace(KEPT, orders=(*KEPT.orders, lower)), book) == [("order 3", "stop_price")]
