"""A rehearsal exchange in a process of its own, and an unmodified ccxt that talks to it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import localcontext
from pathlib import Path
from typing import Any

import ccxt
import pytest
import time_machine

from pipelines.domain.document import Document
from runner.exchange import remote
from runner.exchange.core.faults import FaultName
from runner.exchange.messages import Clear, Fault, Ready, State, Step
from runner.exchange.settings import ccxt_settings
from runner.rehearsal.bot import SteppedBot, stepped_bot

STARTED_SECONDS = 60


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


Serve = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    """ccxt changes how the whole program rounds decimals: here that ends with each test."""
    with localcontext():
        yield


@pytest.fixture(scope="session")
def serve(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Start an exchange: `with serve("--start", "2023-01-02") as exchange`."""

    @contextmanager
    def started(*arguments: str) -> Iterator[Running]:
        folder = tmp_path_factory.mktemp("exchange")
        running = Running(root, folder, arguments)
        running.start()
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.stop()

    return started


@pytest.fixture(scope="module")
def exchange(serve: Serve) -> Iterator[Running]:
    """On the embedded market, in January 2023; alice has 100,000 USDT."""
    funds = "alice:key:secret:USDT=100000"
    with serve("--start", "2023-01-02", "--account", funds) as running:
        yield running


@dataclass
class Bot:
    """A real freqtrade in a process of its own that processes once for every turn."""

    stepped: SteppedBot
    folder: Path

    def turn(self, now: datetime) -> dict[str, Any]:
        return self.stepped.turn(now).model_dump()


StartBot = Callable[[Path, dict[str, Any], str], AbstractContextManager[Bot]]


@pytest.fixture(scope="session")
def start_bot() -> StartBot:
    """Start freqtrade in a folder, with a configuration and the source of a strategy."""

    @contextmanager
    def started(folder: Path, config: dict[str, Any], strategy: str) -> Iterator[Bot]:
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "beat.py").write_text(strategy)
        with pytest.MonkeyPatch.context() as patch:
            # freqtrade writes no log where it thinks that it is itself being tested.
            for name in [name for name in os.environ if "PYTEST" in name]:
                patch.delenv(name)
            bot = ExitStack()
            stepped = bot.enter_context(stepped_bot(folder, [folder / "config.json"]))
        with bot:
            yield Bot(stepped, folder)

    return started
