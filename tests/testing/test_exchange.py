import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from atlas.errors import ClientDisconnected
from atlas.testing.exchange import ApplicationError, Exchange

START = {"type": "http.response.start", "status": 200, "headers": []}
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]


def sends(*events: dict[str, Any]) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in events:
            await send(event)

    return app


def body(content: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def whole(app: App, sent: Any = b"", method: str = "GET", raise_exceptions: bool = True) -> tuple[int, bytes]:
    exchange = Exchange({"method": method, "path": "/"}, sent, raise_exceptions=raise_exceptions)
    await exchange.open(app)
    chunks = []
    while (chunk := await exchange.next_chunk()) is not None:
        chunks.append(chunk)
    await exchange.close()
    return exchange.status, b"".join(chunks)


@pytest.mark.parametrize(
    ("method", "status", "content"), [("GET", 200, b"ab"), ("HEAD", 200, b""), ("GET", 204, b""), ("GET", 304, b"")]
)
def test_a_response(method: str, status: int, content: bytes) -> None:
    app = sends({**START, "status": status}, body(b"a", True), body(b"b"))
    assert asyncio.run(whole(app, method=method)) == (status, content)


async def read_all(receive: Any) -> list[tuple[bytes, bool]]:
    events = []
    while True:
        event = await receive()
        events.append((event["body"], event["more_body"]))
        if not event["more_body"]:
            return events


def slowly() -> Iterator[bytes]:
    yield b"a"
    yield b"b"


async def slower() -> AsyncIterator[bytes]:
    for chunk in (b"a", b"b"):
        await asyncio.sleep(0)
        yield chunk


@pytest.mark.parametrize(
    ("sent", "events"),
    [
        (b"", [(b"", False)]),
        (b"ab", [(b"ab", False)]),
        (slowly(), [(b"a", True), (b"b", True), (b"", False)]),
        (slower(), [(b"a", True), (b"b", True), (b"", False)]),
    ],
)
def test_a_request_body(sent: Any, events: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(await read_all(receive))
        await send(START)
        await send(body(b""))
        seen.append(await receive())

    asyncio.run(whole(app, sent))
    assert seen == [*events, {"type": "http.disconnect"}]


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ([], "returned without a complete response"),
        ([START], "returned without a complete response"),
        ([body(b"")], "'http.response.body': the response is not started yet"),
        ([START, START], "'http.response.start': the response is started"),
        ([START, body(b""), body(b"")], "'http.response.body': the response is complete"),
        ([{"type": "x"}], "expected no 'x'"),
        ([{**START, "headers": [("a", "b")]}], "header fields as pairs of bytes"),
        ([{**START, "headers": [(b"a", b"b\r\nc: d")]}], "in one line"),
        ([{**START, "status": 99}], "expected a status from 200"),
        ([{**START, "status": "200"}], "expected a status from 200"),
        ([START, {"type": "http.response.body", "body": "text"}], "expected bytes, got str"),
        (
            [{**START, "headers": [(b"content-length", b"5")]}, body(b"four")],
            "content-length is 5, but the body has 4 bytes",
        ),
    ],
)
def test_an_application_is_held_to_the_specification(events: list[dict[str, Any]], error: str) -> None:
    with pytest.raises((RuntimeError, ApplicationError), match=error):
        asyncio.run(whole(sends(*events)))


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("why")


async def fails_late(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(body(b"a", True))
    raise ValueError("why")


async def fails_afterwards(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(body(b"a"))
    raise ValueError("why")


@pytest.mark.parametrize("app", [fails, fails_late, fails_afterwards])
def test_what_it_raises_is_carried_out(app: App) -> None:
    with pytest.raises(ApplicationError) as caught:
        asyncio.run(whole(app))
    assert isinstance(caught.value.error, ValueError)
    assert caught.value.trace is not None


def test_or_becomes_what_a_client_would_see() -> None:
    assert asyncio.run(whole(fails, raise_exceptions=False)) == (500, b"Internal Server Error")
    assert asyncio.run(whole(fails_afterwards, raise_exceptions=False)) == (200, b"a")
    with pytest.raises(ClientDisconnected, match="before it was complete"):
        asyncio.run(whole(fails_late, raise_exceptions=False))


def test_send_waits_until_the_chunk_is_read() -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(5):
            sent.append(number)
            await send(body(b"x", True))
        await send(body(b""))

    async def go() -> None:
        exchange = Exchange({"method": "GET", "path": "/"}, b"", raise_exceptions=True)
        await exchange.open(app)
        assert await exchange.next_chunk() == b"x"
        assert sent == [0]
        assert await exchange.next_chunk() == b"x"
        assert sent == [0, 1]
        await exchange.close()

    asyncio.run(go())


def test_a_client_that_leaves_is_noticed_by_send_and_by_receive() -> None:
    noticed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_all(receive)
        await send(START)
        try:
            while True:
                await send(body(b"x", True))
        except OSError as error:
            noticed.append(type(error).__name__)
        noticed.append((await receive())["type"])

    async def go() -> None:
        exchange = Exchange({"method": "GET", "path": "/"}, b"", raise_exceptions=True)
        await exchange.open(app)
        exchange.disconnect()
        with pytest.raises(ClientDisconnected):
            while True:
                await exchange.next_chunk()

    asyncio.run(go())
    assert noticed == ["ClientDisconnected", "http.disconnect"]


def test_an_application_that_takes_no_notice_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas.testing.exchange._DISCONNECT_TIMEOUT", 0.01)
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def go() -> None:
        exchange = Exchange({"method": "GET", "path": "/"}, b"", raise_exceptions=True)
        await exchange.open(app)
        await exchange.close()

    asyncio.run(go())
    assert ended == ["cancelled"]


def test_a_body_of_the_test_that_fails() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("in the test")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with pytest.raises(ApplicationError, match="in the test"):
        asyncio.run(whole(app, broken()))
