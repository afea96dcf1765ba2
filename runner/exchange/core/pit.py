"""Where orders meet the market: what matching needs of a book, whatever is traded in it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from runner.exchange.core.orders import Closed, Order
from runner.exchange.core.terms import Terms


class Grid(Protocol):
    """What prices and amounts of a symbol are multiples of."""

    @property
    def tick(self) -> Decimal: ...
    @property
    def step(self) -> Decimal: ...


class Pit(Protocol):
    """A book of orders that are filled from the market's candles."""

    @property
    def terms(self) -> Terms: ...
    @property
    def rules(self) -> Mapping[str, Grid]: ...
    @property
    def orders(self) -> Mapping[int, Order]: ...
    def open_orders(self, symbol: str = "", account: str = "") -> Sequence[Order]: ...
    def left_of(self, symbol: str, candle: int, volume: Decimal) -> Decimal: ...
    def fillable(self, order: Order) -> Decimal: ...
    def record(self, event: Closed) -> None: ...
    def fill(
        self,
        order_id: int,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        at: int,
        candle: int,
    ) -> None: ...
