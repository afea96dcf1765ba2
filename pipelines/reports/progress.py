"""How far long work is, on standard error: alive on a terminal, one line per step elsewhere."""

import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status as Spinner
from rich.text import Text

from pipelines.domain.verdict import Verdict
from pipelines.reports.plain import SYMBOLS, plain, seconds
from pipelines.reports.terminal import STYLES, Encodable


class Progress:
    """Satisfies the checks' `Progress`. Use it as a context manager around the work.

    `clock` gives seconds that only run forward.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._clock = clock
        self._began = clock()
        self._doing = ""
        self._lock = Lock()
        self._spinner = self._spin() if self._alive else None

    def __enter__(self) -> Self:
        self._began = self._clock()
        if self._spinner:
            self._spinner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._spinner:
            self._spinner.stop()

    def start(self, strategy: str, check: str) -> None:
        """A check of a strategy begins."""
        with self._lock:
            self._doing = f"{plain(strategy, 60)}: {plain(check, 40)}"
            self._step(self._doing)

    def say(self, text: str) -> None:
        """What the check that runs is at."""
        with self._lock:
            said = plain(text)
            self._step(f"{self._doing}: {said}" if self._doing else said)

    def done(self, verdict: Verdict) -> None:
        """The check that began last came to its verdict. This line stays on a terminal."""
        with self._lock:
            doing = self._doing or plain(verdict.check, 40)
            self._doing = ""
            line = Text(f"{SYMBOLS[verdict.status]} {doing} ")
            line.append(verdict.status.value, STYLES[verdict.status])
            self._print(line.append(f" {seconds(verdict.duration)}", "dim"))

    @property
    def _alive(self) -> bool:
        console = self._console
        return console.is_terminal and not console.is_dumb_terminal and not self._quiet

    def _spin(self) -> Spinner:
        dots = "line" if self._console.options.ascii_only else "dots"
        return Spinner("", console=self._console, spinner=dots)

    def _step(self, text: str) -> None:
        if self._spinner is None:
            self._print(Text(text))
            return
        # The spinner draws over one line: a longer text would leave remains behind.
        line = Text(text, no_wrap=True, overflow="ellipsis")
        line.truncate(max(self._console.width - 4, 10), overflow="ellipsis")
        self._spinner.update(Encodable(line))

    def _print(self, line: Text) -> None:
        if self._quiet:
            return
        if self._spinner is None:
            line = Text(f"{self._clock() - self._began:7.1f} s  ").append_text(line)
        self._console.print(Encodable(line), soft_wrap=True)
