"""`telegram.yaml` of a train: who may speak with the agent's own Telegram bot, and when."""

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator, model_validator

from pipelines.domain.document import Document
from pipelines.domain.secret import Name, Scope, SecretName

FILE = "telegram.yaml"
"""Its name in a train's folder; without it there is no Telegram."""

TOKEN = Scope("telegram"), SecretName.TELEGRAM_TOKEN
"""Whose secret the bot's token is, and how it is called."""

Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of the day, `HH:MM`."""

_LOCAL = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


class Quiet(Document):
    """Hours in which nothing makes a sound, unless money is at risk."""

    since: Clock
    until: Clock


class Telegram(Document):
    """Only what is said in one of `chats` by one of `users` is heard, and both are asked for.

    `users` are numbers by a name, `zone` is what `quiet` and `digest` are told in. After `repeat`
    minutes an alert of money is told again, until somebody acknowledges it; for `confirm` seconds a
    button counts. `api` is where the Bot API answers.
    """

    chats: Annotated[tuple[int, ...], Field(min_length=1)]
    users: Annotated[dict[Name, int], Field(min_length=1)]
    zone: str = "UTC"
    quiet: Quiet | None = None
    digest: Clock | None = None
    repeat: Annotated[int, Field(ge=1, le=1440)] = 15
    confirm: Annotated[int, Field(ge=10, le=600)] = 60
    api: str = "https://api.telegram.org"

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("should be a time zone such as Europe/Berlin")
        return zone

    @field_validator("api")
    @classmethod
    def _is_safe(cls, api: str) -> str:
        if not (api.startswith("https://") or _LOCAL.fullmatch(api)):
            raise ValueError("should begin with https://: the token goes there")
        return api.rstrip("/")

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len({*self.users.values()}) < len(self.users) or len({*self.chats}) < len(self.chats):
            raise ValueError("should name every chat and every user once")
        return self

    def name_of(self, user: int) -> str | None:
        """How a user is called here; None for a stranger."""
        return next((name for name, number in self.users.items() if number == user), None)

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing may make a sound now."""
        if self.quiet is None:
            return False
        here = self.local(now).time()
        since, until = _time(self.quiet.since), _time(self.quiet.until)
        inside = since <= here < until
        return inside if since <= until else here >= since or here < until

    def local(self, now: datetime) -> datetime:
        """A moment as the clock on the wall tells it."""
        return now.astimezone(ZoneInfo(self.zone))

    def digest_due(self, now: datetime) -> str:
        """The day whose digest should have been told by now, as a date; empty without one."""
        if self.digest is None:
            return ""
        here = self.local(now)
        day = here if here.time() >= _time(self.digest) else here - timedelta(days=1)
        return day.date().isoformat()


def _time(told: str) -> time:
    return time.fromisoformat(told)
