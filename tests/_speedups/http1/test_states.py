"""The states of a connection and every transition between them (the table at the top of ``http1/protocol.pyx``)."""

import socket
from collections.abc import Callable

import pytest
from tests.compiled.connections import UpgradeGateway, now, state_of
from tests.compiled.echo import EchoProtocol

from atlas._speedups.http.exchange import Exchange
from tests._speedups.fake_connection import GET, TINY, AccessLog, FakeConnection, FakeServer, body, hello, post, start

Open = Callable[..., FakeServer]
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def state(connection: FakeConnection) -> str:
    return state_of(connection.protocol)


def test_a_new_connection_is_idle(connection: FakeConnection) -> None:
    assert state(connection) == "idle"


def test_some_of_a_head(connection: FakeConnection) -> None:
    connection.feed(GET[:5])
    assert state(connection) == "in head"
    connection.feed(GET[5:])
    assert state(connection) == "in exchange"


def test_a_head_in_one_chunk(connection: FakeConnection) -> None:
    connection.feed(GET)
    assert state(connection) == "in exchange"
    hello(connection.exchange)
    assert state(connection) == "idle"


@pytest.mark.parametrize("sent", [b"", GET[:5]])
def test_the_client_ends_before_a_request(connection: FakeConnection, sent: bytes) -> None:
    connection.feed(sent)
    connection.protocol.eof_received()
    assert state(connection) == "closing"
    connection.lose()
    assert state(connection) == "closed"


@pytest.mark.parametrize("sent", [b"", GET])
def test_the_server_stops(connection: FakeConnection, sent: bytes) -> None:
    connection.feed(sent)
    connection.server.state.connections.stop()
    if sent:
        assert state(connection) == "in exchange"
        hello(connection.exchange)
    assert state(connection) == "closing"


def test_a_stop_leaves_a_refusal_its_time(connection: FakeConnection) -> None:
    connection.feed(b"\0")
    connection.server.state.connections.stop()
    assert (state(connection), connection.calls) == ("lingering", ["write_eof"])


def test_a_stop_within_a_response_answers_what_was_received_behind_it(connection: FakeConnection) -> None:
    connection.feed(GET + GET)
    start(connection.exchange)
    body(connection.exchange, b"first", more=True)
    connection.server.state.connections.stop()
    body(connection.exchange)
    connection.server.turn()
    hello(connection.exchange)
    assert [(text, headers.get(b"connection")) for _, headers, text in connection.responses("GET", "GET")] == [
        (b"first", None),
        (b"/", b"close"),
    ]
    assert (state(connection), connection.calls) == ("closing", ["close"])


@pytest.mark.parametrize("sent", [GET, b"\r\n"])
def test_a_stop_answers_what_has_reached_the_socket(server: FakeServer, sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = server.connect(socket=ours)
        theirs.send(sent)
        server.state.connections.stop()
        assert connection.calls == []
        connection.feed(ours.recv(1000))
        if sent == GET:
            hello(connection.exchange)
            assert b"connection: close" in theirs.recv(1000)
        assert (state(connection), connection.calls) == ("closing", ["close"])


def test_a_stop_within_a_response_does_not_reset_it(server: FakeServer) -> None:
    def answer(exchange: Exchange) -> None:
        start(exchange)
        body(exchange, b"some", more=True)
        server.state.connections.stop()
        body(exchange)

    server.gateway.respond = answer
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = server.connect(socket=ours)
        theirs.send(GET)
        connection.feed(GET)
        assert (state(connection), connection.calls) == ("lingering", ["write_eof"])


def test_an_idle_connection_is_overdue(new_server: Open) -> None:
    connection = new_server(timeout_keep_alive=TINY, timeout_request_head=TINY).connect()
    connection.server.check_timeouts()
    assert state(connection) == "closing"


@pytest.mark.parametrize("overdue", [True, False])
def test_a_head_that_is_refused_leaves_and_lingers(new_server: Open, overdue: bool) -> None:
    connection = new_server(timeout_request_head=TINY if overdue else 30.0).connect()
    connection.transport.full = True
    connection.feed(GET[:5])
    if overdue:
        connection.server.check_timeouts()
    else:
        connection.feed(b"\0")
    assert state(connection) == "last response"
    connection.feed(b"more that is discarded")
    connection.transport.drain()
    connection.server.turn()
    assert (state(connection), connection.calls) == ("lingering", ["write_eof"])
    connection.protocol.check_timeout(1e12)
    assert (state(connection), connection.calls) == ("closing", ["write_eof", "close"])


def test_the_time_to_close_begins_when_the_response_has_left(connection: FakeConnection) -> None:
    connection.transport.full = True
    connection.feed(b"\0")
    late = now() + 1000
    connection.protocol.check_timeout(late)
    connection.transport.drain()
    connection.server.turn()
    connection.protocol.check_timeout(now() + 1.5)
    assert (state(connection), connection.calls) == ("lingering", ["write_eof"])


def test_a_client_that_closes_ends_the_lingering(connection: FakeConnection) -> None:
    connection.feed(b"\0")
    assert state(connection) == "lingering"
    connection.protocol.eof_received()
    assert (state(connection), connection.calls) == ("closing", ["write_eof", "close"])


def test_the_rest_of_a_body_is_discarded_in_the_exchange(connection: FakeConnection) -> None:
    hello(connection.request(post(5)))
    assert state(connection) == "in exchange"
    connection.feed(b"12345")
    assert state(connection) == "idle"


def test_the_last_response_closes_where_nothing_is_unread(connection: FakeConnection) -> None:
    hello(connection.request(LAST))
    assert (state(connection), connection.calls) == ("closing", ["close"])


def test_the_last_response_lingers_where_something_is_unread(connection: FakeConnection) -> None:
    connection.feed(LAST + GET)
    hello(connection.exchange)
    assert (state(connection), connection.calls) == ("lingering", ["write_eof"])


def test_a_response_that_fails_closes(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    body(exchange, b"x", more=True)
    assert exchange.finish_application() is False
    assert state(connection) == "closing"


def test_a_response_that_fails_does_not_reset_those_before_it(connection: FakeConnection) -> None:
    connection.feed(GET + GET + GET)
    hello(connection.exchange)
    connection.server.turn()
    start(connection.exchange)
    body(connection.exchange, b"x", more=True)
    assert connection.exchange.finish_application() is False
    assert (state(connection), connection.calls) == ("lingering", ["write_eof"])


def test_a_closing_connection_waits_for_what_is_written(connection: FakeConnection) -> None:
    connection.transport.full = True
    hello(connection.request(LAST))
    assert (state(connection), connection.calls) == ("closing", [])
    connection.transport.drain()
    connection.server.turn()
    assert connection.calls == ["close"]


@pytest.mark.parametrize("sent", [b"", GET[:5], GET, LAST + GET, b"\0"])
def test_the_loss_closes_from_every_state(connection: FakeConnection, sent: bytes) -> None:
    connection.feed(sent)
    connection.lose()
    assert state(connection) == "closed"
    assert connection.server.state.connections.open == 0


# ----------------------------------------------------------------------------------------------------------- an upgrade

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"


@pytest.mark.parametrize("size", [None, 1, 7])
def test_another_protocol_takes_the_connection_over(new_server: Open, size: int | None) -> None:
    log = AccessLog()
    made: list[EchoProtocol] = []

    def new_protocol() -> EchoProtocol:
        made.append(EchoProtocol())
        return made[-1]

    server = new_server(gateway=UpgradeGateway(new_protocol), access_log=log)
    connection = server.connect()
    connection.feed(UPGRADE + b"frames in the same packet", size)
    connection.feed(b", and more", size)
    assert connection.sent == SWITCHED + b"frames in the same packet, and more"
    assert [record[4] for record in log.records] == [101]
    assert (server.state.in_work, connection.calls) == (0, [])
    connection.lose()
    assert made[0].is_lost
    assert server.state.connections.open == 0


def test_a_request_that_is_switched_ends_its_turn_in_the_new_protocol(new_server: Open) -> None:
    server = new_server(gateway=UpgradeGateway(EchoProtocol))
    connection = server.connect()
    connection.transport.full = True
    connection.feed(UPGRADE + b"x" * 70_000)
    connection.feed(b"y")
    assert connection.calls == ["pause_reading"], "the new protocol applies its own backpressure"
