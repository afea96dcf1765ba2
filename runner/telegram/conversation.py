"""What is answered to whoever is allowed to ask."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from pipelines.adapters.redaction import Redactor
from pipelines.domain.telegram import Telegram
from pipelines.errors import SluiceError
from runner.telegram import wording
from runner.telegram.asking import Asking
from runner.telegram.buttons import DO, LEAVE, Button, Buttons
from runner.telegram.danger import DANGER, Objection, Wish
from runner.telegram.journal import Journal
from runner.telegram.reading import READING
from runner.telegram.routine import drawn
from runner.telegram.sender import ACKNOWLEDGE
from runner.telegram.wording import said

logger = logging.getLogger(__name__)

_TRIES = 3
_PICTURES = 4


@dataclass(frozen=True)
class Conversation:
    """`home` is the agent's."""

    bot: Bot
    journal: Journal
    settings: Telegram
    hidden: Redactor
    home: Path
    now: Callable[[], datetime]

    @property
    def buttons(self) -> Buttons:
        """The buttons that were offered."""
        return Buttons(self.journal)

    async def hear(self, update: Update, user: int, chat: int) -> None:
        """Answer one update of an allowed user in an allowed chat."""
        if update.callback_query is not None:
            await self._tapped(update, user, chat)
        elif update.message is not None and (update.message.text or "").startswith("/"):
            command, *words = (update.message.text or "").split()
            await self._asked(command[1:].partition("@")[0].lower(), words, user, chat)

    async def greet(self) -> None:
        """Say what became of buttons that were tapped when we were killed."""
        for button in self.buttons.interrupted():
            text = f"I was ended while this was done: {said(button.about)}. Look at /status first."
            await self._say(button.chat, text)

    async def _asked(self, command: str, words: Sequence[str], user: int, chat: int) -> None:
        asking = Asking(self.home, user)
        try:
            if command in READING:
                text = await asyncio.to_thread(READING[command][0], asking, words)
                await self._say(chat, text)
            elif command == "picture":
                await self._pictures(asking, words, chat)
            elif command == "ack":
                await self._acknowledging(user, chat)
            elif command in DANGER:
                wish = await asyncio.to_thread(DANGER[command][0], asking, words)
                await self._offer(wish, user, chat)
            else:
                await self._say(chat, _commands())
        except SluiceError as error:
            await self._say(chat, _told(error))

    async def _pictures(self, asking: Asking, words: Sequence[str], chat: int) -> None:
        found = await asyncio.to_thread(lambda: drawn(asking.trades(*words[:2])))
        if not found:
            await self._say(chat, "no release has closed a trade there")
        for caption, picture in found[:_PICTURES]:
            await self._quietly(
                self.bot.send_photo(chat, picture, caption=self.hidden.text(caption))
            )

    async def _acknowledging(self, user: int, chat: int) -> None:
        waiting = self.journal.unacknowledged()
        if not waiting:
            await self._say(chat, "everything is acknowledged")
            return
        ids = [each.alert.id for each in waiting]
        await self._say(chat, wording.again([each.alert for each in waiting]))
        about = f"acknowledge {len(ids)} alerts"
        await self._offer(Wish("acknowledge", {"alerts": ids}, about), user, chat)

    async def _offer(self, wish: Wish | Objection, user: int, chat: int) -> None:
        if isinstance(wish, Objection):
            await self._say(chat, wish.text)
            return
        lasts = timedelta(seconds=self.settings.confirm)
        button = Button("", user, chat, wish.verb, wish.args, wish.about)
        token = self.buttons.offer(button, self.now(), lasts)
        who = self.settings.name_of(user)
        text = f"<b>{said(wish.about)}</b>\nonly {who} can, within {lasts.seconds} seconds"
        await self._say(
            chat, text, [("✓ do it", f"{DO}:{token}"), ("✗ leave it", f"{LEAVE}:{token}")]
        )

    async def _tapped(self, update: Update, user: int, chat: int) -> None:
        query = update.callback_query
        assert query is not None
        kind, _, token = (query.data or "").partition(":")
        if kind == ACKNOWLEDGE and token.isdecimal():
            about = [each.alert.id for each in self.journal.told_in(int(token))]
            taken: Button | str = Button("", user, chat, "acknowledge", {"alerts": about}, "alerts")
        else:
            taken = self.buttons.take(token, user, chat, self.now())
        if isinstance(taken, str):
            await self._quietly(query.answer(taken, show_alert=True))
            return
        await self._quietly(query.answer())
        if kind == LEAVE:
            self.buttons.done(token)
            await self._say(chat, f"left: {said(taken.about)}")
            return
        await self._say(chat, await self._done(taken, user))
        self.buttons.done(token)
        await self._quietly(query.edit_message_reply_markup(None))

    async def _done(self, button: Button, user: int) -> str:
        """Ask the agent, and what it said."""
        who = self.settings.name_of(user)
        args: dict[str, Any] = dict(button.args)
        if button.verb != "acknowledge":
            args["reason"] = f"{who} on Telegram"
        try:
            told = await asyncio.to_thread(Asking(self.home, user).ask, button.verb, args)
        except SluiceError as error:
            return f"<b>not done:</b> {said(button.about)}\n{_told(error)}"
        if button.verb == "acknowledge":
            self.journal.acknowledge(args["alerts"], str(who))
            return f"✅ {who} knows of {len(args['alerts'])} alerts"
        left = [line for each in _every(told) for line in each.get("left") or ()]
        rest = "".join(f"\n✗ {said(line)}" for line in left)
        return f"{'⚠' if left else '✅'} {said(button.about)}{rest}"

    async def _say(self, chat: int, text: str, buttons: Sequence[tuple[str, str]] = ()) -> None:
        """Answer; one that is too long comes in parts."""
        text = self.hidden.text(text)
        row = [InlineKeyboardButton(name, callback_data=data) for name, data in buttons]
        markup = InlineKeyboardMarkup([row]) if row else None
        if len(text) > wording.LONGEST:
            for piece in wording.plain(text):
                await self._try(chat, piece, None)
        else:
            await self._try(chat, text, markup)

    async def _try(self, chat: int, text: str, markup: InlineKeyboardMarkup | None) -> None:
        for wait in range(_TRIES):
            try:
                await self.bot.send_message(chat, text, parse_mode="HTML", reply_markup=markup)
            except RetryAfter as error:
                seconds = error.retry_after
                await asyncio.sleep(
                    seconds if isinstance(seconds, int) else seconds.total_seconds()
                )
            except BadRequest as error:
                logger.warning("an answer was not taken: %s", error.message)
                return
            except NetworkError as error:
                logger.warning("an answer did not arrive: %s", error.message)
                await asyncio.sleep(float(wait))
            except TelegramError as error:
                logger.warning("an answer was not taken: %s", error.message)
                return
            else:
                return

    async def _quietly(self, call: Any) -> None:
        try:
            await call
        except TelegramError as error:
            logger.info("telegram: %s", error.message)


def _every(told: Any) -> list[dict[str, Any]]:
    return [each for each in (told if isinstance(told, list) else [told]) if isinstance(each, dict)]


def _told(error: SluiceError) -> str:
    lines = "\n".join(f"✗ {said(line)}" for line in error.message.splitlines())
    return f"{lines}\n<i>{said(error.hint)}</i>" if error.hint else lines


def _commands() -> str:
    """Every command."""
    told = {name: does for table in (READING, DANGER) for name, (_, does) in table.items()}
    told["picture"] = "equity and drawdown by release [ENV] [STRATEGY]"
    told["ack"] = "alerts that nobody has acknowledged"
    return "\n".join(f"/{name} {said(does)}" for name, does in told.items())
