"""Asking GitHub: versions, pages, limits and failures.

What GitHub says no to was not done, so a limit is waited for and tried again whatever was asked.
Whoever does not answer may have done it: only what can be done twice is tried again then.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipelines import __version__
from pipelines.adapters.github.limits import asked_to_wait
from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from pipelines.errors import BadInput, CannotTell, Refused

VERSION = "2022-11-28"
"""Of the API."""

_AGAIN = {"GET", "PUT", "DELETE"}
"""What may be asked twice: the second time changes nothing more."""

_TRIES = 3
_PAGE = 100
_MOST_PAGES = 100
_SECONDS = 15.0


class Denied(CannotTell):
    """GitHub does not let this token look, or there is nothing of that name: it does not say which.

    `status` is 401, 403 or 404, `said` what came with it.
    """

    def __init__(self, message: str, status: int, said: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status, self.said = status, said

    @property
    def for_the_plan(self) -> bool:
        """True when the owner's plan is why."""
        return self.status == 403 and self.said.startswith("Upgrade to GitHub")


class NoAnswer(CannotTell):
    """GitHub was not reached, or broke. What was asked for may have been done."""


class Limited(CannotTell):
    """GitHub wants us to wait for longer than we would."""


class Rejected(Refused):
    """GitHub understood, and does not do it."""


@dataclass(frozen=True)
class GitHub:
    """A client of one server. `patience` is how many seconds it waits for limits in one call."""

    api: str
    redactor: Redactor
    client: httpx.Client
    patience: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def get(self, path: str) -> Any:
        """What is there.

        :raises CannotTell: when it cannot be read.
        """
        return read(self.ask("GET", path), path)

    def every(self, path: str, key: str = "") -> Iterator[Any]:
        """Every entry of a list, page by page; `key` is where an answer holds it.

        :raises CannotTell: when not all of it can be read.
        """
        mark = "&" if "?" in path else "?"
        page = f"{path}{mark}per_page={_PAGE}"
        for _ in range(_MOST_PAGES):
            answer = self.ask("GET", page)
            told = read(answer, path)
            entries = told.get(key) if key and isinstance(told, dict) else told
            if not isinstance(entries, list):
                raise CannotTell(f"{path}: GitHub should have answered with a list")
            yield from entries
            following = self._following(answer, path)
            if following is None:
                return
            page = following
        raise CannotTell(f"{path}: has more than {_MOST_PAGES} pages")

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Have something done.

        :raises Refused: when GitHub does not do it.
        :raises CannotTell: when nobody knows whether it was done, or the token may not.
        """
        self.ask(method, path, body)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One answer that is none of the failures, after as many tries as there may be."""
        waited, tries = 0.0, 0
        while True:
            tries += 1
            try:
                answer = self._once(method, path, body)
            except NoAnswer:
                if method not in _AGAIN or tries >= _TRIES:
                    raise
                self.sleep(2.0 ** (tries - 1))
                continue
            pause = asked_to_wait(answer, waited)
            if pause is None:
                return self._sound(answer, method, path)
            if waited + pause > self.patience:
                until = f"asks to be left alone for {pause:.0f} seconds"
                raise Limited(f"{path}: GitHub {until}", "try again after that; nothing was lost")
            self.sleep(pause)
            waited += pause

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            answer = self.client.request(method, f"{self.api}{path}", json=body)
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise NoAnswer(f"{path}: GitHub does not answer: {name}", _MAYBE[method]) from None
        if answer.status_code >= 500:
            raise NoAnswer(f"{path}: GitHub answered {answer.status_code}", _MAYBE[method])
        return answer

    def _sound(self, answer: httpx.Response, method: str, path: str) -> httpx.Response:
        status, said = answer.status_code, self._said(answer)
        told = f"{path}: GitHub answered {status}: {said}"
        if status == 401:
            raise Denied(told, status, said, "the token is wrong, or has expired")
        if status in {403, 404}:
            raise Denied(told, status, said, f"may this token {_MAY[method]} it, and is it there?")
        if answer.is_redirect and status != 303:
            # A token is shown to nobody but the server that was named.
            raise CannotTell(f"{path}: has moved", "name the repository as it is called now")
        if status >= 400:
            raise Rejected(told)
        return answer

    def _said(self, answer: httpx.Response) -> str:
        """What an error says, in one line and without secrets."""
        try:
            told = answer.json()
        except ValueError:
            return answer.reason_phrase
        if not isinstance(told, dict):
            return answer.reason_phrase
        errors = [_error(each) for each in told.get("errors") or []]
        text = "; ".join([str(told.get("message", "")), *filter(None, errors)])
        return self.redactor.text(re.sub(r"\s+", " ", text))[:500]

    def _following(self, answer: httpx.Response, path: str) -> str | None:
        url = answer.links.get("next", {}).get("url")
        if url is None:
            return None
        if not url.startswith(f"{self.api}/"):
            raise CannotTell(f"{path}: the next page lies on another server")
        return url.removeprefix(self.api)


def read(answer: httpx.Response, path: str) -> Any:
    """What an answer says.

    :raises CannotTell: when it is another's, such as a proxy's page.
    """
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise CannotTell(f"{path}: GitHub's answer is no JSON") from None


@contextmanager
def opened(
    api: str,
    token: Secret,
    *,
    patience: float = 120.0,
    seconds: float = _SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[GitHub]:
    """A client while it is needed. `seconds` is how long an answer may take.

    :raises BadInput: when the token would be readable on its way.
    """
    _refuse_open_ways(api)
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token.reveal()}",
        "User-Agent": f"sluice/{__version__}",
        "X-GitHub-Api-Version": VERSION,
    }
    # Proxies of the environment stand before the world, not before a server on this machine.
    outside = urlsplit(api).scheme == "https"
    with httpx.Client(timeout=seconds, trust_env=outside, headers=headers) as client:
        yield GitHub(api, Redactor((token,)), client, patience, sleep)


_MAYBE = {"GET": "try again", "PUT": "apply again: what was done stays", "DELETE": "apply again"}
_MAYBE |= dict.fromkeys(("POST", "PATCH"), "it may have been done all the same: apply again")
_MAY = {"GET": "read"} | dict.fromkeys(("PUT", "POST", "PATCH", "DELETE"), "change")


def _error(told: Any) -> str:
    if not isinstance(told, dict):
        return str(told)
    return str(told.get("message") or " ".join(str(value) for value in told.values()))


def _refuse_open_ways(api: str) -> None:
    parts = urlsplit(api)
    here = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        hint = "it begins with https://; at your own server it ends in /api/v3"
        raise BadInput(f"{api}: a token would be readable on its way there", hint)
    if parts.username or parts.query or parts.fragment or api.endswith("/"):
        raise BadInput(f"{parts.hostname}: is no address of an API", "such as https://HOST/api/v3")
