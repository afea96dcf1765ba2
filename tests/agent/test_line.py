"""The line to an exchange really is cut: what is on its way is lost, and nobody gets through."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.agent.line import HOST, Line


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that answers with what it was told, and says nothing of what is `kept`."""
    with socket.create_server((HOST, 0)) as listening:

        def answer(connection: socket.socket) -> None:
            # The line resets both of its ends.
            with connection, suppress(ConnectionResetError):
                while given := connection.recv(100):
                    if given != b"kept":
                        connection.sendall(given)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_what_is_on_its_way_is_lost_and_new_connections_are_refused_until_it_is_mended(
    echo: int,
) -> None:
    with Line.to(echo) as line:
        for _ in range(2):
            with socket.create_connection((HOST, line.port), 20) as there:
                there.sendall(b"hello")
                assert there.recv(100) == b"hello"
                there.sendall(b"kept")
                line.cut()
                with pytest.raises(ConnectionResetError):
                    there.recv(100)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, line.port), 20)
            line.mend()


def test_where_nobody_listens_at_its_other_end_it_carries_nothing() -> None:
    with socket.create_server((HOST, 0)) as nobody:
        port = nobody.getsockname()[1]
    with (
        Line.to(port) as line,
        pytest.raises(ConnectionResetError),
        socket.create_connection((HOST, line.port), 20) as there,
    ):
        there.recv(100)
