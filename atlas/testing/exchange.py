"""A request to an ASGI application and its response, without a socket.

The application runs in a task of its own, and its events are checked against the specification. ``send`` waits until
the test has read the chunk, so that streaming is deterministic.
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

__all__ = ["ApplicationError", "Exchange"]

_DISCONNECT_TIMEOUT = 1.0  # seconds that an application has to end after a disconnect, before it is cancelled


class ApplicationError(Exception):
    """An exception of the application, with its traceback."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error
        self.trace: TracebackType | None = error.__traceback__


class Exchange:
    """A request that an application handles.

    :param scope: the HTTP scope.
    :param body: the body of the request.
    :param raise_exceptions: raise what the application raises, instead of returning a response with status 500.

    :ivar status: the status of the response; 0 before it has started.
    :ivar headers: the header fields of the response.
    """

    def __init__(self, scope: Scope, body: Body, *, raise_exceptions: bool) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._scope = scope
        self._body_bytes = body if isinstance(body, bytes) else None
        self._body_chunks = _iterate(body)
        self._raise_exceptions = raise_exceptions
        self._errors: list[BaseException] = []
        scope["atlas.on_error"] = self._errors.append  # called for exceptions that become a 500 response
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._body_read = self._complete = self._disconnected = False
        self._changed, self._chunk_read, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self, app: ASGIApp) -> None:
        """Call the application, and wait until its response has started."""
        self._task = asyncio.create_task(self._call(app), name=f"{self._scope['method']} {self._scope['path']}")
        self._task.add_done_callback(lambda _: self._changed.set())
        try:
            await self._wait_until(lambda: self.status > 0)
        except BaseException:
            self._task.cancel()
            raise
        if not self.status and self._disconnected:
            await self.close()
        if not self.status:
            await self._finish()
            self._respond_internal_server_error()
        elif self._errors and self._raise_exceptions:
            await self.close()

    async def next_chunk(self) -> bytes | None:
        """Return the next chunk of the body, or None after the last one.

        :raises ClientDisconnected: if the client disconnected before the body was complete.
        """
        await self._wait_until(lambda: bool(self._chunks) or self._complete)
        if self._chunks:
            chunk = self._chunks.popleft()
            self._chunk_read.set()
            return chunk
        if not self._complete:
            await self._finish()
            raise ClientDisconnected("the response ended before it was complete")
        return None

    def disconnect(self) -> None:
        """Disconnect the client: ``receive`` returns ``http.disconnect``, and ``send`` raises (ASGI HTTP 2.4)."""
        self._disconnected = True
        self._ended.set()
        self._chunk_read.set()
        self._changed.set()

    async def close(self) -> None:
        """Wait until the application has returned; if the body is not complete, disconnect the client before.

        :raises ApplicationError: if the application raised.
        """
        if not self._complete:
            self.disconnect()
        task = self._task
        if task is not None and not task.done() and self._disconnected:
            await asyncio.wait({task}, timeout=_DISCONNECT_TIMEOUT)
            task.cancel()
        await self._finish()

    async def _call(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._receive, self._send)
        except ClientDisconnected as error:
            if not self._ended.is_set():
                self._errors.append(error)
        except Exception as error:
            self._errors.append(error)

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true, the application has returned, or the exchange has ended."""
        task = self._task
        assert task is not None
        while not (condition() or task.done() or self._ended.is_set()):
            self._changed.clear()
            await self._changed.wait()

    async def _finish(self) -> None:
        """Wait until the application has returned, and check the response."""
        if self._task is not None:
            await asyncio.wait({self._task})
        if self._errors and self._raise_exceptions:
            raise ApplicationError(self._errors[0])
        if self._disconnected:
            if not self.status:
                raise ClientDisconnected("the client disconnected before the response started")
        elif not self._errors and not self._complete:
            raise RuntimeError("the application returned without a complete response")
        length = next((value for name, value in self.headers if name == b"content-length"), None)
        if length is not None and self._complete and self._has_body and int(length) != self._size:
            raise RuntimeError(f"the content-length is {length.decode()}, but the body has {self._size} bytes")

    def _respond_internal_server_error(self) -> None:
        """Make the response that a server sends if the application failed before it sent one."""
        self.status, self._complete = 500, True
        self.headers = [(b"content-type", b"text/plain; charset=utf-8")]
        self._chunks.append(b"Internal Server Error")

    async def _receive(self) -> Event:
        if self._ended.is_set():
            return {"type": "http.disconnect"}
        if not self._body_read and self._body_bytes is not None:
            self._body_read = True
            return {"type": "http.request", "body": self._body_bytes, "more_body": False}
        if not self._body_read:
            return await self._receive_chunk()
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def _receive_chunk(self) -> Event:
        chunk: bytes | None = None
        try:
            chunk = await anext(self._body_chunks, None)
        except Exception as error:  # of the test's iterator
            self._errors.append(error)
            self._raise_exceptions = True
            self.disconnect()
        if self._ended.is_set():
            return {"type": "http.disconnect"}
        self._body_read = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def _send(self, event: Event) -> None:
        if self._disconnected:
            raise ClientDisconnected("the client disconnected")
        event_type = event["type"]
        if event_type == "http.response.start" and not self.status:
            self.status, self.headers = _checked_status(event), _checked_headers(event)
        elif event_type == "http.response.body" and self.status and not self._complete:
            await self._send_body(event)
        else:
            state = "complete" if self._complete else "started" if self.status else "not started yet"
            raise RuntimeError(f"expected no {event_type!r}: the response is {state}")
        self._changed.set()

    async def _send_body(self, event: Event) -> None:
        chunk, more = event.get("body", b""), event.get("more_body", False)
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise TypeError(f"http.response.body: expected bytes, got {type(chunk).__name__}")
        if chunk and self._has_body:
            self._size += len(chunk)
            self._chunks.append(bytes(chunk))
        if not more:
            self._complete = True
            self._ended.set()  # receive returns http.disconnect from now on
            return
        self._changed.set()
        while self._chunks:
            self._chunk_read.clear()
            await self._chunk_read.wait()
            if self._ended.is_set():
                raise ClientDisconnected("the client disconnected")

    @property
    def _has_body(self) -> bool:
        """Whether the response may have a body (RFC 9110, section 6.4.1)."""
        return self._scope["method"] != "HEAD" and self.status not in (204, 304)


async def _iterate(body: Body) -> AsyncIterator[bytes]:
    if isinstance(body, AsyncIterable):
        async for chunk in body:
            yield chunk
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
