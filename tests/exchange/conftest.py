"""A rehearsal exchange in a process of its own, and an unmodified ccxt that talks to it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from runner.rehearsal.bot import SteppedBot, stepped_bot
from tests.exchange.running import Running, running

Serve = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(scope="session")
def serve(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Start an exchange: `with serve("--start", "2023-01-02") as exchange`."""

    @contextmanager
    def started(*arguments: str) -> Iterator[Running]:
        with running(root, tmp_path_factory.mktemp("exchange"), *arguments) as exchange:
            yield exchange

    return started


@pytest.fixture(scope="module")
def exchange(serve: Serve) -> Iterator[Running]:
    """On the embedded market, in January 2023; alice has 100,000 USDT."""
    funds = "alice:key:secret:USDT=100000"
    with serve("--start", "2023-01-02", "--account", funds) as served:
        yield served


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
