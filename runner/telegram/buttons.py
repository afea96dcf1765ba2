"""Buttons that do something dangerous: each once, for one user, for a while. They outlive us."""

import json
import secrets as dice
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runner.telegram.journal import Journal

DO, LEAVE = "do", "no"
"""How the data of a button begins that does it, or leaves it."""


@dataclass(frozen=True)
class Button:
    """What a tap asks of the agent; `about` says it in words."""

    token: str
    user: int
    chat: int
    verb: str
    args: Mapping[str, Any]
    about: str


@dataclass(frozen=True)
class Buttons:
    """All that were offered."""

    journal: Journal

    def offer(self, button: Button, now: datetime, lasts: timedelta) -> str:
        """Offer something; the token of it, that nobody can guess."""
        token, expires = dice.token_urlsafe(12), (now + lasts).timestamp()
        self.journal.database.execute(
            "INSERT INTO buttons (token, user, chat, verb, args, about, expires) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (token, button.user, button.chat, button.verb, json.dumps(dict(button.args)),
             button.about, expires),
        )  # fmt: skip
        return token

    def take(self, token: str, user: int, chat: int, now: datetime) -> Button | str:
        """Use a button up, before anything is done; or why it cannot be used."""
        with self.journal.whole() as database:
            row = database.execute(
                "SELECT user, chat, verb, args, about, expires, state FROM buttons "
                "WHERE token = ?", (token,),
            ).fetchone()  # fmt: skip
            if row is None:
                return "nobody knows this button any more: ask again"
            whose, where, verb, args, about, expires, state = row
            if (whose, where) != (user, chat):
                return "this is somebody else's button: ask yourself"
            if state != "open":
                return "this button was used already: ask again"
            if now.timestamp() > expires:
                return "this button has expired: ask again"
            database.execute("UPDATE buttons SET state = 'taken' WHERE token = ?", (token,))
        return Button(token, user, chat, verb, json.loads(args), about)

    def done(self, token: str) -> None:
        """What it asked for was answered."""
        self.journal.database.execute("UPDATE buttons SET state = 'done' WHERE token = ?", (token,))

    def interrupted(self) -> tuple[Button, ...]:
        """Those that were used up when we were killed: nobody knows whether they were done."""
        with self.journal.whole() as database:
            rows = database.execute(
                "SELECT token, user, chat, verb, args, about FROM buttons WHERE state = 'taken'"
            ).fetchall()
            database.execute("UPDATE buttons SET state = 'done' WHERE state = 'taken'")
        return tuple(
            Button(token, user, chat, verb, json.loads(args), about)
            for token, user, chat, verb, args, about in rows
        )
