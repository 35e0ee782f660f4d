"""Streams under servers that report a disconnect by receive, by send, or by both."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn

from atlas import Application, AsyncRequest, EventSourceResponse, Request, Response, Route, Server, Settings
from atlas.web.responses.streaming import StreamingResponse

Start = Callable[[Any, socket.socket], Any]


@asynccontextmanager
async def by_atlas(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    server = Server(app, Settings(access_log=False, timeout_graceful_shutdown=1.0))
    async with _beside(server.serve([listener]), server.stop):
        yield


@asynccontextmanager
async def by_uvicorn(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    server.capture_signals = nullcontext  # type: ignore[method-assign]

    def stop() -> None:
        server.should_exit = True

    async with _beside(server.serve(sockets=[listener]), stop):
        yield


@asynccontextmanager
async def by_hypercorn(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]  # it closes its own
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 0.1
    over = asyncio.Event()
    trigger: Any = over.wait
    async with _beside(hypercorn.asyncio.serve(app, config, shutdown_trigger=trigger), over.set):
        yield


@asynccontextmanager
async def _beside(running: Awaitable[Any], stop: Callable[[], Any]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(running)
    try:
        yield
    finally:
        stop()
        await task


class Streams:
    """Streams without an end, and what became of them."""

    def __init__(self) -> None:
        self.closed, self.asked = asyncio.Event(), asyncio.Event()

    async def endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100
                await asyncio.sleep(0)
        finally:
            self.closed.set()

    def endless_plain(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100
        finally:
            self.closed.set()

    async def three(self) -> AsyncIterator[str]:
        for number in range(3):
            for _ in range(20):
                await asyncio.sleep(0)
            yield f"piece {number}"

    async def silent(self) -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    def application(self) -> Application:
        async def endless(request: AsyncRequest) -> Response:
            return StreamingResponse(self.endless())

        def endless_plain(request: Request) -> Response:
            return StreamingResponse(self.endless_plain())

        async def three(request: AsyncRequest) -> Response:
            return StreamingResponse(self.three())

        async def events(request: AsyncRequest) -> Response:
            return EventSourceResponse(self.silent(), ping=3600)

        async def asking(request: AsyncRequest) -> Response:
            assert not await request.disconnected()
            self.asked.set()
            while not await request.disconnected():
                await asyncio.sleep(0)
            self.closed.set()
            return Response("not read")

        async def echo(request: AsyncRequest) -> Response:
            return StreamingResponse(request.stream())

        methods = ("GET", "POST")
        return Application(
            [
                Route("/endless", endless, methods),
                Route("/endless_plain", endless_plain, methods),
                Route("/events", events, methods),
                Route("/echo", echo, methods),
                Route("/three", three),
                Route("/asking", asking, methods),
            ]
        )


def run(start: Start, use: Callable[[Streams, Any, Any], Awaitable[None]]) -> None:
    async def go() -> None:
        streams = Streams()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with start(streams.application(), listener), asyncio.timeout(20):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                await use(streams, reader, writer)
                writer.close()

    asyncio.run(go())


every_server = pytest.mark.parametrize("start", [by_atlas, by_uvicorn, by_hypercorn])


@every_server
@pytest.mark.parametrize("path", ["/endless", "/endless_plain", "/events"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_endless_stream_ends_when_the_client_disconnects(
    start: Start, path: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(streams: Streams, reader: Any, writer: Any) -> None:
        length = "content-length: 2\r\n" if method == "POST" else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nhost: a\r\n{length}\r\n".encode() + b"ab" * bool(length))
        await reader.readuntil(b"first" if path == "/events" else b"x" * 100)
        writer.transport.abort() if path != "/events" else writer.close()
        await streams.closed.wait()

    run(start, use)
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [record.getMessage() for record in logged if record.name.startswith("atlas.")]


@every_server
def test_a_response_may_be_made_of_the_request_as_it_comes(start: Start) -> None:
    async def use(streams: Streams, reader: Any, writer: Any) -> None:
        writer.write(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\nconnection: close\r\n\r\nfirst")
        assert b"first" in await reader.readuntil(b"first")
        writer.write(b"other")
        assert b"other" in await reader.read()

    run(start, use)


def test_a_client_that_half_closes_gets_the_whole_stream() -> None:
    async def use(streams: Streams, reader: Any, writer: Any) -> None:
        writer.write(b"GET /three HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        writer.write_eof()
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert [answer.count(b"piece %d" % number) for number in range(3)] == [1, 1, 1]

    run(by_atlas, use)


@every_server
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_controller_can_check_for_a_disconnect(start: Start, method: str) -> None:
    async def use(streams: Streams, reader: Any, writer: Any) -> None:
        length = "content-length: 2\r\n" if method == "POST" else ""
        writer.write(f"{method} /asking HTTP/1.1\r\nhost: a\r\n{length}\r\n".encode() + b"ab" * bool(length))
        await streams.asked.wait()
        writer.transport.abort()
        await streams.closed.wait()

    run(start, use)
