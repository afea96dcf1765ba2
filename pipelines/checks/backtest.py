"""The real freqtrade on recorded candles, window by window, held against the thresholds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import ValidationError

from pipelines.checks import ticks
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain import thresholds
from pipelines.domain.candles import Candles, Window, milliseconds
from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.document import sha256
from pipelines.domain.environment import Environment, Portfolio
from pipelines.domain.strategy import Strategy
from pipelines.domain.trades import audit
from pipelines.domain.trades.comparison import worse
from pipelines.domain.trades.performance import Performance, measure, rounded
from pipelines.domain.trades.trade import TradeLog
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.freqtrade import config
from pipelines.freqtrade.messages import BacktestReply, BacktestRequest, Limit, Span

NAME = "backtest"

WHOLE = "whole"
"""The window on which a change is held against its incumbent."""

LIMITS = Limits(wall_seconds=900, cpu_seconds=1800, memory_mb=8192)


def run(subject: Subject, bench: Workbench) -> Verdict:
    """Backtest the strategy on every window of the environment's admission."""
    strategy, environment = subject.strategy, subject.environment
    bench.progress.say(f"{strategy.name}: backtest on {len(environment.admission.windows)} windows")
    try:
        told = _tell(strategy, environment, bench)
        old = _incumbent(subject, bench)
    except _Unknown as unknown:
        return Verdict(check=NAME, status=unknown.status, findings=unknown.findings)
    findings: list[Finding] = []
    measurements: dict[str, Decimal] = {}
    for name, window in told.items():
        findings += _judged(subject, window)
        measurements |= _named(name, window.performance)
    new = told[WHOLE].performance if WHOLE in told else None
    if old and new:
        findings += worse(WHOLE, old, new, environment.admission.incumbent)
        measurements |= _named("incumbent", old)
    status = Status.FAILED if findings else Status.PASSED
    return Verdict(check=NAME, status=status, findings=tuple(findings), measurements=measurements)


def _named(prefix: str, performance: Performance | None) -> dict[str, Decimal]:
    figures = performance.figures() if performance else {}
    return {f"{prefix}.{name}": value for name, value in figures.items()}


def log_key(strategy: Strategy, environment: Environment, bench: Workbench) -> str:
    """Where the cache keeps the trades of a strategy: all that they depend on, in one digest."""
    manifest = strategy.manifest
    data = bench.shelf.data.digest_of(manifest.candle_pairs, manifest.timeframes)
    parts = (strategy.digest, data, environment.portfolio.content_digest(), bench.engine)
    windows = ",".join(sorted(environment.admission.windows))
    return f"backtest-{sha256(' '.join((*parts, windows)).encode())}"


@dataclass(frozen=True)
class _Told:
    """One window as the child told it, and what we make of it ourselves."""

    name: str
    log: TradeLog | None
    error: str
    untrue: tuple[Finding, ...] = ()
    performance: Performance | None = None
    limit: Limit = ""


class _Unknown(Exception):
    """There is nothing to judge, and why."""

    def __init__(self, status: Status, *findings: Finding) -> None:
        super().__init__(findings[0].what)
        self.status, self.findings = status, findings


def _tell(strategy: Strategy, environment: Environment, bench: Workbench) -> dict[str, _Told]:
    windows = _windows(environment, bench)
    reply = _reply(strategy, environment, windows, bench)
    own = strategy.manifest.timeframe
    candles = {pair: bench.shelf.candles(pair, own) for pair in strategy.manifest.pairs}
    return {
        name: _examined(name, reply, candles, window, environment.portfolio)
        for name, window in windows.items()
    }


def _windows(environment: Environment, bench: Workbench) -> dict[str, Window]:
    there = bench.shelf.data.windows
    missing = [name for name in environment.admission.windows if name not in there]
    if missing:
        raise _Unknown(
            Status.ERRORED,
            Finding(
                what=f"the candles {bench.shelf.name} have no window {', '.join(missing)}",
                expected=", ".join(environment.admission.windows),
                actual=", ".join(there),
                hint="add the window with 'sluice data pin', or judge on other candles",
            ),
        )
    return {name: there[name] for name in environment.admission.windows}


def _reply(
    strategy: Strategy, environment: Environment, windows: Mapping[str, Window], bench: Workbench
) -> BacktestReply:
    key = log_key(strategy, environment, bench)
    kept = bench.cache.get(key)
    if kept is not None:
        return BacktestReply.model_validate_json(kept)
    ended = bench.shell.run(job(strategy, environment, windows, bench))
    reply = _understood(ended)
    _refuse_unable(reply)
    if not any(window.error for window in reply.windows.values()):
        bench.cache.put(key, reply.canonical())
    return reply


def job(
    strategy: Strategy, environment: Environment, windows: Mapping[str, Window], bench: Workbench
) -> Job:
    """The child's work: one strategy on these windows, and all that it may see."""
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


def _understood(ended: Ended) -> BacktestReply:
    if ended.killed:
        raise _Unknown(
            Status.FAILED,
            Finding(
                what=f"the backtest was ended: {ended.killed}",
                expected="a strategy that stays within its limits",
                actual=ended.killed,
                hint="look for loops, sleeps and output in the strategy's methods",
            ),
        )
    if ended.reply is None:
        raise _Unknown(
            Status.ERRORED,
            Finding(
                what="the backtest left nothing to judge",
                expected="the trades of every window",
                actual=f"exit code {ended.exit_code}: {_last_line(ended.output)}",
                hint="exit code 0 without trades is no pass: read the last lines above",
            ),
        )
    try:
        return BacktestReply.model_validate_json(ended.reply)
    except ValidationError as error:
        raise _Unknown(
            Status.ERRORED,
            Finding(
                what="the backtest's answer cannot be understood",
                expected="trades in our schema",
                actual=f"{error.error_count()} errors, the first at {error.errors()[0]['loc']}",
                hint="nothing but the backtest may write reply.json",
            ),
        ) from None


def _refuse_unable(reply: BacktestReply) -> None:
    unable = [(name, told.error) for name, told in reply.windows.items() if told.unable]
    if unable:
        raise _Unknown(
            Status.ERRORED,
            Finding(
                what=f"{unable[0][0]}: the backtest could not be set up",
                expected="trades",
                actual=unable[0][1],
                hint="nothing is known about the strategy: run the check again",
            ),
        )


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "no output"


def _examined(
    name: str,
    reply: BacktestReply,
    candles: Mapping[str, Candles],
    window: Window,
    portfolio: Portfolio,
) -> _Told:
    said = reply.windows.get(name)
    if said is None or said.log is None:
        error = said.error if said and said.error else "the window is missing from the answer"
        return _Told(name, None, error, limit=said.limit if said else "")
    untrue = audit.problems(said.log, candles, window, portfolio)
    if untrue:
        return _Told(name, said.log, "", untrue)
    performance, _, _ = measure(said.log, candles, window, float(portfolio.fee))
    return _Told(name, said.log, "", (), performance)


def _judged(subject: Subject, told: _Told) -> Iterator[Finding]:
    if told.limit:
        yield Finding(
            what=f"{told.name}: the backtest was ended: {told.limit}",
            expected="a strategy that stays within its limits",
            actual=f"{told.limit}: {told.error}",
            hint="look for what grows with every candle in the strategy's methods",
        )
    elif told.error:
        yield Finding(
            what=f"{told.name}: the backtest broke off",
            expected="trades",
            actual=told.error,
            hint="run the strategy's tests, or freqtrade backtesting on the same candles",
        )
    yield from told.untrue
    if told.log is None or told.performance is None:
        return
    admission = subject.environment.admission
    own = subject.strategy.manifest.thresholds.get(told.name)
    yield from _degenerate(told, told.log, told.performance, admission.max_forced_exit_share)
    asked = thresholds.merged(admission.windows[told.name], own)
    yield from thresholds.judge(told.name, told.performance.figures(), asked)


def _degenerate(
    told: _Told, log: TradeLog, performance: Performance, most_forced: Decimal
) -> Iterator[Finding]:
    if audit.never_closes_losers(log):
        yield Finding(
            what=f"{told.name}: losers are never closed",
            expected="trades that lost and were closed by the strategy",
            actual="every loss was cut off by the end of the window",
            hint="give the strategy a stop or an exit that also takes losses",
        )
    share = rounded(performance.forced_exit_share)
    if share > most_forced:
        yield Finding(
            what=f"{told.name}: profit of trades that the end of the window closed",
            expected=f"at most {most_forced} of the profit",
            actual=str(share),
            hint="this profit was never earned: exit sooner, or take part more often",
        )


def _incumbent(subject: Subject, bench: Workbench) -> Performance | None:
    """What the strategy that this change replaces does on the whole span of today's candles.

    One that breaks off, or whose trades do not add up, sets no bar: the thresholds still do.
    One that could not be run leaves the comparison open, and that is no pass.
    """
    incumbent = subject.incumbent
    if incumbent is None or incumbent.digest == subject.strategy.digest:
        return None
    bench.progress.say(f"{incumbent.name}: backtest of the incumbent")
    try:
        told = _tell(incumbent, subject.environment, bench)
    except _Unknown as unknown:
        if unknown.status is Status.ERRORED:
            raise
        return None
    return told[WHOLE].performance if WHOLE in told else None
