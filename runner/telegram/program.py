"""The process that talks with Telegram, as long as nothing changes that it was told."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from pipelines import documents
from pipelines.adapters.redaction import Redactor
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Secret
from pipelines.domain.telegram import FILE, TOKEN, Telegram
from pipelines.errors import CannotTell, SluiceError
from runner.agent.house import House
from runner.telegram import journal as journals
from runner.telegram.asking import Asking
from runner.telegram.complaints import Complaints
from runner.telegram.connecting import connected
from runner.telegram.conversation import Conversation
from runner.telegram.feed import Feed
from runner.telegram.journal import Journal
from runner.telegram.listener import Listener
from runner.telegram.routine import Routine
from runner.telegram.sender import Sender

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.3
_CHANGED_SECONDS = 5.0
_RETRY_SECONDS = 30.0
_ROUTINE_SECONDS = 60.0


@dataclass
class Program:
    """`train` is the folder with telegram.yaml. `faster` is for tests only: see `Sender`."""

    house: House
    train: Path
    hidden: Redactor
    faster: float = 1.0
    complaints: Complaints = field(init=False)

    def __post_init__(self) -> None:
        self.complaints = Complaints(self.house.alerts, self.hidden)

    async def run(self) -> None:
        """Until something that it was told changes: whoever keeps it starts it anew.

        :raises CannotTell: when its journal cannot be opened.
        """
        self.hidden.know(SecretStore(self.house.home).known())
        journal = Journal(self.house.home / journals.FILE)
        try:
            await _first_of(self._changed(), self._work(journal))
        finally:
            journal.close()

    async def _changed(self) -> None:
        before = self._told()
        while self._told() == before:
            await asyncio.sleep(_CHANGED_SECONDS / self.faster)

    def _told(self) -> tuple[int, ...]:
        """When the files were written that say what to be."""
        # Of every secret: what is new there must not be seen either.
        kept = sorted(SecretStore(self.house.home).folder.glob("*/values.json"))
        paths = (path for path in (self.train / FILE, *kept) if path.exists())
        return tuple(path.stat().st_mtime_ns for path in paths)

    async def _work(self, journal: Journal) -> None:
        try:
            settings, token = self._settings(), self._token()
        except SluiceError as error:
            self.complaints.tell("settings", error.message)
            await _for_ever()
            return
        self.complaints.over("settings")
        self.hidden.know([token])
        async with self._bot(settings, token) as bot:
            feed = Feed(self.house.alerts, journal, settings, self.hidden, _now)
            senders = [self._sender(bot, journal, chat) for chat in settings.chats]
            asking = Asking(self.house.home)
            routine = Routine(journal, settings, asking, self.hidden, _now)
            listener = self._listener(bot, journal, settings)
            await listener.conversation.greet()
            await _first_of(
                self._feeding(feed),
                listener.run(),
                self._routine(routine),
                *(each.run() for each in senders),
            )

    def _settings(self) -> Telegram:
        where = str(self.train / FILE)
        return documents.load(self.train / FILE, Telegram, where, topic="telegram")

    def _token(self) -> Secret:
        scope, name = TOKEN
        found = SecretStore(self.house.home).held(scope).get(name)
        if found is None:
            hint = f"'sluice secrets set {scope} {name}' keeps it"
            raise CannotTell(f"{name} is not kept here: {hint}")
        return found

    @contextlib.asynccontextmanager
    async def _bot(self, settings: Telegram, token: Secret) -> AsyncIterator[Bot]:
        """The bot, once Telegram knows it."""
        while (bot := await self._known(settings, token)) is None:
            await asyncio.sleep(_RETRY_SECONDS / self.faster)
        self.complaints.over("token")
        try:
            yield bot
        finally:
            await bot.shutdown()

    async def _known(self, settings: Telegram, token: Secret) -> Bot | None:
        """The bot, if Telegram says now that it knows it."""
        bot = None
        try:
            bot = connected(settings, token)
            await bot.initialize()
        except InvalidToken:
            # The library's message has the token in it.
            said = "Telegram does not know it: 'sluice secrets set telegram telegram_token'"
            self.complaints.tell("token", said)
        except TelegramError as error:
            logger.warning("telegram cannot be reached: %s", error.message)
        else:
            return bot
        if bot is not None:
            await bot.shutdown()
        return None

    def _sender(self, bot: Bot, journal: Journal, chat: int) -> Sender:
        topic = f"chat {chat}"
        return Sender(
            bot,
            journal,
            chat,
            lambda text: self.complaints.tell(topic, text),
            lambda: self.complaints.over(topic),
            self.faster,
        )

    def _listener(self, bot: Bot, journal: Journal, settings: Telegram) -> Listener:
        conversation = Conversation(bot, journal, settings, self.hidden, self.house.home, _now)
        complaints = self.complaints
        return Listener(
            bot, journal, settings, conversation, complaints, lambda wait: wait / self.faster
        )

    async def _routine(self, routine: Routine) -> None:
        while True:
            try:
                await routine.round()
            except SluiceError as error:
                logger.info("telegram: %s", error.message)
            await asyncio.sleep(_ROUTINE_SECONDS / self.faster)

    async def _feeding(self, feed: Feed) -> None:
        while True:
            try:
                feed.round()
                self.complaints.over("journal")
            except SluiceError as error:
                self.complaints.tell("journal", error.message)
            await asyncio.sleep(_LOOK_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _first_of(*given: Coroutine[Any, Any, None]) -> None:
    """All of them at once, until one ends; what it fell over, all fall over."""
    tasks = [asyncio.ensure_future(each) for each in given]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
