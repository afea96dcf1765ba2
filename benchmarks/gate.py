"""How fast the gate is: `python benchmarks/gate.py [--json] [--candles FOLDER]`.

warm_vs_cold
    Eight backtests: the first two shipped strategies by name, on the four windows of the gate that
    do not contain each other (`whole` contains the rest). Both decide by signals alone, as most
    published strategies do. Stock: eight cold runs of `freqtrade backtesting`, one after another.
    Ours: one program that starts a server for each strategy in full isolation, side by side, each
    with a fork for every window; the attack on the isolation, once in every boot, came before.
    Both are timed from the start of an interpreter; all trades must be the same.
warm_vs_cold_callbacks
    The same for the third, on its four windows: it adjusts its stop in every candle, in
    freqtrade's own loop, which is the same work on both sides. So it gains less, and is shown.
load_vs_freqtrade
    Loading twenty SEEDED (made-up) pairs with a year of five minutes, decimals kept from an earlier
    run; `_first` without them; `_recorded` the recorded pairs, where there are any.
unchanged_seconds, full_check_seconds, worker_peak_mb
    `sluice check` of one strategy on the embedded market: all checks with an empty state folder,
    then the same again. The peak is that of the largest process, shared memory counted in full.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import seeded
import stock
from figures import Figure, Measure, show
from warm import ROOT, Plan

from pipelines.adapters.markets import markets
from pipelines.domain.candles import milliseconds
from pipelines.domain.child import Job
from pipelines.freqtrade.config import CANDLES, TICKS, candle_file
from pipelines.freqtrade.messages import BacktestReply, Span

SIGNALS = ("bollinger_rsi", "calm_momentum")
CALLBACKS = ("trend_breakout",)
WINDOWS = ("bull", "bear", "sideways", "out_of_sample")


class Unequal(Exception):
    """Both sides did not come to the same: then there is nothing to compare."""


def run(*argv: str, cwd: Path = ROOT, ok: tuple[int, ...] = (0,)) -> tuple[float, str]:
    """Seconds and standard output of a program of ours, its interpreter's start included."""
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *argv], cwd=cwd, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if ended.returncode not in ok:
        raise RuntimeError(f"{argv}: {ended.returncode}\n{ended.stdout}{ended.stderr}"[-4000:])
    return seconds, ended.stdout


def warm_vs_cold(plan: Plan) -> float:
    """How many times as fast as cold runs the plan is."""
    bench = plan.bench()
    jobs = plan.jobs(bench)
    for job in jobs:
        for path in job.inputs.values():
            Path(path).read_bytes()  # both sides find the files in the system's memory
    # The isolation is attacked once in every boot: not by the run that is timed.
    bench.shell.run(Job("this", jobs[0].request))
    seconds, printed = run(str(ROOT / "benchmarks/warm.py"), *plan.arguments())
    replies = [BacktestReply.model_validate_json(line) for line in printed.splitlines()]
    cold = sum(_cold(job, reply) for job, reply in zip(jobs, replies, strict=True))
    return cold / seconds


def _cold(job: Job, reply: BacktestReply) -> float:
    """Seconds of the stock program on every window of a job, one after another."""
    total = 0.0
    with (
        stock.exchange(job.files["markets.json"]) as port,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        stock.lay_out(job, folder, port)
        for window, span in windows_of(job).items():
            began = time.perf_counter()
            told = stock.backtest(folder, f"{span.start}-{span.end - 1}", window)
            total += time.perf_counter() - began
            log = reply.windows[window].log
            unequal = stock.differences(told, log) if log else [reply.windows[window].error]
            if unequal:
                raise Unequal(f"{window}: {unequal[0]}")
    return total


def windows_of(job: Job) -> Mapping[str, Span]:
    """The windows that a job asks for."""
    found: Mapping[str, Span] = job.request.windows  # type: ignore[attr-defined]
    return found


def load_vs_freqtrade(job: Job, timerange: str) -> tuple[float, float]:
    """How many times as fast candles are loaded: with decimals that were kept, and without."""
    kept = {path: text for path, text in job.files.items() if path.startswith(f"{TICKS}/")}
    first = replace(job, files={path: t for path, t in job.files.items() if path not in kept})
    theirs = _load("stock", job, timerange)
    ratios = []
    for ours in (_load("warm", job, timerange), _load("warm", first, timerange)):
        if (ours["loaded"], ours["trades"]) != (theirs["loaded"], theirs["trades"]):
            raise Unequal("what was loaded, or its trades, are not the same")
        ratios.append(theirs["seconds"] / ours["seconds"])
    return ratios[0], ratios[1]


def _load(kind: str, job: Job, timerange: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        stock.lay_out(job, Path(name), port=0)
        script = str(ROOT / "benchmarks/loading.py")
        # What freqtrade prints itself comes before our line.
        _, printed = run(script, kind, timerange, cwd=Path(name))
    found: dict[str, object] = json.loads(printed.splitlines()[-1])
    return found


def seeded_job(folder: Path, model: Job, count: int = 20, rows: int = seeded.YEAR) -> Job:
    """A job like `model` on made-up pairs of five minutes."""
    from pipelines.adapters import feather
    from pipelines.domain.ticks import packed
    from pipelines.freqtrade.config import tick_file

    files = seeded.write(folder, count, rows)
    config = json.loads(model.files["config.json"])
    config["timeframe"] = "5m"
    config["exchange"]["pair_whitelist"] = list(files)
    source = {p: t for p, t in model.files.items() if p.endswith(".py")}
    return replace(
        model,
        files={
            **{p: t.replace(b'timeframe = "1h"', b'timeframe = "5m"') for p, t in source.items()},
            "config.json": json.dumps(config).encode(),
            "markets.json": markets(tuple(files), "spot", None),
            **{
                f"{TICKS}/{tick_file(pair, '5m')}": packed(feather.read(path, pair, "5m"))
                for pair, path in files.items()
            },
        },
        inputs={f"{CANDLES}/{candle_file(pair, '5m')}": path for pair, path in files.items()},
    )


def recorded_job(plan: Plan, model: Job) -> tuple[Job, str]:
    """A job like `model` on the recorded candles of five minutes, and the span that they cover."""
    from pipelines.adapters import plugins
    from pipelines.checks import ticks

    shelf, manifest = plan.bench().shelf, plugins.read(ROOT, plan.strategies[0]).manifest
    fine = manifest.model_copy(update={"timeframe": "5m"})
    config = json.loads(model.files["config.json"])
    config["timeframe"] = "5m"
    source = {p: t for p, t in model.files.items() if p.endswith(".py")}
    window = shelf.data.windows["out_of_sample"]
    job = replace(
        model,
        files={
            **{p: t.replace(b'timeframe = "1h"', b'timeframe = "5m"') for p, t in source.items()},
            "config.json": json.dumps(config).encode(),
            "markets.json": model.files["markets.json"],
            **ticks.files(fine, shelf, plan.bench().cache),
        },
        inputs={
            f"{CANDLES}/{candle_file(pair, '5m')}": shelf.path(pair, "5m") for pair in fine.pairs
        },
    )
    return job, f"{milliseconds(window.opens)}-{milliseconds(window.closes) - 1}"


def checks(home: Path, name: str) -> tuple[float, float, float]:
    """Seconds of all checks, of the answer from the cache, and the largest process in MB."""
    argv = ["-m", "pipelines.cli", "--root", str(ROOT), "--home", str(home), "check", name]
    watch = str(ROOT / "benchmarks/gate.py")
    seconds, printed = run(watch, "--watch", *argv)
    again, _ = run(*argv, "--json", ok=(0, 1))
    return seconds, again, float(printed.splitlines()[-1])


def watch(argv: list[str]) -> None:
    """Run a program, then print the peak in MB of the largest process that it was made of."""
    subprocess.run([sys.executable, *argv], stdout=subprocess.DEVNULL, stderr=2, check=False)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def measured(candles: Path | None, home: Path) -> list[Figure]:
    """Every figure, one after another."""
    plan = Plan(home / "a", candles, SIGNALS, WINDOWS)
    job = plan.jobs(plan.bench())[0]
    year = f"{seeded.FIRST}-{seeded.FIRST + seeded.STEP * seeded.YEAR - 1}"
    full, again, peak = checks(home / "b", SIGNALS[0])
    kept, first = load_vs_freqtrade(seeded_job(home / "seeded", job), year)
    ratio = warm_vs_cold(plan)
    callbacks = warm_vs_cold(replace(plan, strategies=CALLBACKS))
    figures = [
        Figure("warm_vs_cold", ratio, "x", ">= 6"),
        Figure("warm_vs_cold_callbacks", callbacks, "x"),
        Figure("load_vs_freqtrade", kept, "x (20 seeded pairs)", ">= 10"),
        Figure("load_vs_freqtrade_first", first, "x (20 seeded pairs)"),
        Figure("unchanged_seconds", again, "s", "< 1"),
        Figure("full_check_seconds", full, "s", "< 60"),
        Figure("worker_peak_mb", peak, "MB", "< 500"),
    ]
    if candles:
        ratio, _ = load_vs_freqtrade(*recorded_job(plan, job))
        figures.insert(4, Figure("load_vs_freqtrade_recorded", ratio, "x (5 recorded pairs)"))
    return figures


def main(measure: Measure = measured) -> None:
    """Parse, measure, print."""
    if sys.argv[1:2] == ["--watch"]:
        return watch(sys.argv[2:])
    return show("How fast the gate is", measure)


if __name__ == "__main__":
    main()
