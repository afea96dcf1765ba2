"""freqtrade's own analyses of bias: which trades they are shown, and what they found."""

from collections.abc import Iterator, Mapping
from itertools import islice

from pipelines.checks.answers import Unknown, understood
from pipelines.checks.backtest_job import LIMITS, WHOLE, job
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import TIMEFRAMES, moment
from pipelines.domain.child import Job
from pipelines.domain.trades.performance import FORCED_EXIT
from pipelines.domain.trades.trade import Trade, TradeLog
from pipelines.domain.verdict import Finding, Status
from pipelines.freqtrade.bias_messages import (
    BiasReply,
    BiasRequest,
    Drift,
    Lookahead,
    Moved,
    PairReply,
    PairRequest,
    Recursion,
)
from pipelines.freqtrade.messages import Span

PAIRS = 2
"""How many pairs are analysed, those with the most trades first."""

TRADES = 8
"""How many trades in all are taken apart: two backtests each."""

LEAST = 5
"""Fewer trades than this in all show nothing, one way or the other."""

MARGIN = 24
"""Candles around the trades that are taken apart."""

TOLERANCE = 0.05
"""Standard deviations of a column that its last value may be off after the start-up candles."""

ENOUGH = 2
"""The longer run of the recursive analysis needs this many times the start-up candles."""

MOST = 5
"""Columns that are named of one pair; what follows from them is counted."""

Said = tuple[Status, tuple[Finding, ...]]


def pairs(logs: Mapping[str, TradeLog], timeframe: str) -> tuple[PairRequest, ...]:
    """What freqtrade is asked about: the pairs with most trades, where these lie closest.

    :raises Unknown: when there are too few trades to tell anything.
    """
    log = logs.get(WHOLE) or max(logs.values(), key=lambda each: len(each.trades))
    own: dict[str, list[Trade]] = {}
    for trade in sorted(log.trades, key=lambda trade: trade.opened):
        if trade.exit_reason != FORCED_EXIT:
            own.setdefault(trade.pair, []).append(trade)
    chosen = sorted(own, key=lambda pair: (-len(own[pair]), pair))[:PAIRS]
    counts = {pair: min(len(own[pair]), TRADES // len(chosen)) for pair in chosen}
    if sum(counts.values()) < LEAST:
        raise Unknown(Status.ERRORED, _too_few(sum(len(trades) for trades in own.values())))
    ends = max(trade.closed for trade in log.trades)
    begins = min(trade.opened for trade in log.trades)
    step = TIMEFRAMES[timeframe]
    return tuple(
        PairRequest(
            pair=pair,
            span=_densest(own[pair], counts[pair], step),
            trades=counts[pair],
            last=ends - number * ((ends - begins) // step // 3) * step,
        )
        for number, pair in enumerate(chosen)
    )


def _densest(trades: list[Trade], count: int, step: int) -> Span:
    """The shortest span that holds as many trades as are taken apart."""
    stretches = [trades[first : first + count] for first in range(len(trades) - count + 1)]
    best = min(stretches, key=lambda each: each[-1].closed - each[0].opened)
    return Span(start=best[0].opened - MARGIN * step, end=best[-1].closed + MARGIN * step)


def run(asked: tuple[PairRequest, ...], subject: Subject, bench: Workbench) -> Said:
    """Let freqtrade analyse these pairs, and judge what it found."""
    try:
        reply = understood(
            bench.shell.run(_job(asked, subject, bench)), BiasReply, "freqtrade's analysis"
        )
    except Unknown as unknown:
        return unknown.status, unknown.findings
    said = [_judged(each, reply.pairs.get(each.pair)) for each in asked]
    told = [reply.pairs[each.pair].lookahead for each in asked if each.pair in reply.pairs]
    seen = sum(each.trades for each in told if each)
    if seen < LEAST:
        said.append((Status.ERRORED, (_too_few(seen),)))
    statuses = [status for status, _ in said]
    worst = next((s for s in (Status.FAILED, Status.ERRORED) if s in statuses), Status.PASSED)
    return worst, tuple(finding for _, findings in said for finding in findings)


def _job(asked: tuple[PairRequest, ...], subject: Subject, bench: Workbench) -> Job:
    like = job(subject.strategy, subject.environment, {}, bench)
    return Job(
        module="pipelines.backtesting.bias",
        request=BiasRequest(class_name=subject.strategy.manifest.class_name, pairs=asked),
        files=like.files,
        inputs=like.inputs,
        limits=LIMITS,
    )


def _judged(asked: PairRequest, reply: PairReply | None) -> Said:
    """One pair: every no that was heard, else why there is no answer, else a pass."""
    if reply is None:
        return Status.ERRORED, (_unanswered(asked.pair, "the pair is missing from the answer"),)
    nos = [
        *(_ahead(asked.pair, reply.lookahead) if reply.lookahead else ()),
        *(_recursive(asked.pair, reply.recursion) if reply.recursion else ()),
    ]
    if reply.error and reply.raised:
        nos.append(_raised(asked.pair, reply.error))
    if nos:
        return Status.FAILED, tuple(nos)
    if reply.lookahead is None or reply.recursion is None:
        return Status.ERRORED, (_unanswered(asked.pair, reply.error),)
    if reply.recursion.history < ENOUGH * reply.recursion.start_up:
        return Status.ERRORED, (_short(asked.pair, reply.recursion),)
    return Status.PASSED, ()


def _ahead(pair: str, told: Lookahead) -> Iterator[Finding]:
    for moved in islice(told.columns, MOST):
        yield _moved(pair, moved)
    if told.entries or told.exits:
        yield Finding(
            what=f"{pair}: trades that did not happen again without later candles",
            expected=f"0 of {told.trades} entries and exits",
            actual=f"{told.entries} entries, {told.exits} exits",
            hint="the strategy knew what it could not have known: see the columns named above, "
            "else its callbacks",
        )
    if len(told.columns) > MOST:
        yield _more(pair, len(told.columns), "look ahead")


def _moved(pair: str, moved: Moved) -> Finding:
    return Finding(
        what=f"{moved.column} looks ahead, at the candle of {_when(moved.at)} of {pair}",
        expected="the same value whether or not later candles are known",
        actual=f"{moved.whole} with all candles, {moved.cut} with candles up to "
        f"{_when(moved.known)} only",
        hint="no shift(-n), no mean, max or min over the whole frame, no bfill, no centred windows",
    )


def _recursive(pair: str, told: Recursion) -> Iterator[Finding]:
    if told.start_up < 1:
        yield Finding(
            what="startup_candle_count is 0",
            expected="at least 1: freqtrade analyses nothing without it",
            actual="0",
            hint="about 3 to 5 times the period of the slowest EMA or RSI",
        )
    drifted = [drift for drift in told.columns if _too_far(drift)]
    for drift in drifted[:MOST]:
        yield _drifted(pair, drift, told)
    if len(drifted) > MOST:
        yield _more(pair, len(drifted), "need more start-up candles")


def _too_far(drift: Drift) -> bool:
    return drift.deviations is None or drift.deviations > TOLERANCE


def _drifted(pair: str, drift: Drift, told: Recursion) -> Finding:
    percent = "no number" if drift.percent is None else f"{abs(drift.percent):.3g} % off"
    spread = (
        "" if drift.deviations is None else f", {drift.deviations:.2g} of its standard deviation"
    )
    return Finding(
        what=f"{drift.column} needs more start-up candles, at {_when(drift.at)} of {pair}",
        expected=f"after {told.start_up} start-up candles at most {TOLERANCE} of its standard "
        f"deviation from {drift.long}, its value after {told.history} candles",
        actual=f"{drift.short}: {percent}{spread}",
        hint="raise startup_candle_count: about 3 to 5 times the period of the slowest EMA or RSI",
    )


def _more(pair: str, count: int, do: str) -> Finding:
    return Finding(
        what=f"{pair}: {count - MOST} more columns {do}",
        expected="none",
        actual=f"{count} in all",
        hint="most of them follow from the first ones",
    )


def _raised(pair: str, error: str) -> Finding:
    return Finding(
        what=f"{pair}: the strategy breaks off on candles that end early",
        expected="the same trades with fewer candles",
        actual=error,
        hint="a live bot never has later candles: the strategy must not need them",
    )


def _unanswered(pair: str, error: str) -> Finding:
    return Finding(
        what=f"{pair}: freqtrade's analysis came to no end",
        expected="an answer",
        actual=error or "none",
        hint="nothing is known: run the check again",
    )


def _short(pair: str, told: Recursion) -> Finding:
    return Finding(
        what=f"{pair}: too few candles to see whether the start-up candles are enough",
        expected=f"at least {ENOUGH} times {told.start_up} candles",
        actual=str(told.history),
        hint="judge on candles that reach further back, or declare fewer start-up candles",
    )


def _too_few(count: int) -> Finding:
    return Finding(
        what="too few trades to tell",
        expected=f"at least {LEAST} trades of {PAIRS} pairs that the strategy closed by itself",
        actual=str(count),
        hint="a strategy that does not trade cannot be shown to be without bias: see whether its "
        "conditions are ever met",
    )


def _when(at: int) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M}"
