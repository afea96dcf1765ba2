"""The job of a backtest: what its child is given, and what its answer is worth at first sight."""

from collections.abc import Mapping

from pipelines.checks import ticks
from pipelines.checks.answers import Unknown, understood
from pipelines.checks.workbench import Workbench
from pipelines.domain.candles import Window, milliseconds
from pipelines.domain.child import Job, Limits
from pipelines.domain.document import sha256
from pipelines.domain.environment import Door
from pipelines.domain.strategy import Strategy
from pipelines.domain.verdict import Finding, Status
from pipelines.freqtrade import config
from pipelines.freqtrade.messages import BacktestReply, BacktestRequest, Span

WHOLE = "whole"
"""The window of the whole span, on which a change is held against its incumbent."""

WORK = "the backtest"
"""What messages call it."""

LIMITS = Limits(wall_seconds=900, cpu_seconds=1800, memory_mb=8192)


def log_key(strategy: Strategy, environment: Door, bench: Workbench) -> str:
    """Where the cache keeps the trades of a strategy: all that they depend on, in one digest."""
    manifest = strategy.manifest
    data = bench.shelf.data.digest_of(manifest.candle_pairs, manifest.timeframes)
    parts = (strategy.digest, data, environment.portfolio.backtested.content_digest(), bench.engine)
    windows = ",".join(sorted(environment.admission.windows))
    return f"backtest-{sha256(' '.join((*parts, windows)).encode())}"


def windows_of(environment: Door, bench: Workbench) -> dict[str, Window]:
    """The windows of the admission, by name.

    :raises Unknown: when the candles lack one.
    """
    there = bench.shelf.data.windows
    missing = [name for name in environment.admission.windows if name not in there]
    if missing:
        raise Unknown(
            Status.ERRORED,
            Finding(
                what=f"the candles {bench.shelf.name} have no window {', '.join(missing)}",
                expected=", ".join(environment.admission.windows),
                actual=", ".join(there),
                hint="add the window with 'sluice data pin', or judge on other candles",
            ),
        )
    return {name: there[name] for name in environment.admission.windows}


def trades_of(
    strategy: Strategy, environment: Door, windows: Mapping[str, Window], bench: Workbench
) -> BacktestReply:
    """The trades of a strategy on these windows, of the cache or of a child.

    :raises Unknown: when there is no answer to judge.
    """
    key = log_key(strategy, environment, bench)
    kept = bench.cache.get(key)
    if kept is not None:
        return BacktestReply.model_validate_json(kept)
    ended = bench.shell.run(job(strategy, environment, windows, bench))
    reply = understood(ended, BacktestReply, WORK)
    refuse_unable(reply)
    if not any(window.error for window in reply.windows.values()):
        bench.cache.put(key, reply.canonical())
    return reply


def job(
    strategy: Strategy, environment: Door, windows: Mapping[str, Window], bench: Workbench
) -> Job:
    """What the child is given: the strategy, the configuration and all candles of its pairs."""
    manifest = strategy.manifest
    sources = {f"{config.STRATEGIES}/{f.path}": f.content for f in strategy.files}
    shared = {f"{config.STRATEGIES}/{f.path}": f.content for f in strategy.shared}
    return Job(
        module="pipelines.backtesting.backtest",
        request=BacktestRequest(
            class_name=manifest.class_name,
            jobs=bench.jobs,
            windows={
                name: Span(start=milliseconds(w.opens), end=milliseconds(w.closes))
                for name, w in windows.items()
            },
        ),
        files={
            **sources,
            **shared,
            "config.json": config.backtest(strategy.name, manifest, environment),
            "markets.json": bench.shelf.markets(manifest.candle_pairs),
            **ticks.files(manifest, bench.shelf, bench.cache),
        },
        inputs={
            f"{config.CANDLES}/{config.candle_file(pair, timeframe)}": bench.shelf.path(
                pair, timeframe
            )
            for pair in manifest.candle_pairs
            for timeframe in manifest.timeframes
        },
        limits=LIMITS,
    )


def refuse_unable(reply: BacktestReply) -> None:
    """Raise what kept a window from being set up.

    :raises Unknown: with the first such window.
    """
    unable = [(name, told.error) for name, told in reply.windows.items() if told.unable]
    if unable:
        raise Unknown(
            Status.ERRORED,
            Finding(
                what=f"{unable[0][0]}: the backtest could not be set up",
                expected="trades",
                actual=unable[0][1],
                hint="nothing is known about the strategy: run the check again",
            ),
        )
