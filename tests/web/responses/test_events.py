import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from atlas import ClientDisconnected
from atlas.web.responses.events import EventSourceResponse, ServerSentEvent

Drive = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (ServerSentEvent(data="a"), "data: a"),
        (ServerSentEvent(data=""), "data: "),
        (ServerSentEvent(data="a\nb\r\nc\rd"), "data: a\ndata: b\ndata: c\ndata: d"),
        (ServerSentEvent(data={"a": "ü"}, event="x", id="7", retry=5), 'event: x\nid: 7\nretry: 5\ndata: {"a":"ü"}'),
        (ServerSentEvent(data="a\u2028b"), "data: a\u2028b"),
        (ServerSentEvent(comment="a\nb"), ": a\n: b"),
        (ServerSentEvent(id=""), "id: "),
    ],
)
def test_the_lines_of_an_event(event: ServerSentEvent, lines: str) -> None:
    assert event.encode().decode() == lines + "\n\n"


@pytest.mark.parametrize("fields", [{"event": "a\nb"}, {"id": "a\rb"}, {"id": "\0"}, {"retry": -1}, {"retry": "5"}])
def test_invalid_fields_of_an_event(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="server-sent event"):
        ServerSentEvent(**fields)


def test_the_head_is_sent_before_the_first_event(call: Drive) -> None:
    assert call(EventSourceResponse(["a"]))[1] == {"type": "http.response.body", "body": b"", "more_body": True}


def test_a_stream_of_events(drive: Drive) -> None:
    events = ["a", {"data": [1], "event": "b"}, ServerSentEvent(data="c")]
    start, *bodies = drive(EventSourceResponse(events, headers={"x-a": "b"}))
    assert dict(start["headers"]) == {
        b"content-type": b"text/event-stream",
        b"cache-control": b"no-store",
        b"x-accel-buffering": b"no",
        b"x-a": b"b",
    }
    pieces = [body["body"] for body in bodies if body["body"]]
    assert pieces == [b"data: a\n\n", b"event: b\ndata: [1]\n\n", b"data: c\n\n"]


@pytest.mark.parametrize(("event", "word"), [(5, "int"), (b"a", "bytes"), ({"daat": 1}, "'daat'")])
def test_items_that_are_not_events(drive: Drive, event: Any, word: str) -> None:
    with pytest.raises(TypeError, match=word):
        drive(EventSourceResponse([event]))


@pytest.mark.parametrize("ping", [0, -1])
def test_a_ping_has_to_be_positive(ping: float) -> None:
    with pytest.raises(ValueError, match="ping"):
        EventSourceResponse([], ping=ping)


def ask(response: EventSourceResponse, heard: Callable[[bytes], None]) -> None:
    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(event: Any) -> None:
        heard(event.get("body", b""))

    asyncio.run(response({"type": "http", "method": "GET"}, receive, send))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_silent_stream_is_kept_alive(wrapped: bool) -> None:
    heard: list[bytes] = []
    enough = asyncio.Event()

    async def events() -> AsyncIterator[str]:
        await enough.wait()
        yield "late"

    def hear(piece: bytes) -> None:
        heard.append(piece)
        if len(heard) == 4:
            enough.set()

    response = EventSourceResponse(events(), ping=0.001)
    if wrapped:
        response.wrap(bytes.upper)
    ask(response, hear)
    ping = b": PING\n\n" if wrapped else b": ping\n\n"
    assert heard[:4] == [b"", b"", ping, ping]
    assert [piece for piece in heard if piece.strip(b": pingPING\n")] == [
        b"DATA: LATE\n\n" if wrapped else b"data: late\n\n"
    ]


def test_a_stream_without_pings() -> None:
    heard: list[bytes] = []
    ask(EventSourceResponse(["a"], ping=None), heard.append)
    assert heard == [b"", b"", b"data: a\n\n", b""]


def test_a_browser_that_disconnects_is_not_an_error() -> None:
    closed, sent = [], []

    async def events() -> AsyncIterator[str]:
        try:
            await asyncio.Event().wait()
            yield "never"
        finally:
            closed.append(True)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.5"}}
    with pytest.raises(ClientDisconnected):
        asyncio.run(EventSourceResponse(events())(scope, receive, send))
    assert closed == [True]
    assert sent[-1] == {"type": "http.response.body", "body": b""}
