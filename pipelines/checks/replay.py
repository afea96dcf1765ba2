"""Prefix replay: the same backtest once more, on candles that physically end early.

The trades up to that moment must be the same. Nothing tells the strategy which of the two runs it
is in but the missing future itself, and what it needs of that it cannot have here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.checks import ticks
from pipelines.checks.answers import Unknown, understood
from pipelines.checks.backtest_job import WHOLE, WORK, job, log_key, refuse_unable
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import Candles, Window, moment
from pipelines.domain.child import Job
from pipelines.domain.trades import prefix
from pipelines.domain.trades.prefix import Parting, Series
from pipelines.domain.trades.trade import TradeLog
from pipelines.domain.verdict import Finding, Status
from pipelines.freqtrade import config
from pipelines.freqtrade.messages import BacktestReply, WindowReply

CUTS = 5
"""How often the candles are cut: more would take longer, each about as long as a backtest."""

EARLY = 0.25
"""Where a window is cut again, that is in this first share of its trades: long runs are dear."""


@dataclass(frozen=True)
class Cut:
    """A window whose candles end when the candle at `at` (UTC milliseconds) has opened."""

    window: str
    at: int


def choose(
    subject: Subject, logs: Mapping[str, TradeLog], series: Series, bench: Workbench
) -> tuple[Cut, ...]:
    """Where to cut: every window in turn, at entries and at exits, the whole span first.

    The same for the same strategy and candles; a change of either moves them.
    """
    seed = log_key(subject.strategy, subject.environment, bench)
    timeframe = subject.strategy.manifest.timeframe
    names = sorted(logs, key=lambda name: (name != WHOLE, name))
    found: dict[Cut, None] = {}
    for number in range(CUTS):
        name = names[number % len(names)]
        share = 1.0 if number < len(names) else EARLY
        for exits in (number % 2 == 1, number % 2 == 0):
            at = prefix.choose(
                logs[name], series, timeframe, f"{seed} {number}", exits=exits, share=share
            )
            if at is not None:
                found[Cut(name, at)] = None
                break
    return tuple(found)


def run(
    cut: Cut, log: TradeLog, series: Series, subject: Subject, bench: Workbench
) -> tuple[Status, tuple[Finding, ...]]:
    """Backtest on the cut candles and hold the trades against those on all candles."""
    strategy = subject.strategy
    own = strategy.manifest.timeframe
    known = [prefix.until(candles, cut.at, own) for candles in series.values()]
    try:
        with bench.shelf.lend(known) as paths:
            told = _told(_job(cut, known, paths, subject, bench), cut, bench)
    except Unknown as unknown:
        return unknown.status, unknown.findings
    if told.log is None:
        return Status.FAILED, (_broke_off(cut, told.error),)
    apart = prefix.parting(log, told.log, cut.at, series, own)
    return (Status.FAILED, (_finding(cut, apart),)) if apart else (Status.PASSED, ())


def _job(
    cut: Cut,
    known: Sequence[Candles],
    paths: Mapping[tuple[str, str], Path],
    subject: Subject,
    bench: Workbench,
) -> Job:
    window: Window = bench.shelf.data.windows[cut.window]
    manifest = subject.strategy.manifest
    like = job(subject.strategy, subject.environment, {cut.window: window}, bench)
    own = [c for c in known if c.timeframe == manifest.timeframe and c.pair in manifest.pairs]
    inputs = {f"{config.CANDLES}/{config.candle_file(*key)}": path for key, path in paths.items()}
    # The decimals too are those of the candles that there are: others would tell of the future.
    return replace(like, files={**like.files, **ticks.counted(own)}, inputs=inputs)


def _told(asked: Job, cut: Cut, bench: Workbench) -> WindowReply:
    reply = understood(bench.shell.run(asked), BacktestReply, WORK)
    refuse_unable(reply)
    missing = WindowReply(error="the window is missing from the answer")
    return reply.windows.get(cut.window, missing)


def _broke_off(cut: Cut, error: str) -> Finding:
    return Finding(
        what=f"{cut.window}: the backtest broke off on candles that end early",
        expected=f"the same trades with candles up to {_when(cut.at)} only",
        actual=error,
        hint="a live bot never has later candles: the strategy must not need them",
    )


def _finding(cut: Cut, apart: Parting) -> Finding:
    others = f"; {apart.others} more trades differ" if apart.others else ""
    return Finding(
        what=f"{cut.window}: the trade of {apart.pair} opened {_when(apart.opened)}",
        expected=f"{apart.expected}, as with all candles",
        actual=f"{apart.actual}, with candles up to {_when(cut.at)} only{others}",
        hint="the strategy knew what it could not have known then, or behaves differently when it "
        "is watched: look for later candles in its signals and callbacks, and for an informative "
        "timeframe that is merged without merge_informative_pair",
    )


def _when(at: int) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M}"
