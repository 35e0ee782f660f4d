"""A request body that nobody reads: a little is discarded, for more the connection closes."""

from __future__ import annotations

import pytest

from .events import START, body, sending
from .stage import Wire, post, request_bytes

GET = request_bytes()


@pytest.mark.parametrize("size", [1, 60 * 1024])
def test_small_unread_body_is_discarded(wire: Wire, size: int) -> None:
    wire.play(sending(START, body(b"x")))
    for request in (
        post(b"Content-Length: %d" % size, body=b"z" * size),
        post(b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"z" * size)),
    ):
        with wire.connect() as peer:
            for _ in range(2):
                peer.send(request)
                assert not peer.response("POST").closes


def test_unread_body_that_comes_after_the_response_is_discarded(wire: Wire) -> None:
    wire.play(sending(START, body(b"x")))
    with wire.connect() as peer:
        peer.send(post(b"Content-Length: 1000"))
        assert peer.response("POST").status == 200
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".ljust(1000, b"z") + GET)
        assert peer.response().status == 200
        peer.finish()
        peer.assert_closed()


@pytest.mark.parametrize("sent", [0, 100, 1_000_000])
def test_connection_closes_behind_a_large_unread_body(wire: Wire, sent: int) -> None:
    wire.play(sending(START, body(b"x")))
    with wire.connect() as peer:
        peer.send(post(b"Content-Length: 1000000", body=b"z" * sent))
        answer = peer.response("POST")
        assert (answer.status, answer.body) == (200, b"x")
        peer.send(b"z" * (1_000_000 - sent))
        peer.assert_closed()


def test_connection_closes_behind_a_large_unread_chunked_body(wire: Wire) -> None:
    wire.play(sending(START, body(b"x")))
    with wire.connect() as peer:
        peer.send(post(b"Transfer-Encoding: chunked"))
        assert peer.response("POST").status == 200
        for _ in range(20):
            peer.send(b"2000\r\n" + b"z" * 0x2000 + b"\r\n")
        peer.assert_closed()
