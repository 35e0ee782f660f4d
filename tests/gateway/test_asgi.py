"""ASGIGateway: exceptions, cancellation and context variables of an application."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from atlas.gateway.asgi import ASGIGateway
from tests._speedups.fake_connection import GET, FakeConnection, FakeServer

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


Connect = Callable[..., FakeConnection]


@pytest.fixture
def connect(loop: asyncio.AbstractEventLoop) -> Connect:
    """``connect(app)``: a connection to an application behind the gateway."""

    def connect(app: Any) -> FakeConnection:
        return FakeServer(loop, gateway=ASGIGateway(app, loop)).connect()

    return connect


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What the server logs, down to debug."""

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    kept: list[logging.LogRecord] = []
    logger, handler = logging.getLogger("atlas.server"), Keeper()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield kept
    logger.removeHandler(handler)
    logger.setLevel(level)


async def forever(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


def test_an_exception_is_logged_with_its_traceback(connect: Connect, records: list[logging.LogRecord]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("mine")

    connection = connect(app)
    connection.server.run(connection.feed, b"GET /a%0d%0ab HTTP/1.1\r\nHost: a\r\n\r\n")
    (record,) = records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[2] is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert record.getMessage() == "exception in the application: <RequestHead GET /a%0d%0ab HTTP/1.1>"
    assert connection.responses()[0][0] == 500


def test_an_unfinished_response_is_logged(connect: Connect, records: list[logging.LogRecord]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    connection = connect(app)
    connection.server.run(connection.feed, GET)
    (record,) = records
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert "without a complete response" in record.getMessage()
    assert connection.responses()[0][0] == 500


async def sends_to_nobody(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_a_disconnect_is_no_error(connect: Connect, records: list[logging.LogRecord]) -> None:
    connection = connect(sends_to_nobody)
    connection.server.run(connection.feed, GET)
    connection.lose()
    connection.server.turn(4)
    (record,) = records
    assert (record.levelno, record.exc_info) == (logging.DEBUG, None)
    assert "disconnected" in record.getMessage()


class FrameworksOwn(Exception):
    """What a framework makes of a disconnect."""


def chained(error: Exception) -> None:
    try:
        raise error
    except OSError as caught:
        raise FrameworksOwn from caught


def in_context(error: Exception) -> None:
    try:
        raise error
    except OSError:
        raise FrameworksOwn  # noqa: B904


def grouped(error: Exception) -> None:
    raise ExceptionGroup("", [error, ExceptionGroup("", [error])])


def beside_another(error: Exception) -> None:
    raise ExceptionGroup("", [error, ZeroDivisionError()])


def instead(error: Exception) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("wrap", "level"),
    [
        (chained, logging.DEBUG),
        (in_context, logging.DEBUG),
        (grouped, logging.DEBUG),
        (beside_another, logging.ERROR),
        (instead, logging.ERROR),
    ],
)
def test_exceptions_that_frameworks_raise_for_a_disconnect(
    connect: Connect, records: list[logging.LogRecord], wrap: Callable[[Exception], None], level: int
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()
        wrap(ClientDisconnected())

    connection = connect(app)
    connection.server.run(connection.feed, GET)
    connection.lose()
    connection.server.turn(4)
    assert [record.levelno for record in records] == [level]


def test_the_same_error_while_the_client_is_there_is_the_applications(
    connect: Connect, records: list[logging.LogRecord]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnected("of another request")

    connection = connect(app)
    connection.server.run(connection.feed, GET)
    assert [record.levelno for record in records] == [logging.ERROR]


def test_unfinished_requests_can_be_cancelled(connect: Connect, records: list[logging.LogRecord]) -> None:
    connection = connect(forever)
    connection.server.run(connection.feed, GET)
    gateway = connection.server.gateway
    assert len(gateway.tasks) == 1
    gateway.cancel()
    connection.server.turn(3)
    assert gateway.tasks == set()
    assert records == []
    gateway.cancel()


def test_each_request_starts_in_the_context_that_the_gateway_was_made_in(connect: Connect) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("a request")
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    seen: list[str] = []
    token = VARIABLE.set("the maker")
    connection = connect(app)
    VARIABLE.reset(token)
    connection.server.run(connection.feed, GET + GET)
    assert seen == ["the maker", "the maker"]


def test_a_disconnect_is_reported_by_receive_and_send(connect: Connect) -> None:
    connection = connect(forever)
    connection.server.run(connection.feed, GET)
    (task,) = connection.server.gateway.tasks
    connection.lose()
    connection.server.turn(3)
    assert not task.done(), "the application receives http.disconnect, and is not cancelled"
    connection.server.gateway.cancel()
    connection.server.turn(3)
