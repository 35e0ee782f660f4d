"""The states of a connection and every transition between them (the table at the top of ``http1/protocol.pyx``)."""

import socket
from collections.abc import Callable

import pytest
from tests.compiled.connections import now, state_of

from tests._speedups.line import GET, TINY, Line, Office, body, hello, post, start

Open = Callable[..., Office]
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def state(line: Line) -> str:
    return state_of(line.connection)


def test_a_new_connection_is_idle(line: Line) -> None:
    assert state(line) == "idle"


def test_some_of_a_head(line: Line) -> None:
    line.feed(GET[:5])
    assert state(line) == "in head"
    line.feed(GET[5:])
    assert state(line) == "in exchange"


def test_a_head_in_one_piece(line: Line) -> None:
    line.feed(GET)
    assert state(line) == "in exchange"
    hello(line.exchange)
    assert state(line) == "idle"


@pytest.mark.parametrize("sent", [b"", GET[:5]])
def test_the_client_ends_before_a_request(line: Line, sent: bytes) -> None:
    line.feed(sent)
    line.connection.eof_received()
    assert state(line) == "closing"
    line.lose()
    assert state(line) == "closed"


@pytest.mark.parametrize("sent", [b"", GET])
def test_the_server_stops(line: Line, sent: bytes) -> None:
    line.feed(sent)
    line.office.state.connections.stop()
    if sent:
        assert state(line) == "in exchange"
        hello(line.exchange)
    assert state(line) == "closing"


def test_a_stop_leaves_a_refusal_its_time(line: Line) -> None:
    line.feed(b"\0")
    line.office.state.connections.stop()
    assert (state(line), line.calls) == ("draining", ["write_eof"])


def test_a_stop_within_a_response_answers_what_was_received_behind_it(line: Line) -> None:
    line.feed(GET + GET)
    start(line.exchange)
    body(line.exchange, b"first", more=True)
    line.office.state.connections.stop()
    body(line.exchange)
    line.office.turn()
    hello(line.exchange)
    assert [(text, headers.get(b"connection")) for _, headers, text in line.answers("GET", "GET")] == [
        (b"first", None),
        (b"/", b"close"),
    ]
    assert (state(line), line.calls) == ("closing", ["close"])


@pytest.mark.parametrize("sent", [GET, b"\r\n"])
def test_a_stop_answers_what_has_reached_the_socket(office: Office, sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = office.connect(socket=ours)
        theirs.send(sent)
        office.state.connections.stop()
        assert line.calls == []
        line.feed(ours.recv(1000))
        if sent == GET:
            hello(line.exchange)
            assert b"connection: close" in theirs.recv(1000)
        assert (state(line), line.calls) == ("closing", ["close"])


def test_an_idle_connection_is_overdue(open_office: Open) -> None:
    line = open_office(timeout_keep_alive=TINY, timeout_request_head=TINY).connect()
    line.office.sweep()
    assert state(line) == "closing"


@pytest.mark.parametrize("overdue", [True, False])
def test_a_head_that_is_refused_lingers_and_drains(open_office: Open, overdue: bool) -> None:
    line = open_office(timeout_request_head=TINY if overdue else 30.0).connect()
    line.transport.full = True
    line.feed(GET[:5])
    if overdue:
        line.office.sweep()
    else:
        line.feed(b"\0")
    assert state(line) == "lingering"
    line.feed(b"more that is discarded")
    line.transport.drain()
    line.office.turn()
    assert (state(line), line.calls) == ("draining", ["write_eof"])
    line.connection.check_timeout(1e12)
    assert (state(line), line.calls) == ("closing", ["write_eof", "close"])


def test_the_time_to_close_begins_when_the_response_has_left(line: Line) -> None:
    line.transport.full = True
    line.feed(b"\0")
    late = now() + 1000
    line.connection.check_timeout(late)
    line.transport.drain()
    line.office.turn()
    line.connection.check_timeout(now() + 1.5)
    assert (state(line), line.calls) == ("draining", ["write_eof"])


def test_a_client_that_closes_ends_the_draining(line: Line) -> None:
    line.feed(b"\0")
    assert state(line) == "draining"
    line.connection.eof_received()
    assert (state(line), line.calls) == ("closing", ["write_eof", "close"])


def test_the_rest_of_a_body_is_discarded_in_the_exchange(line: Line) -> None:
    hello(line.request(post(5)))
    assert state(line) == "in exchange"
    line.feed(b"12345")
    assert state(line) == "idle"


def test_the_last_response_closes_where_nothing_is_unread(line: Line) -> None:
    hello(line.request(LAST))
    assert (state(line), line.calls) == ("closing", ["close"])


def test_the_last_response_drains_where_something_is_unread(line: Line) -> None:
    line.feed(LAST + GET)
    hello(line.exchange)
    assert (state(line), line.calls) == ("draining", ["write_eof"])


def test_a_response_that_fails_closes(line: Line) -> None:
    exchange = line.request()
    start(exchange)
    body(exchange, b"x", more=True)
    assert exchange.finish_application() is False
    assert state(line) == "closing"


def test_a_response_that_fails_does_not_reset_those_before_it(line: Line) -> None:
    line.feed(GET + GET + GET)
    hello(line.exchange)
    line.office.turn()
    start(line.exchange)
    body(line.exchange, b"x", more=True)
    assert line.exchange.finish_application() is False
    assert (state(line), line.calls) == ("draining", ["write_eof"])


def test_a_closing_connection_waits_for_what_is_written(line: Line) -> None:
    line.transport.full = True
    hello(line.request(LAST))
    assert (state(line), line.calls) == ("closing", [])
    line.transport.drain()
    line.office.turn()
    assert line.calls == ["close"]


@pytest.mark.parametrize("sent", [b"", GET[:5], GET, LAST + GET, b"\0"])
def test_the_loss_closes_from_every_state(line: Line, sent: bytes) -> None:
    line.feed(sent)
    line.lose()
    assert state(line) == "closed"
    assert line.office.state.connections.open == 0
