"""What is said between us and the child that runs backtests."""

from typing import Annotated

from pydantic import Field

from pipelines.domain.document import Document
from pipelines.domain.trades.trade import TradeLog


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
    """

    log: TradeLog | None = None
    unable: bool = False
    error: Annotated[str, Field(max_length=4000)] = ""


class BacktestReply(Document):
    """The answer: each window that was asked for, by name."""

    windows: dict[str, WindowReply]
