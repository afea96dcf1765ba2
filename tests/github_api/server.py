"""The stand-in's HTTP: routes, pages, the schemas, and what can go wrong on the way."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jsonschema

from tests.github_api.state import Body, No, Reply, State

SCHEMAS: dict[str, Any] = json.loads(Path(__file__).with_name("schemas.json").read_text())

TOKEN = "ghp_canary0123456789abcdefghijklmnopqrst"
"""What opens the stand-in; it must never be seen."""

MOST_A_PAGE = 30
"""However many are asked for."""

DOCS = "https://docs.github.com/rest"


@dataclass
class Fault:
    """What goes wrong with requests that match, for so many `times`.

    `kind`: limit, limit-429, secondary, secondary-unsaid, broken, slow, vanish (done, and nobody
    says so), drop (not done), ignored (said to be done, and not), hidden, forbidden, moved, page
    (a proxy's), foreign-page, echo (tells the token).
    """

    kind: str
    request: str = ".*"
    times: int = 1


@dataclass
class Hub:
    """A server that runs. `asked` is every request, `changes` those that ask for a change."""

    state: State
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    before_change: Callable[[int], None] = lambda number: None
    after_change: Callable[[int], None] = lambda number: None
    waits: float = 0.3
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    prefix: str = ""

    @property
    def changes(self) -> list[str]:
        return [f"{method} {path}" for method, path in self.asked if method != "GET"]

    def fault(self, method: str, path: str) -> str:
        """What goes wrong now; empty for nothing."""
        for fault in self.faults:
            if fault.times and re.fullmatch(fault.request, f"{method} {path}"):
                fault.times -= 1
                return fault.kind
        return ""


class _Talk(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: two would wait for each other on a kept connection

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        content = self.rfile.read(size)
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(self.hub.prefix)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        with self.hub.lock:
            self.hub.asked.append((self.command, path))
            kind = self.hub.fault(self.command, path)
            number = len(self.hub.changes)
        if self.command != "GET":
            self.hub.before_change(number)
        if kind == "slow":
            time.sleep(self.hub.waits)
        if kind == "drop":
            self.close_connection = True
            return
        if self._wrong(kind):
            return
        with self.hub.lock:
            status, told, headers = self._answer(path, query, content)
        if self.command != "GET":
            self.hub.after_change(number)
        if kind == "vanish":
            self.close_connection = True
            return
        if kind == "foreign-page":
            headers["Link"] = '<http://127.0.0.1:1/user/secrets>; rel="next"'
        self._tell(status, told, headers)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _wrong(self, kind: str) -> bool:
        """Answer with a fault, where this is one."""
        now = int(time.time())
        limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(now + 7)}
        secondary = "You have exceeded a secondary rate limit. Please wait a few minutes."
        echo = f"cannot use {self.headers.get('authorization', '')} here"
        answers: dict[str, tuple[int, str, dict[str, str]]] = {
            "limit": (403, "API rate limit exceeded for user ID 1.", limited),
            "limit-429": (429, "API rate limit exceeded for user ID 1.", limited),
            "secondary": (403, secondary, {"retry-after": "9"}),
            "secondary-unsaid": (403, secondary, {}),
            "broken": (502, "Server Error", {}),
            "hidden": (404, "Not Found", {}),
            "forbidden": (403, "Resource not accessible by personal access token", {}),
            "moved": (301, "Moved Permanently", {"Location": f"{self.hub.url}/repositories/1"}),
            "echo": (422, echo, {}),
            "ignored": (204, "", {}),
        }
        if kind == "page":
            self._tell(200, None, {"Content-Type": "text/html"})
            return True
        if kind not in answers:
            return False
        status, message, headers = answers[kind]
        told = {"message": message, "documentation_url": DOCS} if message else None
        self._tell(status, told, headers)
        return True

    def _answer(
        self, path: str, query: dict[str, str], content: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        try:
            self._refuse_strangers()
            where, call = _route(self.hub.state, self.command, path)
            body = self._body(where, content)
            status, told = call(body)
            headers = {}
            if isinstance(told, _List):
                told, headers = self._page(told, query)
            _hold(f"{self.command} {where}", told, "answers")
        except No as no:
            told = {"message": no.message, "documentation_url": DOCS, "status": str(no.status)}
            return no.status, told | ({"errors": no.errors} if no.errors else {}), {}
        return status, told, headers

    def _refuse_strangers(self) -> None:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            raise No(401, "Bad credentials")
        if self.headers.get("x-github-api-version") != "2022-11-28":
            raise No(400, "API version missing or unknown")
        if not self.headers.get("user-agent", "").startswith("sluice/"):
            raise No(403, "Request forbidden by administrative rules.")

    def _body(self, where: str, content: bytes) -> Any:
        body = json.loads(content) if content else None
        try:
            _hold(f"{self.command} {where}", body, "requests")
        except jsonschema.ValidationError as error:
            told = [{"field": error.json_path, "code": "invalid", "message": error.message}]
            raise No(422, "Invalid request.", told) from None
        return body

    def _page(self, told: "_List", query: dict[str, str]) -> tuple[Any, dict[str, str]]:
        size = min(int(query.get("per_page", MOST_A_PAGE)), MOST_A_PAGE)
        page = int(query.get("page", 1))
        shown, headers = told.entries[(page - 1) * size : page * size], {}
        if page * size < len(told.entries):
            parts = urlsplit(self.path)
            rest = "&".join(f"{k}={v}" for k, v in query.items() if k != "page")
            url = self.hub.url.removesuffix(self.hub.prefix) + parts.path
            headers["Link"] = f'<{url}?{rest}&page={page + 1}>; rel="next"'
        if not told.key:
            return shown, headers
        return {"total_count": len(told.entries), told.key: shown}, headers

    def _tell(self, status: int, told: Any, headers: dict[str, str]) -> None:
        content = b"" if told is None else json.dumps(told).encode()
        self.send_response_only(status)
        if self.hub.state.own_server:
            headers = {**headers, "X-GitHub-Enterprise-Version": "3.22.0"}
        own = {"Date": formatdate(usegmt=True), "Content-Length": str(len(content))}
        for name, value in {**own, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@dataclass
class _List:
    entries: list[Body]
    key: str = ""


def _hold(request: str, value: Any, side: str) -> None:
    held = _VALIDATORS[side].get(request)
    if held is not None:
        held.validate(value)
    elif value is not None:
        raise AssertionError(f"{request}: nothing is known of its {side}")


_VALIDATORS = {
    side: {
        request: jsonschema.Draft202012Validator(schema | {"definitions": SCHEMAS["definitions"]})
        for request, schema in SCHEMAS[side].items()
    }
    for side in ("requests", "answers")
}


Call = Callable[[Any], Reply]


def _route(state: State, method: str, path: str) -> tuple[str, Call]:
    """The name of a request in `schemas.json`, and what does it."""
    for pattern, calls in _routes(state).items():
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
        if found and method in calls:
            named = found.groupdict()
            asked = named.pop("owner", state.owner), named.pop("repo", state.name)
            if asked == (state.owner, state.name):
                return pattern, partial(calls[method], **named)
    raise No(404, "Not Found")


def _routes(state: State) -> dict[str, dict[str, Callable[..., Reply]]]:
    repo = "/repos/{owner}/{repo}"
    gate = f"{repo}/environments/{{environment_name}}"
    refs, actions = f"{gate}/deployment-branch-policies", f"{repo}/actions/permissions"

    def listed(key: str, entries: Callable[..., list[Body]]) -> dict[str, Callable[..., Reply]]:
        return {"GET": lambda _, **named: (200, _List(entries(*named.values()), key))}

    def setting(show: Callable[[], Reply], kept: Body) -> dict[str, Callable[..., Reply]]:
        return {"GET": lambda _: show(), "PUT": lambda body: state.change(kept, body)}

    return {
        "/user": {"GET": lambda _: state.account("octo", "User")},
        "/users/{username}": {"GET": lambda _, username: state.user(username)},
        "/orgs/{org}": {"GET": lambda _, org: state.account(org, "")},
        "/orgs/{org}/teams/{team_slug}": {"GET": lambda _, org, team_slug: state.team(team_slug)},
        repo: {"GET": lambda _: state.repository()},
        f"{repo}/environments": listed("environments", state.listed_environments),
        gate: {"PUT": lambda body, environment_name: state.put_environment(environment_name, body)},
        refs: {
            **listed("branch_policies", state.listed_policies),
            "POST": lambda body, environment_name: state.add_policy(environment_name, body),
        },
        f"{refs}/{{branch_policy_id}}": {
            "DELETE": lambda _, environment_name, branch_policy_id: state.drop_policy(
                environment_name, int(branch_policy_id)
            )
        },
        f"{gate}/secrets": listed("secrets", state.listed_secrets),
        f"{repo}/actions/secrets": listed("secrets", lambda: state.listed_secrets("")),
        f"{repo}/rulesets": {
            **listed("", state.listed_rulesets),
            "POST": lambda body: state.put_ruleset(None, body),
        },
        f"{repo}/rulesets/{{ruleset_id}}": {
            "GET": lambda _, ruleset_id: state.ruleset(int(ruleset_id)),
            "PUT": lambda body, ruleset_id: state.put_ruleset(int(ruleset_id), body),
        },
        actions: setting(state.show_permissions, state.permissions),
        f"{actions}/selected-actions": setting(state.show_selected, state.selected),
        f"{actions}/workflow": setting(lambda: (200, state.token), state.token),
        f"{actions}/fork-pr-contributor-approval": setting(
            lambda: state.show_forks(private=False), state.forks
        ),
        f"{actions}/fork-pr-workflows-private-repos": setting(
            lambda: state.show_forks(private=True), state.private_forks
        ),
        f"{repo}/labels": {
            **listed("", lambda: state.labels),
            "POST": state.add_label,
        },
        f"{repo}/labels/{{name}}": {"PATCH": lambda body, name: state.change_label(name, body)},
    }


@contextmanager
def running(state: State | None = None, prefix: str = "") -> Iterator[Hub]:
    """A stand-in on a port of its own; `prefix` is `/api/v3` at GitHub Enterprise Server."""
    hub = Hub(state or State(), prefix=prefix)
    talk = type("Talk", (_Talk,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), talk) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_port}{prefix}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join(5)
