"""A position and its arithmetic, as Binance explains it for isolated margin in one-way mode.

Liquidation price: "How to Calculate Liquidation Price of USDS-M Futures Contracts"
(www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93).
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from runner.exchange.core.futures.contract import Contract
from runner.exchange.core.orders import UNIT, ZERO, Side, ceiling, floor


@dataclass(frozen=True)
class Position:
    """What an account holds of a contract: `size` in base, negative when short.

    `cost` is what that was bought for (negative: sold for), `margin` what secures it; in quote.
    """

    size: Decimal = ZERO
    cost: Decimal = ZERO
    margin: Decimal = ZERO
    updated_at: int = 0

    @property
    def is_open(self) -> bool:
        """True when something is held."""
        return self.size != 0

    @property
    def entry(self) -> Decimal:
        """The mean price of what is held."""
        return self.cost / self.size if self.size else ZERO

    @property
    def closing(self) -> Side:
        """The side of an order that makes it smaller."""
        return Side.SELL if self.size > 0 else Side.BUY

    def unrealised(self, mark: Decimal) -> Decimal:
        """The profit that closing at the mark price would realise."""
        return self.size * mark - self.cost

    def reducible(self, side: Side) -> Decimal:
        """How much of it an order of this side would close at most."""
        return abs(self.size) if self.size and side is self.closing else ZERO

    def maintenance(self, contract: Contract, mark: Decimal) -> Decimal:
        """What has to be left of the margin at a mark price."""
        worth = abs(self.size) * mark
        bracket = contract.bracket(worth)
        return worth * bracket.rate - bracket.cum

    def bankruptcy(self) -> Decimal:
        """The price at which the margin is gone."""
        return max((self.cost - self.margin) / self.size, ZERO) if self.size else ZERO

    def liquidation(self, contract: Contract) -> Decimal:
        """The mark price at which only the maintenance margin is left; zero when there is none."""
        if not self.size:
            return ZERO
        for bracket in contract.brackets:
            # margin + size * price - cost = abs(size) * price * rate - cum, solved for the price
            kept = abs(self.size) * bracket.rate - self.size
            price = (self.margin - self.cost + bracket.cum) / kept
            if abs(self.size) * price < bracket.cap:
                return max(price, ZERO)
        return ZERO

    def trade(
        self, side: Side, quantity: Decimal, quote: Decimal, at: int
    ) -> tuple["Position", Decimal, Decimal]:
        """What a trade makes of it: the position without new margin, the profit that is realised,
        and what of the quote opened something."""
        closed = min(quantity, self.reducible(side))
        closing_quote = quote if closed == quantity else floor(quote * closed / quantity)
        rest, realised = self._close(closed, closing_quote)
        sign = 1 if side is Side.BUY else -1
        opened, paid = quantity - closed, quote - closing_quote
        size, cost = rest.size + sign * opened, rest.cost + sign * paid
        return Position(size, cost, rest.margin, at), realised, paid

    def _close(self, quantity: Decimal, quote: Decimal) -> tuple["Position", Decimal]:
        if not quantity:
            return self, ZERO
        whole = quantity == abs(self.size)
        share = quantity / abs(self.size)
        cost = self.cost if whole else (self.cost * share).quantize(UNIT, ROUND_DOWN)
        freed = self.margin if whole else floor(self.margin * share)
        long = self.size > 0
        realised = (quote if long else -quote) - cost
        size = self.size - quantity if long else self.size + quantity
        return Position(size, self.cost - cost, self.margin - freed), realised


def initial_margin(worth: Decimal, leverage: int) -> Decimal:
    """What an account has to put up to open something that is worth so much."""
    return ceiling(worth / leverage)
