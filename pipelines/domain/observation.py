"""What was seen of one bot at one moment. It belongs to one release in one environment.

What could not be told is none: never zero, and never what it was before.
"""

from decimal import Decimal

from pydantic import AwareDatetime, Field

from pipelines.domain.document import Document


class Observation(Document):
    """One look at one bot. Money is in the stake currency.

    Trades, profit, fees and slippage count what was opened since the release came. `slippage` is
    how much worse than the signal candle's close orders were filled, as a mean share. `orders` and
    `rejections` are those of the last hour. `candle_lag` are the seconds from a candle's close
    until it was analysed, of the slowest pair. `calls`, `failures` and `call_seconds` are those of
    the exchange since the look before. `memory` are bytes, `cpu` seconds since the process began,
    `uptime` and `private_age` seconds: the latter since a private call last succeeded.
    """

    environment: str
    strategy: str
    release: str
    at: AwareDatetime
    healthy: bool
    equity: Decimal | None = None
    open_trades: int | None = None
    closed_trades: int | None = None
    profit: Decimal | None = None
    fees: Decimal | None = None
    slippage: Decimal | None = None
    exposure: Decimal | None = None
    orders: int | None = None
    rejections: int | None = None
    candle_lag: float | None = None
    calls: int | None = Field(default=None, ge=0)
    failures: int | None = Field(default=None, ge=0)
    call_seconds: float | None = None
    memory: int | None = None
    cpu: float | None = None
    uptime: float | None = None
    private_age: float | None = None

    @property
    def series(self) -> tuple[str, str, str]:
        """Whose figures these are: an environment's, a strategy's, of one release."""
        return self.environment, self.strategy, self.release
