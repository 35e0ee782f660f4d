"""What an application sends, and what that is on the wire: one request at a time, without a socket."""

from collections.abc import Callable
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from tests._speedups.fake_connection import FakeConnection, body, receive, run_now, start

HTTP_10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {"type": f"http.response.{kind}", **content}


# ------------------------------------------------------------------------------------------------------------- framing


def test_nothing_leaves_before_the_body_tells_the_framing(connection: FakeConnection) -> None:
    exchange = connection.request()
    assert not exchange.started
    start(exchange)
    connection.server.turn()
    assert exchange.started
    assert connection.sent == b""


def test_one_body_event_is_one_write_with_its_length(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange, 201, (b"x-a", b"1"))
    body(exchange, b"hello")
    assert connection.transport.writes == [b"HTTP/1.1 201 Created\r\nx-a: 1\r\ncontent-length: 5\r\n\r\nhello"]
    assert exchange.complete
    assert exchange.status == 201


def test_more_events_are_chunks(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    for piece in (b"hello", b"", b"x" * 26):
        body(exchange, piece, more=True)
    assert not exchange.complete
    body(exchange)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert connection.sent == head + b"5\r\nhello\r\n1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"


def test_chunks_of_one_turn_are_sent_together(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    body(exchange, b"a", more=True)
    body(exchange, b"b", more=True)
    assert connection.transport.writes == []
    connection.server.turn()
    assert len(connection.transport.writes) == 1
    assert connection.sent.endswith(b"1\r\na\r\n1\r\nb\r\n")


def test_http_10_does_not_know_chunks(connection: FakeConnection) -> None:
    exchange = connection.request(HTTP_10)
    start(exchange)
    body(exchange, b"a", more=True)
    body(exchange, b"b")
    assert connection.sent == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab"
    assert connection.calls == ["close"]


def test_a_given_length_stays(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange, 200, (b"Content-Length", b"3"))
    body(exchange, b"a", more=True)
    body(exchange, b"bc")
    assert connection.sent == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 300_000])
@pytest.mark.parametrize("more", [False, True])
def test_a_body_of_any_size_arrives_whole(connection: FakeConnection, size: int, more: bool) -> None:
    piece = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    piece = piece[:size]
    exchange = connection.request()
    start(exchange)
    body(exchange, piece, more)
    if more:
        body(exchange, piece)
    assert connection.responses()[0][2] == piece * (1 + more)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, type("Text", (bytes,), {})])
def test_any_kind_of_bytes_is_a_body(connection: FakeConnection, kind: Callable[[bytes], Any]) -> None:
    exchange = connection.request()
    start(exchange)
    body(exchange, kind(b"hello"))
    assert connection.sent.endswith(b"content-length: 5\r\n\r\nhello")


def test_what_was_sent_never_changes(connection: FakeConnection) -> None:
    data = bytearray(b"x" * 20_000)
    exchange = connection.request()
    start(exchange)
    body(exchange, data, more=True)  # type: ignore[arg-type]
    data[:] = b"y" * 20_000
    body(exchange)
    assert connection.responses()[0][2] == b"x" * 20_000


def test_the_body_may_be_left_out(connection: FakeConnection) -> None:
    exchange = connection.request()
    run_now(exchange.send(event("start", status=200)))
    run_now(exchange.send(event("body")))
    assert connection.sent == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("more", [False, True])
def test_a_status_without_a_body_has_none(connection: FakeConnection, status: int, more: bool) -> None:
    exchange = connection.request()
    start(exchange, status)
    body(exchange, b"ignored", more)
    if more:
        body(exchange, b"ignored")
    assert connection.sent.partition(b"\r\n")[2] == b"\r\n"
    assert exchange.complete
    assert connection.calls == []


def test_a_response_to_head_has_the_length_and_no_body(connection: FakeConnection) -> None:
    exchange = connection.request(HEAD)
    start(exchange)
    body(exchange, b"hello")
    assert connection.sent == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    exchange = connection.request(HEAD)
    start(exchange, 200, (b"content-length", b"7"))
    body(exchange)
    assert connection.sent.endswith(b"\r\ncontent-length: 7\r\n\r\n")


# -------------------------------------------------------------------------------------- what an application must not do


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (event("start"), TypeError),
        (event("start", status=None), TypeError),
        (event("start", status="200"), TypeError),
        (event("start", status=200.0), TypeError),
        (event("start", status=99), ValueError),
        (event("start", status=1000), ValueError),
        (event("start", status=-200), ValueError),
        (event("start", status=True), ValueError),
        (event("start", status=200, headers=[(b"x", b"a\r\nb: c")]), ValueError),
        (event("start", status=200, headers=[(b"a", b"b"), (b"x y", b"a")]), ValueError),
        (event("start", status=200, headers=[("x", "y")]), TypeError),
        (event("start", status=200, headers=[(b"x",)]), TypeError),
        (event("start", status=200, headers=7), TypeError),
        (event("body", body=b"x"), RuntimeError),
        (event("trailers"), RuntimeError),
        (event("push"), RuntimeError),
        ({"type": "http.request"}, RuntimeError),
        ({"type": "websocket.send"}, RuntimeError),
        ({"type": None}, RuntimeError),
        ({}, RuntimeError),
        (None, RuntimeError),
        ("http.response.start", RuntimeError),
    ],
)
def test_a_wrong_event_is_refused_and_writes_nothing(
    connection: FakeConnection, wrong: Any, error: type[Exception]
) -> None:
    exchange = connection.request()
    with pytest.raises(error, match="expected|not iterable"):
        exchange.send(wrong)
    assert not exchange.started
    start(exchange)
    body(exchange, b"fine")
    assert connection.transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"]


def test_a_second_start_is_refused(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    with pytest.raises(RuntimeError, match="second"):
        start(exchange, 500)
    body(exchange, b"first")
    assert connection.responses()[0][0] == 200


@pytest.mark.parametrize("data", ["text", None, 7, ["a"]])
def test_a_body_that_is_not_bytes(connection: FakeConnection, data: Any) -> None:
    exchange = connection.request()
    start(exchange)
    with pytest.raises(TypeError, match="in bytes"):
        body(exchange, data)
    body(exchange, b"fine")
    assert connection.responses()[0][2] == b"fine"


@pytest.mark.parametrize("events", [[b"four"], [b"a", b"bcd"], [b"", b"", b"four"]])
def test_a_body_longer_than_its_length_is_refused(connection: FakeConnection, events: list[bytes]) -> None:
    exchange = connection.request()
    start(exchange, 200, (b"content-length", b"3"))
    *before, last = events
    for piece in before:
        body(exchange, piece, more=True)
    with pytest.raises(RuntimeError, match="3 bytes"):
        body(exchange, last)
    assert not exchange.complete
    assert exchange.finish_application() is False
    if before:
        assert connection.calls == ["close"], "it can't be mended"
    else:
        assert connection.responses()[0][0] == 500, "nothing had left yet"


@pytest.mark.parametrize("before", [[], [b"a"]])
def test_a_body_shorter_than_its_length_is_refused(connection: FakeConnection, before: list[bytes]) -> None:
    exchange = connection.request()
    start(exchange, 200, (b"content-length", b"3"))
    for piece in before:
        body(exchange, piece, more=True)
    with pytest.raises(RuntimeError, match="3 bytes"):
        body(exchange, b"b")
    exchange.finish_application()
    assert connection.calls == (["close"] if before else [])


def test_nothing_may_follow_a_whole_response(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    body(exchange, b"x")
    for late in (event("body", body=b"y"), event("start", status=200), event("early_hint")):
        with pytest.raises(RuntimeError, match="complete"):
            exchange.send(late)


# ----------------------------------------------------------------------------------------------------- how it ends


def test_an_application_that_sent_nothing_is_answered_for(connection: FakeConnection) -> None:
    exchange = connection.request()
    assert exchange.finish_application() is False
    status, headers, text = connection.responses()[0]
    assert (status, text) == (500, b"Internal Server Error\n")
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert connection.calls == [], "the connection goes on"


def test_a_held_head_gives_way_to_the_500(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange, 200, (b"set-cookie", b"secret"))
    assert exchange.finish_application() is False
    assert b"secret" not in connection.sent
    assert connection.responses()[0][0] == 500


def test_a_response_that_broke_off_is_cut(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    body(exchange, b"some", more=True)
    assert exchange.finish_application() is False
    assert connection.sent.endswith(b"4\r\nsome\r\n")
    assert connection.calls == ["close"]


def test_one_that_ends_with_the_connection_is_reset_so_that_it_does_not_look_whole(connection: FakeConnection) -> None:
    exchange = connection.request(HTTP_10)
    start(exchange)
    body(exchange, b"some", more=True)
    exchange.finish_application()
    assert connection.calls == ["abort"]


def test_a_whole_response_is_a_good_end(connection: FakeConnection) -> None:
    exchange = connection.request()
    exchange.respond(200, [], b"")
    assert exchange.finish_application() is True


def test_requests_in_work_are_counted_to_their_end(connection: FakeConnection) -> None:
    state = connection.server.state
    exchange = connection.request()
    assert (state.in_work, state.served) == (1, 1)
    exchange.respond(200, [], b"")
    assert state.in_work == 1
    exchange.finish_application()
    assert (state.in_work, state.served) == (0, 1)


# ------------------------------------------------------------------------------------------------------ the short way


def test_respond_is_start_and_body(connection: FakeConnection) -> None:
    connection.request().respond(404, [(b"a", b"b")], b"gone")
    assert connection.sent == b"HTTP/1.1 404 Not Found\r\na: b\r\ncontent-length: 4\r\n\r\ngone"


@pytest.mark.parametrize(("headers", "error"), [([(b"a", b"\n")], ValueError), ([("a", "b")], TypeError)])
def test_respond_refuses_what_send_refuses(connection: FakeConnection, headers: Any, error: type[Exception]) -> None:
    exchange = connection.request()
    with pytest.raises(error):
        exchange.respond(200, headers, b"")
    assert not exchange.started
    with pytest.raises(RuntimeError, match="content-length"):
        exchange.respond(200, [(b"content-length", b"3")], b"four")
    exchange.respond(200, [], b"fine")
    assert connection.responses()[0][2] == b"fine"


def test_respond_after_a_response(connection: FakeConnection) -> None:
    exchange = connection.request()
    exchange.respond(200, [], b"")
    with pytest.raises(RuntimeError, match="complete"):
        exchange.respond(200, [], b"")


# --------------------------------------------------------------------------------------- the client has disconnected


def test_sending_to_a_disconnected_client_raises_an_oserror(connection: FakeConnection) -> None:
    exchange = connection.request()
    start(exchange)
    connection.lose()
    assert exchange.lost
    for late in (event("body", body=b"x"), event("start", status=200)):
        with pytest.raises(ClientDisconnected):
            exchange.send(late)
    with pytest.raises(OSError, match="went away"):
        exchange.respond(200, [], b"")
    assert exchange.finish_application() is True, "the application is not to blame"
    assert receive(exchange) == {"type": "http.disconnect"}
    assert (exchange.socket_fd, exchange.client) == (-1, ("10.0.0.1", 4711)), "the address is still known"


def test_what_was_whole_before_the_client_left_stays_whole(connection: FakeConnection) -> None:
    exchange = connection.request()
    exchange.respond(200, [], b"")
    connection.lose()
    assert exchange.complete
    with pytest.raises(RuntimeError, match="complete"):
        exchange.send(event("body"))


def test_an_exchange_can_abort_its_connection(connection: FakeConnection) -> None:
    exchange = connection.request()
    exchange.abort()
    exchange.abort()
    assert connection.calls == ["abort"]
    assert exchange.lost
    with pytest.raises(ClientDisconnected):
        start(exchange)
