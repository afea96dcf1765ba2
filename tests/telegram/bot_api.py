"""The stand-in of the Bot API, from a test's side."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

STARTED_SECONDS = 60
CHAT, OTHER_CHAT = 1001, 1002
ANN, BOB, STRANGER = 501, 502, 666


@dataclass(frozen=True)
class Call:
    """One call and its answer."""

    at: float
    method: str
    args: dict[str, Any]
    code: int
    picture: bytes | None

    @property
    def text(self) -> str:
        return str(self.args.get("text") or self.args.get("caption") or "")


@dataclass
class BotApi:
    """One token of the stand-in. Nothing of another one is seen."""

    url: str
    record: Path
    token: str
    _update: int = 100

    def arm(self, method: str, kind: str, **how: Any) -> None:
        self._control(faults=[{"method": method, "kind": kind, **how}])

    def refuse(self, method: str, code: int, description: str, **how: Any) -> None:
        self.arm(method, "refuse", code=code, description=description, **how)

    def clear(self) -> None:
        self._control(clear=True)

    def forget_chat(self, *chats: int) -> None:
        self._control(unknown=list(chats))

    def message(self, text: str, user: int = ANN, chat: int = CHAT) -> None:
        """Somebody writes something."""
        self.put(self.written(text, user, chat))

    def written(self, text: str, user: int = ANN, chat: int = CHAT) -> dict[str, Any]:
        """The update of something that is written, not told to anybody yet."""
        about = {"message_id": self._next(), "date": int(time.time()), "text": text}
        message = {**about, **_chat(chat), "from": _user(user)}
        return {"update_id": self._update, "message": message}

    def tap(self, data: str, user: int = ANN, chat: int = CHAT) -> None:
        """Somebody taps a button."""
        message = {"message_id": 1, "date": int(time.time()), **_chat(chat)}
        query = {"id": str(self._next()), "from": _user(user), "chat_instance": "1", "data": data}
        self.put({"update_id": self._update, "callback_query": {**query, "message": message}})

    def put(self, *updates: dict[str, Any]) -> None:
        """Updates that the next one who asks gets."""
        self._control(updates=list(updates))

    def _next(self) -> int:
        self._update += 1
        return self._update

    def _control(self, **told: Any) -> None:
        with httpx.Client(trust_env=False) as client:
            client.post(f"{self.url}/control/{self.token}", json=told).raise_for_status()

    def calls(self, *methods: str) -> list[Call]:
        query = "SELECT at, method, args, code, picture FROM calls WHERE token = ? ORDER BY number"
        with closing(sqlite3.connect(self.record)) as record:
            rows = record.execute(query, (self.token,)).fetchall()
        found = [Call(r[0], r[1], json.loads(r[2]), r[3], r[4]) for r in rows]
        return [each for each in found if not methods or each.method in methods]

    def said(self, chat: int = CHAT) -> list[str]:
        """What arrived in a chat, as text or under a picture."""
        sent = self.calls("sendMessage", "sendPhoto")
        return [c.text for c in sent if c.code == 200 and int(c.args["chat_id"]) == chat]

    def buttons(self) -> list[tuple[str, str]]:
        """Every button that was shown: its words and its data."""
        found: list[tuple[str, str]] = []
        for call in self.calls("sendMessage", "sendPhoto"):
            markup = json.loads(call.args.get("reply_markup", "{}"))
            rows = markup.get("inline_keyboard", [])
            found += [(b["text"], b["callback_data"]) for row in rows for b in row]
        return found


def _user(user: int) -> dict[str, Any]:
    return {"id": user, "is_bot": False, "first_name": "?"}


def _chat(chat: int) -> dict[str, Any]:
    return {"chat": {"id": chat, "type": "private"}}


@dataclass
class StandIn:
    """A Bot API that answers, for as many tokens as tests ask for."""

    url: str
    record: Path
    _tokens: int = 0

    def bot(self) -> BotApi:
        self._tokens += 1
        token = f"{123456000 + self._tokens}:AAH{'canary0token' * 3}{self._tokens:04}"
        return BotApi(self.url, self.record, token)


@contextmanager
def standing_in(folder: Path) -> Iterator[StandIn]:
    """The stand-in in a process of its own."""
    ready, record = folder / "ready.json", folder / "calls.sqlite"
    argv = [sys.executable, str(Path(__file__).with_name("stand_in.py")), str(ready), str(record)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        until = time.monotonic() + STARTED_SECONDS
        while not ready.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        yield StandIn(json.loads(ready.read_text())["url"], record)
    finally:
        process.kill()
        process.wait()
