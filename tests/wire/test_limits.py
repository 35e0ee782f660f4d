"""The limits: what is still taken, what is refused, and what the log says of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from .raw_client import TIMEOUT, Closed
from .wire_server import WireServer, chunked, post, read_body, request_bytes, respond

Own = Callable[..., WireServer]


def warnings(records: list[logging.LogRecord], flag: str) -> list[str]:
    lines = [record.getMessage() for record in records if record.levelno == logging.WARNING]
    return [line for line in lines if flag in line]


# The request line and head, with the defaults.


def test_longest_request_line(wire: WireServer) -> None:
    target = b"/" + b"a" * (8192 - len(b"GET / HTTP/1.1\r\n"))
    assert wire.exchange(request_bytes(line=b"GET " + target + b" HTTP/1.1")).status == 200


@pytest.mark.parametrize("line", [b"GET /" + b"a" * 8192 + b" HTTP/1.1", b"GET /?" + b"a" * 70_000 + b" HTTP/1.1"])
def test_request_line_over_the_limit_is_a_414(wire: WireServer, line: bytes) -> None:
    assert wire.refused(request_bytes(line=line)) == 414


def test_endless_request_line_is_a_414(wire: WireServer) -> None:
    with wire.connect() as client:
        client.send(b"GET /" + b"a" * 10_000)
        assert client.response().status == 414
        client.assert_closed()


def test_absolute_form_over_the_limit_is_a_414(wire: WireServer) -> None:
    assert wire.refused(request_bytes(line=b"GET http://a/" + b"a" * 8192 + b" HTTP/1.1")) == 414


def test_most_fields(wire: WireServer) -> None:
    fields = [b"X-%d: y" % number for number in range(127)]
    assert len(wire.exchange(request_bytes(*fields)).json()["headers"]) == 128


@pytest.mark.parametrize("count", [128, 129, 1000])
def test_fields_over_the_limit_are_a_431(wire: WireServer, count: int) -> None:
    assert wire.refused(request_bytes(*[b"X-%d: y" % number for number in range(count)])) == 431


@pytest.mark.parametrize("count", [1, 3])
def test_long_fields(wire: WireServer, count: int) -> None:
    fields = [b"X-%d: " % number + b"y" * 16_000 for number in range(count)]
    assert wire.exchange(request_bytes(*fields)).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [b"X: " + b"y" * 16_400],
        [b"X" * 16_400 + b": y"],
        [b"X: " + b"y" * 70_000],
        [b"X-%d: " % number + b"y" * 16_000 for number in range(5)],
    ],
    ids=["value", "name", "longer than the head", "together"],
)
def test_head_over_the_limit_is_a_431(wire: WireServer, fields: list[bytes]) -> None:
    assert wire.refused(request_bytes(*fields)) == 431


@pytest.mark.parametrize("start", [b"X: ", b"X"])
def test_endless_field_is_a_431(wire: WireServer, start: bytes) -> None:
    with wire.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + start + b"y" * 20_000)
        assert client.response().status == 431
        client.assert_closed()


def test_limits_count_each_request_for_itself(wire: WireServer) -> None:
    request = request_bytes(*[b"X-%d: " % number + b"y" * 400 for number in range(100)])
    with wire.connect() as client:
        for _ in range(4):
            client.send(request)
            assert client.response().status == 200


@pytest.mark.parametrize(
    ("settings", "request_", "status"),
    [
        ({"limit_request_line": 100}, request_bytes(line=b"GET /" + b"a" * 100 + b" HTTP/1.1"), 414),
        ({"limit_request_head": 256}, request_bytes(b"X: " + b"y" * 250), 431),
        ({"limit_request_fields": 3}, request_bytes(b"A: 1", b"B: 2", b"C: 3"), 431),
        ({"limit_request_field": 100}, request_bytes(b"X: " + b"y" * 100), 431),
        ({"limit_request_body": 10}, post(b"Content-Length: 11", body=b"y" * 11), 413),
    ],
)
def test_own_limit_is_kept_and_named_in_one_warning(
    own: Own, records: list[logging.LogRecord], settings: dict[str, int], request_: bytes, status: int
) -> None:
    wire = own(**settings)
    for _ in range(3):
        assert wire.refused(request_) == status
    assert wire.exchange(request_bytes(b"A: 1")).status == 200
    (name,) = settings
    assert len(warnings(records, "--" + name.replace("_", "-"))) == 1


# The body.


def test_body_at_the_limit(own: Own) -> None:
    wire = own(limit_request_body=1000)
    assert len(wire.exchange(post(b"Content-Length: 1000", body=b"y" * 1000)).json()["body"]) == 1000
    assert len(wire.exchange(chunked(b"3e8\r\n" + b"y" * 1000 + b"\r\n0\r\n\r\n")).json()["body"]) == 1000


def test_content_length_over_the_limit_is_a_413_before_any_body(own: Own) -> None:
    wire = own(limit_request_body=1000)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 1001"))
        answer = client.response("POST")
        assert (answer.status, answer.closes) == (413, True)
        client.assert_closed()
    assert wire.app.calls == 0


@pytest.mark.parametrize("body", [b"3e9\r\n", b"3e8\r\n" + b"y" * 1000 + b"\r\n1\r\n"])
def test_chunks_over_the_limit_are_a_413_as_soon_as_it_is_known(own: Own, body: bytes) -> None:
    wire = own(limit_request_body=1000)
    started: Future[None] = Future()
    told: Future[Any] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set_result(None)
        told.set_result(await read_body(receive))

    wire.set_app(app)
    with wire.connect() as client:
        client.send(chunked(b""))
        started.result(TIMEOUT)
        client.send(body)
        answer = client.response("POST")
        assert (answer.status, answer.closes) == (413, True)
        client.assert_closed()
    assert told.result(TIMEOUT)[1] is False, "the cut body ended as if it were whole"


def test_413_reaches_a_client_that_is_still_sending(own: Own) -> None:
    wire = own(limit_request_body=1000)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 5000000", body=b"y" * 5_000_000))
        assert client.response("POST").status == 413


def test_413_to_an_expectation_saves_the_upload(own: Own) -> None:
    wire = own(limit_request_body=1000)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 1001", b"Expect: 100-continue"))
        answer = client.response("POST")
        assert (answer.status, answer.interim) == (413, [])
        client.assert_closed()


def test_body_limit_can_be_switched_off(own: Own) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, _ = await read_body(receive)
        await respond(send, b"%d" % len(body))

    wire = own(app, limit_request_body=0)
    with wire.connect() as client:
        client.send(post(b"Content-Length: 104857601"))
        for _ in range(100):
            client.send(b"y" * 1048576)
        client.send(b"y")
        assert client.response("POST").body == b"104857601"


def test_default_body_limit_is_100_mib(wire: WireServer) -> None:
    assert wire.refused(post(b"Content-Length: 104857601")) == 413
    with wire.connect() as client:
        client.send(post(b"Content-Length: 104857600", b"Expect: 100-continue"))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")


# Connections and concurrency.


class Counted:
    """Answers /held when it is let go, and others at once."""

    def __init__(self) -> None:
        self.gate: Future[None] = Future()
        self.held: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/held":
            self.held.append(scope)
            await asyncio.wrap_future(self.gate)
        await respond(send)


HELD = request_bytes(line=b"GET /held HTTP/1.1")


def test_connections_over_the_limit_wait_for_those_in_work(own: Own) -> None:
    app = Counted()
    wire = own(app, limit_connections=2)
    with wire.connect() as first, wire.connect() as second, wire.connect() as third:
        first.send(HELD)
        second.send(HELD)
        third.send(request_bytes())
        third.assert_silent()
        app.gate.set_result(None)
        answers = [first.response(), second.response()]
        assert [answer.status for answer in answers] == [200, 200]
        assert any(answer.closes for answer in answers), "one of them gives its place to the third"
        assert third.response().status == 200


def test_the_connection_that_is_idle_for_longest_gives_its_place(own: Own) -> None:
    wire = own(limit_connections=2)
    with wire.connect() as first, wire.connect() as second:
        for client in (first, second):
            client.send(request_bytes())
            assert client.response().status == 200
        time.sleep(0.05)  # the clock of the deadlines is coarse
        second.send(request_bytes())
        assert second.response().status == 200
        with wire.connect() as third:
            third.send(request_bytes())
            assert third.response().status == 200
            first.assert_closed()
            second.send(request_bytes())
            assert second.response().status == 200


def test_a_request_that_is_unread_keeps_its_connection(own: Own) -> None:
    """No connection whose request has reached the socket is closed for another one."""
    app = Counted()
    wire = own(app, limit_connections=3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.connect()) for _ in range(30)]
        for client in clients:
            client.send(request_bytes())
        assert [client.response().status for client in clients] == [200] * 30


def test_many_more_connections_than_the_limit_are_all_served(own: Own) -> None:
    wire = own(limit_connections=5)
    peers = [wire.connect() for _ in range(40)]
    for client in peers:
        client.send(request_bytes(b"Connection: close"))
    for client in peers:
        with client:
            assert client.response().status == 200
    assert wire.app.calls == 40


def test_requests_over_the_concurrency_are_a_503(own: Own, records: list[logging.LogRecord]) -> None:
    gate: Future[None] = Future()
    started: Future[None] = Future()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            started.set_result(None)
            await asyncio.wrap_future(gate)
        await respond(send)

    wire = own(app, limit_concurrency=1)
    with wire.connect() as idle, wire.connect() as busy:
        idle.send(request_bytes())
        assert idle.response().status == 200, "an idle connection counts"
        busy.send(request_bytes(line=b"GET /slow HTTP/1.1"))
        started.result(TIMEOUT)
        for _ in range(2):
            idle_again = wire.exchange(request_bytes())
            assert idle_again.status == 503
            assert (idle_again.header(b"retry-after") or b"").isdigit()
        gate.set_result(None)
        assert busy.response().status == 200
        assert wire.exchange(request_bytes()).status == 200
    assert len(warnings(records, "--limit-concurrency")) == 1


def test_server_stops_after_its_most_requests(own: Own) -> None:
    wire = own(limit_max_requests=3)
    for _ in range(3):
        assert wire.exchange(request_bytes(b"Connection: close")).status == 200
    until = time.monotonic() + TIMEOUT
    while not refused_to_connect(wire):
        assert time.monotonic() < until, "it goes on"


def refused_to_connect(wire: WireServer) -> bool:
    """Whether the server is gone; a request that it still takes must be answered or closed."""
    try:
        wire.exchange(request_bytes(b"Connection: close"))
    except (Closed, ConnectionError):
        return True
    return False
