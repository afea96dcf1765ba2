"""Sends what is on its way, to each chat in order; what Telegram answers decides what follows."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError

from runner.telegram import wording
from runner.telegram.journal import Journal, Letter

logger = logging.getLogger(__name__)

ACKNOWLEDGE = "ack"
"""How the data of a button begins that acknowledges the alerts of a message."""

_AGAIN = "<i>sent again: it may have arrived before</i>"
_SHUT_SECONDS = 600.0
_MOST_SECONDS = 60.0
_PACE_SECONDS = 1.05
_PACE_OF_GROUPS = 3.05


@dataclass
class Sender:
    """One chat's. `complain` tells the host's people what keeps messages from it, and `content`
    that nothing does any more. `faster` is for tests only: everything waits so many times less.
    """

    bot: Bot
    journal: Journal
    chat: int
    complain: Callable[[str], None]
    content: Callable[[], None]
    faster: float = 1.0
    _failures: int = field(default=0, init=False)

    async def once(self) -> float:
        """Send what is next; how many seconds to wait before the next one."""
        letter = self.journal.next(self.chat)
        if letter is None:
            return 0.25
        self.journal.mark(letter, "trying")
        try:
            sent = await self._sent(letter)
        except TelegramError as error:
            return self._after(letter, error) / self.faster
        self.journal.mark(letter, "sent", sent.message_id)
        self._failures = 0
        self.content()
        return (_PACE_SECONDS if self.chat > 0 else _PACE_OF_GROUPS) / self.faster

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(await self.once())

    async def _sent(self, letter: Letter) -> Message:
        marked = f"{_AGAIN}\n" if letter.again else ""
        text = f"{letter.text}\n{marked}#m{letter.message}"
        silent, buttons = not letter.loud, _buttons(letter)
        if letter.picture is not None:
            return await self.bot.send_photo(
                self.chat,
                letter.picture,
                caption=text,
                parse_mode="HTML",
                disable_notification=silent,
                reply_markup=buttons,
            )
        return await self.bot.send_message(
            self.chat,
            text,
            parse_mode="HTML",
            disable_notification=silent,
            reply_markup=buttons,
        )

    def _after(self, letter: Letter, error: TelegramError) -> float:
        """What becomes of a message that was not taken, and how long to wait."""
        match error:
            case RetryAfter():
                self.journal.mark(letter, "waiting")
                return _seconds(error)
            case BadRequest():
                return self._refused(letter, error)
            case Forbidden():
                self.journal.mark(letter, "waiting")
                self.complain(f"does not let the bot in: {error.message}")
                return _SHUT_SECONDS
            case NetworkError() if not _may_have_arrived(error):
                self.journal.mark(letter, "waiting")
        logger.warning("chat %s: %s", self.chat, error.message)
        self._failures += 1
        return float(min(2.0 ** (self._failures - 1), _MOST_SECONDS))

    def _refused(self, letter: Letter, error: BadRequest) -> float:
        said = error.message.lower()
        if "chat not found" in said or "not enough rights" in said:
            self.journal.mark(letter, "waiting")
            self.complain(f"{error.message}: see 'sluice docs telegram'")
            return _SHUT_SECONDS
        if letter.text.startswith(wording.PLAIN):
            self.journal.mark(letter, "given up")
            self.complain(f"message {letter.message} could not be sent: {error.message}")
            return 0.0
        # Whatever it is that Telegram does not like, the words arrive.
        self.journal.instead(letter, wording.plain(letter.text))
        self.complain(f"a message was sent as plain text, in parts: {error.message}")
        return 0.0


def _buttons(letter: Letter) -> InlineKeyboardMarkup | None:
    if not letter.asks:
        return None
    data = f"{ACKNOWLEDGE}:{letter.message}"
    return InlineKeyboardMarkup([[InlineKeyboardButton("✓ I know", callback_data=data)]])


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _may_have_arrived(error: NetworkError) -> bool:
    """False only where no connection came about: then nobody can have taken it."""
    cause = error.__cause__
    return not isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
