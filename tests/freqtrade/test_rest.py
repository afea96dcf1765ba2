"""Answers that no freqtrade of the pinned version gives. What real bots answer: tests/agent."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipelines.errors import CannotTell
from pipelines.freqtrade.rest import Rest

SINCE = datetime(2022, 3, 1, tzinfo=UTC)

Answering = Callable[[int, bytes], Rest]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A server that answers everything with the same."""
    started: list[ThreadingHTTPServer] = []

    def start(code: int, content: bytes) -> Rest:
        class Same(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Same)
        threading.Thread(target=server.serve_forever).start()
        started.append(server)
        return Rest(f"http://127.0.0.1:{server.server_port}", "agent", "password")

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "content", "told"),
    [
        (500, b"", "show_config: the bot answered 500"),
        (401, b"{}", "show_config: the bot answered 401"),
        (200, b"<html>", "show_config: : invalid json"),
        (200, b"[]", "show_config: "),
        (200, b'{"version":"1"}', "show_config: dry_run: field required"),
    ],
)
def test_what_is_no_answer_cannot_be_told(
    answering: Answering, code: int, content: bytes, told: str
) -> None:
    with pytest.raises(CannotTell) as caught:
        answering(code, content).shown()

    assert told in caught.value.message


def test_an_error_that_comes_with_a_good_code_is_one(answering: Answering) -> None:
    rest = answering(200, b'{"error":"trader is not running"}')

    with pytest.raises(CannotTell, match="stopentry: trader is not running"):
        rest.stop_entries()


def test_what_is_not_asked_for_is_ignored(answering: Answering) -> None:
    assert answering(200, b'{"status":"starting trader ...","more":1}').start() == (
        "starting trader ..."
    )


def test_a_total_that_is_never_reached_ends_nevertheless(answering: Answering) -> None:
    empty = json.dumps({"trades": [], "total_trades": 7}).encode()
    assert answering(200, empty).closed_trades(SINCE) == ()
