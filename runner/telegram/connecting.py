"""The way to the Bot API."""

import os

from telegram import Bot
from telegram.request import HTTPXRequest

from pipelines.domain.secret import Secret
from pipelines.domain.telegram import Telegram

# The library's own switch: durations are durations, and nothing warns that they will be.
os.environ.setdefault("PTB_TIMEDELTA", "true")

POLL_SECONDS = 25
"""How long Telegram may keep a question for news open."""

_ANSWER_SECONDS, _CONNECT_SECONDS = 20.0, 10.0


def connected(settings: Telegram, token: Secret, answer_seconds: float = _ANSWER_SECONDS) -> Bot:
    """The bot of a token; nothing is asked yet.

    :raises InvalidToken: when it cannot be one.
    """
    # No proxy of the environment stands between two processes of one machine.
    more = {"trust_env": settings.api.startswith("https://")}

    def request(seconds: float) -> HTTPXRequest:
        return HTTPXRequest(
            connection_pool_size=8,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=seconds,
            write_timeout=_ANSWER_SECONDS,
            pool_timeout=_ANSWER_SECONDS,
            httpx_kwargs=more,
        )

    return Bot(
        token.reveal(),
        base_url=f"{settings.api}/bot",
        base_file_url=f"{settings.api}/file/bot",
        request=request(answer_seconds),
        get_updates_request=request(answer_seconds + POLL_SECONDS),
    )
