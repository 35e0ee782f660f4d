"""send(2): two chunks in order, a full socket, a closed socket without a signal."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests._speedups.fake_connection import FakeConnection, FakeServer, body, start


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.setblocking(False)
    with ours, client:
        yield ours, client


def test_head_and_large_body_leave_in_one_message(server: FakeServer) -> None:
    """On a datagram socket each system call is a message of its own."""
    ours, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, client:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        connection = server.connect(socket=ours)
        connection.request().respond(200, [], b"x" * 50_000)
        message = client.recv(1 << 20)
    assert message == b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + b"x" * 50_000


def test_a_large_chunk_alone(server: FakeServer, pair: tuple[socket.socket, socket.socket]) -> None:
    connection = server.connect(socket=pair[0])
    exchange = connection.request()
    start(exchange, 200, (b"content-length", b"40000"))
    body(exchange, b"x" * 20_000, more=True)
    body(exchange, b"y" * 20_000)
    assert pair[1].recv(1 << 20).endswith(b"\r\n\r\n" + b"x" * 20_000 + b"y" * 20_000)


@pytest.mark.parametrize("size", [10, 50_000])
def test_a_socket_that_is_full_takes_nothing_and_is_no_error(
    server: FakeServer, pair: tuple[socket.socket, socket.socket], size: int
) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            pair[0].send(b"f" * 65_536)
    connection: FakeConnection = server.connect(socket=pair[0])
    connection.transport.full = True
    connection.request().respond(200, [], b"x" * size)
    assert connection.transport.waiting.endswith(b"\r\n\r\n" + b"x" * size)
    assert connection.calls == []


@pytest.mark.parametrize("size", [10, 50_000])
def test_a_socket_that_is_closed_is_a_loss(
    server: FakeServer, pair: tuple[socket.socket, socket.socket], size: int
) -> None:
    connection = server.connect(socket=pair[0])
    exchange = connection.request()
    pair[1].close()
    exchange.respond(200, [], b"x" * size)
    assert connection.calls[0] == "abort"
    assert exchange.lost


def test_no_signal_is_raised_where_python_has_not_switched_it_off() -> None:
    code = """
import asyncio, signal, socket
from tests._speedups.fake_connection import FakeServer
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ours, client = socket.socketpair()
exchange = FakeServer(asyncio.new_event_loop()).connect(socket=ours).request()
client.close()
exchange.respond(200, [], b"x")
print(exchange.lost)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
