"""What one contract allows, with the answers that Binance gives on futures.

Codes and messages as in "Error codes" of its USDS-M futures documentation
(developers.binance.com/docs/derivatives/usds-margined-futures/error-code).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from runner.exchange.core.orders import ZERO, Side
from runner.exchange.core.rejection import Rejection

# (notional up to which it counts, highest leverage, share kept as maintenance margin)
_TIERS = (
    (0, 150, "0.004"),
    (300_000, 100, "0.005"),
    (800_000, 75, "0.0065"),
    (3_000_000, 50, "0.01"),
    (12_000_000, 25, "0.02"),
    (70_000_000, 20, "0.025"),
    (100_000_000, 10, "0.05"),
    (230_000_000, 5, "0.1"),
    (480_000_000, 4, "0.125"),
    (600_000_000, 3, "0.15"),
    (800_000_000, 2, "0.25"),
    (1_200_000_000, 1, "0.5"),
)
_MOST = Decimal(1_800_000_000)


@dataclass(frozen=True)
class Bracket:
    """What holds for positions worth from `floor` to below `cap`, in quote.

    The maintenance margin is `notional * rate - cum`, without a step where brackets meet.
    """

    floor: Decimal
    cap: Decimal
    leverage: int
    rate: Decimal
    cum: Decimal


def brackets() -> tuple[Bracket, ...]:
    """One table for all contracts: Binance's for BTC and ETH, with no leverage above 125."""
    floors = [Decimal(floor) for floor, _, _ in _TIERS]
    found: list[Bracket] = []
    for (_, leverage, text), (floor, cap) in zip(_TIERS, pairwise([*floors, _MOST]), strict=True):
        rate = Decimal(text)
        cum = found[-1].cum + floor * (rate - found[-1].rate) if found else ZERO
        found.append(Bracket(floor, cap, leverage, rate, cum))
    return tuple(found)


@dataclass(frozen=True)
class Fees:
    """What trading costs as a share of its worth: who rests pays `maker`, who takes `taker`."""

    maker: Decimal = Decimal("0.0002")
    taker: Decimal = Decimal("0.0005")


@dataclass(frozen=True)
class Contract:
    """How one contract trades. `up` and `down` bound prices as multiples of the mark price.

    `clearance` is the share of its worth that a liquidated position pays to the insurance fund.
    """

    symbol: str
    base: str
    settle: str
    tick: Decimal
    lowest: Decimal
    highest: Decimal
    step: Decimal
    least: Decimal
    most: Decimal
    notional: Decimal
    up: Decimal
    down: Decimal
    clearance: Decimal
    brackets: tuple[Bracket, ...]

    def check_quantity(self, quantity: Decimal) -> None:
        """Refuse an amount that cannot be ordered.

        :raises Rejection: when it is not positive, too precise, too small or too large.
        """
        if quantity <= 0:
            raise Rejection(-4003, "Quantity less than zero.")
        if quantity % self.step:
            raise imprecise()
        if quantity < self.least:
            raise Rejection(-4004, "Quantity less than min quantity.")
        if quantity > self.most:
            raise Rejection(-4005, "Quantity greater than max quantity.")

    def check_price(self, price: Decimal) -> None:
        """Refuse a price that cannot be ordered at.

        :raises Rejection: when it is not positive, between two ticks, or out of bounds.
        """
        if price <= 0:
            raise Rejection(-4001, "Price less than 0.")
        if price < self.lowest:
            raise Rejection(-4013, "Price less than min price.")
        if price > self.highest:
            raise Rejection(-4002, "Price greater than max price.")
        if price % self.tick:
            raise Rejection(-4014, "Price not increased by tick size.")

    def check_distance(self, side: Side, price: Decimal, mark: Decimal) -> None:
        """Refuse a price that is too far on the wrong side of the mark price.

        :raises Rejection: when a purchase is too dear, or a sale too cheap.
        """
        highest, lowest = mark * self.up, mark * self.down
        if side is Side.BUY and price > highest:
            raise Rejection(-4016, f"Limit price can't be higher than {highest:.2f}.")
        if side is Side.SELL and price < lowest:
            raise Rejection(-4024, f"Limit price can't be lower than {lowest:.2f}.")

    def check_notional(self, worth: Decimal) -> None:
        """Refuse an order that is worth too little.

        :raises Rejection: when it is.
        """
        if worth < self.notional:
            least = self.notional.normalize()
            text = f"Order's notional must be no smaller than {least:f}"
            raise Rejection(-4164, f"{text} (unless you choose reduce only).")

    def bracket(self, worth: Decimal) -> Bracket:
        """The bracket of a position that is worth so much."""
        return next((each for each in self.brackets if worth < each.cap), self.brackets[-1])

    def largest(self, leverage: int) -> Decimal:
        """What a position may be worth with this leverage."""
        return max(each.cap for each in self.brackets if each.leverage >= leverage)


def imprecise() -> Rejection:
    """A number has more digits than the contract has."""
    return Rejection(-1111, "Precision is over the maximum defined for this asset.")


def contract(info: Mapping[str, Any]) -> Contract:
    """The contract in one entry of `symbols` of an exchangeInfo of futures.

    :raises KeyError: when it names no symbol or assets, or has no tick or lot.
    """
    filters = {each["filterType"]: each for each in info["filters"]}
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    percent = filters.get("PERCENT_PRICE", {})
    return Contract(
        symbol=info["symbol"],
        base=info["baseAsset"],
        settle=info["marginAsset"],
        tick=Decimal(price["tickSize"]),
        lowest=Decimal(price["minPrice"]),
        highest=Decimal(price["maxPrice"]),
        step=Decimal(lot["stepSize"]),
        least=Decimal(lot["minQty"]),
        most=Decimal(lot["maxQty"]),
        notional=Decimal(filters.get("MIN_NOTIONAL", {}).get("notional", 5)),
        up=Decimal(percent.get("multiplierUp", 10**6)),
        down=Decimal(percent.get("multiplierDown", 0)),
        clearance=Decimal(info.get("liquidationFee", "0.0125")),
        brackets=brackets(),
    )
