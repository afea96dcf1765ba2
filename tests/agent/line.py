"""The line to an exchange, which can be cut: a relay in a process of its own.

`python -m tests.agent.line PORT` carries bytes to PORT of loopback, and prints where it listens. On
SIGUSR1 every connection is reset, whatever is on its way, and new ones are refused; on SIGUSR2 they
are taken again.
"""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runner.exchange.messages import Ready

HOST = "127.0.0.1"
_LARGEST = 64 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)
_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Line:
    """A line, from outside: its process, and the port at which it listens."""

    pid: int
    port: int

    def cut(self) -> None:
        """Nobody reaches the exchange any more."""
        os.kill(self.pid, signal.SIGUSR1)
        self._until(open_=False)

    def mend(self) -> None:
        os.kill(self.pid, signal.SIGUSR2)
        self._until(open_=True)

    def is_open(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex((HOST, self.port)) == 0

    def _until(self, *, open_: bool) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while self.is_open() is not open_:
            assert time.monotonic() < until, f"the line is not {'open' if open_ else 'cut'}"
            time.sleep(0.005)

    @classmethod
    @contextmanager
    def to(cls, port: int) -> Iterator[Self]:
        """A line to a port; its process has ended when this ends."""
        argv = [sys.executable, "-m", "tests.agent.line", str(port)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield cls(process.pid, int(process.stdout.readline()))
            finally:
                process.kill()


def through(line: Line, ready: Ready, folder: Path) -> Path:
    """The file for those who reach an exchange by this line."""
    path = folder / "line.json"
    there = ready.model_copy(update={"api_url": f"http://{HOST}:{line.port}"})
    path.write_text(there.model_dump_json())
    return path


class _Relay:
    def __init__(self, port: int) -> None:
        self._there = port
        # Bound and never listening, it keeps the port for this process while the line is cut.
        self._taken = _bound(0)
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        return int(self._taken.getsockname()[1])

    async def mend(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._carried, sock=_bound(self.port))

    def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            _reset(end)

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._ends.add(writer)
        try:
            answers, there = await asyncio.open_connection(HOST, self._there)
            ends.append(there)
            self._ends.add(there)
            if self._server is None:
                self.cut()
            await asyncio.gather(_pumped(reader, there), _pumped(answers, writer))
        except OSError:
            _reset(writer)
        finally:
            self._ends.difference_update(ends)


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while given := await reader.read(_LARGEST):
                writer.write(given)
                await writer.drain()
    finally:
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Drop a connection as a cut line does: what was not delivered yet is lost."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((HOST, port))
    return made


async def _main(port: int) -> None:
    relay, loop = _Relay(port), asyncio.get_running_loop()
    kept: set[asyncio.Task[None]] = set()
    loop.add_signal_handler(signal.SIGUSR1, relay.cut)
    loop.add_signal_handler(signal.SIGUSR2, lambda: kept.add(loop.create_task(relay.mend())))
    await relay.mend()
    print(relay.port, flush=True)
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
