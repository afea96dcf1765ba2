"""What is said between us and the child that runs backtests."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.domain.document import Document
from pipelines.domain.trades.trade import TradeLog

Limit = Literal["", "memory", "disk", "processes", "CPU time", "output"]
"""What strategy code ran into, as its process noticed it; nothing when it broke no limit."""


class Span(Document):
    """A window in UTC milliseconds: candles that open at or after `start` and before `end`."""

    start: int
    end: int


class BacktestRequest(Document):
    """One strategy on several windows. The configuration lies beside it as `config.json`."""

    class_name: str
    windows: dict[str, Span]
    jobs: Annotated[int, Field(ge=1)] = 1


class WindowReply(Document):
    """One window: its trades, or the reason why there are none to show.

    `unable` says that the backtest could not be set up: a reason that is not the strategy's.
    `limit` says that it broke off at a limit.
    """

    log: TradeLog | None = None
    unable: bool = False
    limit: Limit = ""
    error: Annotated[str, Field(max_length=4000)] = ""


class BacktestReply(Document):
    """The answer: each window that was asked for, by name."""

    windows: dict[str, WindowReply]
