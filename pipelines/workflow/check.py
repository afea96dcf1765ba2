"""`sluice check`: examine strategies and keep the evidence."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.adapters import candles, plugins
from pipelines.adapters.clock import SystemClock
from pipelines.adapters.processes import Processes
from pipelines.adapters.ruff import Ruff
from pipelines.adapters.storage import EvidenceStore, FolderCache
from pipelines.adapters.versions import tool_versions
from pipelines.checks import CHECKS, backtest, forged, manifest
from pipelines.checks.backtest_job import log_key
from pipelines.checks.workbench import Check, Progress, Subject, Workbench
from pipelines.domain.candles import Candles
from pipelines.domain.environment import Door
from pipelines.domain.evidence import Evidence
from pipelines.domain.hotfix import trades_digest
from pipelines.domain.strategy import Strategy
from pipelines.domain.thresholds import WindowThresholds, merged
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.errors import BadInput, SluiceError
from pipelines.freqtrade.messages import BacktestReply
from pipelines.reports import views
from pipelines.reports.model import Report, StrategyReport, WindowView
from pipelines.workflow import couplings
from pipelines.workflow.isolation import enclosure
from pipelines.workflow.place import Place

_MEASURES = ("freqtrade", "python", "sluice")


@dataclass(frozen=True)
class Asked:
    """What the person or the pull request asked for. No names: every strategy."""

    names: tuple[str, ...] = ()
    changed_since: str | None = None
    candles: Path | None = None
    only: tuple[str, ...] = ()
    jobs: int = 2
    reads_cache: bool = True
    weak: bool = False


def check(place: Place, asked: Asked, progress: Progress, *, pictures: bool = False) -> Report:
    """Run the checks on what was asked for; one report for all of it.

    With `pictures` the report holds the curves that they are drawn from.

    :raises BadInput: when what was asked for, or the project itself, is wrong. What is wrong with
        one strategy is a verdict about it, never an error here.
    """
    _refuse_unknown_checks(asked)
    couplings.refuse_clashes(place)
    names = _names(place, asked)
    if not names:
        return Report(())
    environment = place.door()
    bench = workbench(place, asked, progress)
    reports = tuple(_examine(place, asked, name, environment, bench) for name in names)
    return Report(tuple(_drawn(place, told, bench) for told in reports) if pictures else reports)


def _refuse_unknown_checks(asked: Asked) -> None:
    known = [check.NAME for check in CHECKS]
    for name in asked.only:
        if name not in known:
            raise BadInput(f"--only: there is no check {name!r}", f"there are {', '.join(known)}")


def _names(place: Place, asked: Asked) -> tuple[str, ...]:
    known = plugins.names(place.root)
    for name in asked.names:
        if name not in known:
            # Says which there are, and why this one is none.
            plugins.read(place.root, name)
    if asked.changed_since is None:
        return asked.names or known
    changed = plugins.changed_since(place.root, asked.changed_since)
    return tuple(name for name in changed if not asked.names or name in asked.names)


def workbench(place: Place, asked: Asked, progress: Progress) -> Workbench:
    """What checks work with, on this machine."""
    clock = SystemClock()
    versions = tool_versions()
    shell = Processes(place.home, enclosure(place, progress, weak=asked.weak))
    return Workbench(
        shell=shell,
        shelf=candles.open_shelf(asked.candles, place.data_lock(), place.candles, clock.now()),
        clock=clock,
        progress=progress,
        cache=FolderCache(place.home / "cache", asked.reads_cache),
        linter=Ruff(),
        jobs=asked.jobs,
        # What was measured in weak isolation is never taken for what was measured in full.
        engine=" ".join((*(versions[name] for name in _MEASURES), shell.isolation)),
    )


def _examine(
    place: Place, asked: Asked, name: str, environment: Door, bench: Workbench
) -> StrategyReport:
    try:
        strategy = plugins.read(place.root, name)
        incumbent = (
            plugins.incumbent(place.root, name, asked.changed_since)
            if asked.changed_since
            else None
        )
    except BadInput as error:
        rest = tuple(_skipped(check, "manifest") for check in CHECKS[1:])
        return StrategyReport(name, "", (manifest.unreadable(error), *rest), None, None)
    subject = Subject(strategy, incumbent, environment, plugins.others(place.root, name))
    wanted = tuple(check for check in CHECKS if not asked.only or check.NAME in asked.only)
    store = EvidenceStore(place.home)
    evidence = _unanswered(subject, bench, complete=len(wanted) == len(CHECKS))
    if evidence is None:
        verdicts = tuple(_verdicts(wanted, subject, bench))
        return StrategyReport(name, strategy.manifest.summary, verdicts, None, None)
    names = tuple(check.NAME for check in wanted)
    known = store.answer(evidence, names) if asked.reads_cache else None
    if known:
        return _reported(subject, bench, known[0], known[1], cached=True)
    verdicts = _verdicts(wanted, subject, bench)
    found = {"verdicts": verdicts, "taken_at": bench.clock.now()}
    evidence = evidence.model_copy(
        update={**found, "trades_digest": _trades(verdicts, subject, bench)}
    )
    return _reported(subject, bench, evidence, store.save(evidence), cached=False)


def _unanswered(subject: Subject, bench: Workbench, *, complete: bool) -> Evidence | None:
    """The evidence that a run will fill; None when the candles do not have what it needs."""
    strategy, environment = subject.strategy, subject.environment
    data = bench.shelf.data
    try:
        data_digest = data.digest_of(strategy.manifest.candle_pairs, strategy.manifest.timeframes)
    except KeyError:
        return None
    return Evidence(
        strategy=strategy.name,
        version=strategy.manifest.version,
        subject_digest=strategy.digest,
        incumbent_digest=subject.incumbent.digest if subject.incumbent else None,
        data_digest=data_digest,
        data_name=bench.shelf.name,
        thresholds_digest=environment.thresholds_digest(),
        demo=environment.demo,
        complete=complete,
        isolation=bench.shell.isolation,
        synthetic=data.synthetic,
        tool_versions=tool_versions(),
        verdicts=(),
        taken_at=bench.clock.now(),
    )


def _verdicts(wanted: tuple[Check, ...], subject: Subject, bench: Workbench) -> tuple[Verdict, ...]:
    verdicts: list[Verdict] = []
    for check in wanted:
        final = next((v.check for v in verdicts if v.final), None)
        verdicts.append(_skipped(check, final) if final else _verdict(check, subject, bench))
    return tuple(verdicts)


def _verdict(check: Check, subject: Subject, bench: Workbench) -> Verdict:
    """One check, timed. What it could not find out is ERRORED, never a pass and never a crash."""
    bench.progress.say(f"{subject.strategy.name}: {check.NAME}")
    started = time.monotonic()
    try:
        verdict = check.run(subject, bench)
    except SluiceError as error:
        finding = Finding(what=error.message, hint=error.hint)
        verdict = Verdict(check=check.NAME, status=Status.ERRORED, findings=(finding,))
    return verdict.model_copy(update={"duration": round(time.monotonic() - started, 3)})


def _skipped(check: Check, because: str) -> Verdict:
    return Verdict(
        check=check.NAME,
        status=Status.SKIPPED,
        findings=(Finding(what=f"did not run, since {because} has to pass first"),),
    )


def _reported(
    subject: Subject, bench: Workbench, evidence: Evidence, path: Path, *, cached: bool
) -> StrategyReport:
    return StrategyReport(
        name=subject.strategy.name,
        summary=subject.strategy.manifest.summary,
        verdicts=evidence.verdicts,
        evidence=evidence,
        path=path,
        cached=cached,
        thresholds=_thresholds(subject),
    )


def _trades(verdicts: tuple[Verdict, ...], subject: Subject, bench: Workbench) -> str | None:
    """The digest of the trades that the backtest was judged by, once it has passed."""
    passed = any(v.check == backtest.NAME and v.status is Status.PASSED for v in verdicts)
    kept = bench.cache.get(log_key(subject.strategy, subject.environment, bench))
    if not passed or kept is None:
        return None
    told = BacktestReply.model_validate_json(kept).windows
    return trades_digest({name: reply.log for name, reply in told.items() if reply.log})


def _thresholds(subject: Subject) -> dict[str, WindowThresholds]:
    own = subject.strategy.manifest.thresholds
    windows = subject.environment.admission.windows
    return {name: merged(asked, own.get(name)) for name, asked in windows.items()}


def _drawn(place: Place, told: StrategyReport, bench: Workbench) -> StrategyReport:
    """The same report with its curves, from the trades that the backtest left in the cache.

    Trades that no backtest was to judge, since the strategy is biased, show nothing but that.
    """
    if told.evidence is None or not _backtested(told.verdicts):
        return told
    strategy = plugins.read(place.root, told.name)
    return replace(told, views=drawable(strategy, place.door(), bench))


def _backtested(verdicts: tuple[Verdict, ...]) -> bool:
    return any(v.check == backtest.NAME and v.status is not Status.SKIPPED for v in verdicts)


def drawable(strategy: Strategy, environment: Door, bench: Workbench) -> tuple[WindowView, ...]:
    """The windows of the admission whose trades are in the cache and can have been made."""
    kept = bench.cache.get(log_key(strategy, environment, bench))
    if kept is None:
        return ()
    own, held_to = strategy.manifest.timeframe, forged.terms(strategy, environment, bench)
    series: dict[str, Candles] = {p: bench.shelf.candles(p, own) for p in strategy.manifest.pairs}
    reply = BacktestReply.model_validate_json(kept)
    found = []
    for name in environment.admission.windows:
        told, window = reply.windows.get(name), bench.shelf.data.windows[name]
        # Trades that cannot have been made would draw a picture of what never was.
        if told and told.log and not forged.problems(told.log, series, window, held_to):
            log = told.log.model_copy(update={"window": name})
            found.append(views.of_window(log, series, window, float(held_to.portfolio.fee)))
    return tuple(found)
