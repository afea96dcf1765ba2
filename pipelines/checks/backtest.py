"""The real freqtrade on recorded candles, window by window, held against the thresholds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pipelines.checks import forged
from pipelines.checks.answers import Unknown
from pipelines.checks.backtest_job import WHOLE, trades_of, windows_of
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain import thresholds
from pipelines.domain.candles import Candles, Window
from pipelines.domain.environment import Door
from pipelines.domain.strategy import Strategy
from pipelines.domain.trades import audit
from pipelines.domain.trades.comparison import worse
from pipelines.domain.trades.performance import Performance, measure, rounded
from pipelines.domain.trades.trade import TradeLog
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.freqtrade.messages import BacktestReply, Limit

NAME = "backtest"


def run(subject: Subject, bench: Workbench) -> Verdict:
    """Backtest the strategy on every window of the environment's admission."""
    strategy, environment = subject.strategy, subject.environment
    bench.progress.say(f"{strategy.name}: backtest on {len(environment.admission.windows)} windows")
    try:
        told = _tell(strategy, environment, bench)
        old = _incumbent(subject, bench)
    except Unknown as unknown:
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


@dataclass(frozen=True)
class _Told:
    """One window as the child told it, and what we make of it ourselves."""

    name: str
    log: TradeLog | None
    error: str
    untrue: tuple[Finding, ...] = ()
    performance: Performance | None = None
    limit: Limit = ""


def _tell(strategy: Strategy, environment: Door, bench: Workbench) -> dict[str, _Told]:
    windows = windows_of(environment, bench)
    reply = trades_of(strategy, environment, windows, bench)
    own = strategy.manifest.timeframe
    candles = {pair: bench.shelf.candles(pair, own) for pair in strategy.manifest.pairs}
    terms = forged.terms(strategy, environment, bench)
    return {
        name: _examined(name, reply, candles, window, terms) for name, window in windows.items()
    }


def _examined(
    name: str,
    reply: BacktestReply,
    candles: Mapping[str, Candles],
    window: Window,
    terms: forged.Terms,
) -> _Told:
    said = reply.windows.get(name)
    if said is None or said.log is None:
        error = said.error if said and said.error else "the window is missing from the answer"
        return _Told(name, None, error, limit=said.limit if said else "")
    untrue = forged.problems(said.log, candles, window, terms)
    if untrue:
        return _Told(name, said.log, "", untrue)
    performance, _, _ = measure(said.log, candles, window, float(terms.portfolio.fee))
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
    except Unknown as unknown:
        if unknown.status is Status.ERRORED:
            raise
        return None
    return told[WHOLE].performance if WHOLE in told else None
