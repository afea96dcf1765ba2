"""The bench of the planted strategies: a small market, real children, and bait that is watched.

Whether something hostile was stopped is never asked of the strategy. The bait stands on our side:
secrets that must turn up nowhere, a listener that must hear nothing, a process and a folder that
must stay as they are, and no process may be left behind.
"""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pipelines.adapters import feather, markets
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.processes import Processes
from pipelines.checks import CHECKS
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.candles import TIMEFRAMES, Candles, DataSet
from pipelines.domain.child import Ended, Job
from pipelines.domain.environment import Door
from pipelines.domain.evidence import Isolation
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
PAIRS = ("BTC/USDT", "ETH/USDT")
DAYS = 150
FIRST = 1_609_459_200_000
"""2021-01-01 in UTC milliseconds."""

WINDOWS = {
    "whole": ("2021-01-25", "2021-05-28"),
    "first": ("2021-01-25", "2021-03-05"),
    "second": ("2021-03-06", "2021-05-28"),
}

ADMISSION = {"whole": {"min_trades": 10, "min_profit": 0.01}}
"""What the small market asks for unless a control says otherwise: fit to be met by the twins."""

TESTS = b"def test_signals(signals, candles):\n    signals(candles.flat(700))\n"
"""Every plugin has a test; the controls are about what else is wrong."""


def hourly(pair: str) -> Candles:
    """A wave of two days on a walk, whose level falls by half in the middle and comes back.

    In the last two weeks it falls for good.
    """
    hours = np.arange(DAYS * 24)
    seed, shift = np.random.default_rng(PAIRS.index(pair)), 0.7 * PAIRS.index(pair)
    level = np.interp(hours / 24, (0, 70, 86, 104, 136, 150), (100, 100, 55, 102, 104, 76))
    strays = np.exp(list(accumulate(seed.normal(0, 0.008, len(hours)), _pulled_back)))
    close = np.round(level * strays * (1 + 0.04 * np.sin(2 * np.pi * hours / 48 + shift)), 2)
    opening = np.concatenate(([close[0]], close[:-1]))
    high = np.round(np.maximum(opening, close) + 0.1, 2)
    low = np.round(np.minimum(opening, close) - 0.1, 2)
    time_ = FIRST + TIMEFRAMES["1h"] * hours.astype(np.int64)
    return Candles(pair, "1h", time_, opening, high, low, close, np.full(len(hours), 10.0))


def _pulled_back(strayed: float, step: float) -> float:
    return 0.998 * strayed + step


def longer(candles: Candles, timeframe: str) -> Candles:
    """The same prices in candles of a longer timeframe that divides the days."""
    many = TIMEFRAMES[timeframe] // TIMEFRAMES[candles.timeframe]
    rows = {
        name: getattr(candles, name).reshape(-1, many)
        for name in ("time", "open", "high", "low", "close", "volume")
    }
    return Candles(
        candles.pair,
        timeframe,
        rows["time"][:, 0],
        rows["open"][:, 0],
        rows["high"].max(axis=1),
        rows["low"].min(axis=1),
        rows["close"][:, -1],
        rows["volume"].sum(axis=1),
    )


@dataclass(frozen=True)
class SmallShelf:
    """Two made-up pairs, in files of this session."""

    folder: Path
    name: str = "controls"

    @property
    def data(self) -> DataSet:
        series = {
            pair: {timeframe: self._pinned(pair, timeframe) for timeframe in ("1h", "4h")}
            for pair in PAIRS
        }
        windows = {name: {"start": start, "end": end} for name, (start, end) in WINDOWS.items()}
        return DataSet.model_validate(
            {
                "exchange": "binance",
                "synthetic": True,
                "source": "made up for tests/controls",
                "windows": windows,
                "series": series,
            },
            strict=False,
        )

    def _pinned(self, pair: str, timeframe: str) -> dict[str, Any]:
        candles = self.candles(pair, timeframe)
        ends = (int(candles.time[0]), int(candles.time[-1]))
        start, end = (datetime.fromtimestamp(each / 1000, UTC) for each in ends)
        return {"digest": candles.digest, "rows": len(candles), "start": start, "end": end}

    def candles(self, pair: str, timeframe: str) -> Candles:
        own = hourly(pair)
        return own if timeframe == "1h" else longer(own, timeframe)

    def path(self, pair: str, timeframe: str) -> Path:
        path = self.folder / f"{pair.replace('/', '_')}-{timeframe}.feather"
        if not path.exists():
            feather.write(path, self.candles(pair, timeframe))
        return path

    @contextmanager
    def lend(self, series: Sequence[Candles]) -> Iterator[Mapping[tuple[str, str], Path]]:
        with TemporaryDirectory(dir=self.folder) as folder:
            paths = {}
            for candles in series:
                key = candles.pair, candles.timeframe
                paths[key] = Path(folder, f"{key[0].replace('/', '_')}-{key[1]}.feather")
                feather.write(paths[key], candles)
            yield paths

    def markets(self, pairs: tuple[str, ...]) -> bytes:
        return markets.markets(pairs, "spot", None)


@dataclass
class Quiet:
    """Clock, progress and a cache that keeps nothing."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def say(self, text: str) -> None:
        pass

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, content: bytes) -> None:
        pass


@dataclass
class Overheard:
    """The real shell. Its children get `limits`, and all that comes out of them is kept."""

    shell: Processes
    limits: Mapping[str, float]
    ended: list[Ended] = field(default_factory=list)

    @property
    def isolation(self) -> Isolation:
        return self.shell.isolation

    def run(self, job: Job) -> Ended:
        # YAML's 20 is a float here, and limits in whole numbers stay whole.
        own = {n: type(getattr(job.limits, n))(value) for n, value in self.limits.items()}
        ended = self.shell.run(replace(job, limits=replace(job.limits, **own)))
        self.ended.append(ended)
        return ended

    def stop(self) -> None:
        self.shell.stop()

    @property
    def everything(self) -> bytes:
        parts = (part for end in self.ended for part in (end.reply or b"", end.output.encode()))
        return b"\n".join(parts)


@dataclass(frozen=True)
class Run:
    """One check of one strategy: its verdict, its last reply, and all that its children said."""

    verdict: Verdict
    reply: bytes | None
    heard: bytes

    @property
    def told(self) -> bytes:
        return self.heard + self.verdict.model_dump_json().encode()


class Bait:
    """What hostile code would like to have or to harm. `words` stand for it in specimens.

    `touched` says what was had or harmed; nothing of it is ever asked of the strategy.
    """

    def __init__(self, folder: Path, enter: ExitStack) -> None:
        # A server that other tests use may run beside us.
        self.there = _children()
        self.token = secrets.token_hex(16)
        self.outside = folder / "outside"
        self.outside.mkdir()
        (self.outside / "kept").write_text("as it was")
        self.secret = folder / "secret.txt"
        self.secret.write_text(f"file-{self.token}")
        self.beside = ROOT.parent / f"sluice-control-{self.token[:8]}.txt"
        self.beside.write_text(f"beside-{self.token}")
        enter.callback(self.beside.unlink)
        self.variable = f"SLUICE_CONTROL_{self.token[:8]}"
        patch = enter.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(self.variable, f"variable-{self.token}")
        self.heard: list[bytes] = []
        self.listener = enter.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=self._listen, daemon=True).start()
        self.victim = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(3600)"],
            env={"SECRET": f"process-{self.token}"},
        )
        enter.callback(self.victim.wait)
        enter.callback(self.victim.kill)

    @property
    def words(self) -> Mapping[str, str]:
        return {
            "@secret@": str(self.secret),
            "@beside@": str(self.beside),
            "@variable@": self.variable,
            "@port@": str(self.listener.getsockname()[1]),
            "@victim@": str(self.victim.pid),
            "@outside@": str(self.outside),
        }

    def planted_in(self, text: str) -> str:
        """A specimen's text with the bait's names in it."""
        for word, meaning in self.words.items():
            text = text.replace(word, meaning)
        return text

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.close()
                self.heard.append(b"a connection")

    def touched(self, told: bytes = b"") -> list[str]:
        """What was had or harmed so far, given what came out of the children."""
        found = [] if self.token.encode() not in told else ["a secret came out"]
        found += ["the listener heard a connection"] * bool(self.heard)
        found += ["the other process is gone"] * (self.victim.poll() is not None)
        there = sorted(path.name for path in self.outside.iterdir())
        if there != ["kept"] or (self.outside / "kept").read_text() != "as it was":
            found.append(f"the folder outside holds {there}")
        return found

    def children_left(self) -> list[str]:
        """What children left running: it came to us when its parent ended. It is ended here."""
        left = []
        for pid in _children() - self.there - {self.victim.pid}:
            name = Path(f"/proc/{pid}/stat").read_text()
            left += [name] * (name.rpartition(")")[2].split()[0] != "Z")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return left


def _children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


@pytest.fixture
def bait(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bait]:
    """Laid out anew. What outlives its parent comes to us, so that it can be counted."""
    become_subreaper = 36
    ctypes.CDLL(None).prctl(become_subreaper, 1, 0, 0, 0)
    with ExitStack() as stack:
        yield Bait(tmp_path_factory.mktemp("bait"), stack)
    ctypes.CDLL(None).prctl(become_subreaper, 0, 0, 0, 0)


def named(check: str) -> ModuleType:
    """The module of a check."""
    found = {each.NAME: each for each in CHECKS}
    assert check in found, f"there is no check {check!r}: there are {', '.join(found)}"
    module = found[check]
    assert isinstance(module, ModuleType)
    return module


@pytest.fixture(scope="session")
def plugin() -> Callable[..., Strategy]:
    """Makes a strategy of a text."""
    return _plugin


def _plugin(
    text: str,
    informative: tuple[str, ...] = (),
    tests: bytes = TESTS,
) -> Strategy:
    """A strategy of this text, as if it lay in the repository."""
    manifest = Manifest.model_validate(
        {
            "class": "Plugin",
            "version": "1.0.0",
            "owner": "us",
            "summary": "planted",
            "pairs": PAIRS,
            "timeframe": "1h",
            "informative": informative,
            "handover": "drain",
        }
    )
    files = {"plugin/strategy.py": text.encode(), "plugin/test_plugin.py": tests}
    return Strategy("plugin", manifest, tuple(SourceFile(*item) for item in files.items()))


def environment(admission: Mapping[str, Mapping[str, float]]) -> Door:
    """The test environment, with thresholds that fit the small market."""
    return Door.model_validate(
        {
            "name": "test",
            "mode": "dry_run",
            "host": "pi",
            "runtime": "process",
            "exchange": {"name": "binance"},
            "initial_state": "running",
            "policy": {"approval": "merge"},
            "protections": {"max_drawdown": "0.2", "max_orders_per_hour": 60},
            "portfolio": {
                "stake_currency": "USDT",
                "starting_balance": 1000,
                "max_open_trades": 2,
                "fee": "0.001",
            },
            "admission": {
                "max_forced_exit_share": "0.2",
                "windows": {
                    window: {name: str(value) for name, value in asked.items()}
                    for window, asked in (admission or ADMISSION).items()
                },
                "incumbent": {
                    "max_sharpe_loss": "0.1",
                    "max_profit_loss": "0.1",
                    "max_drawdown_rise": "0.03",
                },
            },
        },
        strict=False,
    )


Examine = Callable[..., Run]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> SmallShelf:
    """The small market."""
    return SmallShelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def examine(
    tmp_path_factory: pytest.TempPathFactory, shelf: SmallShelf, enclosure: Enclosure
) -> Examine:
    """Runs one check on one strategy, as `--only` does, in a real child.

    Bytes that were examined once are not examined again: many specimens have the same twin.
    """
    folder = tmp_path_factory.mktemp("controls")
    known: dict[tuple[str, ...], Run] = {}

    def run(
        check: str,
        strategy: Strategy,
        admission: Mapping[str, Mapping[str, float]],
        limits: Mapping[str, float],
    ) -> Run:
        key = (check, strategy.digest, repr(strategy.manifest), repr(admission), repr(limits))
        if key not in known:
            shell = Processes(folder / "home", enclosure)
            known[key] = _run(shell, shelf, check, strategy, admission, limits)
        return known[key]

    return run


def _run(
    real: Processes,
    shelf: SmallShelf,
    check: str,
    strategy: Strategy,
    admission: Mapping[str, Mapping[str, float]],
    limits: Mapping[str, float],
) -> Run:
    quiet = Quiet()
    bench = Workbench(
        shell=(shell := Overheard(real, limits)),
        shelf=shelf,
        clock=quiet,
        progress=quiet,
        cache=quiet,
        linter=None,  # type: ignore[arg-type]  # the lint check has its own corpus
        jobs=2,
    )
    subject = Subject(strategy, None, environment(admission))
    verdict = named(check).run(subject, bench)
    return Run(verdict, shell.ended[-1].reply, shell.everything)
