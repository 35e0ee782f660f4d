"""Streaming responses: the body is sent in chunks, while it is produced."""

from __future__ import annotations

import io
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from copy import copy
from typing import Any

from atlas._speedups.calls.request import RequestData
from atlas.gateway.application_task import ApplicationTask
from atlas.gateway.threads import ThreadPool, in_thread
from atlas.types import Event, Receive, Scope, Send
from atlas.web.responses.body_stream import BodyStream, StreamOptions
from atlas.web.responses.response import Response

__all__ = ["StreamingResponse"]

_Filter = tuple[Callable[[bytes], bytes], Callable[[], bytes] | None]
_READ_SIZE = 64 * 1024
_NO_BODY = frozenset([204, 205, 304])  # RFC 9110 15.3.5, 15.3.6 and 15.4.5
_WHOLE = (
    (str, "HTMLResponse or TextResponse sends a text"),
    ((bytes, bytearray, memoryview), "Response sends bytes"),
    (Mapping, "JSONResponse sends a mapping"),
)


class StreamingResponse(Response):
    """A body that is sent in chunks.

    The first chunk is produced before the response starts: an exception there is answered by an error page, as one of
    the controller is. A later one aborts the response. If the first chunk is not there soon, the server looks whether
    the client has disconnected; then, and when the response fails, a generator is closed at once, so that its
    ``finally`` blocks run. While a response is sent a client that has gone is noticed when the next chunk is sent.

    The response waits for a client that reads slowly. A generator runs in one task from its first chunk to its end.

    :param content: an async or a sync iterable of ``bytes``, or of ``str`` that is sent as UTF-8; or a file, which is
        read in threads. A sync iterable runs in a greenlet on the event loop: it may wait, with ``await_``, but must
        not block. It yields to the event loop after every 64 chunks. If the controller has ``run="thread"``, it runs in
        one thread and may block.
    :param status_code: the status code, 200 by default.
    :param headers: more header fields.
    :param content_type: the value of ``content-type``; None for ``text/html; charset=utf-8``.
    :raises TypeError: for content that is not an iterable of chunks, such as a ``str``, ``bytes``, a mapping or a
        coroutine.

    :ivar body_iterator: the content. A middleware may put another iterable around it.
    """

    __slots__ = ("_filters", "_once", "_stream", "_task", "_threads", "body_iterator")

    streaming = True

    def __init__(
        self,
        content: AsyncIterable[bytes | str] | Iterable[bytes | str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, content_type=content_type)
        self.body_iterator: AsyncIterable[Any] | Iterable[Any] = self._checked(content)
        kind = type(self.body_iterator)
        self._once = _Once() if hasattr(kind, "__next__") or hasattr(kind, "__anext__") else None
        self._filters: list[_Filter] = []
        self._stream: BodyStream | None = None
        self._task: ApplicationTask | None = None
        self._threads: ThreadPool | None = None
        self.pending = type(self).__call__ is StreamingResponse.__call__

    def _checked(self, content: Any) -> AsyncIterable[Any] | Iterable[Any]:
        """Return the content as an iterable of chunks. :raises TypeError: for content that is none."""
        kind, name = type(content), type(self).__name__
        if kind is tuple or kind is list or hasattr(kind, "__next__") or hasattr(kind, "__aiter__"):
            return _read(content) if isinstance(content, io.IOBase) else content
        for whole, hint in _WHOLE:
            if isinstance(content, whole):
                raise TypeError(f"{name}: expected an iterable of chunks, got one {kind.__name__}: {hint}")
        if hasattr(kind, "__await__"):
            if (close := getattr(content, "close", None)) is not None:
                close()  # else Python also warns about a coroutine that was never awaited
            raise TypeError(f"{name}: expected an iterable of chunks, got a {kind.__name__}: await it before")
        if hasattr(content, "read1"):  # a wrapper of a file, as those of tempfile
            return _read(content)
        if not hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__"):
            hint = ": call it" if callable(content) else ""
            raise TypeError(f"{name}: expected an iterable of chunks, got a {kind.__name__}{hint}")
        return content  # type: ignore[no-any-return]

    def use_threads(self, threads: ThreadPool) -> None:
        """Iterate over sync content in a thread.

        :param threads: runs it.
        """
        self._threads = threads

    def encode(self, content: Any) -> bytes:
        """Encode a chunk.

        :param content: ``str``, or any kind of bytes.
        :raises TypeError: for any other type.
        """
        if isinstance(content, (bytearray, memoryview)):
            return bytes(content)
        return super().encode(content)

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Pass each chunk of the body through a function, see :meth:`Response.wrap`.

        :param function: takes a chunk, and returns the bytes that replace it; ``b""`` to hold the chunk back.
        :param finish: returns the bytes after the last chunk; None for no more bytes.
        """
        self._filters.append((function, finish))
        self.headers.pop("content-length", None)

    def filtered(self, chunk: bytes, start: int = 0) -> bytes:
        """Pass a chunk through the functions of :meth:`wrap`.

        :param chunk: the chunk.
        :param start: index of the first function to call, 0 by default.
        :returns: the chunk to send; empty if a function holds it back.
        """
        for function, _ in self._filters[start:]:
            chunk = function(chunk) if chunk else chunk
        return chunk

    def rest(self) -> bytes:
        """Return what the functions of :meth:`wrap` have held back, after the last chunk."""
        held_back = (
            self.filtered(finish(), number) for number, (_, finish) in enumerate(self._filters, 1) if finish is not None
        )
        return b"".join(held_back)

    @property
    def has_body(self) -> bool:
        """Whether a response with this status has a body."""
        return self.status_code >= 200 and self.status_code not in _NO_BODY

    def start_event(self) -> Event:
        """Return the event that starts the response."""
        # A copy: an ASGI middleware may change the list of the event.
        return {"type": "http.response.start", "status": self.status_code, "headers": list(self.raw_headers)}

    async def complete(self, request: Any) -> Response:
        """Produce the first chunk; not for HEAD, whose response has no body.

        :param request: the request that it answers.
        :returns: the response to send: a copy, because this one may be returned for other requests, too.
        :raises Exception: what the content raises before its first chunk.
        """
        response = copy(self)
        response.pending = False
        if request.method != "HEAD":
            await response._begin(request)
        return response

    async def _begin(self, request: RequestData) -> None:
        stream = self._new_stream()
        self._task = await stream.start(request, self.status_code)
        self.body_iterator = stream.chunks

    def _new_stream(self) -> BodyStream:
        if self._once is not None:
            self._once.use(type(self).__name__)
        stream = self._stream = BodyStream(self.body_iterator, self.stream_options())
        if self._threads is not None:
            stream.run = self._threads.run
        return stream

    def stream_options(self) -> StreamOptions:
        """Return how the stream behaves while no chunk is due."""
        return _DEFAULT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application, and close the iterable.

        :raises ClientDisconnected: if the client disconnects before the end.
        """
        stream = self._stream or self._new_stream()
        if scope["method"] == "HEAD":
            try:
                await send(self.start_event())
                await send({"type": "http.response.body", "body": b""})
            finally:
                await stream.close()
            return
        stream.attach(self)
        if self._task is None:
            await stream(scope, receive, send)
        else:
            await self._task.respond(self.start_event(), send)


class _Once:
    """Shared by a response and its copies, whose content can be iterated over once."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used = False

    def use(self, name: str) -> None:
        if self._used:
            raise RuntimeError(
                f"a {name} of an iterator can be sent once: make one for each request, or pass an iterable that begins "
                "anew"
            )
        self._used = True


_DEFAULT = StreamOptions()


async def _read(file: Any) -> AsyncIterator[Any]:
    """Read a file in threads, and close it. A pipe yields what has arrived, or the lines of a text."""
    read = getattr(file, "read1", None) or (file.read if file.seekable() else file.readline)
    try:
        while chunk := await in_thread(read, _READ_SIZE):
            yield chunk
    finally:
        await in_thread(file.close)
