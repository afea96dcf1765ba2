"""Many at once, malformed and oversized: the right answer, nothing in the log, nothing changed."""

import asyncio
import hmac
import json
import resource
import socket
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.document import Document

THOUSAND = 1000
SECONDS = 60
ACCOUNT = "alice:key:secret:USDT=100000"


@pytest.fixture(scope="module")
def exchange(serve: Any) -> Iterator[Any]:
    with serve("--start", "2023-01-02", "--account", ACCOUNT) as running:
        yield running


def address(exchange: Any) -> tuple[str, int]:
    host, port = exchange.ready.api_url.removeprefix("http://").split(":")
    return host, int(port)


def wire(method: str, target: str, body: bytes = b"", headers: str = "") -> bytes:
    """A request as it goes over the wire."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}{length}\r\n".encode() + body


def sign(exchange: Any, query: str, stamp: str = "") -> str:
    now = stamp or str(int(exchange.now.timestamp() * 1000))
    query = f"{query}&timestamp={now}".lstrip("&")
    return f"{query}&signature={hmac.new(b'secret', query.encode(), sha256).hexdigest()}"


KEY = "X-MBX-APIKEY: key\r\n"


def answer(exchange: Any, sent: bytes) -> tuple[int, bytes]:
    """Status and body of what is answered; 0 when the connection was only closed."""
    with socket.create_connection(address(exchange), timeout=SECONDS) as line:
        line.sendall(sent)
        got = b""
        while b"\r\n\r\n" not in got:
            if not (part := line.recv(65536)):
                return 0, b""
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        (length,) = [
            int(each.split(b":")[1])
            for each in head.split(b"\r\n")
            if each.lower().startswith(b"content-length")
        ]
        while len(body) < length:
            body += line.recv(65536)
        return int(head.split()[1]), body


def stands(exchange: Any) -> tuple[Document, int]:
    """Everything that a request might have changed; that orders were asked for is only counted."""
    state = exchange.ask("status").model_copy(update={"orders_sent": 0})
    with closing(sqlite3.connect(exchange.folder / "journal.sqlite")) as journal:
        return state, journal.execute("SELECT COUNT(*) FROM events").fetchone()[0]


@contextmanager
def nothing_happens(exchange: Any) -> Iterator[None]:
    before = stands(exchange)
    yield
    assert stands(exchange) == before
    assert "Traceback" not in exchange.log
    assert "rror" not in exchange.log


def test_a_thousand_connections_at_once_are_all_answered(exchange: Any) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    account = f"/api/v3/account?{sign(exchange, '')}"
    candles = "/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=100"
    kinds = [wire("GET", "/api/v3/time"), wire("GET", candles), wire("GET", account, headers=KEY)]
    expected = [answer(exchange, kind) for kind in kinds]
    assert [status for status, _ in expected] == [200] * 3
    assert len(json.loads(expected[1][1])) == 100

    async def one(number: int, all_there: asyncio.Barrier) -> bytes:
        reader, writer = await asyncio.open_connection(*address(exchange))
        await all_there.wait()
        writer.write(kinds[number % 3])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return body

    async def many() -> list[bytes]:
        all_there = asyncio.Barrier(THOUSAND)
        return await asyncio.gather(*(one(n, all_there) for n in range(THOUSAND)))

    with nothing_happens(exchange):
        bodies = asyncio.run(asyncio.wait_for(many(), SECONDS))
    assert [n for n, body in enumerate(bodies) if body != expected[n % 3][1]] == []


def test_orders_that_come_at_once_are_each_taken_once(serve: Any) -> None:
    async def one(number: int) -> int:
        asked = sign(exchange, f"{order}&newClientOrderId=n{number}", stamp)
        reader, writer = await asyncio.open_connection(*address(exchange))
        writer.write(wire("POST", "/api/v3/order", asked.encode(), KEY))
        status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
        writer.close()
        return status

    async def many() -> list[int]:
        return await asyncio.gather(*(one(n) for n in range(200)))

    with serve("--start", "2023-01-02", "--account", "alice:key:secret:USDT=1000") as exchange:
        stamp = str(int(exchange.now.timestamp() * 1000))
        order = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=20"
        statuses = asyncio.run(asyncio.wait_for(many(), SECONDS))
        told = exchange.ask("status")
        # There is money for fifty of them at most, and each but these is refused.
        assert statuses.count(200) == told.orders == told.fills
        assert 45 <= told.orders <= 50
        assert statuses.count(400) == 200 - told.orders
        assert told.orders_sent == 200
        assert 0 <= told.accounts["alice"]["USDT"].free < 25
        assert "Traceback" not in exchange.log


def test_who_sends_slowly_or_never_ends_keeps_nobody_waiting(exchange: Any) -> None:
    begun = [
        b"",
        b"GET /api/v3/time HT",
        b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/v3/order HTTP/1.1\r\nContent-Length: 60000\r\n\r\nsymbol=",
        b"POST /api/v3/order HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsym",
    ]
    with nothing_happens(exchange), ExitStack() as open_:
        lines = [
            open_.enter_context(socket.create_connection(address(exchange), timeout=SECONDS))
            for _ in range(300)
        ]
        for _ in range(3):
            for number, line in enumerate(lines):
                line.sendall(begun[number % len(begun)][:40] or b"\r\n")
            assert answer(exchange, wire("GET", "/api/v3/time"))[0] == 200
            assert (
                answer(exchange, wire("GET", f"/api/v3/account?{sign(exchange, '')}", headers=KEY))[
                    0
                ]
                == 200
            )


TIME = "/api/v3/time"
CHUNKED = b"POST /api/v3/order HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "no http at all": b"nonsense\r\n\r\n",
    "a handshake of TLS": bytes.fromhex("160301020001") + b"\x00" * 60 + b"\r\n\r\n",
    "an unknown method": wire("NONSENSE", TIME),
    "an unknown version": b"GET /api/v3/time HTTP/9.9\r\nHost: x\r\n\r\n",
    "NUL in the path": b"GET /api/v3/ti\x00me HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a header": b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "a header without a name": b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "a header without a colon": b"GET /api/v3/time HTTP/1.1\r\nHost x\r\n\r\n",
    "a header of 20,000 bytes": wire("GET", TIME, headers=f"X: {'a' * 20_000}\r\n"),
    "a thousand headers": wire("GET", TIME, headers="X: a\r\n" * 1000),
    "a path of 20,000 bytes": wire("GET", f"/{'a' * 20_000}"),
    "a query of 20,000 bytes": wire("GET", f"{TIME}?a={'a' * 20_000}"),
    "a length that is no number": b"POST /api/v3/order HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    "a negative length": b"POST /api/v3/order HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    "two lengths": b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"),
    "chunks of garbage": CHUNKED + b"ZZ\r\nsymbol\r\n",
    "a chunk of a negative size": CHUNKED + b"-5\r\nabc\r\n",
    "a chunk without its end": CHUNKED + b"3\r\nabcdefgh\r\n",
    "a body that is not what it says": wire(
        "POST", "/api/v3/order", b"symbol=BTCUSDT", f"{KEY}Content-Encoding: gzip\r\n"
    ),
    "a body that grows": wire(
        "POST",
        "/api/v3/order",
        zlib.compress(b"a" * 50_000_000),
        f"{KEY}Content-Encoding: deflate\r\n",
    ),
    "a body of a megabyte": wire("POST", "/api/v3/order", b"a" * 1_000_000, KEY),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_http_or_too_much_is_turned_away(name: str, exchange: Any) -> None:
    with nothing_happens(exchange):
        status, _ = answer(exchange, BROKEN[name])
        assert status in {400, 413, 414, 431}, status


KLINES = "/api/v3/klines?interval=1h&symbol="
ODD = [
    ("GET", f"{KLINES}%00", 400, -1121),
    ("GET", f"{KLINES}BTC%00USDT", 400, -1121),
    ("GET", f"{KLINES}%zz%", 400, -1121),
    ("GET", f"{KLINES}%FF%FE", 400, -1100),
    ("GET", f"{KLINES}%D8%A7", 400, -1121),
    ("GET", f"{KLINES}", 400, -1102),
    ("GET", f"{KLINES}btcusdt", 400, -1121),
    ("GET", f"{KLINES}BTCUSDT&symbol=BTCUSDT", 400, -1101),
    ("GET", f"{KLINES}BTCUSDT&interval=1h", 400, -1101),
    ("GET", f"{KLINES}BTCUSDT&" + "&".join(f"a{n}=1" for n in range(60)), 400, -1100),
    ("GET", f"{KLINES}BTCUSDT&limit=-1", 400, -1100),
    ("GET", f"{KLINES}BTCUSDT&limit=1e3", 400, -1100),
    ("GET", f"{KLINES}BTCUSDT&limit=%D9%A1", 400, -1100),
    ("GET", f"{KLINES}BTCUSDT&startTime={'9' * 41}", 400, -1100),
    ("GET", "/api/v3/exchangeInfo?symbols=" + quote('["BTCUSDT", 5]'), 400, -1102),
    ("GET", "/api/v3/exchangeInfo?symbols=" + quote("[" * 2000), 400, -1102),
    ("GET", "/api/v3/%61ccount", 404, -1000),
    ("GET", "/api/v3//time", 404, -1000),
    ("GET", "/api/v3/../v3/time", 404, -1000),
    ("GET", "/", 404, -1000),
    ("GET", "http://other.example/api/v3/nothing", 404, -1000),
    ("DELETE", TIME, 405, -1000),
    ("PUT", "/api/v3/order", 405, -1000),
    ("OPTIONS", TIME, 405, -1000),
]


@pytest.mark.parametrize(("method", "target", "status", "code"), ODD)
def test_odd_requests_are_refused_as_binance_would(
    method: str, target: str, status: int, code: int, exchange: Any
) -> None:
    with nothing_happens(exchange):
        said, body = answer(exchange, wire(method, target))
        assert (said, json.loads(body)["code"]) == (status, code)
        assert set(json.loads(body)) == {"code", "msg"}


LIMIT = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
ORDERS = [
    (f"{LIMIT}&quantity=NaN&price=15000", -1100),
    (f"{LIMIT}&quantity=1&price=Infinity", -1100),
    (f"{LIMIT}&quantity=1e2&price=15000", -1100),
    (f"{LIMIT}&quantity=-1&price=15000", -1100),
    (f"{LIMIT}&quantity=%2B1&price=15000", -1100),
    (f"{LIMIT}&quantity=%D9%A1&price=15000", -1100),
    (f"{LIMIT}&quantity=.&price=15000", -1100),
    (f"{LIMIT}&quantity={'1' * 41}&price=15000", -1100),
    (f"{LIMIT}&quantity=0.000000001&price=15000", -1111),
    (f"{LIMIT}&quantity=0&price=15000", -1013),
    (f"{LIMIT}&quantity=99999999999999999999999999999999999999&price=15000", -1013),
    (f"{LIMIT}&quantity=0.01&price=15000&newClientOrderId=%00", -1100),
    (f"{LIMIT}&quantity=0.01&price=15000&newClientOrderId=%F0%9F%98%80", -1100),
    (f"{LIMIT}&quantity=0.01&price=15000&newClientOrderId={'a' * 37}", -1100),
    (f"{LIMIT}&quantity=0.01&price=15000&recvWindow=60001", -1131),
    (f"{LIMIT}&quantity=0.01&price=15000&recvWindow=x", -1100),
    (f"{LIMIT}&quantity=0.01&price=15000&side=SELL", -1101),
    ("symbol=BTCUSDT&side=buy&type=LIMIT", -1117),
    ("symbol=BTCUSDT&side=BUY&type=limit", -1116),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=" + "9" * 40, -1013),
    ("symbol=%00&side=BUY&type=MARKET&quantity=1", -1121),
    ("a=b", -1102),
]


@pytest.mark.parametrize(("asked", "code"), ORDERS)
def test_a_signed_order_that_makes_no_sense_is_refused(
    asked: str, code: int, exchange: Any
) -> None:
    with nothing_happens(exchange):
        body = sign(exchange, asked).encode()
        status, said = answer(exchange, wire("POST", "/api/v3/order", body, KEY))
        assert (status, json.loads(said)["code"]) == (400, code)


def test_requests_that_come_in_one_piece_are_answered_in_their_order(exchange: Any) -> None:
    with socket.create_connection(address(exchange), timeout=SECONDS) as line:
        line.sendall(wire("GET", TIME) * 30 + wire("GET", "/last"))
        got = b""
        while b"Path not found" not in got:
            part = line.recv(65536)
            assert part, got
            got += part
    assert got.count(b"HTTP/1.1 200 OK") == got.count(b"serverTime") == 30


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "TRACE", ""]),
    target=st.binary(max_size=60),
    rest=st.binary(max_size=200),
)
def test_whatever_is_sent_the_exchange_goes_on(
    method: str, target: bytes, rest: bytes, exchange: Any
) -> None:
    with socket.create_connection(address(exchange), timeout=SECONDS) as line:
        line.sendall(
            method.encode() + b" /api/v3/" + target + b" HTTP/1.1\r\n" + rest + b"\r\n\r\n"
        )
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass
    assert answer(exchange, wire("GET", TIME))[0] == 200
    assert "Traceback" not in exchange.log


FEW = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (%d, %d))
sys.argv[:] = ["sluice-exchange", *sys.argv[1:]]
from runner.exchange import main
main()
"""


@pytest.mark.parametrize(("soft", "hard", "said"), [(256, 4096, 0), (256, 512, 1)])
def test_few_open_files_are_made_more_or_it_is_said(
    soft: int, hard: int, said: int, root: Path
) -> None:
    argv = [sys.executable, "-c", FEW % (soft, hard), "serve", "--root", str(root)]
    argv += ["--clock", "stepped"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stderr is not None
            lines = [process.stderr.readline() for _ in range(2)]
            limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        finally:
            process.terminate()
        # Not `communicate`: it leaves out what was read ahead with the first lines.
        lines += process.stderr.readlines()
    (files,) = [line for line in limits if line.startswith("Max open files")]
    assert files.split()[3] == str(min(hard, 4096))
    assert len(lines) == 2 + said
    assert all(line.startswith("only 448 connections at once") for line in lines[2:])
