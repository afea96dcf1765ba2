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

Prices = Mapping[str, Decimal] | Unknown
"""The last price of each pair that was asked for."""


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


def priced(kept: Kept) -> frozenset[str]:
    """The pairs whose prices are needed."""
    return frozenset(trade.pair for trade in kept.open if trade.held)


def equity(capital: Decimal, kept: Kept | Unknown, prices: Prices) -> Measure:
    """The capital and what became of it, everything sold at these prices."""
    known = _known(kept, prices)
    if isinstance(known, Unknown):
        return known
    kept, prices = known
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


def exposure(kept: Kept | Unknown, prices: Prices) -> Exposure | Unknown:
    """What a bot has in the market."""
    known = _known(kept, prices)
    if isinstance(known, Unknown):
        return known
    kept, prices = known
    assets: dict[str, Decimal] = defaultdict(Decimal)
    for trade in kept.open:
        worth = trade.held * prices.get(trade.pair, ZERO)
        assets[trade.base] += (worth + trade.waiting).quantize(PLACES)
    return Exposure(dict(assets))


def together(bots: Iterable[Exposure | Unknown]) -> Exposure | Unknown:
    """What several bots have in the market; unknown when that of one is."""
    assets: dict[str, Decimal] = defaultdict(Decimal)
    for each in bots:
        if isinstance(each, Unknown):
            return each
        for asset, worth in each.assets.items():
            assets[asset] += worth
    return Exposure(dict(assets))


def divergence(pairs: Iterable[str], ours: Prices, theirs: Prices) -> Measure:
    """The largest difference between two exchanges, as a fraction of the second's price."""
    apart = []
    for prices in (ours, theirs):
        if isinstance(prices, Unknown):
            return prices
    assert not isinstance(ours, Unknown)
    assert not isinstance(theirs, Unknown)
    for pair in sorted(pairs):
        own, other = ours.get(pair), theirs.get(pair)
        if own is None or not other:
            return Unknown(f"no price of {pair} at both exchanges")
        apart.append(abs(own / other - 1))
    return max(apart).quantize(PLACES) if apart else Unknown("nobody knows the bot's pairs")


def _known(kept: Kept | Unknown, prices: Prices) -> tuple[Kept, Mapping[str, Decimal]] | Unknown:
    """Both, when all that is needed of them is there."""
    if isinstance(kept, Unknown):
        return kept
    needed = priced(kept)
    if isinstance(prices, Unknown):
        return prices if needed else (kept, {})
    if missing := sorted(needed - prices.keys()):
        return Unknown(f"no price of {', '.join(missing)}")
    return kept, prices
