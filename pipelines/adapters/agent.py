"""The agent, from outside: what is said on its socket, and who says it.

One request is one line of JSON, and so is its answer. Only the agent writes the ledger; everybody
else asks it to.
"""

import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationError

from pipelines.documents import load_json
from pipelines.domain.document import Document
from pipelines.errors import AgentUnreachable, BadInput, CannotTell, Refused, SluiceError

WHERE = "agent.json"
"""The file in the agent's home that tells where its socket is."""

LARGEST = 16 * 1024 * 1024
"""Bytes of a line, either way."""

_SECONDS = 60.0
_HINT = "start it with 'sluice-agent run', or name its home with --home"


class Whereabouts(Document):
    """Where a running agent listens. Paths of sockets are short, so it is not the home itself."""

    socket: str
    pid: int


class Asked(Document):
    """A request."""

    v: Literal[1] = 1
    verb: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$", max_length=40)]
    args: dict[str, JsonValue] = Field(default_factory=dict)


class Answered(Document):
    """An answer: what was asked for, or the error with its exit code."""

    v: Literal[1] = 1
    code: int = 0
    error: str = ""
    hint: str = ""
    data: JsonValue = None


def ask(
    home: Path, verb: str, args: Document | None = None, seconds: float = _SECONDS
) -> JsonValue:
    """Ask the agent of this home for something, and wait for its answer.

    :raises AgentUnreachable: when nobody answers.
    :raises SluiceError: what the agent says: `Refused`, `BadInput` or `CannotTell`.
    """
    given = args.model_dump(mode="json") if args else {}
    line = Asked(verb=verb, args=given).model_dump_json().encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(_whereabouts(home).socket)
            connection.sendall(line)
            said = _line(connection)
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror
        raise AgentUnreachable(f"the agent does not answer: {reason}", _HINT) from None
    return _data(said)


def _whereabouts(home: Path) -> Whereabouts:
    path = home / WHERE
    if not path.is_file():
        raise AgentUnreachable(f"{home}: no agent runs with this home", _HINT)
    return load_json(path, Whereabouts)


def _line(connection: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\n") and len(said) <= LARGEST:
        more = connection.recv(64 * 1024)
        if not more:
            break
        said += more
    return said


def _data(said: bytes) -> JsonValue:
    try:
        answered = Answered.model_validate_json(said)
    except ValidationError:
        hint = "whether it was done is told by 'sluice status' and 'sluice history'"
        raise AgentUnreachable("the agent broke off in the middle of its answer", hint) from None
    if answered.code:
        raise _error(answered)
    return answered.data


def _error(answered: Answered) -> SluiceError:
    kind = next((k for k in (BadInput, Refused) if k.code == answered.code), CannotTell)
    return kind(answered.error, answered.hint)
