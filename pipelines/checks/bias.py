"""The check `bias`: does the strategy use what it could not have known?

Three witnesses: freqtrade's lookahead-analysis, its recursive-analysis, and the prefix replay
(`replay`), which a strategy that knows freqtrade's analyses cannot deceive.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from pipelines.checks import analysis, replay
from pipelines.checks.answers import Unknown
from pipelines.checks.backtest_job import WHOLE, trades_of, windows_of
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.trades.prefix import Series
from pipelines.domain.trades.trade import TradeLog
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.freqtrade.bias_messages import PairRequest

NAME = "bias"

Said = tuple[Status, tuple[Finding, ...]]
"""What one witness says."""


def run(subject: Subject, bench: Workbench) -> Verdict:
    """Examine the strategy on the trades that its backtest makes."""
    try:
        logs = _logs(subject, bench)
        asked = analysis.pairs(logs, subject.strategy.manifest.timeframe)
    except Unknown as unknown:
        return _verdict([(unknown.status, unknown.findings)], {})
    manifest = subject.strategy.manifest
    series: Series = {
        (pair, timeframe): bench.shelf.candles(pair, timeframe)
        for pair in manifest.candle_pairs
        for timeframe in manifest.timeframes
    }
    cuts = replay.choose(subject, logs, series, bench)
    bench.progress.say(f"{subject.strategy.name}: bias, {len(cuts)} replays on candles cut short")
    said = _heard(asked, cuts, logs, series, subject, bench)
    if not any(cut.window == _main(logs) for cut in cuts):
        said.append((Status.ERRORED, (_NO_CUT,)))
    trades = sum(each.trades for each in asked)
    return _verdict(said, {"trades": Decimal(trades), "replays": Decimal(len(cuts))})


def _heard(
    asked: tuple[PairRequest, ...],
    cuts: tuple[replay.Cut, ...],
    logs: Mapping[str, TradeLog],
    series: Series,
    subject: Subject,
    bench: Workbench,
) -> list[Said]:
    """What all witnesses say, `bench.jobs` of them at once."""
    with ThreadPoolExecutor(max_workers=bench.jobs) as pool:
        try:
            analysed = pool.submit(analysis.run, asked, subject, bench)
            replayed = [
                pool.submit(replay.run, cut, logs[cut.window], series, subject, bench)
                for cut in cuts
            ]
            return [analysed.result(), *(each.result() for each in replayed)]
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            bench.shell.stop()
            raise


def _verdict(said: Iterable[Said], measurements: dict[str, Decimal]) -> Verdict:
    """A no outweighs a don't-know. After a no the backtest's figures would be worth nothing."""
    said = list(said)
    statuses = {status for status, _ in said}
    status = next(
        (each for each in (Status.FAILED, Status.ERRORED) if each in statuses), Status.PASSED
    )
    return Verdict(
        check=NAME,
        status=status,
        findings=tuple(finding for _, findings in said for finding in findings),
        measurements=measurements,
        final=status is Status.FAILED,
    )


def _main(logs: Mapping[str, TradeLog]) -> str:
    return WHOLE if WHOLE in logs else min(logs)


def _logs(subject: Subject, bench: Workbench) -> dict[str, TradeLog]:
    """The trades of every window, the same that the check backtest will judge.

    :raises Unknown: when there are none to hold anything against.
    """
    windows = windows_of(subject.environment, bench)
    reply = trades_of(subject.strategy, subject.environment, windows, bench)
    logs = {name: told.log for name, told in reply.windows.items() if told.log and name in windows}
    lost = [name for name in windows if name not in logs]
    if lost:
        told = reply.windows.get(lost[0])
        raise Unknown(
            Status.ERRORED,
            Finding(
                what=f"{lost[0]}: the backtest broke off, so there is nothing to examine",
                expected="trades",
                actual=told.error if told else "the window is missing from the answer",
                hint="the check backtest says more",
            ),
        )
    return logs


_NO_CUT = Finding(
    what="no moment at which the candles could be cut",
    expected="an entry or exit after every pair's candles begin, at a price known at that moment",
    actual="none in the whole span",
    hint="more trades are needed, or entries that do not all depend on the candle they happen in",
)
