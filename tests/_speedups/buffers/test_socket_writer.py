"""What is gathered leaves in one write, in order, whole: on a socket straight from memory, else by the transport."""

import socket
from collections.abc import Iterator

import pytest

from tests._speedups.fake_connection import GET, FakeConnection, FakeServer, body, hello, start


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(ours, the client's); ours takes little before it is full."""
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, client:
        yield ours, client


@pytest.fixture
def tcp(server: FakeServer, pair: tuple[socket.socket, socket.socket]) -> FakeConnection:
    """A connection whose transport has a socket without TLS."""
    return server.connect(socket=pair[0])


def read(client: socket.socket) -> bytes:
    """All that has come."""
    pieces = []
    while True:
        try:
            pieces.append(client.recv(1 << 20))
        except BlockingIOError:
            return b"".join(pieces)


def test_on_a_socket_without_tls_the_transport_is_not_used(
    tcp: FakeConnection, pair: tuple[socket.socket, socket.socket]
) -> None:
    hello(tcp.request())
    assert tcp.transport.writes == []
    assert read(pair[1]) == b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n/"


def test_what_the_socket_leaves_goes_to_the_transport(
    tcp: FakeConnection, pair: tuple[socket.socket, socket.socket]
) -> None:
    piece = bytes(index % 251 for index in range(251)) * 2000
    tcp.transport.full = True
    exchange = tcp.request()
    start(exchange, 200, (b"content-length", b"%d" % (2 * len(piece))))
    body(exchange, piece, more=True)
    first = read(pair[1])
    head, _, taken = first.partition(b"\r\n\r\n")
    assert 0 < len(taken) < len(piece)
    assert taken + tcp.transport.waiting == piece
    tcp.transport.full = False
    tcp.transport.waiting = b""
    tcp.protocol.resume_writing()
    body(exchange, piece)
    rest = read(pair[1]) + tcp.transport.sent
    assert rest == piece
    assert head.startswith(b"HTTP/1.1 200 OK")


def test_bytes_in_the_transport_are_sent_first(tcp: FakeConnection, pair: tuple[socket.socket, socket.socket]) -> None:
    tcp.transport.full = True
    exchange = tcp.request()
    start(exchange, 200, (b"content-length", b"40003"))
    body(exchange, b"x" * 40_000, more=True)
    read(pair[1])
    body(exchange, b"abc")
    tcp.server.turn(2)
    assert read(pair[1]) == b"", "the socket is writable, but the transport still has bytes"
    assert not tcp.transport.waiting.endswith(b"c")
    tcp.transport.waiting = b""
    tcp.protocol.resume_writing()
    assert read(pair[1]) == b"abc"


def test_a_socket_that_is_broken_is_aborted_at_once(
    tcp: FakeConnection, pair: tuple[socket.socket, socket.socket]
) -> None:
    exchange = tcp.request()
    pair[1].close()
    hello(exchange)
    assert tcp.calls[0] == "abort"
    assert exchange.lost


def test_a_held_head_does_not_leave_with_what_is_before_it(connection: FakeConnection) -> None:
    def half(exchange: object) -> None:
        if connection.server.gateway.started[0] is exchange:
            hello(connection.exchange)
        else:
            start(connection.exchange, 202)

    connection.server.gateway.respond = half
    connection.feed(GET + GET)
    assert connection.sent.count(b"HTTP/1.1") == 1
    connection.server.turn()
    assert b"202" not in connection.sent
    body(connection.exchange, b"x")
    assert [answer[0] for answer in connection.responses("GET", "GET")] == [200, 202]


def test_a_head_that_is_dropped_leaves_what_was_before_it(connection: FakeConnection) -> None:
    def half(exchange: object) -> None:
        if connection.server.gateway.started[0] is exchange:
            hello(connection.exchange)
        else:
            start(connection.exchange, 202, (b"x", b"y"))
            connection.exchange.finish_application()

    connection.server.gateway.respond = half
    connection.feed(GET + GET)
    assert [answer[0] for answer in connection.responses("GET", "GET")] == [200, 500]
    assert b"x: y" not in connection.sent


@pytest.mark.parametrize("size", [100, 16_383, 16_384, 100_000])
def test_small_and_large_chunks_keep_their_order(connection: FakeConnection, size: int) -> None:
    exchange = connection.request()
    start(exchange)
    pieces = [bytes([65 + index]) * (size if index % 2 else 10) for index in range(10)]
    for piece in pieces:
        body(exchange, piece, more=True)
    body(exchange)
    assert connection.responses()[0][2] == b"".join(pieces)


def test_more_than_the_high_water_mark_leaves_before_the_turn_ends(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    for _ in range(7):
        body(exchange, b"x" * 10_000, more=True)
    assert len(connection.sent) > 65_536


def test_a_transport_that_blocks_again_while_it_drains(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 1000, more=True)
    connection.server.turn()
    body(exchange, b"b" * 1000, more=True)
    connection.server.turn()
    assert b"b" * 1000 not in connection.transport.waiting
    connection.transport.sent, connection.transport.waiting = connection.transport.waiting, b""
    connection.protocol.resume_writing()
    assert b"b" * 1000 in connection.transport.waiting
    connection.transport.drain()
    body(exchange, b"c")
    assert connection.responses()[0][2] == b"a" * 1000 + b"b" * 1000 + b"c"
