"""What a symbol's filters allow, with the answers that Binance gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.exchange.core.orders import ZERO, Kind, Side
from runner.exchange.core.rejection import Rejection, filtered

_DIGITS = 8
_ANY = Decimal("1e12")


@dataclass(frozen=True)
class Rules:
    """How one symbol trades. `bid` and `ask` bound prices, as multiples of the market's price.

    `names` are those of the filters that bound prices and the least value, as they were recorded.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lowest: Decimal
    highest: Decimal
    step: Decimal
    least: Decimal
    most: Decimal
    notional: Decimal
    bid: tuple[Decimal, Decimal]
    ask: tuple[Decimal, Decimal]
    names: tuple[str, str]
    notional_for_market: bool

    def check_quantity(self, quantity: Decimal) -> None:
        """Refuse an amount of the base asset that cannot be ordered.

        :raises Rejection: when it is not positive, too precise, or against LOT_SIZE.
        """
        _precise("quantity", quantity)
        if quantity <= 0:
            raise Rejection(-1013, "Invalid quantity.")
        if not self.least <= quantity <= self.most or quantity % self.step:
            raise filtered("LOT_SIZE")

    def check_price(self, price: Decimal, name: str = "price") -> None:
        """Refuse a price that cannot be ordered at.

        :raises Rejection: when it is not positive, too precise, or against PRICE_FILTER.
        """
        _precise(name, price)
        if price <= 0:
            raise Rejection(-1013, f"Invalid {name}.")
        if not self.lowest <= price <= self.highest or price % self.tick:
            raise filtered("PRICE_FILTER")

    def check_distance(self, side: Side, price: Decimal, market: Decimal) -> None:
        """Refuse a price that is too far from the market's.

        :raises Rejection: when it is against PERCENT_PRICE_BY_SIDE or PERCENT_PRICE.
        """
        down, up = self.bid if side is Side.BUY else self.ask
        if not market * down <= price <= market * up:
            raise filtered(self.names[0])

    def check_notional(self, kind: Kind, cost: Decimal) -> None:
        """Refuse an order that is worth too little.

        :raises Rejection: when it is against NOTIONAL or MIN_NOTIONAL.
        """
        if kind is Kind.MARKET and not self.notional_for_market:
            return
        if cost < self.notional:
            raise filtered(self.names[1])


def _precise(name: str, number: Decimal) -> None:
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > _DIGITS:
        raise Rejection(-1111, f"Parameter '{name}' has too much precision.")


def rules(info: Mapping[str, Any]) -> Rules:
    """The rules in one entry of `symbols` of an exchangeInfo.

    :raises KeyError: when it names no symbol or assets. A filter that is not there allows all.
    """
    filters = {each["filterType"]: each for each in info.get("filters", ())}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    by_side = filters.get("PERCENT_PRICE_BY_SIDE", {})
    both = filters.get("PERCENT_PRICE", {})
    least = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}

    def band(side: str) -> tuple[Decimal, Decimal]:
        down = by_side.get(f"{side}MultiplierDown") or both.get("multiplierDown")
        up = by_side.get(f"{side}MultiplierUp") or both.get("multiplierUp")
        return _number(down, ZERO), _number(up, _ANY)

    return Rules(
        symbol=info["symbol"],
        base=info["baseAsset"],
        quote=info["quoteAsset"],
        tick=_number(price.get("tickSize"), Decimal("1e-8")),
        lowest=_number(price.get("minPrice"), ZERO),
        highest=_number(price.get("maxPrice"), _ANY),
        step=_number(lot.get("stepSize"), Decimal("1e-8")),
        least=_number(lot.get("minQty"), ZERO),
        most=_number(lot.get("maxQty"), _ANY),
        notional=_number(least.get("minNotional"), ZERO),
        bid=band("bid"),
        ask=band("ask"),
        names=(
            "PERCENT_PRICE_BY_SIDE" if by_side else "PERCENT_PRICE",
            "NOTIONAL" if "NOTIONAL" in filters else "MIN_NOTIONAL",
        ),
        notional_for_market=bool(least.get("applyMinToMarket", least.get("applyToMarket"))),
    )


def _number(text: object, otherwise: Decimal) -> Decimal:
    """Binance writes zero (or nothing) where a filter does not bind."""
    return Decimal(str(text or 0)) or otherwise
