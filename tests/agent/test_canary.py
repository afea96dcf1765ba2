"""Secrets that are planted, errors that are full of them, and a search of everything there is."""

import base64
import os
import secrets as dice
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.adapters import agent
from pipelines.adapters.agent import About
from pipelines.errors import BadInput
from runner.exchange.messages import NewAccount
from tests.agent.conftest import Lay
from tests.agent.train import Train
from tests.exchange.test_live_bot import BEAT

pytestmark = pytest.mark.freqtrade

TELLS = (
    BEAT
    + """
    def bot_start(self, **kwargs):
        import base64, logging, sys, urllib.parse
        exchange = self.config["original_config"]["exchange"]
        for value in (exchange["api_key"], exchange["secret"]):
            shown = (value, repr({"x": value}), value.encode().hex(), urllib.parse.quote(value))
            shown += tuple(base64.b64encode(b"." * n + value.encode()).decode() for n in range(3))
            for one in shown:
                print("printed", one, flush=True)
                print("complained", one, file=sys.stderr, flush=True)
                logging.getLogger("freqtrade").error("logged %s", one)
        # What the agent reads back, and remembers as the reason why it does not let this trade.
        self.config["bot_name"] = exchange["secret"]
"""
)
"""Says what it was told in every way that it has."""


@dataclass(frozen=True)
class Canary:
    """Two secrets that exist nowhere else, and a train that was told them."""

    train: Train
    key: str
    secret: str

    def forms(self) -> list[bytes]:
        """How they could be written."""
        found = []
        for value in (self.key.encode(), self.secret.encode()):
            found += [value, value.hex().encode(), value[::-1]]
            # The ends depend on what stands beside it.
            found += [base64.b64encode(b"." * n + value)[4:-4] for n in range(3)]
        return found

    def seen_in(self, content: bytes) -> bool:
        return any(form in content for form in self.forms())


@pytest.fixture(scope="module")
def canary(lay: Lay) -> Iterator[Canary]:
    """A bot that tells everything was started, found out, and given up; one on paper goes on."""
    key, secret = (f"{dice.token_hex(12)}/+{dice.token_urlsafe(24)}" for _ in range(2))
    with lay() as train:
        opened = NewAccount(
            name="canary",
            key=key,
            secret=secret,
            addresses=("127.0.0.1",),
            funds={"USDT": Decimal(250)},
        )
        train.exchange.ask("account", opened)
        train.secret("sandbox", key, secret)
        train.start()
        train.want("test", train.release("1.0.0"))
        train.until_phase("test", "running")
        train.want("sandbox", train.release("2.0.0", TELLS))
        train.until(lambda: "escalated" in train.counted() or train.round() is None)
        yield Canary(train, key, secret)


def test_what_the_bot_told_stands_there_without_the_secret(canary: Canary) -> None:
    """Otherwise the search that follows finds nothing because there is nothing."""
    log = (canary.train.home / "bots" / "demo.sandbox" / "beat" / "log").read_text()
    assert "printed [redacted]" in log
    assert "complained [redacted]" in log
    assert "logged [redacted]" in log
    (entry,) = (e for e in canary.train.entries() if e["entry"] == "unverified")
    assert "bot: should be sandbox beat 2.0.0, is [redacted]" in entry["reason"]
    assert any("is [redacted]" in alert.text for alert in canary.train.alerts("money"))
    assert "[redacted]" in canary.train.strategy("sandbox").decision


def test_what_people_say_is_remembered_without_the_secret(canary: Canary) -> None:
    for verb in ("halt", "resume"):
        told = About(environment="sandbox", reason=f"the key was {canary.key}, wasn't it")
        agent.ask(canary.train.home, verb, told)
    reasons = [e["reason"] for e in canary.train.entries() if e["entry"] in ("halted", "resumed")]
    assert reasons == ["the key was [redacted], wasn't it"] * 2


def test_errors_are_told_without_the_secret(canary: Canary) -> None:
    with pytest.raises(BadInput) as caught:
        agent.ask(canary.train.home, "halt", About(environment=canary.secret))
    assert caught.value.message == "[redacted]: there is no such environment"


def test_what_the_exchange_says_no_to_is_told_without_the_secret(canary: Canary) -> None:
    train = canary.train
    train.secret("sandbox", canary.key, canary.secret[::-1])
    train.want("sandbox", train.release("3.0.0"))
    assert "is not accepted" in train.strategy("sandbox").decision


def test_no_file_and_no_process_shows_it(canary: Canary, runtime: Path) -> None:
    """Home, evidence, ledger, the folder that a reboot empties, and every process there is."""
    home = canary.train.home
    files = [p for folder in (home, runtime) for p in folder.rglob("*") if p.is_file()]
    names = {path.name for path in files}
    assert {"agent.log", "preloaded.log", "alerts.jsonl", "ledger.sqlite", "loaded.json",
            "log", "values.json", "test.beat.json"} <= names  # fmt: skip
    assert [path for path in files if canary.seen_in(path.read_bytes())] == []

    looked = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        looked[int(process.name)] = canary.seen_in(shown)
    assert canary.train.pid("test") in looked
    assert canary.train.whereabouts in looked
    assert [pid for pid, seen in looked.items() if seen] == []


def test_an_agent_that_falls_shows_no_secret(canary: Canary) -> None:
    """Errors that nobody catches carry whatever they were about."""
    falls = (
        "import os\n"
        "from runner.agent import cli\n"
        "from runner.agent.tick import Agent\n"
        "from pipelines.adapters.secrets import SecretStore\n"
        "from pipelines.domain.secret import Scope\n"
        "def tick(agent):\n"
        "    held = SecretStore(agent.crew.house.home).held(Scope('sandbox', 'sandbox'))\n"
        "    raise KeyError(*(secret.reveal() for secret in held.values()))\n"
        "Agent.tick = tick\n"
        "cli.main()\n"
    )
    train = canary.train
    train.secret("sandbox", canary.key, canary.secret)
    train.stop()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", falls, *train.arguments, "once"],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    finally:
        train.start()
    assert ended.returncode == 1
    assert b"KeyError: ('[redacted]', '[redacted]')" in ended.stderr
    assert not canary.seen_in(ended.stdout + ended.stderr)
