"""The agent's socket: one line in, one line out, one request at a time.

Requests wait for each other and for the tick, so that nothing is decided on half of a change.
"""

import contextlib
import logging
import os
import pwd
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipelines import documents
from pipelines.adapters.agent import LARGEST, WHERE, Answered, Asked, Whereabouts
from pipelines.adapters.redaction import Redactor
from pipelines.errors import BadInput, CannotTell, ExitCode, Refused, SluiceError
from runner.agent.house import House

logger = logging.getLogger(__name__)

Answer = Callable[[Asked, str], JsonValue]
"""Does what is asked; told who asks."""

_PATIENCE_SECONDS = 5.0
"""How long one who has connected may take for his line."""

_LOOK_SECONDS = 0.2

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Door:
    """An open socket of a home. Only the process `messenger` may say for whom it asks."""

    listening: socket.socket
    path: Path
    home: Path
    hidden: Redactor
    messenger: Callable[[], int | None] = lambda: None

    def serve(
        self, answer: Answer, seconds: float, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """Answer whoever comes within so many seconds, or until it is time to stop.

        Once somebody was answered it returns: what he asked for is for the next round.
        """
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.listening, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0 and not stopping():
                if selector.select(min(left, _LOOK_SECONDS)):
                    self._one(answer)
                    return

    def close(self) -> None:
        """Nobody is listened to any more."""
        self.listening.close()
        for path in (self.home / WHERE, self.path):
            path.unlink(missing_ok=True)

    def _one(self, answer: Answer) -> None:
        connection, _ = self.listening.accept()
        # Whoever leaves in the middle loses his answer; the agent goes on.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_PATIENCE_SECONDS)
            answered = self._answered(answer, _line(connection), _caller(connection))
            told = {name: self.hidden.text(getattr(answered, name)) for name in ("error", "hint")}
            answered = answered.model_copy(update=told)
            connection.sendall(answered.model_dump_json().encode() + b"\n")

    def _answered(self, answer: Answer, line: bytes, caller: "_Caller") -> Answered:
        try:
            asked = _asked(line)
            return Answered(data=answer(asked, self._who(asked, caller)))
        except SluiceError as error:
            return Answered(code=error.code, error=error.message, hint=error.hint)
        except Exception as error:
            logger.exception("A request failed.")
            return Answered(code=ExitCode.CANNOT_TELL, error=f"the agent failed: {error!r}")

    def _who(self, asked: Asked, caller: "_Caller") -> str:
        """Who asks: the one whom the kernel names, or whom our own child speaks for."""
        if not asked.by:
            return caller.name
        if caller.pid != self.messenger():
            raise Refused(f"{caller.name} asks as {asked.by}: nobody speaks for others")
        return asked.by


def open_door(
    home: Path,
    hidden: Redactor | None = None,
    messenger: Callable[[], int | None] = lambda: None,
) -> Door:
    """Listen for this home, and write where. No error is told with what is `hidden`.

    :raises CannotTell: when that cannot be done.
    """
    path = House(home).runtime / f"{os.getpid()}.sock"
    listening = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(64)
        where = Whereabouts(socket=str(path), pid=os.getpid())
        documents.write(home / WHERE, where.model_dump_json() + "\n")
    except OSError as error:
        listening.close()
        raise CannotTell(f"{path}: cannot be listened on: {error.strerror}") from None
    return Door(listening, path, home, hidden or Redactor(), messenger)


def _line(connection: socket.socket) -> bytes:
    said = bytearray()
    until = time.monotonic() + _PATIENCE_SECONDS
    while not said.endswith(b"\n") and len(said) <= LARGEST and time.monotonic() < until:
        more = connection.recv(64 * 1024)
        if not more:
            break
        said += more
    return bytes(said)


@dataclass(frozen=True)
class _Caller:
    """Who is on the other side, as the kernel knows him: the one who connected."""

    pid: int
    name: str


def _caller(connection: socket.socket) -> _Caller:
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    try:
        return _Caller(pid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return _Caller(pid, f"uid {uid}")


def _asked(line: bytes) -> Asked:
    if not line.endswith(b"\n"):
        raise BadInput("should be one line of JSON", f"of at most {LARGEST} bytes")
    try:
        return Asked.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{key}: {first['msg'].lower()}" if key else first["msg"].lower()) from None
