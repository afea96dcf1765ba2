"""The heartbeat that leaves the machine: a dead one cannot send its own alert.

Whoever watches the address hears of every round that ended well, once a minute at most, and tells
when nothing comes any more. It is sent beside the loop: an address that is slow keeps no round
waiting. The address is a secret: who knows it can say in our name that all is well.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from pipelines.errors import BadInput

logger = logging.getLogger(__name__)

BEAT_SECONDS = 60.0
_TIMEOUT_SECONDS = 10.0


@dataclass
class Heart:
    """Sends beats to an address, one after the other; none waits for a slow one."""

    url: str = field(repr=False)
    every: float = BEAT_SECONDS
    real: Callable[[], float] = time.monotonic
    trouble: str = field(default="", init=False)
    _last: float | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        try:
            parts = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError):
            parts = httpx.URL("")
        if parts.scheme not in ("http", "https") or not parts.host:
            # What was given is not repeated: it is a secret, also when it is wrong.
            hint = "an address such as https://example.org/ping/..., in SLUICE_HEARTBEAT"
            raise BadInput("--heartbeat: is no address of the web", hint)

    def beat(self) -> None:
        """A round has ended well. Comes back at once."""
        now = self.real()
        early = self._last is not None and now - self._last < self.every
        if early or (self._thread is not None and self._thread.is_alive()):
            return
        self._last = now
        self._thread = threading.Thread(target=self._send, name="heartbeat", daemon=True)
        self._thread.start()

    def _send(self) -> None:
        try:
            answer = httpx.get(self.url, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            self._failed(f"it was answered with {error.response.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            self._failed(type(error).__name__)
        else:
            self.trouble = ""

    def _failed(self, why: str) -> None:
        self.trouble = why
        # The next round may try again.
        self._last = None
        logger.warning("the heartbeat could not be sent: %s", why)
