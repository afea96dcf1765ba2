"""What trades are worth: by hand, and laws that hold for any trades."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.protections import Unknown
from pipelines.domain.worth import (
    Exposure,
    Kept,
    OpenTrade,
    divergence,
    equity,
    exposure,
    priced,
    together,
)

D = Decimal
FEE = D("0.001")
LONG = OpenTrade(1, "BTC/USDT", held=D(2), rate=D(100), fee_open=FEE, fee_close=FEE)
SHORT = replace(LONG, pair="BTC/USDT:USDT", is_short=True)

RESULTS = {
    "a long that rose": (LONG, "110", "19.58"),  # 220 * 0.999 - 200 * 1.001
    "a long that fell": (LONG, "90", "-20.38"),
    "a short that fell": (SHORT, "90", "19.62"),  # 200 * 0.999 - 180 * 1.001
    "a short that rose": (SHORT, "110", "-20.42"),
    "a part that was sold before": (replace(LONG, realized=D(5)), "110", "24.58"),
    "funding that was paid": (replace(SHORT, funding=D(-1)), "90", "18.62"),
    "an entry that waits": (replace(LONG, held=D(0), waiting=D(200)), "1", "0"),
}


@pytest.mark.parametrize(("trade", "price", "made"), RESULTS.values(), ids=RESULTS)
def test_the_result_of_an_open_trade(trade: OpenTrade, price: str, made: str) -> None:
    assert trade.result(D(price)) == D(made)


def test_equity_is_the_capital_and_what_became_of_it() -> None:
    kept = Kept(open=(LONG,), realized=D(-30))
    assert equity(D(1000), kept, {"BTC/USDT": D(110)}) == D("989.58")


def test_equity_needs_the_price_of_what_is_held_and_of_nothing_else() -> None:
    waits = replace(LONG, pair="ETH/USDT", held=D(0), waiting=D(50))
    assert equity(D(1000), Kept(open=(LONG,)), {}) == Unknown("no price of BTC/USDT")
    assert equity(D(1000), Kept(open=(waits,)), {}) == D(1000)
    assert equity(D(1000), Kept(open=(waits,)), Unknown("nobody answers")) == D(1000)
    assert equity(D(1000), Kept(open=(LONG,)), Unknown("gone")) == Unknown("gone")
    assert equity(D(1000), Unknown("broken"), {}) == Unknown("broken")
    assert exposure(Kept(open=(waits,)), Unknown("gone")) == Exposure({"ETH": D(50)})
    assert priced(Kept(open=(LONG, waits))) == {"BTC/USDT"}


def test_a_bot_that_kept_nothing_has_sent_nothing() -> None:
    assert (Kept().orders, Kept().cancelled) == (0, 0)


def test_deposits_and_withdrawals_and_other_bots_change_no_equity() -> None:
    """There is no balance among what equity is made of: only capital and trades."""
    assert set(Kept.__dataclass_fields__) == {"open", "realized", "orders", "cancelled"}


def test_exposure_is_the_worth_of_trades_and_waiting_entries_by_asset_over_all_bots() -> None:
    other = OpenTrade(1, "BTC/USDC", held=D(1), rate=D(90), waiting=D(40))
    alone = OpenTrade(2, "ETH/USDT", held=D(3), rate=D(9))
    prices = {"BTC/USDT": D(110), "BTC/USDC": D(100), "ETH/USDT": D(10)}
    bots = [exposure(Kept(open=trades), prices) for trades in ((LONG,), (other, alone), ())]
    found = together(bots)
    assert found == Exposure({"BTC": D(360), "ETH": D(30)})
    assert isinstance(found, Exposure)
    assert (found.largest, found.whole) == (D(360), D(390))


def test_exposure_is_unknown_when_that_of_one_bot_is() -> None:
    unknown = exposure(Kept(open=(LONG,)), {})
    assert unknown == Unknown("no price of BTC/USDT")
    assert exposure(Unknown("broken"), {}) == Unknown("broken")
    assert together([Exposure({"BTC": D(1)}), unknown]) == unknown
    assert together([]) == Exposure({})
    assert (Exposure({}).largest, Exposure({}).whole) == (0, 0)


def test_divergence_is_the_largest_of_any_pair() -> None:
    ours = {"BTC/USDT": D(102), "ETH/USDT": D(9), "SOL/USDT": D(1)}
    theirs = {"BTC/USDT": D(100), "ETH/USDT": D(10)}
    assert divergence(theirs, ours, theirs) == D("0.1")
    assert divergence(["BTC/USDT"], ours, theirs) == D("0.02")


def test_divergence_is_unknown_without_a_price_on_either_side() -> None:
    ours = {"BTC/USDT": D(102)}
    missing = Unknown("no price of BTC/USDT at both exchanges")
    assert divergence(ours, ours, {}) == missing
    assert divergence(ours, {}, ours) == missing
    assert divergence(ours, ours, {"BTC/USDT": D(0)}) == missing
    assert divergence(ours, ours, Unknown("gone")) == Unknown("gone")
    assert divergence(ours, Unknown("gone"), ours) == Unknown("gone")
    assert isinstance(divergence([], ours, ours), Unknown)


PRICES = st.decimals("0.01", 1000, places=2)
SHARES = st.decimals(0, "0.01", places=4)
TRADES = st.builds(
    OpenTrade,
    id=st.just(1),
    pair=st.just("BTC/USDT"),
    held=st.decimals(0, 100, places=2),
    rate=PRICES,
    is_short=st.booleans(),
    fee_open=SHARES,
    fee_close=SHARES,
)


@given(TRADES, PRICES)
def test_what_is_closed_where_it_was_opened_costs_its_fees_and_no_more(
    trade: OpenTrade, price: Decimal
) -> None:
    fees = trade.held * trade.rate * (trade.fee_open + trade.fee_close)
    assert trade.result(trade.rate) == -fees
    better = trade.result(price) > trade.result(trade.rate)
    favourable = price < trade.rate if trade.is_short else price > trade.rate
    assert not better or favourable
