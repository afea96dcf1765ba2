"""Starts bots by way of a process that has freqtrade loaded already."""

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from pipelines.adapters.redaction import Redactor
from pipelines.errors import CannotTell
from runner.agent.locks import Lock
from runner.agent.venvs import CHECKOUT
from runner.bots.logs import Rotating, poured
from runner.bots.messages import LARGEST, Ended, Launch, Launched, Told

_MESSAGE: TypeAdapter[Launched | Ended] = TypeAdapter(Launched | Ended)

LOADED_SECONDS = 120
"""How long importing freqtrade may take on a small machine."""

_LAUNCHED_SECONDS = 10
_LOG_SECONDS = 1.0


@dataclass
class Launcher:
    """One preloaded process, started when the first bot is, and again after it died.

    Its death ends no bot, and neither does ours. `bots` is the folder that all of them live in,
    `log` gets what it prints, without what is `hidden`. Bots of another Python, whose packages are
    others, get a preloaded process of their own.
    """

    bots: Path
    python: str = sys.executable
    log: Path | None = None
    hidden: Redactor = field(default_factory=Redactor)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _log: threading.Thread | None = field(default=None, init=False)
    _others: dict[str, "Launcher"] = field(default_factory=dict, init=False)

    def launch(self, launch: Launch, told: Told, lock: Lock, python: str = "") -> int | None:
        """Start a bot and give its process id; None when one runs behind this lock already.

        :raises CannotTell: when it cannot be told whether it was started: the lock tells later.
        """
        if python not in ("", self.python):
            return self._other(python).launch(launch, told, lock)
        for _ in range(2):
            held = lock.take()
            if held is None:
                return None
            said = self._launched(launch.name) if self._sent(launch, told, held) else None
            if said is not None:
                return said.pid
            # It died. Whether it was before or after the fork, the lock tells the next time.
            self.close()
        raise CannotTell(f"{launch.name}: the preloaded process died, twice")

    def _other(self, python: str) -> "Launcher":
        if python not in self._others:
            # Two that turn over one log would lose lines of each other.
            packages = Path(python).parents[1].name[:8]
            log = self.log and self.log.with_name(f"{self.log.stem}.{packages}.log")
            self._others[python] = Launcher(self.bots, python, log, self.hidden)
        return self._others[python]

    def close(self) -> None:
        """Let go of the preloaded processes; bots go on."""
        for other in self._others.values():
            other.close()
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.wait()
        if self._log is not None:
            # A bot that is just being born may hold the other end for a moment.
            self._log.join(_LOG_SECONDS)
        self._log = None
        self._socket = self._process = None

    def _sent(self, launch: Launch, told: Told, held: int) -> bool:
        """Hand over the lock, and what the bot is told; false when nobody is there to take it."""
        reading, writing = os.pipe()
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as file:
            try:
                packet = launch.model_dump_json().encode()
                socket.send_fds(self._loaded(), [packet], [reading, held])
            except OSError:
                return False
            finally:
                os.close(reading)
                os.close(held)
            file.write(told.model_dump_json().encode())
        return True

    def _loaded(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._socket is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket = ours
            try:
                self._process = self._start(theirs)
            finally:
                theirs.close()
            self._wait_until_loaded()
        return self._socket

    def _start(self, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        argv = [self.python, "-m", "runner.bots.preloaded", str(theirs.fileno())]
        argv.append(str(self.bots))
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TZ": "UTC"}
        # A venv that was made for bots has freqtrade and not us: it gets the code of this agent.
        ours = {} if self.python == sys.executable else {"PYTHONPATH": str(CHECKOUT)}
        reading, printed = os.pipe()
        log = Rotating(self.log or Path(os.devnull))
        log.write(b"")  # whoever is told to look there finds it
        self._log = poured(reading, log, self.hidden.stream())
        try:
            return subprocess.Popen(
                argv,
                env=kept | one_thread | ours,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        finally:
            os.close(printed)

    def _wait_until_loaded(self) -> None:
        packet = self._packet(LOADED_SECONDS)
        if packet != b"ready":
            self.close()
            raise CannotTell("freqtrade could not be loaded", f"see {self.log}" if self.log else "")

    def _launched(self, name: str) -> Launched | None:
        """What it says of a bot that it started; None when it is gone."""
        until = time.monotonic() + _LAUNCHED_SECONDS
        while self._socket is not None and (left := until - time.monotonic()) > 0:
            message = self._hear(left)
            if isinstance(message, Launched) and message.name == name:
                return message
        if self._socket is None:
            return None
        raise CannotTell(f"{name}: nobody said that it was started")

    def _hear(self, seconds: float) -> Launched | Ended | None:
        packet = self._packet(seconds)
        return _MESSAGE.validate_json(packet) if packet else None

    def _packet(self, seconds: float) -> bytes:
        """The next packet; empty when none came in time, or none will."""
        if self._socket is None:
            return b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            if not selector.select(max(seconds, 0)):
                return b""
        try:
            packet = self._socket.recv(LARGEST)
        except OSError:
            packet = b""
        if not packet:
            self._socket.close()
            self._socket = None
        return packet
