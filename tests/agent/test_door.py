"""The agent's socket and its client, over a real Unix socket."""

import json
import os
import pwd
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipelines.adapters import agent
from pipelines.adapters.agent import Asked, Whereabouts
from pipelines.domain.document import Document
from pipelines.errors import AgentUnreachable, BadInput, CannotTell, Refused
from runner.agent.door import Door, open_door


class Given(Document):
    """Arguments."""

    release: str


def _answer(asked: Asked, who: str) -> JsonValue:
    if asked.verb == "refuse":
        raise Refused("not soaked\nnot signed", "wait")
    if asked.verb == "fail":
        raise CannotTell("the disk is full")
    return {"verb": asked.verb, "args": asked.args, "who": who}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return tmp_path / "home"


@pytest.fixture
def door(home: Path) -> Iterator[Door]:
    """An agent that answers for two seconds or until it is closed."""
    opened = open_door(home)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            opened.serve(_answer, 0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    yield opened
    stop.set()
    thread.join()
    opened.close()


def test_a_request_is_answered_and_the_agent_knows_who_asks(home: Path, door: Door) -> None:
    said = agent.ask(home, "promote", Given(release="a@1.0.0+00000000"))

    user = pwd.getpwuid(os.geteuid()).pw_name
    args = {"release": "a@1.0.0+00000000"}
    assert said == {"verb": "promote", "args": args, "who": user}


@pytest.mark.parametrize(
    ("verb", "kind", "message"),
    [("refuse", Refused, "not soaked\nnot signed"), ("fail", CannotTell, "the disk is full")],
)
def test_what_the_agent_raises_is_raised_by_the_client(
    home: Path, door: Door, verb: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        agent.ask(home, verb)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b'{"v":2,"verb":"status"}\n',
        b'{"v":1,"verb":"../x"}\n',
        b'{"v":1,"verb":"status","more":1}\n',
        b'{"v":1}\n',
        b"\xff\xfe\n",
        b"\n",
    ],
)
def test_bad_lines_are_bad_input_and_the_agent_goes_on(home: Path, door: Door, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(door.path))
        connection.sendall(line)
        said = json.loads(connection.recv(100_000))

    assert said["code"] == BadInput.code
    assert agent.ask(home, "status")


def test_one_who_leaves_in_the_middle_costs_nobody_anything(home: Path, door: Door) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(door.path))
        connection.sendall(b'{"v":1,')

    assert agent.ask(home, "status")


def test_only_its_owner_may_knock(door: Door) -> None:
    assert door.path.stat().st_mode & 0o777 == 0o600
    assert door.path.parent.stat().st_mode & 0o777 == 0o700


def test_without_an_agent_it_is_unreachable(home: Path) -> None:
    with pytest.raises(AgentUnreachable):
        agent.ask(home, "status")


def test_a_dead_agents_socket_is_unreachable_and_a_new_one_takes_over(
    home: Path, door: Door
) -> None:
    gone = home.with_name("gone")
    gone.mkdir()
    where = Whereabouts(socket=str(gone / "old.sock"), pid=1)
    (gone / agent.WHERE).write_text(where.model_dump_json())

    with pytest.raises(AgentUnreachable):
        agent.ask(gone, "status")

    again = open_door(gone)
    again.close()
    assert not (gone / agent.WHERE).exists()


def test_an_agent_that_breaks_off_is_unreachable_not_done(home: Path) -> None:
    opened = open_door(home)

    def hang_up() -> None:
        connection, _ = opened.listening.accept()
        connection.recv(1000)
        connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(AgentUnreachable) as caught:
        agent.ask(home, "promote")
    thread.join()
    opened.close()

    assert "sluice status" in caught.value.hint
