import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from atlas import Application, ClientDisconnected, EventSourceResponse, Route, StreamingResponse, TestClient, await_

Drive = Callable[..., list[dict[str, Any]]]


class Pieces:
    """Iterators of pieces that record whether they were closed."""

    def __init__(self, count: int) -> None:
        self.count, self.closed = count, False

    def sync_pieces(self) -> Iterator[str]:
        try:
            for number in range(self.count):
                yield str(number)
        finally:
            self.closed = True

    async def async_pieces(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.count):
                yield b"%d" % number
        finally:
            self.closed = True


@pytest.mark.parametrize("kind", ["sync_pieces", "async_pieces"])
def test_chunks_are_sent_as_they_are_produced(drive: Drive, kind: str) -> None:
    pieces = Pieces(200)
    start, *bodies = drive(StreamingResponse(getattr(pieces, kind)(), content_type="text/plain"))
    assert start["headers"] == [(b"content-type", b"text/plain")]
    assert [body["body"] for body in bodies] == [b"%d" % number for number in range(200)] + [b""]
    assert [body.get("more_body", False) for body in bodies] == [True] * 200 + [False]
    assert pieces.closed


@pytest.mark.parametrize("make", [lambda: ["a", b"b"], lambda: ("a", "b"), lambda: iter(["a", "b"])])
def test_any_iterable(drive: Drive, make: Callable[[], Any]) -> None:
    _, *bodies = drive(StreamingResponse(make()))
    assert b"".join(body["body"] for body in bodies) == b"ab"


def test_head_reads_no_chunk_of_a_stream(drive: Drive) -> None:
    asked = []

    def pieces() -> Iterator[str]:
        asked.append(1)
        yield "x"

    assert [event.get("body") for event in drive(StreamingResponse(pieces()), method="HEAD")] == [None, b""]
    assert not asked


async def _send_until_gone(response: StreamingResponse) -> None:
    sent = 0

    async def send(event: Any) -> None:
        nonlocal sent
        sent += 1
        if sent == 3:
            raise OSError("the client is gone")

    async def receive() -> Any:
        await asyncio.Event().wait()

    await response({"type": "http", "method": "GET"}, receive, send)


@pytest.mark.parametrize("kind", ["sync_pieces", "async_pieces"])
def test_a_generator_is_closed_when_the_client_disconnects(kind: str) -> None:
    pieces = Pieces(10)
    generator = getattr(pieces, kind)()
    with pytest.raises(OSError, match="gone"):
        asyncio.run(_send_until_gone(StreamingResponse(generator)))
    assert pieces.closed


class LeavingClient:
    """A client that disconnects after a number of pieces, under a server that reports this by ``receive`` only."""

    def __init__(self, after: int) -> None:
        self.after, self.sent, self.disconnected = after, 0, asyncio.Event()
        if after == 0:
            self.disconnected.set()

    async def receive(self) -> Any:
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Any) -> None:
        self.sent += bool(event.get("body"))
        if self.sent == self.after:
            self.disconnected.set()

    async def ask(self, response: StreamingResponse, **scope: Any) -> None:
        whole = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}, **scope}
        with pytest.raises(ClientDisconnected):
            await response(whole, self.receive, self.send)


@pytest.mark.parametrize("scope", [{}, {"method": "POST"}, {"method": "POST", "atlas.body": "read"}])
@pytest.mark.parametrize("kind", ["sync_pieces", "async_pieces"])
def test_an_endless_stream_ends_when_the_client_disconnects(kind: str, scope: dict[str, Any]) -> None:
    pieces = Pieces(10**9)
    content = getattr(pieces, kind)()
    if kind == "async_pieces":
        content = with_turns(content)
    asyncio.run(LeavingClient(3).ask(StreamingResponse(content), **scope))
    assert pieces.closed


async def with_turns(pieces: Any) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
            await asyncio.sleep(0)
    finally:
        await pieces.aclose()


def test_a_stream_that_waits_ends_when_the_client_disconnects() -> None:
    closed = []

    async def silent() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b"never"
        finally:
            closed.append(True)

    asyncio.run(LeavingClient(0).ask(StreamingResponse(silent())))
    assert closed == [True]


@pytest.mark.parametrize("version", ["2.4", "2.5", "3", "2.10"])
def test_a_client_that_closes_its_sending_side_gets_the_whole_stream_since_asgi_2_4(version: str) -> None:
    async def ask() -> int:
        client = LeavingClient(0)
        scope = {"type": "http", "method": "GET", "asgi": {"version": "3.0", "spec_version": version}}
        await StreamingResponse(with_turns(Pieces(5).async_pieces()))(scope, client.receive, client.send)
        return client.sent

    assert asyncio.run(ask()) == 5


def test_receive_is_not_awaited_while_the_request_body_is_read() -> None:
    """A response that is produced from the request body while the body arrives."""
    scope: dict[str, Any] = {"type": "http", "method": "POST", "atlas.body": "reading"}
    waiting = [b"a", b"b", b"c"]

    async def receive() -> Any:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def echo() -> AsyncIterator[bytes]:
        more = True
        while more:
            event = await receive()
            await asyncio.sleep(0)
            more = event["more_body"]
            yield event["body"]

    sent: list[bytes] = []

    async def send(event: Any) -> None:
        sent.append(event.get("body", b""))

    asyncio.run(StreamingResponse(echo())(scope, receive, send))
    assert sent == [b"", b"a", b"b", b"c", b""]


class Source:
    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def close(self) -> None:
        self.closed = True


def test_an_iterable_with_close_is_closed(drive: Drive) -> None:
    source = Source()
    drive(StreamingResponse(source))
    assert source.closed


@pytest.mark.parametrize("kind", ["sync_pieces", "async_pieces"])
def test_chunks_pass_through_wrappers(drive: Drive, kind: str) -> None:
    response = StreamingResponse(getattr(Pieces(3), kind)(), headers={"content-length": "3"})
    response.wrap(lambda piece: b"" if piece == b"1" else b"x" + piece, lambda: b"end")
    response.wrap(bytes.upper, lambda: b"!")
    start, *bodies = drive(response)
    assert [body["body"] for body in bodies if body["body"]] == [b"X0", b"X2", b"END!"]
    assert b"content-length" not in dict(start["headers"])


class Awaitable:
    def __await__(self) -> Iterator[Any]:
        yield


async def coroutine() -> str:
    return "x"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text", "got one str: HTMLResponse or TextResponse"),
        (Markup("<b>"), "got one Markup: HTMLResponse or TextResponse"),
        (b"bytes", "got one bytes: Response"),
        (bytearray(b"bytes"), "got one bytearray: Response"),
        ({"a": 1}, "got one dict: JSONResponse"),
        (Awaitable(), "got a Awaitable: await it before"),
        (None, "got a NoneType$"),
        (5, "got a int$"),
        (Pieces(1).sync_pieces, "got a method: call it"),
    ],
)
@pytest.mark.parametrize("kind", [StreamingResponse, EventSourceResponse])
def test_content_that_is_no_iterable_of_chunks(kind: type[StreamingResponse], content: Any, words: str) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__}: expected an iterable of chunks, {words}"):
        kind(content)


def test_a_coroutine_is_no_content() -> None:
    with pytest.raises(TypeError, match="got a coroutine: await it before"):
        StreamingResponse(coroutine())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["file", "temporary", "bytes", "text"])
def test_a_file_is_read_in_large_chunks(drive: Drive, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("line\n" * 20_000)
    files: dict[str, Callable[[], Any]] = {
        "file": lambda: path.open("rb"),
        "temporary": lambda: tempfile.NamedTemporaryFile(),  # noqa: SIM115  # the response closes it
        "bytes": lambda: io.BytesIO(path.read_bytes()),
        "text": path.open,
    }
    file = files[kind]()
    if kind == "temporary":
        file.write(path.read_bytes())
        file.seek(0)
    _, *bodies = drive(StreamingResponse(file))
    assert b"".join(body["body"] for body in bodies) == path.read_bytes()
    assert len(bodies) < 30
    assert file.closed


def test_a_pipe_is_read_as_it_arrives(drive: Drive) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as sender:
        sender.write("a\nb\n")
    _, *bodies = drive(StreamingResponse(os.fdopen(reader)))
    assert b"".join(body["body"] for body in bodies) == b"a\nb\n"


def test_a_sync_stream_that_waits_ends_soon_after_its_client_under_other_servers() -> None:
    """With the ASGI text 2.3 ``receive`` is the only sign: it is awaited from the beginning."""
    made = []

    def chunks() -> Iterator[str]:
        for number in range(100):
            made.append(number)
            yield "x"
            await_(asyncio.sleep(0))

    asyncio.run(LeavingClient(3).ask(StreamingResponse(chunks())))
    assert len(made) < 8
    assert made[-1] >= 2


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_kept_stream_of_an_iterator_is_sent_once(kind: str) -> None:
    async def later() -> AsyncIterator[str]:
        yield "once"

    kept = StreamingResponse(later() if kind == "async" else iter(["once"]))
    again = StreamingResponse(["every ", "time"])
    app = Application([Route("/kept", lambda request: kept), Route("/again", lambda request: again)])
    with TestClient(app) as client:
        assert client.get("/kept").text == "once"
        with pytest.raises(RuntimeError, match="a StreamingResponse of an iterator can be sent once"):
            client.get("/kept")
        assert [client.get("/again").text for _ in range(2)] == ["every time"] * 2
