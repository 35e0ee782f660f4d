"""One request to an ASGI application and its response, without a socket between them.

The application runs in a task of its own and is held to the specification as a strict server would hold it. It sends
no further ahead than one piece: what a test has not taken yet holds ``send`` back, so that a stream is deterministic.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from types import TracebackType
from typing import Any

from atlas.errors import ClientDisconnected
from atlas.testing.encoding import Body
from atlas.types import ASGIApp, Event, Scope

__all__ = ["ApplicationRaised", "Exchange"]

_PATIENCE = 1.0  # seconds that an application has to end once its client is gone; then it is cancelled


class ApplicationRaised(Exception):
    """Carries what an application raised out of the loop, with the traceback that it had there."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error
        self.trace: TracebackType | None = error.__traceback__


class Exchange:
    """A request on its way through an application.

    :param raising: raise what the application raises, instead of a response that tells nothing.

    :ivar status: of the response, 0 before it started. :ivar headers: its fields.
    """

    def __init__(self, scope: Scope, body: Body, *, raising: bool) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._scope = scope
        self._whole = body if isinstance(body, bytes) else None
        self._body = _pieces_of(body)
        self._raising = raising
        self._failures: list[BaseException] = []
        scope["atlas.on_error"] = self._failures.append  # an Atlas application tells so of what it answers with 500
        self._pieces: deque[bytes] = deque()
        self._sent = 0
        self._body_read = self._complete = self._left = False
        self._news, self._room, self._gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self, app: ASGIApp) -> None:
        """Call the application and wait until its response has started."""
        self._task = asyncio.create_task(self._call(app), name=f"{self._scope['method']} {self._scope['path']}")
        self._task.add_done_callback(lambda _: self._news.set())
        try:
            await self._until(lambda: self.status > 0)
        except BaseException:
            self._task.cancel()
            raise
        if not self.status and self._left:
            await self.close()
        if not self.status:
            await self._settle()
            self._start_without_application()
        elif self._failures and self._raising:
            await self.close()

    async def next_piece(self) -> bytes | None:
        """The next piece of the body, None when it is complete.

        :raises ClientDisconnected: if the client left before it was.
        """
        await self._until(lambda: bool(self._pieces) or self._complete)
        if self._pieces:
            piece = self._pieces.popleft()
            self._room.set()
            return piece
        if not self._complete:
            await self._settle()
            raise ClientDisconnected("the response ended before it was complete")
        return None

    def disconnect(self) -> None:
        """The client leaves: ``receive`` says so, and ``send`` raises (ASGI 3, HTTP 2.4)."""
        self._left = True
        self._gone.set()
        self._room.set()
        self._news.set()

    async def close(self) -> None:
        """Wait for the application's end; if the body is not complete, the client leaves first.

        What it raised is raised here.
        """
        if not self._complete:
            self.disconnect()
        task = self._task
        if task is not None and not task.done() and self._left:
            await asyncio.wait({task}, timeout=_PATIENCE)
            task.cancel()
        await self._settle()

    async def _call(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._receive, self._send)
        except ClientDisconnected as error:
            if not self._gone.is_set():
                self._failures.append(error)
        except Exception as error:
            self._failures.append(error)

    async def _until(self, wanted: Callable[[], bool]) -> None:
        task = self._task
        assert task is not None
        while not (wanted() or task.done() or self._gone.is_set()):
            self._news.clear()
            await self._news.wait()

    async def _settle(self) -> None:
        """The application has ended, or is about to: find out how."""
        if self._task is not None:
            await asyncio.wait({self._task})
        if self._failures and self._raising:
            raise ApplicationRaised(self._failures[0])
        if self._left:
            if not self.status:
                raise ClientDisconnected("the client left before the response started")
        elif not self._failures and not self._complete:
            raise RuntimeError("the application returned without a complete response")
        announced = next((value for name, value in self.headers if name == b"content-length"), None)
        if announced is not None and self._complete and self._has_body and int(announced) != self._sent:
            raise RuntimeError(f"the response announced {announced.decode()} bytes and has {self._sent}")

    def _start_without_application(self) -> None:
        """It failed before its response: a server says so for it."""
        self.status, self._complete = 500, True
        self.headers = [(b"content-type", b"text/plain; charset=utf-8")]
        self._pieces.append(b"Internal Server Error")

    # What the application is given.

    async def _receive(self) -> Event:
        if self._gone.is_set():
            return {"type": "http.disconnect"}
        if not self._body_read and self._whole is not None:
            self._body_read = True
            return {"type": "http.request", "body": self._whole, "more_body": False}
        if not self._body_read:
            return await self._receive_piece()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _receive_piece(self) -> Event:
        piece: bytes | None = None
        try:
            piece = await anext(self._body, None)
        except Exception as error:  # the test's own iterator
            self._failures.append(error)
            self._raising = True
            self.disconnect()
        if self._gone.is_set():
            return {"type": "http.disconnect"}
        self._body_read = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def _send(self, event: Event) -> None:
        if self._left:
            raise ClientDisconnected("the client went away")
        kind = event["type"]
        if kind == "http.response.start" and not self.status:
            self.status, self.headers = _checked_status(event), _checked_headers(event)
        elif kind == "http.response.body" and self.status and not self._complete:
            await self._send_body(event)
        else:
            stage = "complete" if self._complete else "started" if self.status else "not started yet"
            raise RuntimeError(f"expected no {kind!r}: the response is {stage}")
        self._news.set()

    async def _send_body(self, event: Event) -> None:
        piece, more = event.get("body", b""), event.get("more_body", False)
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise TypeError(f"http.response.body: expected bytes, got {type(piece).__name__}")
        if piece and self._has_body:
            self._sent += len(piece)
            self._pieces.append(bytes(piece))
        if not more:
            self._complete = True
            self._gone.set()  # nothing more is to be received either
            return
        self._news.set()
        while self._pieces:
            self._room.clear()
            await self._room.wait()
            if self._gone.is_set():
                raise ClientDisconnected("the client went away")

    @property
    def _has_body(self) -> bool:
        """RFC 9110 6.4.1: these responses never have one, whatever the application sends."""
        return self._scope["method"] != "HEAD" and self.status not in (204, 304)


async def _pieces_of(body: Body) -> AsyncIterator[bytes]:
    if isinstance(body, AsyncIterable):
        async for piece in body:
            yield piece
    elif not isinstance(body, bytes):
        for each in body:
            yield each


def _checked_status(event: Event) -> int:
    status = event["status"]
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise TypeError(f"http.response.start: expected a status from 200, got {status!r}")
    return status


def _checked_headers(event: Event) -> list[tuple[bytes, bytes]]:
    pairs: list[tuple[bytes, bytes]] = []
    for name, value in event.get("headers", ()):
        given: tuple[Any, Any] = (name, value)
        if not all(isinstance(each, bytes) for each in given) or b"\n" in value or b"\r" in value:
            raise TypeError(f"http.response.start: expected header fields as pairs of bytes in one line, got {given!r}")
        pairs.append((name.lower(), value))
    return pairs
