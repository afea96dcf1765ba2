"""What a bot's trades are worth at a moment, by what it keeps of them and the market's prices.

Equity is made of the capital and of trades, never of an account's balance: money that is put in or
taken out, and what other bots on the account do, changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pipelines.domain.protections import Measure, Unknown
from pipelines.domain.watch import PLACES

ZERO = Decimal()


@dataclass(frozen=True)
class OpenTrade:
    """A trade that is open. Fees are shares, `realized` and `funding` money that it has made.

    `held` is what it has of the base asset, bought at `rate` on average. `waiting` is what its open
    entry orders would still cost.
    """

    id: int
    pair: str
    held: Decimal
    rate: Decimal
    is_short: bool = False
    fee_open: Decimal = ZERO
    fee_close: Decimal = ZERO
    realized: Decimal = ZERO
    funding: Decimal = ZERO
    waiting: Decimal = ZERO

    @property
    def base(self) -> str:
        return self.pair.partition("/")[0]

    def result(self, price: Decimal) -> Decimal:
        """What it would have made, closed at this price."""
        sign = -1 if self.is_short else 1
        opened = self.held * self.rate * (1 + sign * self.fee_open)
        closed = self.held * price * (1 - sign * self.fee_close)
        return self.realized + self.funding + sign * (closed - opened)


@dataclass(frozen=True)
class Kept:
    """What a bot keeps: its open trades, and what trades made that it closed since its release.

    `orders` and `cancelled` count since the moment that was asked for.
    """

    open: tuple[OpenTrade, ...] = ()
    realized: Decimal = ZERO
    orders: int = 0
    cancelled: int = 0


def priced(kept: Iterable[Kept]) -> frozenset[str]:
    """The pairs whose prices are needed."""
    return frozenset(trade.pair for each in kept for trade in each.open if trade.held)


def equity(capital: Decimal, kept: Kept, prices: Mapping[str, Decimal]) -> Measure:
    """The capital and what became of it, everything sold at these prices."""
    if missing := sorted(priced((kept,)) - prices.keys()):
        return Unknown(f"no price of {', '.join(missing)}")
    results = (trade.result(prices.get(trade.pair, trade.rate)) for trade in kept.open)
    return (capital + kept.realized + sum(results, ZERO)).quantize(PLACES)


@dataclass(frozen=True)
class Exposure:
    """What is in open trades and waiting entries, in the stake currency."""

    assets: Mapping[str, Decimal]

    @property
    def largest(self) -> Decimal:
        """That of the asset with the most."""
        return max(self.assets.values(), default=ZERO)

    @property
    def whole(self) -> Decimal:
        return sum(self.assets.values(), ZERO)


def exposure(bots: Iterable[Kept | Unknown], prices: Mapping[str, Decimal]) -> Exposure | Unknown:
    """What several bots have in the market together; unknown when that of one is."""
    assets: dict[str, Decimal] = defaultdict(Decimal)
    for kept in bots:
        if isinstance(kept, Unknown):
            return kept
        for trade in kept.open:
            price = prices.get(trade.pair) if trade.held else ZERO
            if price is None:
                return Unknown(f"no price of {trade.pair}")
            assets[trade.base] += (trade.held * price + trade.waiting).quantize(PLACES)
    return Exposure(dict(assets))


def divergence(ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> Measure:
    """The largest difference between two exchanges, as a fraction of the second's price."""
    if not ours or ours.keys() - theirs.keys() or any(price <= 0 for price in theirs.values()):
        missing = sorted(ours.keys() - theirs.keys()) or ["any pair"]
        return Unknown(f"no price of {', '.join(missing)} at the reference")
    apart = (abs(price / theirs[pair] - 1) for pair, price in ours.items())
    return max(apart).quantize(PLACES)
