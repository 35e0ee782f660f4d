"""A request body that is not read: up to 64 KiB are discarded, for more the connection closes."""

from __future__ import annotations

import pytest

from .asgi_events import START, body, sending
from .wire_server import WireServer, post, request_bytes

GET = request_bytes()


@pytest.mark.parametrize("size", [1, 60 * 1024])
def test_small_unread_body_is_discarded(wire: WireServer, size: int) -> None:
    wire.set_app(sending(START, body(b"x")))
    for request in (
        post(b"Content-Length: %d" % size, body=b"z" * size),
        post(b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"z" * size)),
    ):
        with wire.connect() as client:
            for _ in range(2):
                client.send(request)
                assert not client.response("POST").closes


def test_unread_body_that_comes_after_the_response_is_discarded(wire: WireServer) -> None:
    wire.set_app(sending(START, body(b"x")))
    with wire.connect() as client:
        client.send(post(b"Content-Length: 1000"))
        assert client.response("POST").status == 200
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".ljust(1000, b"z") + GET)
        assert client.response().status == 200
        client.finish()
        client.assert_closed()


@pytest.mark.parametrize("sent", [0, 100, 1_000_000])
def test_connection_closes_behind_a_large_unread_body(wire: WireServer, sent: int) -> None:
    wire.set_app(sending(START, body(b"x")))
    with wire.connect() as client:
        client.send(post(b"Content-Length: 1000000", body=b"z" * sent))
        answer = client.response("POST")
        assert (answer.status, answer.body) == (200, b"x")
        client.send(b"z" * (1_000_000 - sent))
        client.assert_closed()


def test_connection_closes_behind_a_large_unread_chunked_body(wire: WireServer) -> None:
    wire.set_app(sending(START, body(b"x")))
    with wire.connect() as client:
        client.send(post(b"Transfer-Encoding: chunked"))
        assert client.response("POST").status == 200
        for _ in range(20):
            client.send(b"2000\r\n" + b"z" * 0x2000 + b"\r\n")
        client.assert_closed()
