"""What a check gets to work with. Everything that does I/O comes in through here."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager as Context
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pipelines.domain.candles import Candles, DataSet
from pipelines.domain.child import Ended, Job
from pipelines.domain.environment import Door
from pipelines.domain.evidence import Isolation
from pipelines.domain.source import LintMessage
from pipelines.domain.strategy import Strategy
from pipelines.domain.verdict import Verdict


class Shell(Protocol):
    """Runs child processes. The only way to run strategy code. `run` may be called by threads."""

    @property
    def isolation(self) -> Isolation: ...
    def run(self, job: Job) -> Ended: ...

    def stop(self) -> None:
        """End every job that runs, for good: whoever started them was interrupted."""
        ...


class Shelf(Protocol):
    """The candles of one data set. Reading validates against the lock.

    :raises BadInput: from every method, when there are no such candles or they are not sound.
    """

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> DataSet: ...
    def candles(self, pair: str, timeframe: str) -> Candles: ...
    def path(self, pair: str, timeframe: str) -> Path: ...
    def markets(self, pairs: tuple[str, ...]) -> bytes:
        """Market metadata as ccxt parses it: JSON, symbol to market."""
        ...

    def lend(self, series: Sequence[Candles]) -> Context[Mapping[tuple[str, str], Path]]:
        """Files of other candles, by pair and timeframe, until the context ends.

        :raises CannotTell: when they cannot be written.
        """
        ...


class Clock(Protocol):
    """What time it is, as far as evidence is concerned."""

    def now(self) -> datetime: ...


class Progress(Protocol):
    """Where long work says how far it is."""

    def say(self, text: str) -> None: ...


class Cache(Protocol):
    """Keeps what was computed once, by a key that names everything it depends on."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, content: bytes) -> None: ...


class Linter(Protocol):
    """Style, which is read off the source without running it.

    :raises CannotTell: when the linter is missing or breaks.
    """

    def run(self, files: Mapping[str, bytes]) -> tuple[LintMessage, ...]:
        """What it says about files, keyed by their path below `strategies/`."""
        ...


@dataclass(frozen=True)
class Workbench:
    """`jobs` children may run at once. `engine` names the code that measures, for cache keys."""

    shell: Shell
    shelf: Shelf
    clock: Clock
    progress: Progress
    cache: Cache
    linter: Linter
    jobs: int = 1
    engine: str = ""


@dataclass(frozen=True)
class Subject:
    """What is checked: a strategy, held against an environment's door.

    `incumbent` is the same strategy at the merge base, None when it is new or was not asked for.
    `others` are the names and class names of all plugins beside it.
    """

    strategy: Strategy
    incumbent: Strategy | None
    environment: Door
    others: tuple[tuple[str, str], ...] = ()


class Check(Protocol):
    """A module that examines a subject. It never raises for what a strategy does wrong."""

    NAME: str

    def run(self, subject: Subject, bench: Workbench) -> Verdict: ...
