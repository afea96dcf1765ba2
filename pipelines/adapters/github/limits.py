"""How long GitHub wants to be left alone: https://docs.github.com/rest, rate limits."""

import time
from email.utils import parsedate_to_datetime

import httpx

_UNSAID = 60.0
"""Seconds; what GitHub asks for where a limit comes without a time. Doubled each time."""

_LEAST = 1.0


def asked_to_wait(answer: httpx.Response, waited: float) -> float | None:
    """Seconds until the next try, or None when this answer is no limit.

    A primary limit says when it ends, a secondary one for how long; `waited` is how long we have.
    """
    if answer.status_code not in {403, 429}:
        return None
    if (after := answer.headers.get("retry-after", "")).isdecimal():
        return max(float(after), _LEAST)
    if answer.headers.get("x-ratelimit-remaining") == "0":
        reset = answer.headers.get("x-ratelimit-reset", "")
        return _until(answer, reset) if reset.isdecimal() else max(waited, _UNSAID)
    if answer.status_code == 429 or "secondary rate limit" in answer.text.lower():
        return max(waited, _UNSAID)
    return None


def _until(answer: httpx.Response, reset: str) -> float:
    # By the server's own clock: ours may be wrong by more than the limit lasts.
    try:
        now = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        now = time.time()
    return max(float(reset) - now, _LEAST)
