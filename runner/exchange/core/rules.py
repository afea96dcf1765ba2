"""What a symbol's filters allow, with the answers that Binance gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.exchange.core.orders import ZERO, Kind, Side
from runner.exchange.core.rejection import Rejection, crowded, filtered

_DIGITS = 8
_ANY = Decimal("1e12")
_FINEST = Decimal("1e-8")


@dataclass(frozen=True)
class Range:
    """A filter of numbers: the least and the most that is allowed, and what divides it."""

    name: str
    least: Decimal
    most: Decimal
    step: Decimal

    def check(self, number: Decimal) -> None:
        """Refuse a number that is outside, or between two steps.

        :raises Rejection: in the name of the filter.
        """
        if not self.least <= number <= self.most or number % self.step:
            raise filtered(self.name)


@dataclass(frozen=True)
class Worth:
    """A filter of what an order is worth in the quote asset, and whether MARKET is held to it."""

    name: str
    least: Decimal
    most: Decimal
    least_for_market: bool
    most_for_market: bool

    def check(self, kind: Kind, worth: Decimal) -> None:
        """Refuse an order that is worth too little or too much.

        :raises Rejection: in the name of the filter.
        """
        market = kind is Kind.MARKET
        little = worth < self.least and (self.least_for_market or not market)
        much = worth > self.most and (self.most_for_market or not market)
        if little or much:
            raise filtered(self.name)


@dataclass(frozen=True)
class Band:
    """A filter of how far a price may be from the market's, as multiples of that, for each side."""

    name: str
    buy: tuple[Decimal, Decimal]
    sell: tuple[Decimal, Decimal]

    def check(self, side: Side, price: Decimal, market: Decimal) -> None:
        """Refuse a price that is too far away.

        :raises Rejection: in the name of the filter.
        """
        down, up = self.buy if side is Side.BUY else self.sell
        if not market * down <= price <= market * up:
            raise filtered(self.name)


@dataclass(frozen=True)
class Rules:
    """How one symbol trades.

    `minutes` is how long a time the market's price is averaged over for `worth` and `band`; zero
    means its last price. `most_orders` and `most_stops` may be open for an account.
    """

    symbol: str
    base: str
    quote: str
    trading: bool
    prices: Range
    lots: Range
    market_lots: Range
    worth: Worth
    band: Band
    minutes: int
    most_orders: int
    most_stops: int

    @property
    def tick(self) -> Decimal:
        """What prices are multiples of."""
        return self.prices.step

    @property
    def step(self) -> Decimal:
        """What quantities are multiples of."""
        return self.lots.step

    def check_quantity(self, kind: Kind, quantity: Decimal) -> None:
        """Refuse an amount of the base asset that cannot be ordered.

        :raises Rejection: when it is not positive, too precise, or against a LOT_SIZE.
        """
        _precise("quantity", quantity)
        if quantity <= 0:
            raise Rejection(-1013, "Invalid quantity.")
        self.lots.check(quantity)
        if kind is Kind.MARKET:
            self.market_lots.check(quantity)

    def check_price(self, price: Decimal, name: str = "price") -> None:
        """Refuse a price that cannot be ordered at.

        :raises Rejection: when it is not positive, too precise, or against PRICE_FILTER.
        """
        _precise(name, price)
        if price <= 0:
            raise Rejection(-1013, f"Invalid {name}.")
        self.prices.check(price)

    def check_room(self, open_orders: int, waiting_stops: int, *, stop: bool) -> None:
        """Refuse one more order that stays open, where an account has so many already.

        :raises Rejection: when it is against MAX_NUM_ORDERS or MAX_NUM_ALGO_ORDERS.
        """
        if open_orders >= self.most_orders:
            raise crowded("MAX_NUM_ORDERS")
        if stop and waiting_stops >= self.most_stops:
            raise crowded("MAX_NUM_ALGO_ORDERS")


def _precise(name: str, number: Decimal) -> None:
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > _DIGITS:
        raise Rejection(-1111, f"Parameter '{name}' has too much precision.")


def rules(info: Mapping[str, Any]) -> Rules:
    """The rules in one entry of `symbols` of an exchangeInfo.

    :raises KeyError: when it names no symbol or assets. A filter that is not there allows all.
    """
    filters = {each["filterType"]: each for each in info.get("filters", ())}
    orders, stops = filters.get("MAX_NUM_ORDERS", {}), filters.get("MAX_NUM_ALGO_ORDERS", {})
    band = filters.get("PERCENT_PRICE_BY_SIDE") or filters.get("PERCENT_PRICE") or {}
    return Rules(
        symbol=info["symbol"],
        base=info["baseAsset"],
        quote=info["quoteAsset"],
        trading=info.get("status", "TRADING") == "TRADING",
        prices=_range("PRICE_FILTER", filters, ("minPrice", "maxPrice", "tickSize")),
        lots=_range("LOT_SIZE", filters, ("minQty", "maxQty", "stepSize")),
        market_lots=_range("MARKET_LOT_SIZE", filters, ("minQty", "maxQty", "stepSize")),
        worth=_worth(filters),
        band=_band(band),
        minutes=int(band.get("avgPriceMins") or 0),
        most_orders=int(_number(orders.get("maxNumOrders"), _ANY)),
        most_stops=int(_number(stops.get("maxNumAlgoOrders"), _ANY)),
    )


def _range(
    name: str, filters: Mapping[str, Mapping[str, Any]], keys: tuple[str, str, str]
) -> Range:
    found = filters.get(name, {})
    least, most, step = (found.get(key) for key in keys)
    return Range(name, _number(least, ZERO), _number(most, _ANY), _number(step, _FINEST))


def _worth(filters: Mapping[str, Mapping[str, Any]]) -> Worth:
    name = "NOTIONAL" if "NOTIONAL" in filters else "MIN_NOTIONAL"
    found = filters.get(name, {})
    return Worth(
        name,
        _number(found.get("minNotional"), ZERO),
        _number(found.get("maxNotional"), Decimal("Infinity")),
        bool(found.get("applyMinToMarket", found.get("applyToMarket"))),
        bool(found.get("applyMaxToMarket")),
    )


def _band(found: Mapping[str, Any]) -> Band:
    def side(name: str) -> tuple[Decimal, Decimal]:
        down = found.get(f"{name}MultiplierDown") or found.get("multiplierDown")
        up = found.get(f"{name}MultiplierUp") or found.get("multiplierUp")
        return _number(down, ZERO), _number(up, _ANY)

    return Band(found.get("filterType", "PERCENT_PRICE"), side("bid"), side("ask"))


def _number(text: object, otherwise: Decimal) -> Decimal:
    """Binance writes zero (or nothing) where a filter does not bind."""
    return Decimal(str(text or 0)) or otherwise
