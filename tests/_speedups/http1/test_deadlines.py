"""Every row of the table of deadlines in ``http1/protocol.pxd``: what a connection waits for, and what ends it."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.compiled.connections import age_body, now, state_of

from tests._speedups.fake_connection import GET, FakeConnection, FakeServer, body, hello, post, receive, run_now, start

Open = Callable[..., FakeServer]
HOUR = 3600.0
SECONDS = {
    "timeout_request_head": 10.0,
    "timeout_keep_alive": 20.0,
    "timeout_request_body": 30.0,
    "timeout_write": 40.0,
}


def state(connection: FakeConnection) -> str:
    return state_of(connection.protocol)


def after(connection: FakeConnection, seconds: float) -> tuple[str, list[str]]:
    """The state of a connection and the calls of its transport when the timer looks at it after so many seconds."""
    connection.protocol.check_timeout(now() + seconds)
    return state(connection), connection.calls


@pytest.fixture
def connection(new_server: Open) -> FakeConnection:
    return new_server(**SECONDS).connect()


def test_before_the_first_request(connection: FakeConnection) -> None:
    assert after(connection, 9) == ("idle", [])
    assert after(connection, 11) == ("closing", ["close"])


def test_between_two_requests(connection: FakeConnection) -> None:
    hello(connection.request())
    assert after(connection, 19) == ("idle", [])
    assert after(connection, 21) == ("closing", ["close"])


@pytest.mark.parametrize("before", [b"", GET])
def test_the_rest_of_a_head(connection: FakeConnection, before: bytes) -> None:
    if before:
        hello(connection.request())
    connection.feed(GET[:7])
    assert after(connection, 9) == ("in head", [])
    assert after(connection, 11) == ("lingering", ["write_eof"])
    assert b"HTTP/1.1 408 " in connection.sent


def test_a_body_that_the_application_waits_for(connection: FakeConnection) -> None:
    exchange = connection.request(post(5))
    waiting = connection.server.loop.create_task(exchange.receive())
    connection.server.turn()
    assert after(connection, 29) == ("in exchange", [])
    connection.server.turn()
    assert not waiting.done()
    assert after(connection, 31) == ("in exchange", [])
    connection.server.turn()
    assert waiting.result() == {"type": "http.disconnect"}
    hello(exchange)  # as an application does that is told
    assert state(connection) in ("closing", "lingering")


# A body of 1,000 bytes that the application waits for: 30 seconds, and one more for each 100 bytes.


@pytest.fixture
def uploading(new_server: Open) -> FakeConnection:
    connection = new_server(**SECONDS, min_request_body_rate=100).connect()
    connection.request(post(1000))
    return connection


def wait(connection: FakeConnection) -> asyncio.Task[Any]:
    """Have the application wait for more of the body."""
    waiting = connection.server.loop.create_task(connection.exchange.receive())
    connection.server.turn()
    return waiting


def is_given_up(connection: FakeConnection, waiting: asyncio.Task[Any], seconds: float) -> bool:
    after(connection, seconds)
    connection.server.turn()
    return waiting.done() and waiting.result() == {"type": "http.disconnect"}


def drip(connection: FakeConnection, size: int) -> asyncio.Task[Any]:
    """The client sends so many bytes, which the application receives; then it waits for more."""
    connection.feed(b"x" * size)
    assert receive(connection.exchange)["body"] == b"x" * size
    return wait(connection)


def test_a_body_in_drips_is_overdue_as_a_whole(uploading: FakeConnection) -> None:
    wait(uploading).cancel()
    uploading.server.turn()
    for _ in range(3):
        age_body(uploading.protocol, 9)
        waiting = drip(uploading, 1)
    assert not is_given_up(uploading, waiting, 2.9)
    assert is_given_up(uploading, waiting, 3.2)
    assert "on_body_overdue" in uploading.server.events.calls


def test_a_body_that_comes_at_its_rate_has_its_time(uploading: FakeConnection) -> None:
    for _ in range(3):
        age_body(uploading.protocol, 9)
        waiting = drip(uploading, 100)
    assert not is_given_up(uploading, waiting, 5.9)
    assert is_given_up(uploading, waiting, 6.2)


def test_a_body_at_once_and_then_nothing_has_the_time_between_two_pieces(uploading: FakeConnection) -> None:
    waiting = drip(uploading, 900)
    assert not is_given_up(uploading, waiting, 29.9)
    assert is_given_up(uploading, waiting, 30.2)


def test_there_may_be_no_rate(connection: FakeConnection) -> None:
    connection.request(post(1000))
    age_body(connection.protocol, HOUR)
    waiting = drip(connection, 1)
    assert not is_given_up(connection, waiting, 29.9)


def test_a_response_that_has_begun_may_be_a_conversation(uploading: FakeConnection) -> None:
    start(uploading.exchange)
    body(uploading.exchange, b"go on", more=True)
    age_body(uploading.protocol, HOUR)
    waiting = drip(uploading, 1)
    assert not is_given_up(uploading, waiting, 29.9)
    assert is_given_up(uploading, waiting, 30.2)


def test_the_time_in_which_the_application_does_not_wait_is_its_own(uploading: FakeConnection) -> None:
    age_body(uploading.protocol, HOUR)
    uploading.feed(b"x")
    assert after(uploading, HOUR) == ("in exchange", [])
    assert receive(uploading.exchange)["body"] == b"x"
    waiting = wait(uploading)
    assert not is_given_up(uploading, waiting, 29.9)
    assert is_given_up(uploading, waiting, 30.2)


def test_the_time_in_which_reading_is_paused_is_not_the_clients(new_server: Open) -> None:
    connection = new_server(**SECONDS, min_request_body_rate=100).connect()
    connection.request(post(1_000_000))
    connection.feed(b"x" * 100_000)
    assert connection.calls == ["pause_reading"]
    age_body(connection.protocol, HOUR)
    assert len(receive(connection.exchange)["body"]) == 100_000
    assert connection.calls == ["pause_reading", "resume_reading"]
    waiting = wait(connection)
    assert not is_given_up(connection, waiting, 29.9)
    assert is_given_up(connection, waiting, 30.2)


def test_a_client_that_waits_for_100_continue_has_its_time_from_there(new_server: Open) -> None:
    connection = new_server(**SECONDS, min_request_body_rate=100).connect()
    connection.request(post(1000, b"Expect: 100-continue"))
    age_body(connection.protocol, HOUR)
    waiting = wait(connection)
    assert b"HTTP/1.1 100 " in connection.sent
    assert not is_given_up(connection, waiting, 29.9)


@pytest.mark.parametrize("ended", [False, True])
def test_a_response_that_is_whole_before_its_request(connection: FakeConnection, ended: bool) -> None:
    """The client may also have ended its side after the head of the response was sent."""
    exchange = connection.request(post(5))
    start(exchange)
    body(exchange, b"x", more=True)
    if ended:
        connection.protocol.eof_received()
    body(exchange)
    if not ended:
        assert after(connection, 29) == ("in exchange", [])
    assert after(connection, 31) == ("closing", ["close"])


def test_the_rest_of_a_body_in_drips_does_not_move_the_deadline(new_server: Open) -> None:
    connection = new_server(timeout_request_body=0.2).connect()
    exchange = connection.request(post(5))
    start(exchange)
    body(exchange)
    time.sleep(0.15)
    connection.feed(b"x")
    assert after(connection, 0.1) == ("closing", ["close"])


def test_an_application_that_ends_its_response_when_the_body_stops(connection: FakeConnection) -> None:
    exchange = connection.request(post(5))
    start(exchange)
    body(exchange, b"x", more=True)
    waiting = connection.server.loop.create_task(exchange.receive())
    connection.server.turn()
    after(connection, 31)
    connection.server.turn()
    assert waiting.result() == {"type": "http.disconnect"}
    body(exchange)
    assert after(connection, 62) == ("closing", ["close"])


def test_an_application_that_works_has_its_own_time(connection: FakeConnection) -> None:
    connection.request()
    assert after(connection, HOUR) == ("in exchange", [])


@pytest.mark.parametrize("sent", [b"\0", GET[:5] + b"\r\r"])
def test_the_last_response(connection: FakeConnection, sent: bytes) -> None:
    connection.transport.full = True
    connection.feed(sent)
    assert state(connection) == "last response"
    after(connection, 1)
    assert after(connection, 42) == ("last response", ["abort"])


def test_the_client_after_the_last_response(connection: FakeConnection) -> None:
    connection.feed(b"\0")
    assert after(connection, 1) == ("lingering", ["write_eof"])
    assert after(connection, 3) == ("closing", ["write_eof", "close"])


def test_a_transport_that_does_not_close(connection: FakeConnection) -> None:
    """As with TLS, where the client is to close as well."""
    after(connection, 11)
    assert after(connection, 39) == ("closing", ["close"])
    assert after(connection, 41) == ("closing", ["close", "abort"])


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_client_that_reads_nothing(connection: FakeConnection, pipelined: bool) -> None:
    connection.transport.full = True
    connection.server.gateway.respond = lambda exchange: exchange.respond(200, [], b"x" * 100_000)
    connection.feed(GET * (2 if pipelined else 1))
    assert state(connection) == "idle"
    after(connection, 1)
    assert after(connection, 42) == ("idle", ["abort"])


# ------------------------------------------------------- a client that is gone, where the loop doesn't read its socket


@pytest.fixture
def reset(new_server: Open) -> Callable[[bytes], FakeConnection]:
    """``reset(data)``: a connection that has received *data*, and whose client has closed both directions since."""

    def make(data: bytes) -> FakeConnection:
        ours, theirs = socket.socketpair()
        sockets.append(ours)
        connection = new_server(**SECONDS).connect(socket=ours)
        connection.feed(data)
        assert after(connection, 0)[1] == [call for call in connection.calls if call == "pause_reading"]
        theirs.close()
        return connection

    sockets: list[socket.socket] = []
    yield make
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize(
    "data", [GET + GET * 4000, post(1_000_000) + b"x" * 100_000], ids=["requests behind it", "a body that waits"]
)
def test_a_waiting_request_whose_client_is_gone_while_reading_is_paused(
    reset: Callable[[bytes], FakeConnection], data: bytes
) -> None:
    connection = reset(data)
    assert after(connection, 1) == ("in exchange", ["pause_reading", "abort"])


def test_a_waiting_request_whose_client_is_gone_after_a_half_close(reset: Callable[[bytes], FakeConnection]) -> None:
    connection = reset(GET)
    assert after(connection, 1) == ("in exchange", []), "the loop reads, and finds out"
    connection.protocol.eof_received()
    assert after(connection, 1) == ("in exchange", ["abort"])


def test_an_end_behind_paused_bytes_is_told(new_server: Open) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as theirs,
    ):
        ours, _ = listening.accept()
        with ours:
            connection = new_server(**SECONDS).connect(socket=ours)
            connection.feed(GET + GET * 4000)
            exchange = connection.exchange
            assert receive(exchange) == {"type": "http.request", "body": b"", "more_body": False}
            waiting = connection.server.loop.create_task(exchange.receive())
            connection.server.turn()
            after(connection, 1)
            connection.server.turn()
            assert not waiting.done()
            theirs.shutdown(socket.SHUT_WR)
            after(connection, 1)
            connection.server.turn()
            assert waiting.result() == {"type": "http.disconnect"}
            assert connection.server.gateway.disconnected == [exchange]
            after(connection, 1)
            assert connection.server.gateway.disconnected == [exchange], "it is told once"
            assert connection.calls == ["pause_reading"]
            run_now(exchange.send({"type": "http.response.start", "status": 200}))
            body(exchange, b"still sent")
            assert b"still sent" in theirs.recv(1000)
