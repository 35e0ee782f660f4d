"""Applications that fail, and what the client and the log see of it."""

from __future__ import annotations

import logging
from typing import Any

import h11
import pytest

from .asgi_events import START, body, sending, start
from .wire_server import WireServer, request_bytes, respond

GET = request_bytes()


def assert_logged_with_traceback(records: list[logging.LogRecord]) -> None:
    errors = [record for record in records if record.levelno >= logging.ERROR]
    assert len(errors) == 1, records
    assert errors[0].exc_info
    assert "on purpose" in str(errors[0].exc_info[1])


class OnPurpose(Exception):
    pass


def test_failure_before_the_start_is_a_500(wire: WireServer, records: list[logging.LogRecord]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise OnPurpose("on purpose")

    wire.set_app(app)
    answer = wire.exchange(GET)
    assert answer.status == 500
    assert (answer.header(b"content-type") or b"").startswith(b"text/plain")
    assert b"on purpose" not in answer.body
    assert_logged_with_traceback(records)


def test_failure_between_start_and_body_is_a_500(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start((b"x", b"y")))
        raise OnPurpose("on purpose")

    wire.set_app(app)
    answer = wire.exchange(GET)
    assert answer.status == 500
    assert answer.header(b"x") is None


def test_server_works_after_a_failure(wire: WireServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            raise OnPurpose("on purpose")
        await respond(send)

    wire.set_app(app)
    assert wire.exchange(GET).status == 500
    assert wire.exchange(request_bytes(line=b"GET /b HTTP/1.1")).status == 200


def test_failure_after_the_start_closes_without_an_end(wire: WireServer, records: list[logging.LogRecord]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"a", more=True))
        raise OnPurpose("on purpose")

    wire.set_app(app)
    with wire.connect() as client:
        client.send(GET + GET)
        with pytest.raises(h11.RemoteProtocolError):
            client.response()
    assert_logged_with_traceback(records)


@pytest.mark.parametrize("events", [[], [START]])
def test_return_without_a_response_is_a_500(wire: WireServer, records: list[logging.LogRecord], events: Any) -> None:
    wire.set_app(sending(*events))
    assert wire.exchange(GET).status == 500
    assert [record for record in records if record.levelno >= logging.ERROR]


def test_return_without_a_full_response_closes_without_an_end(
    wire: WireServer, records: list[logging.LogRecord]
) -> None:
    wire.set_app(sending(START, body(b"a", more=True)))
    with wire.connect() as client:
        client.send(GET)
        with pytest.raises(h11.RemoteProtocolError):
            client.response()
    assert [record for record in records if record.levelno >= logging.ERROR]
