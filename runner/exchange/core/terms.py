"""What trading costs here, and how much of the market may be taken."""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

from runner.exchange.core.orders import ZERO, Side, ceiling, floor


@dataclass(frozen=True)
class Spread:
    """How far apart the market sells and buys: so many ticks, or a share of the price."""

    ticks: int = 1
    share: Decimal = ZERO

    def wide(self, price: Decimal, tick: Decimal) -> int:
        """How many ticks that is at a price: at least one."""
        return max(1, self.ticks, int(ceiling(price * self.share, tick) / tick))


@dataclass(frozen=True)
class Terms:
    """What everybody here trades under.

    `fee` is a share of what an account gets. Who has `fee_asset` pays in that, `discount` (a share
    of the fee) less. `volume_share` is what of a candle's volume all may take together; to take
    all of that at once moves the price by the share `slippage`, a part of it in proportion. With a
    `seed` each candle's spread is drawn between once and twice, its volume between half and whole.
    """

    fee: Decimal = Decimal("0.001")
    volume_share: Decimal = Decimal("0.1")
    spread: Spread = Spread()
    slippage: Decimal = ZERO
    fee_asset: str = ""
    discount: Decimal = Decimal("0.25")
    seed: int | None = None

    def share(self, symbol: str, candle: int) -> Decimal:
        """Which share of a candle's volume may be taken. A candle is named by its opening."""
        return self.volume_share * (1 - self._drawn("volume", symbol, candle) / 2)

    def width(self, symbol: str, candle: int, price: Decimal, tick: Decimal) -> int:
        """How many ticks the market sells above what it buys at."""
        ticks = self.spread.wide(price, tick)
        return ticks + int(self._drawn("spread", symbol, candle) * (ticks + 1))

    def slipped(self, side: Side, price: Decimal, used: Decimal, tick: Decimal) -> Decimal:
        """What a price becomes for who uses up so much of what may be taken of a candle."""
        move = price * self.slippage * used
        if side is Side.BUY:
            return ceiling(price + move, tick)
        return max(floor(price - move, tick), tick)

    def _drawn(self, what: str, symbol: str, candle: int) -> Decimal:
        """A number from 0 up to 1, the same for the same candle: it needs no state to survive."""
        if self.seed is None:
            return ZERO
        digest = sha256(f"{self.seed} {what} {symbol} {candle}".encode()).digest()
        return Decimal(int.from_bytes(digest[:2])) / 2**16
