"""The manifest: does the folder hold what it promises, and can it be checked with what there is?"""

import ast
from collections.abc import Iterator

from pipelines.checks import promises
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import TIMEFRAMES, DataSet
from pipelines.domain.environment import Door
from pipelines.domain.source import NotPython, parse
from pipelines.domain.strategy import Manifest, Strategy
from pipelines.domain.thresholds import looser
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.errors import BadInput, CannotTell, Problem, Problems

NAME = "manifest"


def run(subject: Subject, bench: Workbench) -> Verdict:
    """Everything that is wrong, at once. Without a sound manifest nothing further is checked."""
    try:
        data, name = bench.shelf.data, bench.shelf.name
    except (BadInput, CannotTell) as error:
        finding = Finding(what=f"candles: {error.message}", hint=error.hint)
        return Verdict(check=NAME, status=Status.ERRORED, findings=(finding,), final=True)
    findings = tuple(_findings(subject, data, name))
    status = Status.FAILED if findings else Status.PASSED
    return Verdict(check=NAME, status=status, findings=findings, final=bool(findings))


def unreadable(error: BadInput) -> Verdict:
    """The verdict on a plugin that could not even be read."""
    problems = error.problems if isinstance(error, Problems) else (error,)
    findings = tuple(_finding(problem) for problem in problems)
    return Verdict(check=NAME, status=Status.FAILED, findings=findings, final=True)


def _finding(problem: BadInput) -> Finding:
    if not isinstance(problem, Problem):
        return Finding(what=problem.message, hint=problem.hint)
    place = f"{problem.where}:{problem.line}" if problem.line else problem.where
    what = f"{place}: {problem.key}" if problem.key else place
    said, _, got = problem.bare.partition(", got ")
    if got and said.startswith("should be "):
        return Finding(
            what=what, expected=said.removeprefix("should be "), actual=got, hint=problem.hint
        )
    return Finding(what=f"{what}: {problem.bare}", hint=_UNSUPPORTED.get(problem.key, problem.hint))


_UNSUPPORTED = {
    "pairlists": "pairs are fixed in 'pairs', so that what was checked is what is traded",
    "freqai": "a model that trains itself on the way is not what was checked; not supported",
}


def _findings(subject: Subject, data: DataSet, data_name: str) -> Iterator[Finding]:
    strategy, environment = subject.strategy, subject.environment
    yield from _source(strategy, environment)
    yield from promises.of_parameters(strategy)
    yield from _beside(strategy)
    yield from _market(strategy, environment)
    yield from _recorded(strategy, data, data_name)
    yield from _thresholds(strategy, environment)
    yield from _version(strategy, subject.incumbent)
    yield from _twins(subject)


def _yaml(strategy: Strategy, key: str) -> str:
    return f"strategies/{strategy.name}/strategy.yaml: {key}"


def _source(strategy: Strategy, environment: Door) -> Iterator[Finding]:
    file = strategy.file("strategy.py")
    place = f"strategies/{strategy.name}/strategy.py"
    if file is None:
        yield Finding(what=f"{place}: there is no such file", hint="the class goes there")
        return
    try:
        tree = parse(file.content)
    except NotPython as error:
        line = f":{error.line}" if error.line else ""
        hint = "freqtrade could not load it either"
        yield Finding(what=f"{place}{line}: {error.message}", hint=hint)
        return
    yield from promises.of_source(strategy, tree, environment.portfolio.stake_currency)


def _beside(strategy: Strategy) -> Iterator[Finding]:
    folder = f"strategies/{strategy.name}"
    names = [file.path.rsplit("/", 1)[-1] for file in strategy.files]
    if not any(name.startswith("test_") and name.endswith(".py") for name in names):
        yield Finding(
            what=f"{folder}: has no tests",
            expected=f"at least test_{strategy.name}.py",
            hint="show when it enters and when it does not; see 'sluice docs strategy'",
        )
    yield from _never_run(strategy)
    if strategy.file("README.md") is None:
        yield Finding(
            what=f"{folder}: has no README.md",
            expected="what the strategy believes, and when it is wrong",
            hint="the reviewer and whoever is on call read it",
        )


def _never_run(strategy: Strategy) -> Iterator[Finding]:
    """Tests that only look as if they were run: nobody would miss them."""
    for file in strategy.files:
        name = file.path.removeprefix(f"{strategy.name}/")
        if not name.endswith(".py") or (name.startswith("test_") and "/" not in name):
            continue
        try:
            count = sum(map(_is_test, parse(file.content).body))
        except NotPython:
            continue
        if count:
            yield Finding(
                what=f"strategies/{file.path}: holds tests that are never run",
                expected="test_*.py in the folder itself, where they are looked for",
                actual=f"{count} in {name}",
                hint="rename or move the file",
            )


def _is_test(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test")
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def _market(strategy: Strategy, environment: Door) -> Iterator[Finding]:
    manifest, stake = strategy.manifest, environment.portfolio.stake_currency
    for pair in manifest.pairs:
        quote, _, settle = pair.split("/")[1].partition(":")
        if quote != stake:
            yield Finding(
                what=_yaml(strategy, f"pairs: {pair}"),
                expected=f"a pair quoted in {stake}, the stake currency of {environment.name}",
                actual=f"quoted in {quote}",
                hint="profit is counted in one currency",
            )
        if bool(settle) != (manifest.trading_mode == "futures"):
            yield Finding(
                what=_yaml(strategy, f"pairs: {pair}"),
                expected="BTC/USDT for spot, BTC/USDT:USDT for futures",
                actual=f"{pair} with trading_mode: {manifest.trading_mode}",
            )
    yield from _twice(strategy, "pairs", manifest.pairs)
    yield from _twice(strategy, "informative", manifest.informative)
    yield from _twice(strategy, "informative_pairs", manifest.informative_pairs)
    yield from _shorter(strategy, manifest)


def _twice(strategy: Strategy, key: str, values: tuple[str, ...]) -> Iterator[Finding]:
    for value in dict.fromkeys(values):
        if (times := values.count(value)) > 1:
            yield Finding(
                what=_yaml(strategy, f"{key}: {value}"),
                expected="once",
                actual=f"{times} times",
                hint="keep one of them",
            )


def _shorter(strategy: Strategy, manifest: Manifest) -> Iterator[Finding]:
    for timeframe in manifest.informative:
        if TIMEFRAMES[timeframe] < TIMEFRAMES[manifest.timeframe]:
            yield Finding(
                what=_yaml(strategy, f"informative: {timeframe}"),
                expected=f"{manifest.timeframe} or longer",
                actual=timeframe,
                hint="candles shorter than its own would show the strategy its future",
            )


def _recorded(strategy: Strategy, data: DataSet, name: str) -> Iterator[Finding]:
    manifest = strategy.manifest
    if manifest.trading_mode != data.trading_mode:
        yield Finding(
            what=_yaml(strategy, "trading_mode"),
            expected=f"{data.trading_mode}, of which the candles {name!r} are",
            actual=manifest.trading_mode,
            hint="what cannot be checked on recorded candles is not admitted",
        )
        return
    for pair in dict.fromkeys(manifest.candle_pairs):
        key = "pairs" if pair in manifest.pairs else "informative_pairs"
        series = data.series.get(pair)
        if series is None:
            yield _not_recorded(strategy, f"{key}: {pair}", tuple(data.series), pair, name)
            continue
        for timeframe in dict.fromkeys(manifest.timeframes):
            if timeframe not in series:
                what = f"{key}: {pair} {timeframe}"
                yield _not_recorded(strategy, what, tuple(series), timeframe, name)


def _not_recorded(
    strategy: Strategy, what: str, there: tuple[str, ...], wanted: str, name: str
) -> Finding:
    listed = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
    return Finding(
        what=_yaml(strategy, what),
        expected=f"one of {listed}" if there else "recorded candles",
        actual=wanted,
        hint=f"the candles {name!r} have none; see 'sluice docs data' for adding some",
    )


def _thresholds(strategy: Strategy, environment: Door) -> Iterator[Finding]:
    for window, own in strategy.manifest.thresholds.items():
        asked = environment.admission.windows.get(window)
        for finding in looser(window, own, asked):
            yield finding.model_copy(update={"what": _yaml(strategy, finding.what)})


def _version(strategy: Strategy, incumbent: Strategy | None) -> Iterator[Finding]:
    if incumbent is None or incumbent.digest == strategy.digest:
        return
    now, before = strategy.manifest, incumbent.manifest
    if now.release_number <= before.release_number:
        major, minor, patch = before.release_number
        yield Finding(
            what=_yaml(strategy, "version"),
            expected=f"greater than {before.version}",
            actual=now.version,
            hint=f"the content changed: {major}.{minor}.{patch + 1} for a repair, "
            f"{major}.{minor + 1}.0 for new behaviour",
        )


def _twins(subject: Subject) -> Iterator[Finding]:
    strategy = subject.strategy
    for name, class_name in subject.others:
        if name.casefold() == strategy.name.casefold():
            yield Finding(
                what=f"strategies/{strategy.name}: differs from strategies/{name} only in case",
                hint="rename one of them: some file systems hold them for the same",
            )
        if class_name.casefold() == strategy.manifest.class_name.casefold():
            yield Finding(
                what=_yaml(strategy, "class"),
                expected="a name of its own",
                actual=f"{class_name}, as in strategies/{name}",
                hint="freqtrade finds a strategy by its class name, and would take either",
            )
