"""The server in memory that the benchmarks use."""

from __future__ import annotations

import pytest

from atlas import StartupError
from bench.in_memory import Incomplete, Link, is_complete, serving

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
    ],
)
def test_a_response_is_complete(data, complete):
    assert is_complete(data) is complete


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        event = await receive()
        if scope["state"] is not None and event["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_requests_are_answered_one_after_another_on_each_connection():
    with serving(app, date_header=False) as loop:
        first, second = Link(loop), Link(loop)
        expected = first.first_response(REQUEST)
        assert expected.startswith(b"HTTP/1.1 200 OK\r\n")
        for link in (second, first, second):
            assert link.ask(REQUEST, len(expected)) == expected
        assert first.ask(REQUEST * 3, 3 * len(expected)) == expected * 3


def test_a_response_that_does_not_come_is_an_error():
    async def closing(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": True})

    with serving(closing, lifespan="off") as loop, pytest.raises(Incomplete, match="expected 500 bytes"):
        Link(loop).ask(REQUEST, 500)


def test_a_startup_that_fails_is_raised():
    async def failing(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(StartupError, match="no database"), serving(failing):
        pytest.fail("it was served")
