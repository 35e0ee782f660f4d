"""Streams at real sockets, through the native gateway: a client that disconnects before the first chunk."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from atlas import Application, EventSourceResponse, Route, Server, StreamingResponse, await_


class Content:
    """Content that waits, and what became of it; known in the thread of the test."""

    def __init__(self) -> None:
        self.waiting, self.ended = threading.Event(), threading.Event()
        self.cancelled = False
        self.go: asyncio.Event | None = None

    async def wait(self) -> None:
        self.go = asyncio.Event()
        self.waiting.set()
        await self.go.wait()

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended.set()

    def plain(self) -> Iterator[str]:
        with self.noting():
            await_(self.wait())
            yield "x"

    async def coroutine(self) -> AsyncIterator[str]:
        with self.noting():
            await self.wait()
            yield "x"


@pytest.fixture
def content() -> Content:
    return Content()


@contextlib.contextmanager
def serving(chunks: Any, **options: Any) -> Iterator[Server]:
    async def page(request: Any) -> StreamingResponse:
        return StreamingResponse(chunks())

    route = Route("/", page, ["GET", "POST"], **options)
    with Server(Application([route]), port=0, access_log=False, timeout_graceful_shutdown=1).run_in_thread() as server:
        yield server


def connect(server: Server, method: str = "GET") -> socket.socket:
    peer = socket.create_connection(server.sockets[0].getsockname()[:2], timeout=5)
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    peer.sendall(f"{method} / HTTP/1.1\r\nHost: a\r\n{length}Connection: close\r\n\r\n".encode())
    return peer


def release(server: Server, content: Content) -> None:
    assert server._loop is not None
    assert content.go is not None
    server._loop.call_soon_threadsafe(content.go.set)


def leave(peer: socket.socket, how: str) -> None:
    if how == "reset":
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_client_that_leaves_before_the_first_chunk(content: Content, kind: str, method: str, how: str) -> None:
    with serving(getattr(content, kind)) as server:
        peer = connect(server, method)
        assert content.waiting.wait(5)
        leave(peer, how)
        assert content.ended.wait(5)
        assert content.cancelled


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_has_left_before_the_stream_begins(content: Content, method: str) -> None:
    released = threading.Event()

    async def page(request: Any) -> StreamingResponse:
        while not released.is_set():
            await asyncio.sleep(0.001)
        return StreamingResponse(content.coroutine())

    app = Application([Route("/", page, ["GET", "POST"])])
    with Server(app, port=0, access_log=False, timeout_graceful_shutdown=1).run_in_thread() as server:
        connect(server, method).close()
        released.set()
        assert content.ended.wait(5)
        assert content.cancelled


def test_a_route_may_let_its_stream_run(content: Content) -> None:
    with serving(content.coroutine, cancel=False) as server:
        peer = connect(server)
        assert content.waiting.wait(5)
        peer.shutdown(socket.SHUT_WR)
        assert not content.ended.wait(0.1)
        release(server, content)
        assert b"x" in b"".join(iter(lambda: peer.recv(65536), b""))
        assert not content.cancelled


def test_a_client_that_half_closes_gets_its_stream(content: Content) -> None:
    with serving(content.coroutine) as server:
        peer = connect(server)
        assert content.waiting.wait(5)
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        release(server, content)
        data = b"".join(iter(lambda: peer.recv(65536), b""))
        assert data.startswith(b"HTTP/1.1 200 OK")
        assert data.endswith(b"1\r\nx\r\n0\r\n\r\n")


@pytest.mark.parametrize("response", [StreamingResponse, EventSourceResponse])
@pytest.mark.parametrize("begun", [False, True])
def test_a_stop_ends_streams(response: Any, begun: bool) -> None:
    """Their ``finally`` blocks have run when the server has stopped."""
    waiting, ended = threading.Event(), []

    async def chunks() -> AsyncIterator[str]:
        try:
            if begun:
                yield "x"
            waiting.set()
            await asyncio.Event().wait()
            yield "never"
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    app = Application([Route("/", lambda request: response(chunks()), name="r")])
    with Server(app, port=0, access_log=False, timeout_graceful_shutdown=0.05).run_in_thread() as server:
        peer = connect(server)
        assert waiting.wait(5)
    assert ended == [True]
    peer.close()
