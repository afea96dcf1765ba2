"""Asks an HTTP server on loopback as fast as it answers, over some connections at once."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8

Right = Callable[[bytes], bool]


@dataclass(frozen=True)
class Busy:
    """What so many requests took: of the wall's clock, and of the server's processor."""

    requests: int
    seconds: float
    processor: float


class Wrong(Exception):
    """An answer was not what was asked for: then its speed means nothing."""


class _Line(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is in."""

    def __init__(
        self, requests: Iterator[bytes], right: Right, ended: asyncio.Future[None]
    ) -> None:
        self._requests, self._right, self._ended = requests, right, ended
        self._got, self._length = bytearray(), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(Wrong("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._length:
            self._length = length(self._got)
        if self._length and len(self._got) >= self._length:
            answer = bytes(self._got)
            self._got.clear()
            self._length = 0
            if answer.startswith(b"HTTP/1.1 200 ") and self._right(answer):
                self._ask()
            elif not self._ended.done():
                self._ended.set_exception(Wrong(repr(answer[:500])))

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self._ended.done():
            self._ended.set_result(None)
            self._transport.close()


def length(got: bytearray) -> int:
    """How long an answer is, with its headers; zero as long as these are not all there."""
    ends = got.find(b"\r\n\r\n")
    if ends < 0:
        return 0
    headers = bytes(got[:ends]).lower()
    body = headers.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0]
    return ends + 4 + int(body)


def busy(pid: int, url: str, requests: list[bytes], right: Right) -> Busy:
    """Send all of them, each once.

    :raises Wrong: when one is not answered as it should be.
    """
    before, began = processor(pid), time.perf_counter()
    asyncio.run(_send(url, iter(requests), right))
    return Busy(len(requests), time.perf_counter() - began, processor(pid) - before)


async def _send(url: str, requests: Iterator[bytes], right: Right) -> None:
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    opened = [
        await loop.create_connection(
            lambda ended=ended: _Line(requests, right, ended), host, int(port)
        )
        for ended in ends
    ]
    try:
        await asyncio.gather(*ends)
    finally:
        for transport, _ in opened:
            transport.abort()
        await asyncio.sleep(0)  # they are closed in the next turn of the loop
        await asyncio.gather(*ends, return_exceptions=True)


def processor(pid: int) -> float:
    """Seconds that a process has had of the processors."""
    told = Path(f"/proc/{pid}/stat").read_text()
    user, system = told.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> float:
    """The most memory in MB that a process has held: everything that it looked at."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def request(method: str, path: str, query: str, key: str = "") -> bytes:
    """A request as it goes over the wire; a POST carries its parameters in its body."""
    target, body = (path, query) if method == "POST" else (f"{path}?{query}", "")
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: exchange",
        f"X-MBX-APIKEY: {key}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
