"""The arithmetic of a position: entry, profit, margin, and where it is liquidated."""

from decimal import Decimal

import pytest

from runner.exchange.core.futures.contract import Contract, brackets
from runner.exchange.core.futures.position import Position, initial_margin
from runner.exchange.core.orders import Side


def position(size: str, entry: str, margin: str) -> Position:
    return Position(Decimal(size), Decimal(size) * Decimal(entry), Decimal(margin))


@pytest.mark.parametrize(
    ("held", "mark", "profit"),
    [
        (position("2", "100", "20"), 110, 20),
        (position("2", "100", "20"), 95, -10),
        (position("-2", "100", "20"), 110, -20),
        (position("-2", "100", "20"), 95, 10),
        (Position(), 95, 0),
    ],
)
def test_a_long_earns_in_a_rise_and_a_short_in_a_fall(
    held: Position, mark: int, profit: int
) -> None:
    assert held.unrealised(Decimal(mark)) == profit


@pytest.mark.parametrize(
    ("held", "level"),
    [
        # What is left there is exactly the maintenance margin: 0.4 % of what it is worth.
        (position("1", "100", "10"), Decimal(90) / Decimal("0.996")),
        (position("-1", "100", "10"), Decimal(110) / Decimal("1.004")),
        # 0.5 % less 300 USDT between 300,000 and 800,000.
        (position("5000", "100", "50000"), Decimal(450_000 - 300) / (5000 * Decimal("0.995"))),
        (position("1", "100", "100"), 0),
        (position("1", "100", "130"), 0),
        (Position(), 0),
    ],
)
def test_the_liquidation_price_leaves_the_maintenance_margin(
    held: Position, level: Decimal, eth: Contract
) -> None:
    found = held.liquidation(eth)
    assert found == pytest.approx(level, abs=Decimal("1e-18"))
    if found:
        left = held.margin + held.unrealised(found)
        assert left == pytest.approx(held.maintenance(eth, found), abs=Decimal("1e-18"))


def test_brackets_meet_without_a_step() -> None:
    for lower, upper in zip(brackets(), brackets()[1:], strict=False):
        assert lower.cap == upper.floor
        assert lower.cap * lower.rate - lower.cum == upper.floor * upper.rate - upper.cum
        assert lower.leverage > upper.leverage


def test_the_mean_price_of_what_is_held_is_the_entry() -> None:
    held, realised, opened = position("1", "100", "10").trade(
        Side.BUY, Decimal(3), Decimal(330), at=7
    )
    assert (held.entry, realised, opened, held.updated_at) == (Decimal("107.5"), 0, 330, 7)


@pytest.mark.parametrize(
    ("before", "side", "quantity", "price", "after", "realised", "opened"),
    [
        # (size, cost, margin) after
        (("4", "100", "40"), Side.SELL, 1, 110, (3, 300, 30), 10, 0),
        (("4", "100", "40"), Side.SELL, 4, 90, (0, 0, 0), -40, 0),
        (("4", "100", "40"), Side.SELL, 5, 110, (-1, -110, 0), 40, 110),
        (("-4", "100", "40"), Side.BUY, 1, 110, (-3, -300, 30), -10, 0),
        (("-4", "100", "40"), Side.BUY, 6, 90, (2, 180, 0), 40, 180),
        (("-4", "100", "40"), Side.SELL, 1, 110, (-5, -510, 40), 0, 110),
    ],
)
def test_a_trade_closes_first_and_opens_with_the_rest(
    before: tuple[str, str, str],
    side: Side,
    quantity: int,
    price: int,
    after: tuple[int, int, int],
    realised: int,
    opened: int,
) -> None:
    quote = Decimal(quantity * price)
    held, profit, paid = position(*before).trade(side, Decimal(quantity), quote, at=1)
    assert (held.size, held.cost, held.margin) == after
    assert (profit, paid) == (realised, opened)


def test_bankruptcy_is_where_the_margin_is_gone() -> None:
    for held in (position("2", "100", "20"), position("-2", "100", "20")):
        assert held.margin + held.unrealised(held.bankruptcy()) == 0


def test_margin_is_rounded_against_the_account() -> None:
    assert initial_margin(Decimal(100), 3) == Decimal("33.33333334")
