"""The addresses of the client and the server, from the transport to the form of ASGI; room for new connections."""

import socket

import pytest
from tests.compiled.connections import now

from tests._speedups.fake_connection import GET, FakeServer, hello


@pytest.mark.parametrize(
    ("peername", "expected"),
    [
        (("10.0.0.1", 4711), ("10.0.0.1", 4711)),
        (["10.0.0.1", 4711], ("10.0.0.1", 4711)),
        (("::1", 4711, 0, 0), ("::1", 4711)),
        (("::1", "4711"), ("::1", 4711)),
        (None, None),
        ("", None),
        (b"", None),
        ("a.sock", None),
        ((), None),
        (("alone",), None),
    ],
)
def test_the_address_of_the_client(server: FakeServer, peername: object, expected: object) -> None:
    assert server.connect(peername=peername, sockname=("server", 1)).protocol.client == expected


@pytest.mark.parametrize(
    ("sockname", "expected"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("::1", 80, 0, 0), ("::1", 80)),
        ("run/atlas.sock", ("run/atlas.sock", None)),
        ("", None),
        (None, None),
        (b"\0abstract", None),
    ],
)
def test_the_address_of_the_server(server: FakeServer, sockname: object, expected: object) -> None:
    assert server.connect(sockname=sockname, peername=("client", 1)).protocol.server == expected


# ----------------------------------------------------------------------------------------------------------------- room


def test_the_connections_that_are_idle_for_longest_make_room(server: FakeServer) -> None:
    connections = [server.connect() for _ in range(5)]
    begun = now()
    while now() == begun:  # the clock is coarse
        pass
    connections += [server.connect() for _ in range(123)]
    connections[0].feed(GET)  # in work
    connections[1].feed(GET[:5])  # its time begins again
    connections[2].transport.full = True
    connections[2].feed(b"\0")  # refused, and the response waits
    assert server.state.connections.make_room(0) == 2
    assert [at for at, connection in enumerate(connections) if connection.calls] == [3, 4]
    assert connections[3].calls == ["close"]


def test_a_connection_is_spared_before_it_has_had_time_for_a_request(server: FakeServer) -> None:
    connection = server.connect()
    assert server.state.connections.make_room() == 0
    assert connection.calls == []
    assert server.state.connections.make_room(0) == 1


def test_where_none_is_idle_the_next_one_that_ends_a_request_makes_room(server: FakeServer) -> None:
    busy, other = server.connect(), server.connect()
    busy.feed(GET)
    other.feed(GET)
    assert server.state.connections.make_room(0) == 0
    hello(busy.exchange)
    hello(server.gateway.started[0])
    assert [connection.calls for connection in (busy, other)] == [["close"], ["close"]]
    busy.lose()
    other.lose()
    again = server.connect()
    hello(again.request())
    assert again.calls == [], "there is room"


def test_a_connection_with_unread_bytes_is_not_idle(server: FakeServer) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = server.connect(socket=ours)
        theirs.send(GET)
        assert server.state.connections.make_room(0) == 0
        assert connection.calls == []
        ours.recv(100)
        assert server.state.connections.make_room(0) == 1
