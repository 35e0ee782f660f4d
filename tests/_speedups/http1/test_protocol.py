"""The requests and answers of one socket: pipelining, reuse, unwanted bodies, refusals, what is paused when."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from atlas._speedups.http.exchange import Exchange
from atlas.errors import ClientDisconnected
from tests._speedups.fake_connection import GET, FakeConnection, FakeServer, body, hello, post, receive, start

Open = Callable[..., FakeServer]
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def numbered(count: int, first: int = 0) -> bytes:
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(first, first + count))


def texts(connection: FakeConnection, count: int) -> list[bytes]:
    """The bodies of the answers, of which there must be just that many."""
    answers = [answer[2] for answer in connection.responses(*["GET"] * count)]
    assert connection.sent.count(b"HTTP/1.1 ") == count
    return answers


# ---------------------------------------------------------------------------------------------------- one after another


def test_the_connection_goes_on_after_a_response(connection: FakeConnection) -> None:
    for number in range(3):
        exchange = connection.request(numbered(1, number))
        hello(exchange)
    assert texts(connection, 3) == [b"/0", b"/1", b"/2"]
    assert connection.calls == []


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
def test_requests_are_the_same_however_they_come(connection: FakeConnection, size: int) -> None:
    connection.server.gateway.respond = hello
    connection.feed(numbered(10), size)
    assert texts(connection, 10) == [b"/%d" % number for number in range(10)]


def test_pipelined_requests_wait_for_their_turn(connection: FakeConnection) -> None:
    exchange = connection.request(numbered(3))
    connection.feed(numbered(1, 3))
    assert len(connection.server.gateway.started) == 1
    for number in range(4):
        assert connection.exchange.head.target == b"/%d" % number
        hello(connection.exchange)
        connection.server.turn()
    assert exchange is not connection.exchange
    assert texts(connection, 4) == [b"/0", b"/1", b"/2", b"/3"]


def test_answers_of_one_packet_leave_in_one_write(connection: FakeConnection) -> None:
    connection.server.gateway.respond = hello
    connection.feed(numbered(10))
    assert len(connection.transport.writes) == 1
    assert texts(connection, 10) == [b"/%d" % number for number in range(10)]


def test_other_connections_are_served_between_pipelined_requests(connection: FakeConnection) -> None:
    connection.server.gateway.respond = hello
    connection.feed(numbered(40))
    assert len(connection.server.gateway.started) == 16
    connection.feed(numbered(2, 40))
    assert len(connection.server.gateway.started) == 16
    connection.server.turn()
    assert len(connection.server.gateway.started) == 32
    connection.server.turn()
    assert texts(connection, 42) == [b"/%d" % number for number in range(42)]


def test_an_error_in_a_later_turn_ends_the_connection(connection: FakeConnection) -> None:
    connection.server.gateway.respond = hello
    connection.feed(numbered(17))

    def fail(exchange: Exchange) -> None:
        raise RuntimeError

    connection.server.gateway.respond = fail
    connection.server.turn()
    assert (connection.server.events.calls[-1], connection.calls) == ("on_unexpected_error", ["abort"])


def test_no_request_is_begun_once_the_connection_is_lost(connection: FakeConnection) -> None:
    connection.server.gateway.respond = lambda exchange: (hello(exchange), connection.protocol.abort())
    connection.feed(numbered(3))
    assert len(connection.server.gateway.started) == 1


def test_a_body_goes_to_the_request_that_it_belongs_to(connection: FakeConnection) -> None:
    connection.feed(post(3) + b"abc" + post(2) + b"de" + GET)
    for expected in (b"abc", b"de", b""):
        exchange = connection.exchange
        assert receive(exchange)["body"] == expected
        hello(exchange)
        connection.server.turn()
    assert len(connection.server.gateway.started) == 3


# --------------------------------------------------------------------------------------------------- reuse, or close


@pytest.mark.parametrize(
    ("request_bytes", "reuse"),
    [
        (GET, None),
        (CLOSING, b"close"),
        (b"GET / HTTP/1.0\r\n\r\n", b"close"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"keep-alive"),
    ],
)
def test_the_client_decides_on_keep_alive(
    connection: FakeConnection, request_bytes: bytes, reuse: bytes | None
) -> None:
    hello(connection.request(request_bytes))
    assert connection.responses()[0][1].get(b"connection") == reuse
    assert connection.calls == (["close"] if reuse == b"close" else [])


def test_the_application_may_end_it(connection: FakeConnection) -> None:
    connection.request().respond(200, [(b"connection", b"close")], b"")
    assert connection.responses()[0][1][b"connection"] == b"close"
    assert connection.calls == ["close"]


def test_what_comes_after_a_close_is_not_read(connection: FakeConnection) -> None:
    connection.server.gateway.respond = hello
    connection.feed(CLOSING + GET)
    connection.feed(GET)
    assert len(connection.server.gateway.started) == 1
    assert connection.calls == ["write_eof"], "a close would send a reset, and the response could be lost"


def test_no_keep_alive(new_server: Open) -> None:
    connection = new_server(timeout_keep_alive=0).connect()
    hello(connection.request())
    assert connection.responses()[0][1][b"connection"] == b"close"


# --------------------------------------------------------------------------------------------------- unwanted bodies


def test_a_small_unread_body_is_discarded(connection: FakeConnection) -> None:
    hello(connection.request(post(10)))
    connection.feed(b"0123")
    assert connection.calls == []
    hello(connection.request(b"456789" + numbered(1, 7)))
    assert texts(connection, 2) == [b"/", b"/7"]


def test_a_large_unread_body_closes_the_connection_after_draining(connection: FakeConnection) -> None:
    hello(connection.request(post(65537)))
    assert connection.responses()[0][1][b"connection"] == b"close"
    assert connection.calls == ["write_eof"], "the client can read the answer while it still sends"
    connection.feed(b"x" * 65537)
    connection.protocol.eof_received()
    assert connection.calls == ["write_eof", "close"]


def test_a_chunked_body_is_discarded_up_to_a_limit(connection: FakeConnection) -> None:
    hello(connection.request(CHUNKED))
    connection.feed(b"10000\r\n" + b"x" * 65000)
    assert connection.calls == []
    connection.feed(b"x" * 536 + b"\r\n1\r\nx\r\n")
    assert connection.calls == ["write_eof"]


def test_a_client_that_waits_for_100_may_never_send_its_body(connection: FakeConnection) -> None:
    hello(connection.request(post(3, b"Expect: 100-continue")))
    assert connection.responses()[0][1][b"connection"] == b"close"


def test_a_client_that_disconnects_while_its_body_is_discarded_is_closed(connection: FakeConnection) -> None:
    hello(connection.request(post(10) + b"012"))
    connection.protocol.eof_received()
    assert connection.calls == ["close"]


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01", 400),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"a" * 9000, 414),
    ],
)
def test_a_protocol_error_is_answered_and_closes_the_connection(
    connection: FakeConnection, sent: bytes, status: int
) -> None:
    connection.feed(sent + GET)
    answered, headers, text = connection.responses()[0]
    assert (answered, headers[b"connection"]) == (status, b"close")
    assert text.endswith(b".\n")
    assert connection.calls == ["write_eof"]
    assert connection.server.gateway.started == []
    assert [error.status for error in connection.server.events.refusals] == [status]
    connection.feed(GET)
    assert connection.server.gateway.started == []


def test_a_refusal_waits_for_the_answers_before_it(connection: FakeConnection) -> None:
    exchange = connection.request(GET + b"rubbish\0")
    assert connection.server.events.refusals == []
    hello(exchange)
    connection.server.turn()
    assert [answer[0] for answer in connection.responses("GET", "GET")] == [200, 400]


def test_a_faulty_body_is_refused_while_nothing_was_answered(connection: FakeConnection) -> None:
    exchange = connection.request(CHUNKED)
    connection.feed(b"rubbish")
    assert connection.responses()[0][0] == 400
    assert receive(exchange) == {"type": "http.disconnect"}
    with pytest.raises(ClientDisconnected):
        start(exchange)
    assert connection.server.gateway.disconnected == [exchange]


def test_a_faulty_body_drops_a_head_that_is_held(connection: FakeConnection) -> None:
    start(connection.request(CHUNKED), 200, (b"x", b"y"))
    connection.feed(b"rubbish")
    assert connection.responses()[0][0] == 400
    assert b"x: y" not in connection.sent


def test_a_refusal_never_lands_inside_a_response(connection: FakeConnection) -> None:
    exchange = connection.request(CHUNKED)
    start(exchange)
    body(exchange, b"some", more=True)
    connection.feed(b"rubbish")
    assert connection.sent.count(b"HTTP/1.1") == 1
    assert connection.sent.endswith(b"4\r\nsome\r\n")
    assert connection.calls == ["close"]


def test_a_fault_behind_a_whole_response_does_not_reset_it(connection: FakeConnection) -> None:
    hello(connection.request(CHUNKED))
    connection.feed(b"rubbish")
    assert connection.sent.count(b"HTTP/1.1") == 1
    assert connection.calls == ["write_eof"]


def test_a_fault_behind_a_response_that_has_not_left_lets_it_leave(connection: FakeConnection) -> None:
    connection.transport.full = True
    hello(connection.request(CHUNKED))
    connection.feed(b"rubbish")
    connection.feed(b"more that is discarded")
    assert connection.calls == []
    connection.transport.drain()
    connection.server.turn()
    assert connection.calls == ["write_eof"]
    assert connection.sent.count(b"HTTP/1.1") == 1


def test_a_transport_that_cannot_half_close_is_closed(connection: FakeConnection) -> None:
    connection.transport.half_closes = False
    connection.feed(b"\0")
    assert connection.calls == ["close"]


# ------------------------------------------------------------------------------------------------------- backpressure


def waits(connection: FakeConnection, exchange: Exchange, data: bytes, more: bool = True) -> Any:
    """The task of a ``send`` that has to wait."""
    sending = exchange.send({"type": "http.response.body", "body": data, "more_body": more})
    task = connection.server.loop.create_task(sending)
    connection.server.turn(2)
    assert not task.done()
    return task


def test_writing_pauses_at_64_kib_and_resumes_when_all_is_sent(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 40_000, more=True)
    body(exchange, b"b" * 40_000, more=True)
    task = waits(connection, exchange, b"#" * 1000)
    assert b"#" not in connection.transport.waiting, "the pending event is not encoded yet"
    connection.transport.drain()
    connection.server.turn(3)
    assert task.done()
    body(exchange)
    assert connection.responses()[0][2] == b"a" * 40_000 + b"b" * 40_000 + b"#" * 1000


def test_memory_is_bounded_however_much_is_sent(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    sent = 0
    while sent < 1_000_000:
        sending = exchange.send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        if type(sending).__name__ != "Finished":
            sending.close()
            break
        sent += 1000
        connection.server.turn()
    assert 65_536 - 1100 <= sent <= 65_536 + 1000


def test_all_pending_sends_continue(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 70_000, more=True)
    tasks = [waits(connection, exchange, b"b") for _ in range(3)]
    tasks[0].cancel()
    connection.transport.drain()
    connection.server.turn(3)
    assert [task.cancelled() for task in tasks] == [True, False, False]
    assert connection.sent.endswith(b"1\r\nb\r\n" * 2)


def test_a_pending_send_raises_when_the_client_disconnects(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 70_000, more=True)
    task = waits(connection, exchange, b"b")
    connection.lose(ConnectionResetError())
    connection.server.turn(2)
    assert isinstance(task.exception(), ClientDisconnected)


@pytest.mark.parametrize("what", ["send", "receive"])
def test_a_cancelled_send_is_removed_from_the_waiters(
    connection: FakeConnection, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_future() -> Any:
        future = create()
        futures.append(weakref.ref(future))
        return future

    exchange = connection.request(post(10))
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 70_000, more=True)
    create = connection.server.loop.create_future
    futures: list[Any] = []
    monkeypatch.setattr(connection.server.loop, "create_future", create_future)
    if what == "send":
        task = waits(connection, exchange, b"b")
    else:
        task = connection.server.loop.create_task(exchange.receive())
        connection.server.turn(2)
    assert futures[0]() is not None
    task.cancel()
    connection.server.turn(2)
    del task
    gc.collect()
    assert [future() for future in futures] == [None]


def test_requests_of_a_client_that_does_not_read_are_not_started(connection: FakeConnection) -> None:
    def large(exchange: Exchange) -> None:
        exchange.respond(200, [], exchange.head.target + b"x" * 30_000)
        exchange.finish_application()

    connection.server.gateway.respond = large
    connection.transport.full = True
    connection.feed(numbered(10))
    waiting = len(connection.server.gateway.started)
    assert waiting < 10
    connection.server.turn(3)
    assert len(connection.server.gateway.started) == waiting
    connection.transport.drain()
    connection.server.turn(3)
    assert [text[:2] for text in texts(connection, 10)] == [b"/%d" % number for number in range(10)]


def test_a_head_that_is_whole_before_there_is_room_is_answered(connection: FakeConnection) -> None:
    """There is no room where 64 KiB wait, the most that a turn gathers."""
    head = len(b"HTTP/1.1 200 OK\r\ncontent-length: 13000\r\n\r\n")
    sizes = [13000] * 4
    sizes.append(65536 - sum(sizes) - 5 * head)
    connection.server.gateway.respond = lambda exchange: exchange.respond(200, [], bytes(sizes.pop(0)))
    connection.transport.full = True
    connection.feed(GET * 5 + GET[:5])
    assert len(connection.transport.waiting) == 65536
    connection.feed(GET[5:])
    connection.server.gateway.respond = hello
    connection.transport.drain()
    connection.server.turn(2)
    assert len(connection.server.gateway.started) == 6


def test_a_response_leaves_whole_before_the_connection_closes(connection: FakeConnection) -> None:
    exchange = connection.request(CLOSING)
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 40_000, more=True)
    body(exchange, b"b" * 20_000)
    assert exchange.complete
    assert connection.calls == []
    connection.transport.drain()
    assert connection.calls == [], "a transport is not closed inside its callback"
    connection.server.turn()
    assert connection.calls == ["close"]
    assert connection.responses()[0][2] == b"a" * 40_000 + b"b" * 20_000


def test_a_response_leaves_whole_before_the_half_close(connection: FakeConnection) -> None:
    """The client reads slowly, and sends a body that is not read."""
    exchange = connection.request(post(1_000_000))
    start(exchange)
    connection.transport.full = True
    body(exchange, b"a" * 40_000, more=True)
    body(exchange, b"b" * 20_000)
    connection.transport.drain()
    connection.server.turn()
    assert connection.sent.endswith(b"0\r\n\r\n")
    assert connection.calls == ["write_eof"]


def test_reading_pauses_while_too_much_is_buffered_after_a_request(connection: FakeConnection) -> None:
    exchange = connection.request(GET)
    connection.feed(numbered(2000))
    assert len(numbered(2000)) < 65_536
    assert connection.calls == []
    connection.feed(numbered(1000))
    assert connection.calls == ["pause_reading"]
    connection.server.gateway.respond = hello
    hello(exchange)
    connection.server.turn(300)
    assert connection.calls == ["pause_reading", "resume_reading"]
    assert len(connection.server.gateway.started) == 3001


def test_reading_pauses_while_a_body_waits_for_the_application(connection: FakeConnection) -> None:
    exchange = connection.request(post(300_000))
    connection.feed(b"x" * 65_535)
    assert connection.calls == []
    connection.feed(b"x")
    assert connection.calls == ["pause_reading"]
    assert len(receive(exchange)["body"]) == 65_536
    assert connection.calls == ["pause_reading", "resume_reading"]


# ------------------------------------------------------------------------------------------- reading beside a long body


@pytest.mark.parametrize("size", [65_536, 200_000])
def test_reading_goes_on_once_a_long_body_was_received(connection: FakeConnection, size: int) -> None:
    exchange = connection.request(post(size) + b"x" * 65_536)
    assert connection.calls == ["pause_reading"]
    taken = len(receive(exchange)["body"])
    assert connection.calls == ["pause_reading", "resume_reading"]
    connection.feed(b"x" * (size - 65_536))
    while taken < size:
        taken += len(receive(exchange)["body"])
    assert connection.calls.count("pause_reading") == connection.calls.count("resume_reading"), (
        "a client that leaves isn't noticed"
    )


def test_bytes_after_a_request_are_kept_before_the_application_runs(connection: FakeConnection) -> None:
    def overwrite(exchange: Exchange) -> None:
        connection.protocol.get_buffer(-1)[:2000] = b"!" * 2000
        hello(exchange)

    connection.server.gateway.respond = overwrite
    connection.feed(numbered(10))
    assert texts(connection, 10) == [b"/%d" % number for number in range(10)]


def test_what_comes_while_an_application_runs_waits_for_its_turn(connection: FakeConnection) -> None:
    def feed_more(exchange: Exchange) -> None:
        if exchange.head.target == b"/1":
            connection.feed(numbered(30, 3))
        hello(exchange)

    connection.server.gateway.respond = feed_more
    connection.feed(numbered(3))
    connection.server.turn(4)
    assert texts(connection, 33) == [b"/%d" % number for number in range(33)]
