"""The process as a whole: what it is told, what it complains of, and what it never shows."""

import asyncio
import base64
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pipelines.adapters.alerts import Alert
from pipelines.adapters.redaction import Redactor
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.domain.telegram import FILE, TOKEN
from pipelines.errors import ExitCode
from runner.agent.alerts import Alerts
from runner.agent.house import House
from runner.agent.locks import Lock
from runner.telegram.__main__ import LOCK
from runner.telegram.program import Program
from tests.telegram.bot_api import ANN, CHAT, OTHER_CHAT, BotApi

PATIENCE = 20.0
CANARY = "canary-exchange-secret-7f3a"


@dataclass
class Home:
    """A home and a train's folder with nothing in them but what Telegram needs."""

    api: BotApi
    folder: Path

    def __post_init__(self) -> None:
        self.home, self.train = self.folder / "home", self.folder / "train"
        for folder in (self.home, self.train):
            folder.mkdir()
        self.configure()
        self.keep(*TOKEN, self.api.token)

    def configure(self, **keys: Any) -> None:
        given = {"chats": [CHAT], "users": {"ann": ANN}, "api": self.api.url, **keys}
        (self.train / FILE).write_text(yaml.safe_dump(given))

    def keep(self, scope: Scope, name: SecretName, value: str) -> None:
        SecretStore(self.home).put(scope, name, Secret(value), datetime.now(UTC))

    @property
    def alerts(self) -> Alerts:
        return Alerts(self.home / "alerts.jsonl")

    def complaints(self) -> list[str]:
        return [each.text for each in self.alerts.every() if each.kind == "telegram"]

    def until(self, is_so: Callable[[], Any], beside: Awaitable[None] | None = None) -> None:
        """Run the program until something is so."""
        asyncio.run(self._until(is_so, beside))

    async def _until(self, is_so: Callable[[], Any], beside: Awaitable[None] | None) -> None:
        program = Program(House(self.home), self.train, Redactor(), faster=100.0)
        running = [asyncio.ensure_future(program.run())]
        running += [asyncio.ensure_future(beside)] if beside else []
        until = time.monotonic() + PATIENCE
        try:
            while not is_so():
                assert time.monotonic() < until, (self.complaints(), self.api.said())
                if running[0].done():
                    # As its keeper does.
                    running[0].result()
                    running[0] = asyncio.ensure_future(program.run())
                await asyncio.sleep(0.02)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
def home(api: BotApi, tmp_path: Path) -> Home:
    return Home(api, tmp_path)


def test_a_wrong_token_is_complained_of_once_and_over_when_it_is_right(home: Home) -> None:
    right = home.api.token
    home.keep(*TOKEN, "made-up-token")
    home.until(home.complaints)
    (said,) = home.complaints()
    assert said.startswith("telegram: token: Telegram does not know it")
    assert "made-up" not in said
    home.until(home.complaints)
    assert len(home.complaints()) == 1, "another process says it no second time"
    home.keep(*TOKEN, right)
    home.until(lambda: len(home.complaints()) > 1)
    assert home.complaints()[1] == "telegram: token: works again"


def test_a_token_that_telegram_refuses_is_one_that_is_wrong(home: Home) -> None:
    home.api.refuse("getMe", 401, "Unauthorized", times=2)
    home.until(lambda: len(home.complaints()) == 2)
    assert "Telegram does not know it" in home.complaints()[0]


def test_a_missing_token_and_wrong_settings_say_what_to_do(home: Home) -> None:
    SecretStore(home.home).remove(*TOKEN)
    home.until(home.complaints)
    assert "sluice secrets set telegram telegram_token" in home.complaints()[0]
    home.configure(chats=["mine"])
    home.until(lambda: len(home.complaints()) > 1)
    assert "telegram.yaml:" in home.complaints()[1]
    assert "chats[0]" in home.complaints()[1]


def test_a_token_that_a_bot_also_polls_is_complained_of_and_alerts_go_on(home: Home) -> None:
    async def poll() -> None:
        async with httpx.AsyncClient(trust_env=False) as other:
            address = f"{home.api.url}/bot{home.api.token}/getUpdates"
            while True:
                await other.post(address, data={"timeout": "1"})

    home.until(home.complaints, poll())
    (said,) = home.complaints()
    assert "another program asks with this token" in said
    home.alerts.raise_(Alert(at=datetime.now(UTC), severity="warning", text="goes on"))
    home.until(lambda: any("goes on" in text for text in home.api.said()), poll())
    home.api.message("/board")
    home.until(lambda: "telegram: polling: works again" in home.complaints())


def test_a_wrong_chat_is_complained_of_and_the_other_one_gets_everything(home: Home) -> None:
    home.configure(chats=[CHAT, OTHER_CHAT])
    home.api.forget_chat(OTHER_CHAT)
    home.alerts.raise_(Alert(at=datetime.now(UTC), severity="warning", text="to both"))
    home.until(lambda: any("Chat not found" in text for text in home.api.said()))
    assert any("to both" in text for text in home.api.said())
    assert any("chat 1002" in text and "Chat not found" in text for text in home.complaints())


def test_a_change_of_the_file_counts_at_once(home: Home) -> None:
    home.alerts.raise_(Alert(at=datetime.now(UTC), severity="warning", text="one"))
    home.until(home.api.said)

    async def change() -> None:
        home.configure(chats=[OTHER_CHAT])
        home.alerts.raise_(Alert(at=datetime.now(UTC), severity="warning", text="two"))

    home.until(lambda: any("two" in text for text in home.api.said(OTHER_CHAT)), change())


def test_canaries_are_in_no_message_and_in_no_complaint(home: Home) -> None:
    home.keep(Scope("prod", "prod"), SecretName.EXCHANGE_SECRET, CANARY)
    encoded = base64.b64encode(f"x{CANARY}x".encode()).decode()
    texts = [f"it said {CANARY}", f"and {encoded}", f"at /bot{home.api.token}/getMe"]
    with (home.home / "alerts.jsonl").open("a") as file:
        for text in texts:
            alert = Alert(at=datetime.now(UTC), severity="money", text=text)
            file.write(alert.model_dump_json() + "\n")
    home.until(lambda: "/getMe" in "".join(home.api.said()))
    said = "\n".join(home.api.said())
    assert said.count("[redacted]") >= 3
    for canary in (CANARY, encoded[4:-4], home.api.token, home.api.token.partition(":")[2]):
        assert canary not in said
    assert CANARY not in "".join(str(call.args) for call in home.api.calls())


def test_a_log_and_a_process_show_no_token(home: Home) -> None:
    home.api.refuse("*", 401, "Unauthorized", times=9)
    argv = [sys.executable, "-X", "dev", "-m", "runner.telegram", str(home.home), str(home.train)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        until = time.monotonic() + PATIENCE
        while not home.complaints():
            assert time.monotonic() < until
            time.sleep(0.05)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        shown += Path(f"/proc/{process.pid}/environ").read_bytes()
        process.stdin.close()
        assert process.wait(PATIENCE) == 0, "it ends with who keeps it"
        shown += process.stderr.read()
    assert b"Telegram does not know it" in shown
    assert home.api.token.partition(":")[2].encode() not in shown


def test_an_agent_without_telegram_loads_nothing_of_it() -> None:
    program = "import sys, runner.agent.cli; print({'telegram', 'PIL'} & sys.modules.keys())"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"


def test_a_second_process_leaves_the_first_alone(home: Home) -> None:
    held = Lock(home.home / "locks" / LOCK).take()
    assert held is not None
    argv = [sys.executable, "-m", "runner.telegram", str(home.home), str(home.train)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    os.close(held)
    assert ended.returncode == ExitCode.CANNOT_TELL
    assert "another process talks with Telegram" in ended.stderr
    assert home.api.calls() == []
