"""What is said between us and the child that runs freqtrade's own analyses of bias."""

from typing import Annotated

from pydantic import Field

from pipelines.domain.document import Document
from pipelines.freqtrade.messages import Span

MAX_COLUMNS = 100
"""More columns than this are not listed; the first of them say enough."""

Text = Annotated[str, Field(max_length=300)]
Error = Annotated[str, Field(max_length=2000)]


class PairRequest(Document):
    """One pair. Look-ahead is sought in `trades` trades of the span, recursion before `last`.

    `last` is the opening of a candle in UTC milliseconds.
    """

    pair: str
    span: Span
    trades: Annotated[int, Field(ge=1)]
    last: int


class BiasRequest(Document):
    """One strategy. The configuration lies beside it as `config.json`, as for a backtest."""

    class_name: str
    pairs: tuple[PairRequest, ...]


class Moved(Document):
    """A column that says something else once later candles are known.

    `at` is the first candle where it does, `known` the last one of the shorter run (both openings
    in UTC milliseconds); `whole` and `cut` are what the two runs say there.
    """

    column: Text
    at: int
    known: int
    whole: Text
    cut: Text


class Lookahead(Document):
    """freqtrade's lookahead-analysis of one pair; how many of its trades were taken apart.

    `entries` and `exits` of them did not happen again without the later candles.
    """

    trades: Annotated[int, Field(ge=0)]
    entries: Annotated[int, Field(ge=0)] = 0
    exits: Annotated[int, Field(ge=0)] = 0
    columns: Annotated[tuple[Moved, ...], Field(max_length=MAX_COLUMNS)] = ()


class Drift(Document):
    """A column that depends on how many candles stand before it, at the candle `at`.

    `percent` is freqtrade's difference in percent of the value, None where it has none;
    `deviations` is the same in standard deviations of the column, None where it is no number.
    """

    column: Text
    at: int
    long: Text
    short: Text
    percent: Annotated[float, Field(allow_inf_nan=False)] | None = None
    deviations: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Recursion(Document):
    """freqtrade's recursive-analysis of one pair, at the strategy's own start-up count.

    `history` is how many candles the longer run had before the one that is looked at.
    """

    start_up: Annotated[int, Field(ge=0)]
    history: Annotated[int, Field(ge=0)] = 0
    columns: Annotated[tuple[Drift, ...], Field(max_length=MAX_COLUMNS)] = ()


class PairReply(Document):
    """The answer for one pair. None stands for an analysis that did not come to an end.

    `error` then says why, and `raised` that it was the strategy's code that raised.
    """

    lookahead: Lookahead | None = None
    recursion: Recursion | None = None
    error: Error = ""
    raised: bool = False


class BiasReply(Document):
    """The answer: each pair that was asked for."""

    pairs: dict[str, PairReply]
