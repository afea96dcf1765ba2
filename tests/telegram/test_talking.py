"""A whole conversation: the agent with its child, light bots, and a Bot API on loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Secret
from pipelines.domain.telegram import FILE, TOKEN
from pipelines.domain.worth import Exposure
from runner.agent.alerts import Alert
from runner.agent.door import open_door
from runner.agent.kept import Tally
from runner.agent.messenger import Messenger
from runner.agent.verbs import Verbs
from runner.monitoring.noted import Noted
from tests.agent.light import Light, files, launched_by, light, project
from tests.exchange.test_live_bot import BEAT
from tests.telegram.bot_api import ANN, BOB, CHAT, OTHER_CHAT, STRANGER, BotApi

PATIENCE = 60.0
MEASURED = Noted(equity=Decimal(1000), exposure=Exposure({}), tally=Tally(sent=0, rejected=0))


@dataclass
class Talk:
    """An agent of light bots that serves its door, and the child that it keeps for Telegram."""

    light: Light
    api: BotApi
    messenger: Messenger = field(init=False)

    def __post_init__(self) -> None:
        self.messenger = Messenger(self.light.agent.seat, self.light.home)
        users = {"ann": ANN, "bob": BOB}
        self.configure(chats=[CHAT, OTHER_CHAT], users=users, confirm=20)
        scope, name = TOKEN
        SecretStore(self.light.home).put(scope, name, Secret(self.api.token), datetime.now(UTC))
        self._door = open_door(self.light.home, messenger=self.messenger.pid)
        self._verbs = Verbs(self.light.agent, self.light.train.project)

    def configure(self, **keys: Any) -> None:
        path = self.light.agent.seat.train / FILE
        path.write_text(yaml.safe_dump({"api": self.api.url, **keys}))

    def until(self, is_so: Callable[[], Any]) -> Any:
        """Rounds of the agent, until something is so."""
        until = time.monotonic() + PATIENCE
        while not (found := is_so()):
            assert time.monotonic() < until, (self.api.said(), self.light.alerts())
            self.messenger.keep()
            self._door.serve(self._verbs.answer, 0.05)
        return found

    def answered(self, text: str, *parts: str, user: int = ANN) -> str:
        """What comes back to something that somebody writes."""
        before = len(self.api.said())
        self.api.message(text, user)

        def told() -> list[str]:
            return [said for said in self.api.said()[before:] if all(p in said for p in parts)]

        return str(self.until(told)[-1])

    def button(self, text: str, words: str = "do it") -> str:
        """The data of the button that a command makes."""
        before = len(self.api.buttons())
        self.api.message(text)

        def shown() -> list[str]:
            return [data for name, data in self.api.buttons()[before:] if words in name]

        return str(self.until(shown)[0])

    def tapped(self, data: str, user: int = ANN, chat: int = CHAT) -> str:
        """What a tap is answered with, in the chat or above it."""
        before = len(self.api.said()), len(self.notes())
        self.api.tap(data, user, chat)
        self.until(lambda: self.api.said()[before[0] :] or "".join(self.notes()[before[1] :]))
        return "\n".join((*self.api.said()[before[0] :], *self.notes()[before[1] :]))

    def notes(self) -> list[str]:
        return [call.text for call in self.api.calls("answerCallbackQuery")]

    def acted(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.light.entries() if entry["entry"] == kind]

    def close(self) -> None:
        self.messenger.__exit__(None, None, None)
        self._door.close()


@pytest.fixture(scope="module")
def train(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return project(root, tmp_path_factory.mktemp("train"), None)


@pytest.fixture(scope="module")
def bots(root: Path, train: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Light]:
    """A light bot on paper that runs, and a release for it."""
    folder = tmp_path_factory.mktemp("light")
    launcher = launched_by(folder, root)
    try:
        with light(train, launcher, folder / "home") as there:
            _, tar, dsse = files(train, "1.0.0", BEAT)
            there.deliver((tar, dsse))
            there.settle()
            there.trades("test", opened=1, closed=3)
            # No guard measures a light bot.
            there.agent.observing.guard.noted["test", "beat"] = MEASURED
            there.agent.tick()
            yield there
    finally:
        launcher.close()


@pytest.fixture(scope="module")
def talk(bots: Light, stand_in: Any) -> Iterator[Talk]:
    there = Talk(bots, stand_in.bot())
    there.until(lambda: there.api.calls("getMe"))
    yield there
    there.close()


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("/status", ("<b>test · paper</b>", "beat", "1.0.0", "ok", "running", "1 open")),
        ("/board", ("test", "sandbox", "prod", "beat", "1.0.0")),
        ("/health", ("ok test beat",)),
        ("/balance", ("10,000.00 USDT", "beat")),
        ("/profit", ("test beat 1.0.0", "3 closed")),
        ("/daily", ("test beat 1.0.0", "03-01")),
        ("/trades", ("BTC/USDT", "#1 ", "+0.0%")),
        ("/performance test beat", ("BTC/USDT",)),
        ("/explain beat sandbox", ("sandbox", "it may not enter")),
        ("/explain", ("needs a release and an environment",)),
        ("/nonsense", ("/status", "/flatten", "/ack")),
    ],
)
def test_a_command_that_looks_is_answered_on_a_narrow_screen(
    talk: Talk, command: str, parts: tuple[str, ...]
) -> None:
    said = talk.answered(command, *parts)
    for block in said.split("<pre>")[1:]:
        lines = block.partition("</pre>")[0].splitlines()
        assert [line for line in lines if len(line) > 34] == []


def test_a_stranger_and_another_chat_are_not_answered(talk: Talk) -> None:
    before = len(talk.api.said()), len(talk.api.calls("sendMessage"))
    talk.api.message("/status", user=STRANGER)
    talk.api.message("/status", chat=9999)
    talk.answered("/board", "beat")
    assert len(talk.api.said()) == before[0] + 1
    assert len(talk.api.calls("sendMessage")) == before[1] + 1


def test_alert_message_button_halt_ledger(talk: Talk) -> None:
    talk.light.agent.alerts.raise_(
        Alert(at=datetime.now(UTC), severity="money", kind="stop", environment="test",
              strategy="beat", text="a stop is missing")
    )  # fmt: skip
    talk.until(lambda: any("a stop is missing" in each for each in talk.api.said()))
    data = talk.button("/halt test beat")
    assert talk.acted("halted") == [], "a command alone does nothing"
    assert "open no more trades: test beat" in talk.tapped(data)
    (halted,) = talk.acted("halted")
    assert (halted["by"], halted["reason"]) == (f"telegram:{ANN}", "ann on Telegram")
    assert talk.answered("/status", "HALTED")
    assert "used already" in talk.tapped(data)
    assert len(talk.acted("halted")) == 1
    assert "open trades again" in talk.tapped(talk.button("/resume test beat"))
    (resumed,) = talk.acted("resumed")
    assert resumed["by"] == f"telegram:{ANN}"


def test_an_alert_is_acknowledged_by_its_button_and_that_is_written_down(talk: Talk) -> None:
    alert = Alert(at=datetime.now(UTC), severity="money", text="look at this")
    talk.light.agent.alerts.raise_(alert)
    (said,) = talk.until(lambda: [text for text in talk.api.said() if "look at this" in text])
    data = f"ack:{said.rpartition('#m')[2]}"
    assert ("✓ I know", data) in talk.api.buttons()
    assert "ann knows of 1 alerts" in talk.tapped(data)
    assert (talk.acted("acted")[-1]["by"], talk.acted("acted")[-1]["about"]) == (
        f"telegram:{ANN}",
        [alert.id],
    )


def test_a_button_is_bound_to_its_user_and_its_chat(talk: Talk) -> None:
    data = talk.button("/halt test")
    count = len(talk.acted("halted"))
    assert "somebody else" in talk.tapped(data, user=BOB)
    assert "somebody else" in talk.tapped(data, chat=OTHER_CHAT)
    assert len(talk.acted("halted")) == count
    assert "left" in talk.tapped(data.replace("do:", "no:"))
    assert "used already" in talk.tapped(data)
    assert "nobody knows" in talk.tapped("do:made-up")
    assert len(talk.acted("halted")) == count


def test_an_update_that_comes_twice_and_out_of_order_is_worked_off_once(talk: Talk) -> None:
    one, two = talk.api.written("/board"), talk.api.written("/health")
    before = len(talk.api.said())
    talk.api.put(two, one, two, one)
    talk.until(lambda: len(talk.api.said()) >= before + 2)
    talk.api.put(one | {"stuck": True})
    talk.answered("/status", "test · paper")
    assert sum("<b>board</b>" in each for each in talk.api.said()[before:]) == 1
    assert sum("<b>health</b>" in each for each in talk.api.said()[before:]) == 1


def test_forceexit_and_restart_are_in_the_ledger_with_who_asked(talk: Talk) -> None:
    assert "close all trades" in talk.tapped(talk.button("/forceexit test beat all"))
    assert (talk.acted("acted")[-1]["what"], talk.acted("acted")[-1]["by"]) == (
        "forceexit",
        f"telegram:{ANN}",
    )
    pid = talk.light.running()["test.beat"]
    assert "end bots" in talk.tapped(talk.button("/restart test beat"))
    assert talk.acted("acted")[-1]["about"] == ["test.beat"]
    assert talk.light.running().get("test.beat") != pid


def test_a_promotion_that_may_not_enter_has_no_button(talk: Talk) -> None:
    before = len(talk.api.buttons())
    said = talk.answered("/promote beat prod", "A tap is no signature", "sluice approve beat@1.0.0")
    assert "it may not enter" in said
    assert len(talk.api.buttons()) == before


def test_nobody_else_speaks_for_others(talk: Talk) -> None:
    """The same user of the system, with another process than the one that the agent keeps."""
    program = (
        "import sys; from pathlib import Path; from pipelines.adapters import agent\n"
        "from pipelines.errors import SluiceError\n"
        f"try: agent.ask(Path({str(talk.light.home)!r}), 'status', by='telegram:{ANN}')\n"
        "except SluiceError as error: sys.exit(error.message)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as asking:
        talk.until(lambda: asking.poll() is not None)
        assert asking.stderr is not None
        assert b"nobody speaks for others" in asking.stderr.read()
        assert asking.returncode


def test_killed_in_the_middle_of_sending_it_says_it_again_with_the_same_number(talk: Talk) -> None:
    talk.api.arm("sendMessage", "slow", seconds=30)
    alert = Alert(at=datetime.now(UTC), severity="warning", text="told although we were killed")
    talk.light.agent.alerts.raise_(alert)
    journal = talk.light.home / "telegram.sqlite"
    talk.until(lambda: _trying(journal))
    pid = talk.messenger.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    talk.until(lambda: any("although we were killed" in each for each in talk.api.said()))
    (said,) = [each for each in talk.api.said() if "although we were killed" in each]
    assert "sent again: it may have arrived before" in said
    assert talk.messenger.pid() != pid


def _trying(journal: Path) -> bool:
    import sqlite3

    with sqlite3.connect(journal) as opened:
        query = "SELECT COUNT(*) FROM letters WHERE state = 'trying'"
        return bool(opened.execute(query).fetchone()[0])


def test_the_child_ends_with_the_agent_also_when_that_is_killed(talk: Talk) -> None:
    pid = talk.until(talk.messenger.pid)
    talk.messenger.__exit__(None, None, None)
    assert talk.messenger.pid() is None
    assert not Path(f"/proc/{pid}").exists()
