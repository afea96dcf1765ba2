"""Runs freqtrade's analyses of bias: `python -m pipelines.backtesting.bias`.

freqtrade says which columns are biased, not where: its frames are compared once more to find the
candle. Each pair is analysed by itself, since freqtrade cuts one pair at a time: a strategy that
reads the list of pairs would otherwise see another one in the shorter run.
"""

import sys
import traceback
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.optimize.analysis.lookahead import LookaheadAnalysis
from freqtrade.optimize.analysis.lookahead_helpers import LookaheadAnalysisSubFunctions
from freqtrade.optimize.analysis.recursive import RecursiveAnalysis
from freqtrade.resolvers import StrategyResolver
from freqtrade.util import get_progress_tracker

from pipelines.backtesting import compared, forks, offline, replies
from pipelines.domain.candles import TIMEFRAMES
from pipelines.freqtrade.bias_messages import (
    MAX_COLUMNS,
    BiasReply,
    BiasRequest,
    Drift,
    Lookahead,
    Moved,
    PairReply,
    PairRequest,
    Recursion,
)
from pipelines.freqtrade.config import CANDLES, STRATEGIES, candle_file

HISTORY = 2000
"""Candles, at least, that the longer run of the recursive analysis has before its last one."""

START_UPS = 5
"""And at least as many times the start-up candles of the strategy."""


def main() -> None:
    """Answer the request in the current folder."""
    replies.die_with_parent()
    asked = replies.request(BiasRequest)
    config = offline.configuration(asked.class_name)
    exchange = offline.exchange(config)
    # Only forks load the strategy, so that it cannot speak for the analysis of another pair.
    work = {each.pair: partial(_analysed, config, exchange, each) for each in asked.pairs}
    told = forks.answers(work, PairReply, jobs=1)
    replies.write(BiasReply(pairs={pair: _heard(told[pair]) for pair in work}))


def _heard(told: forks.Told[PairReply]) -> PairReply:
    return told.answer or PairReply(error=told.why)


def _analysed(config: dict[str, Any], exchange: Any, asked: PairRequest) -> PairReply:
    ahead = recursion = None
    sys.path.insert(0, str(Path(STRATEGIES).resolve()))
    try:
        ahead = lookahead(config, exchange, asked)
        recursion = recursive(config, exchange, asked)
    except BaseException as error:  # noqa: BLE001 - a strategy may raise anything, SystemExit too
        traceback.print_exception(error)
        said = f"{type(error).__name__}: {error}"[:2000]
        return PairReply(lookahead=ahead, recursion=recursion, error=said, raised=_strategys(error))
    return PairReply(lookahead=ahead, recursion=recursion)


def _strategys(error: BaseException | None) -> bool:
    """True when the error, or one behind it, came out of the strategy's own code."""
    code = str(Path(STRATEGIES).resolve())
    while error is not None:
        if any(f.filename.startswith(code) for f in traceback.extract_tb(error.__traceback__)):
            return True
        error = error.__cause__ or error.__context__
    return False


def lookahead(config: dict[str, Any], exchange: Any, asked: PairRequest) -> Lookahead:
    """freqtrade's lookahead-analysis of one pair, with the candles at which columns part."""
    own = _own(config, asked, asked.span.start, asked.span.end)
    own |= {"minimum_trade_amount": 1, "targeted_trade_amount": asked.trades}
    analysis = LookaheadAnalysis(
        LookaheadAnalysisSubFunctions.calculate_config_overrides(own), _named(own)
    )
    analysis.exchange = exchange
    analysis.start(get_progress_tracker())
    found = analysis.current_analysis
    if analysis.failed_bias_check:
        return Lookahead(trades=0)
    return Lookahead(
        trades=found.total_signals,
        entries=found.false_entry_signals,
        exits=found.false_exit_signals,
        columns=tuple(_moved(analysis, asked.pair))[:MAX_COLUMNS],
    )


def _moved(analysis: LookaheadAnalysis, pair: str) -> Iterator[Moved]:
    """The first candle at which each column parts; the signals that follow from them last."""
    whole = analysis.full_varHolder.indicators[pair]
    cuts = [
        part.indicators[pair]
        for part in (*analysis.entry_varHolders, *analysis.exit_varHolders)
        if hasattr(part, "indicators")
    ]
    named = analysis.current_analysis.false_indicators
    for column in sorted(named, key=lambda name: name in (*compared.SIGNALS, *compared.TAGS)):
        found = [
            (difference, cut["date"].iloc[-1])
            for cut in cuts
            if (difference := compared.column_differs(whole.loc[cut.index], cut, column))
        ]
        # freqtrade compares bits. What differs in the last ones only is no knowledge.
        if found:
            first, known = min(found, key=lambda each: each[0].row)
            yield Moved(
                column=str(column)[:300],
                at=_milliseconds(first.date),
                known=_milliseconds(known),
                whole=compared.short(first.first),
                cut=compared.short(first.second),
            )


def recursive(config: dict[str, Any], exchange: Any, asked: PairRequest) -> Recursion:
    """freqtrade's recursive-analysis of one pair at the strategy's own start-up count.

    A strategy that declares none is not analysed: freqtrade refuses to.
    """
    start_up = _start_up(config)
    if start_up < 1:
        return Recursion(start_up=0)
    step = TIMEFRAMES[config["timeframe"]]
    begins = asked.last - max(HISTORY, START_UPS * start_up) * step
    earliest = _first_candle(asked.pair, config["timeframe"]) + start_up * step
    own = _own(config, asked, max(begins, earliest), asked.last)
    own["startup_candle"] = [start_up]
    analysis = RecursiveAnalysis(own, _named(own))
    analysis.exchange = exchange
    analysis.start(get_progress_tracker())
    frame = analysis.full_varHolder.indicators[asked.pair]
    (part,) = analysis.partial_varHolder_array
    return Recursion(
        start_up=start_up,
        history=len(frame) - 1,
        columns=tuple(_drifts(analysis, frame, part.indicators[asked.pair], start_up))[
            :MAX_COLUMNS
        ],
    )


def _drifts(
    analysis: RecursiveAnalysis, frame: pd.DataFrame, short: pd.DataFrame, start_up: int
) -> Iterator[Drift]:
    last, other = frame.iloc[-1], short.iloc[-1]
    for column, told in analysis.dict_recursive.items():
        one, two = last[column], other[column]
        percent = told.get(start_up, np.nan)
        yield Drift(
            column=str(column)[:300],
            at=_milliseconds(last["date"]),
            long=compared.short(one),
            short=compared.short(two),
            percent=100 * percent if np.isfinite(percent) else None,
            deviations=_deviations(frame[column], one, two),
        )


def _deviations(column: pd.Series, one: Any, two: Any) -> float | None:
    try:
        apart, spread = abs(float(one) - float(two)), float(column.astype(float).std())
    except (TypeError, ValueError):
        return None
    if not np.isfinite(apart):
        return None
    return apart / spread if spread > 0 and np.isfinite(spread) else None


def _own(config: dict[str, Any], asked: PairRequest, start: int, end: int) -> dict[str, Any]:
    """The configuration for one pair and the candles that open from `start` and before `end`."""
    return {
        **config,
        "exchange": {**config["exchange"], "pair_whitelist": [asked.pair]},
        "pairs": [asked.pair],
        # freqtrade's analyses know whole seconds only, and both ends are inclusive.
        "timerange": f"{start // 1000}-{end // 1000 - 1}",
    }


def _named(config: dict[str, Any]) -> dict[str, Any]:
    return {"name": config["strategy"], "location": Path(config["strategy_path"], "strategy.py")}


def _start_up(config: dict[str, Any]) -> int:
    return int(StrategyResolver.load_strategy(deepcopy(config)).startup_candle_count)


def _first_candle(pair: str, timeframe: str) -> int:
    dates = pd.read_feather(Path(CANDLES) / candle_file(pair, timeframe), columns=["date"])["date"]
    return _milliseconds(dates.iloc[0])


def _milliseconds(date: Any) -> int:
    return int(date.timestamp() * 1000)


if __name__ == "__main__":
    main()
