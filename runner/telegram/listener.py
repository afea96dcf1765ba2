"""Hears what allowed users say in allowed chats, and answers."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from pipelines.domain.telegram import Telegram
from runner.telegram.complaints import Complaints
from runner.telegram.connecting import POLL_SECONDS
from runner.telegram.conversation import Conversation
from runner.telegram.journal import Journal

logger = logging.getLogger(__name__)

KINDS = ("message", "callback_query")
"""All that is asked for."""

_FIRST_SECONDS, _MOST_SECONDS, _REFUSED_SECONDS = 1.0, 60.0, 30.0


@dataclass
class Listener:
    """Asks for news. A user or chat that is not allowed is not answered, and stands in the log."""

    bot: Bot
    journal: Journal
    settings: Telegram
    conversation: Conversation
    complaints: Complaints
    wait: Callable[[float], float] = lambda seconds: seconds
    _offset: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _answering: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def run(self) -> None:
        """For ever."""
        try:
            while True:
                await asyncio.sleep(self.wait(await self._once()))
                for task in [each for each in self._answering if each.done()]:
                    self._answering.remove(task)
                    task.result()
        finally:
            for task in self._answering:
                task.cancel()

    async def _once(self) -> float:
        try:
            found = await self.bot.get_updates(
                offset=self._offset, timeout=POLL_SECONDS, allowed_updates=KINDS
            )
        except TelegramError as error:
            return self._failed(error)
        self._failures = 0
        self.complaints.over("polling")
        for update in sorted(found, key=lambda each: each.update_id):
            self._offset = max(self._offset, update.update_id + 1)
            if self.journal.is_new(update.update_id):
                # First remembered, then done: what kills us is not done again and again.
                self.journal.worked_off(update.update_id)
                self._hear(update)
        return 0.0

    def _failed(self, error: TelegramError) -> float:
        match error:
            case Conflict():
                said = "another program asks with this token, a bot of yours perhaps: end it"
                self.complaints.tell("polling", f"{said}, or make a token of its own")
                return _REFUSED_SECONDS
            case InvalidToken():
                self.complaints.tell("token", "Telegram does not know it any more")
                return _REFUSED_SECONDS
            case RetryAfter(retry_after=wait):
                return wait if isinstance(wait, int) else wait.total_seconds()
        self._failures += 1
        return float(min(_FIRST_SECONDS * 2 ** (self._failures - 1), _MOST_SECONDS))

    def _hear(self, update: Update) -> None:
        user, chat = update.effective_user, update.effective_chat
        if user is None or chat is None:
            return
        if chat.id not in self.settings.chats or self.settings.name_of(user.id) is None:
            logger.warning("not allowed: user %s in chat %s", user.id, chat.id)
            return
        # Each for itself: whoever wants to halt does not wait for what somebody else asked.
        hearing = self.conversation.hear(update, user.id, chat.id)
        self._answering.add(asyncio.ensure_future(hearing))
