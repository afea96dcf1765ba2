"""A rehearsal exchange in a process of its own, for whoever tests against one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ccxt
import time_machine

from pipelines.domain.document import Document
from runner.exchange import remote
from runner.exchange.core.faults import FaultName
from runner.exchange.messages import Clear, Fault, Ready, State, Step
from runner.exchange.settings import ccxt_settings

STARTED_SECONDS = 180


@dataclass
class Running:
    """An exchange that answers. Its one account is alice, with what `serve` was told."""

    root: Path
    folder: Path
    arguments: tuple[str, ...]
    process: subprocess.Popen[str] = field(init=False)
    ready: Ready = field(init=False)

    @property
    def ready_file(self) -> Path:
        return self.folder / "ready.json"

    def start(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "runner.exchange", "serve", "--root", str(self.root)]
        argv += ["--clock", "stepped", "--ready-file", str(self.ready_file), *self.arguments]
        argv += ["--journal", str(self.folder / "journal.sqlite")]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(argv, stderr=log, text=True)
        until = time.monotonic() + STARTED_SECONDS
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.02)
        self.ready = remote.located(self.ready_file)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0, self.log

    def ask(self, verb: str, message: Document | None = None) -> State:
        return remote.ask(self.ready, verb, message)

    def step(self, **by: Any) -> State:
        return self.ask("step", Step(to=self.now + timedelta(**by)))

    def fault(self, name: FaultName = "lost_answer", **how: Any) -> State:
        return self.ask("fault", Fault(name=name, **how))

    def clear(self) -> State:
        return self.ask("clear", Clear())

    @property
    def now(self) -> datetime:
        return self.ask("status").now

    def then(self) -> AbstractContextManager[object]:
        """The exchange's time, for whoever talks to it."""
        return time_machine.travel(self.now, tick=False)

    def ccxt(self, key: str = "key", secret: str = "secret") -> ccxt.binance:
        """ccxt as it is, configured only."""
        return ccxt.binance({**ccxt_settings(self.ready.api_url), "apiKey": key, "secret": secret})


@contextmanager
def running(root: Path, folder: Path, *arguments: str) -> Iterator[Running]:
    """An exchange that keeps what it writes in `folder`; it has ended when this ends."""
    exchange = Running(root, folder, arguments)
    exchange.start()
    try:
        yield exchange
    finally:
        if exchange.process.poll() is None:
            exchange.stop()
