"""Trades as a backtest reports them: raw fills, from which every figure is recomputed."""

from typing import Annotated

from pydantic import Field

from pipelines.domain.document import Document

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=255)]


class Fill(Document):
    """An order that was filled: when (UTC milliseconds, opening of its candle), at what price."""

    at: int
    price: Positive
    amount: Positive
    entry: bool


class Trade(Document):
    """One position from its first entry to its last exit.

    `profit` is what freqtrade says it earned after fees, in stake currency; `fee` is a fraction
    of the traded value; `funding` was paid (negative) or received while a future was held.
    """

    pair: Text
    opened: int
    closed: int
    fills: Annotated[tuple[Fill, ...], Field(min_length=2)]
    tag: Text = ""
    exit_reason: Text
    short: bool = False
    leverage: Positive = 1.0
    fee: Annotated[float, Field(ge=0, le=1)]
    funding: Finite = 0.0
    profit: Finite


class TradeLog(Document):
    """What a backtest of one window left behind. `left_open` counts trades never closed."""

    window: str
    starting_balance: Positive
    final_balance: Finite
    left_open: Annotated[int, Field(ge=0)]
    trades: tuple[Trade, ...]
