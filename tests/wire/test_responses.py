"""Responses: what an application does, and what goes out (or is refused to it)."""

from __future__ import annotations

import re
from concurrent.futures import Future
from typing import Any

import pytest

from .asgi_events import START, body, sending, start
from .raw_client import TIMEOUT
from .wire_server import WireServer, request_bytes, respond

GET = request_bytes()
CLOSING = request_bytes(b"Connection: close")


# What the application's send refuses.

INVALID_STARTS = [
    start((b"", b"x")),
    start((b"a b", b"x")),
    start((b"a:", b"x")),
    start((b"a\r\nb", b"x")),
    start((b"a\0", b"x")),
    start((b"\xe4", b"x")),
    start((b"(a)", b"x")),
    start((b"x", b"a\r\nEvil: 1")),
    start((b"x", b"a\rb")),
    start((b"x", b"a\nb")),
    start((b"x", b"\n")),
    start((b"x", b"a\0b")),
    start(status=99),
    start(status=0),
    start(status=-200),
    start(status=1000),
    start(status=20),
    start(status="200"),
    start(status=None),
    start(status=200.5),
    start((b"content-length", b"abc")),
    start((b"content-length", b"")),
    start((b"content-length", b"-1")),
    start((b"content-length", b"+1")),
    start((b"content-length", b"0x1")),
    start((b"content-length", b"1, 1")),
    start((b"content-length", b" 1 2")),
    start((b"content-length", b"1"), (b"content-length", b"2")),
    start((b"Content-Length", b"1"), (b"content-length", b"1")),
    start((b"content-length", b"1"), (b"transfer-encoding", b"chunked")),
    start((b"transfer-encoding", b"chunked"), (b"content-length", b"1")),
    start((b"content-length", b"9" * 30)),
]


@pytest.mark.parametrize("event", INVALID_STARTS, ids=lambda event: f"{event['status']!r} {event['headers']!r}")
def test_invalid_start_is_refused_and_nothing_of_it_is_written(wire: WireServer, event: Any) -> None:
    caught: Future[Exception | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(event)
            await send(body(b"x"))
        except Exception as error:
            caught.set_result(error)
        else:
            caught.set_result(None)
        await respond(send, b"second", 201)

    wire.set_app(app)
    answer = wire.exchange(CLOSING)
    assert isinstance(caught.result(TIMEOUT), (RuntimeError, ValueError, TypeError))
    assert (answer.status, answer.body) == (201, b"second")
    assert answer.header(b"x") is None


@pytest.mark.parametrize("event", INVALID_STARTS[::6], ids=lambda event: f"{event['status']!r} {event['headers']!r}")
def test_invalid_start_that_is_not_caught_is_a_500(wire: WireServer, event: Any) -> None:
    wire.set_app(sending(event, body(b"x")))
    answer = wire.exchange(GET)
    assert answer.status == 500
    assert b"evil" not in [name for name, _ in answer.headers]


@pytest.mark.parametrize(
    "events",
    [
        [body(b"x")],
        [{"type": "http.response.unheard"}],
        [{"type": "websocket.accept"}],
        [{}],
        [{"type": "http.response.trailers", "headers": []}],
    ],
)
def test_wrong_first_event_is_refused(wire: WireServer, events: Any) -> None:
    caught: Future[Exception | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sending(*events)(scope, receive, send)
        except Exception as error:
            caught.set_result(error)
        else:
            caught.set_result(None)
        await respond(send)

    wire.set_app(app)
    assert wire.exchange(GET).status == 200
    expected = RuntimeError if events[0] else (RuntimeError, KeyError)
    assert isinstance(caught.result(TIMEOUT), expected)


@pytest.mark.parametrize("event", [START, {"type": "http.response.unheard"}])
@pytest.mark.parametrize("first", [[START], [START, body(b"a", more=True)]])
def test_second_start_and_unknown_event_are_refused(wire: WireServer, first: Any, event: Any) -> None:
    caught: Future[Exception | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await sending(*first)(scope, receive, send)
        try:
            await send(dict(event))
        except Exception as error:
            caught.set_result(error)
        else:
            caught.set_result(None)
        await send(body(b"b"))

    wire.set_app(app)
    answer = wire.exchange(GET)
    assert isinstance(caught.result(TIMEOUT), RuntimeError)
    assert answer.body == (b"b" if len(first) == 1 else b"ab")


# Framing (RFC 9112, 6 and 7; RFC 9110, 6.4.1).


@pytest.mark.parametrize("data", [b"", b"x", b"hello" * 1000, b"z" * 300_000])
def test_one_body_event_gets_a_content_length(wire: WireServer, data: bytes) -> None:
    wire.set_app(sending(START, body(data)))
    answer = wire.exchange(GET)
    assert answer.header(b"content-length") == b"%d" % len(data)
    assert answer.header(b"transfer-encoding") is None
    assert answer.body == data


def test_body_event_without_a_body(wire: WireServer) -> None:
    wire.set_app(sending({"type": "http.response.start", "status": 200}, {"type": "http.response.body"}))
    answer = wire.exchange(GET)
    assert (answer.header(b"content-length"), answer.body) == (b"0", b"")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_body_of_any_bytes_kind(wire: WireServer, kind: Any) -> None:
    wire.set_app(sending(START, {"type": "http.response.body", "body": kind(b"hello")}))
    assert wire.exchange(GET).body == b"hello"


@pytest.mark.parametrize(
    "pieces",
    [
        [b"a", b"b"],
        [b"a", b""],
        [b"", b"a"],
        [b"", b""],
        [b"x" * 100_000] * 5,
        [b"a", b"", b"b"],
        [b"%d" % n for n in range(300)],
    ],
)
def test_several_body_events_are_chunked(wire: WireServer, pieces: list[bytes]) -> None:
    wire.set_app(sending(START, *(body(piece, more=True) for piece in pieces), body()))
    with wire.connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.response()
            assert answer.header(b"transfer-encoding") == b"chunked"
            assert answer.header(b"content-length") is None
            assert answer.body == b"".join(pieces)


def test_several_body_events_are_close_delimited_on_http_1_0(wire: WireServer) -> None:
    wire.set_app(sending(START, body(b"a", more=True), body(b"b", more=True), body(b"c")))
    for fields in ((), (b"Connection: keep-alive",)):
        with wire.connect() as client:
            client.send(request_bytes(*fields, line=b"GET / HTTP/1.0"))
            head, _, data = client.read_all().partition(b"\r\n\r\n")
        assert data == b"abc"
        assert b"transfer-encoding" not in head.lower()
        assert b"content-length" not in head.lower()
        assert b"keep-alive" not in head.lower()


@pytest.mark.parametrize("pieces", [[b"hello"], [b"he", b"llo"], [b"", b"hello", b""]])
def test_own_content_length_is_kept(wire: WireServer, pieces: list[bytes]) -> None:
    wire.set_app(sending(start((b"content-length", b"5")), *(body(piece, more=True) for piece in pieces), body()))
    answer = wire.exchange(GET)
    assert answer.header(b"content-length") == b"5"
    assert answer.header(b"transfer-encoding") is None
    assert answer.body == b"hello"


@pytest.mark.parametrize("events", [[body(b"hello")], [body(b"he", more=True), body(b"llo")]])
def test_own_transfer_encoding_frames_nothing_twice(wire: WireServer, events: Any) -> None:
    """The framing is the server's; what the application says of it is said once, or replaced."""
    wire.set_app(sending(start((b"transfer-encoding", b"chunked")), *events))
    answer = wire.exchange(GET)
    framing = (answer.header(b"transfer-encoding"), answer.header(b"content-length"))
    assert framing in ((b"chunked", None), (None, b"5"))
    assert answer.body == b"hello"


def refused_by_send(wire: WireServer, request: bytes, *events: Any) -> bytes:
    """Everything that comes back for *events* of which one is refused; the refusal passes through the application."""
    caught: Future[Exception | None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await sending(*events)(scope, receive, send)
        except Exception as error:
            caught.set_result(error)
            raise
        caught.set_result(None)

    wire.set_app(app)
    with wire.connect() as client:
        client.send(request)
        data = client.read_all()
    assert isinstance(caught.result(TIMEOUT), (RuntimeError, ValueError))
    return data


LENGTH_5 = start((b"content-length", b"5"))


@pytest.mark.parametrize("pieces", [[b"hello!"], [b"hello", b"!"], [b"h", b"ello!"]])
def test_more_body_than_its_content_length_is_refused(wire: WireServer, pieces: list[bytes]) -> None:
    data = refused_by_send(wire, CLOSING, LENGTH_5, *(body(piece, more=True) for piece in pieces), body())
    assert data.count(b"HTTP/1.1") == 1
    if len(pieces) == 1:
        assert data.startswith(b"HTTP/1.1 500 ")
    else:
        assert b"hello".startswith(data.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("pieces", [[b"hell"], [b"he", b"l"], [b""]])
def test_less_body_than_its_content_length_is_refused(wire: WireServer, pieces: list[bytes]) -> None:
    *first, last = pieces
    data = refused_by_send(wire, CLOSING, LENGTH_5, *(body(piece, more=True) for piece in first), body(last))
    assert data.count(b"HTTP/1.1") == 1
    if len(pieces) == 1:
        assert data.startswith(b"HTTP/1.1 500 ")
    else:
        assert b"hell".startswith(data.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("events", [[body(b"hello")], [body(b"he", more=True), body(b"llo")], [body()]])
@pytest.mark.parametrize("headers", [(), ((b"content-length", b"5"),)])
def test_head_has_no_body(wire: WireServer, events: Any, headers: Any) -> None:
    wire.set_app(sending(start(*headers), *events))
    with wire.connect() as client:
        client.send(
            request_bytes(line=b"HEAD / HTTP/1.1") + request_bytes(b"Connection: close", line=b"HEAD /b HTTP/1.1")
        )
        for _ in range(2):
            answer = client.response("HEAD")
            assert (answer.status, answer.body) == (200, b"")
            if headers:
                assert answer.header(b"content-length") == b"5"
        client.assert_closed()


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("events", [[body(b"hello")], [body(b"he", more=True), body(b"llo")], [body()]])
@pytest.mark.parametrize("headers", [(), ((b"content-length", b"5"),)])
def test_204_and_304_have_no_body(wire: WireServer, status: int, events: Any, headers: Any) -> None:
    wire.set_app(sending(start(*headers, status=status), *events))
    with wire.connect() as client:
        client.send(GET + CLOSING)
        for _ in range(2):
            answer = client.response()
            assert (answer.status, answer.body) == (status, b"")
            assert answer.header(b"transfer-encoding") is None
            assert answer.header(b"content-length") == (b"5" if status == 304 and headers else None)
        client.assert_closed()


def test_204_without_a_given_length_has_none(wire: WireServer) -> None:
    wire.set_app(sending(start(status=204), body()))
    assert wire.exchange(GET).header(b"content-length") is None


@pytest.mark.parametrize("status", [100, 103, 199])
def test_1xx_has_no_body_and_no_length(wire: WireServer, status: int) -> None:
    wire.set_app(sending(start((b"content-length", b"5"), status=status), body(b"hello")))
    with wire.connect() as client:
        client.send(CLOSING)
        data = client.read_all()
    assert b"hello" not in data
    if data.startswith(b"HTTP/1.1 1"):
        assert b"content-length" not in data.lower()
        assert b"transfer-encoding" not in data.lower()
        assert data.endswith(b"\r\n\r\n")
        assert data.count(b"\r\n\r\n") == 1


# The head.


def test_status_line(wire: WireServer) -> None:
    for status, reason in ((200, b"OK"), (404, b"Not Found"), (418, None), (599, None), (299, None), (999, None)):
        wire.set_app(sending(start(status=status), body()))
        answer = wire.exchange(GET)
        assert answer.status == status
        assert reason is None or answer.reason == reason


def test_headers_keep_order_case_free_and_duplicates(wire: WireServer) -> None:
    wire.set_app(
        sending(start((b"set-cookie", b"a=1"), (b"x-a", b"1"), (b"set-cookie", b"b=2"), (b"X-B", b"\xe4 \t!")), body())
    )
    answer = wire.exchange(GET)
    own = [pair for pair in answer.headers if pair[0] in (b"set-cookie", b"x-a", b"x-b")]
    assert own == [(b"set-cookie", b"a=1"), (b"x-a", b"1"), (b"set-cookie", b"b=2"), (b"x-b", b"\xe4 \t!")]


def test_headers_may_come_from_any_iterable(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": iter([[b"x", b"y"], (b"z", b"")])})
        await send(body())

    wire.set_app(app)
    answer = wire.exchange(GET)
    assert (answer.header(b"x"), answer.header(b"z")) == (b"y", b"")


def test_many_and_long_headers(wire: WireServer) -> None:
    pairs = [(b"x-%d" % number, b"v" * 200) for number in range(80)] + [(b"x-long", b"w" * 9000)]
    wire.set_app(sending(start(*pairs), body(b"ok")))
    with wire.connect() as client:
        client.send(CLOSING)
        head, _, data = client.read_all().partition(b"\r\n\r\n")
    assert data == b"ok"
    for name, value in pairs:
        assert b"\r\n%b: %b" % (name, value) in head


def test_date_and_server_are_added(wire: WireServer) -> None:
    wire.set_app(sending(START, body()))
    answer = wire.exchange(GET)
    imf_date = rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    assert re.fullmatch(imf_date, answer.header(b"date") or b"")
    assert answer.header(b"server")


def test_own_date_and_server_replace_ours(wire: WireServer) -> None:
    wire.set_app(sending(start((b"Date", b"today"), (b"SERVER", b"mine")), body()))
    answer = wire.exchange(GET)
    assert (answer.header(b"date"), answer.header(b"server")) == (b"today", b"mine")


def test_date_and_server_can_be_switched_off(serve: Any) -> None:
    server = serve(sending(START, body()), date_header=False, server_header=False, headers=(("X-Ours", "yes"),))
    wire = WireServer(None, server.sockets[0].getsockname()[:2], "auto")  # type: ignore[arg-type]
    answer = wire.exchange(GET)
    assert (answer.header(b"date"), answer.header(b"server")) == (None, None)
    assert answer.header(b"x-ours") == b"yes"


def test_application_may_close_the_connection(wire: WireServer) -> None:
    wire.set_app(sending(start((b"Connection", b"close")), body(b"x")))
    with wire.connect() as client:
        client.send(GET + GET)
        answer = client.response()
        assert (answer.closes, answer.body) == (True, b"x")
        client.assert_closed()
