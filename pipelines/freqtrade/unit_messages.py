"""What is said between us and the child that runs a plugin's tests; what every strategy must do.

The expectations and hints stand here, on our side: of a child's answer only what it saw is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pipelines.domain.document import Document
from pipelines.domain.strategy import Manifest
from pipelines.freqtrade.messages import Limit

MAX_TESTS = 1000
"""More tests than this are not listed, and what is not listed has not passed."""

Ending = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "not run"]


class UnitRequest(Document):
    """One plugin. Its files lie below `strategies/`, recorded candles below `candles/`."""

    name: str
    manifest: Manifest


class UnitTest(Document):
    """One test: `reason` says why it did not pass."""

    name: Annotated[str, Field(max_length=300)]
    ending: Ending
    reason: Annotated[str, Field(max_length=2000)] = ""


class SessionReply(Document):
    """One run of pytest. `error` says why the strategy cannot be loaded: no test ran then.

    `start_up` is what the strategy declares; `seconds` is what 1000 candles took, in CPU time.
    `limit` names the limit that a test ran into, or that ended the run.
    """

    tests: Annotated[tuple[UnitTest, ...], Field(max_length=MAX_TESTS)] = ()
    more_tests: Annotated[int, Field(ge=0)] = 0
    error: Annotated[str, Field(max_length=2000)] = ""
    limit: Limit = ""
    start_up: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class UnitReply(Document):
    """The answer: None stands for a run that ended without one."""

    behaviours: SessionReply | None
    own: SessionReply | None


@dataclass(frozen=True)
class Behaviour:
    """What every strategy must do: said, asked and hinted at in the words of a trader."""

    says: str
    expected: str
    hint: str


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "test_gives_the_same_signals_twice": Behaviour(
            "gives the same signals twice",
            "the same candles give the same columns, every time",
            "take out randomness, the time of day and whatever is remembered from call to call",
        ),
        "test_leaves_the_candles_unchanged": Behaviour(
            "leaves the candles unchanged",
            "date, open, high, low, close and volume stay as they were given",
            "profits are computed from these columns: put what you compute into columns of its own",
        ),
        "test_does_not_look_ahead": Behaviour(
            "does not look ahead",
            "what stands at a candle is the same whether or not later candles are known",
            "no shift(-n), no mean, max or min over the whole frame, no bfill, no centred windows",
        ),
        "test_declares_enough_start_up_candles": Behaviour(
            "declares enough start-up candles",
            "signals after startup_candle_count candles equal those after a far longer history",
            "raise startup_candle_count: about 3 to 5 times the period of the slowest EMA or RSI",
        ),
        "test_marks_signals_with_0_or_1": Behaviour(
            "marks signals with 0 or 1",
            "enter_long, exit_long, enter_short and exit_short hold 0, 1 or nothing",
            "freqtrade acts on 1 only: anything else is a signal that is silently lost",
        ),
        "test_survives_missing_candles": Behaviour(
            "survives missing candles",
            "an answer of as many rows when candles are missing in between",
            "exchanges have outages: don't rely on candles being evenly spaced",
        ),
        "test_survives_a_single_candle": Behaviour(
            "survives a single candle",
            "an answer of one row when only one candle is known",
            "a pair that was just listed looks like this: check the length before you index rows",
        ),
        "test_survives_zero_volume": Behaviour(
            "survives zero volume",
            "an answer of as many rows when nothing was traded",
            "quiet hours look like this: guard divisions by volume",
        ),
        "test_survives_flat_prices": Behaviour(
            "survives flat prices",
            "an answer of as many rows when the price stands still",
            "a halted pair looks like this: guard divisions by a range or a deviation",
        ),
        "test_is_fast_enough": Behaviour(
            "is fast enough",
            "at most 10 ms a candle",
            "work on whole columns instead of looping over rows",
        ),
    }
)
"""By the name of the test in `pipelines.backtesting.behaviours`."""
