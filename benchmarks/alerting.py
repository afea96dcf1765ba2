"""How long until a phone knows: from a fault on the host to a message that the Bot API has taken.

A real agent, the process that it keeps for Telegram, and a stand-in of the Bot API on loopback. The
fault is a file of an environment that nobody can read any more, at a random moment of a tick: the
agent's next round sees it, raises an alert of money, and that is told. Nothing is shortened.
"""

import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import yaml
from figures import Figure, show

from pipelines.adapters import agent
from pipelines.adapters.alerts import Alert
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Secret
from pipelines.domain.telegram import FILE, TOKEN
from pipelines.errors import SluiceError
from runner.agent.alerts import Alerts
from tests.agent.train import Train, laid
from tests.telegram.bot_api import ANN, CHAT, BotApi, standing_in

ROOT = Path(__file__).resolve().parent.parent
TICK_SECONDS = 10.0
SAMPLES = 12
FLOOD = 500
PATIENCE_SECONDS = 60.0


def main(candles: Path | None, home: Path) -> list[Figure]:
    """All figures; candles are not needed."""
    return measured(home, SAMPLES, TICK_SECONDS, FLOOD)


def measured(folder: Path, samples: int, tick: float, flood: int) -> list[Figure]:
    """So many faults with rounds so many seconds apart, and then so many alerts at once."""
    with standing_in(folder) as stand_in, _running(folder, stand_in.bot(), tick) as (api, train):
        delays = [_delay(api, train, number, tick) for number in range(samples)]
        memory = _memory(train.home)
        messages, seconds = _flood(api, train.home, flood)
    worst = statistics.quantiles(delays, n=100)[-1] if len(delays) > 99 else max(delays)
    return [
        Figure("alert_delay_seconds_p99", worst, "s", "< 15"),
        Figure("alert_delay_seconds_median", statistics.median(delays), "s"),
        Figure("telegram_memory_mb", memory, "MB"),
        Figure("flood_messages", messages, f"for {flood} alerts"),
        Figure("flood_seconds", seconds, "s"),
    ]


@contextmanager
def _running(folder: Path, api: BotApi, tick: float) -> Iterator[tuple[BotApi, Train]]:
    train = laid(ROOT, folder, None)  # type: ignore[arg-type]
    train.home.mkdir()
    there = train.project / "environments" / "demo"
    told = {"chats": [CHAT], "users": {"ann": ANN}, "api": api.url}
    (there / FILE).write_text(yaml.safe_dump(told))
    scope, name = TOKEN
    SecretStore(train.home).put(scope, name, Secret(api.token), datetime.now(UTC))
    argv = [sys.executable, "-m", "runner.agent", "--root", str(train.project)]
    argv += ["--home", str(train.home), "--train", "environments/demo", "--host", "demo"]
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [*argv, "run", "--tick", str(tick)], cwd=train.project, stdout=log, stderr=log
        )
    try:
        _until(lambda: api.calls("getMe"))
        _until(lambda: _round(train.home))
        yield api, train
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _delay(api: BotApi, train: Train, number: int, tick: float) -> float:
    """From one fault until the Bot API has taken the message about it."""
    path = train.project / "environments" / "demo" / "test.yaml"
    before, whole = len(api.said()), path.read_text()
    _round(train.home)
    time.sleep(random.Random(number).uniform(0, tick))
    broken = time.time()
    path.write_text(f"{whole}\nfault_{number}: true\n")
    _until(lambda: any(f"fault_{number}" in text for text in api.said()[before:]))
    taken = next(c.at for c in api.calls("sendMessage") if f"fault_{number}" in c.text)
    path.write_text(whole)
    return taken - broken


def _flood(api: BotApi, home: Path, count: int) -> tuple[int, float]:
    """Messages and seconds that so many alerts at once take."""
    before, began = len(api.said()), time.monotonic()
    alerts = Alerts(home / "alerts.jsonl")
    for number in range(count):
        text = f"flood {number}; a bot does not answer any more"
        alerts.raise_(Alert(at=datetime.now(UTC), severity="warning", text=text))
    last = f"flood {count - 1};"
    _until(lambda: any(last in text for text in api.said()[before:]))
    return len(api.said()) - before, time.monotonic() - began


def _memory(home: Path) -> float:
    """What the process that talks with Telegram has for itself, and its part of what is shared."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"runner.telegram" in words and str(home).encode() in words:
                lines = (process / "smaps_rollup").read_text().splitlines()
                pss = next(line for line in lines if line.startswith("Pss:"))
                return int(pss.split()[1]) / 1024
        except OSError:
            continue
    return 0.0


def _round(home: Path) -> bool:
    """Whether the agent answers; a round follows."""
    try:
        agent.ask(home, "status")
    except SluiceError:
        return False
    return True


def _until(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise SystemExit("what was waited for did not come")
        time.sleep(0.05)


if __name__ == "__main__":
    show(__doc__, main)
