"""Listening: where, with room for how many connections, and what of broken requests is logged."""

import logging
import resource
from contextlib import AsyncExitStack

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pipelines.errors import CannotTell

ROOM = 4096
"""Open files that are asked of the system: a connection takes one."""

MANY = 1000
"""Connections at once that an exchange should have room for."""

_SPARE = 64  # open files that are no connections: the journal, candles, what Python itself has
_WAITING = 1024  # connections that the system may hold until they are taken
_log = logging.getLogger("runner.exchange")


class _Theirs(logging.Filter):
    """Leaves out requests that cannot be parsed: who sent them is told, and nothing happened."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


def room() -> int:
    """How many connections there may be at once; as many as the system lets us have, up to ROOM."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ROOM if hard == resource.RLIM_INFINITY else min(ROOM, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return min(ROOM, soft) - _SPARE


async def listen(stack: AsyncExitStack, application: web.Application, host: str, port: int) -> str:
    """Listen, and say where: a port of 0 means any that is free.

    :raises CannotTell: when that cannot be.
    """
    _log.filters[:] = [_Theirs()]
    runner = web.AppRunner(application, access_log=None, logger=_log)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, shutdown_timeout=1, backlog=_WAITING).start()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotTell(f"{host}:{port}: cannot be listened on: {reason}") from None
    name, number = runner.addresses[0][:2]
    return f"http://{name}:{number}"
