"""Iterates over the content of a streaming response, and sends it in chunks.

The response starts when the first chunk is there, so an exception before it can still become an error page. From the
first chunk to its ``finally`` blocks a generator runs in one task; a sync generator in one greenlet or thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from threading import Lock
from typing import Any, Protocol

from atlas._speedups.calls.request import RequestData
from atlas.errors import ClientDisconnected
from atlas.gateway.application_task import ApplicationTask
from atlas.gateway.greenlets import await_, in_greenlet
from atlas.gateway.keep_alive import KeepAlive
from atlas.gateway.response_start import ResponseStart
from atlas.gateway.task_scope import TaskScope
from atlas.gateway.threads import next_turn
from atlas.types import Event, Receive, Scope, Send
from atlas.web.background import CURRENT
from atlas.web.responses.disconnect_watcher import DisconnectWatcher
from atlas.web.scope_keys import STREAM_HOOKS

__all__ = ["BodyStream", "Run", "StreamHook", "StreamOptions", "Streamed"]

# A sync iterator does not yield to the event loop between chunks: without this bound a long one blocks the others.
_CHUNKS_PER_TURN = 64
_END: Any = object()

Run = Callable[..., Awaitable[Any]]


class Streamed(Protocol):
    """What a stream needs of its response, from the moment in which it is sent."""

    body_iterator: AsyncIterable[Any] | Iterable[Any]

    def start_event(self) -> Event:
        """Return the event that starts the response."""

    @property
    def has_body(self) -> bool:
        """Whether a response with this status has a body."""

    def encode(self, content: Any) -> bytes:
        """Encode a chunk."""

    def filtered(self, chunk: bytes, start: int = 0) -> bytes:
        """Pass a chunk through the functions of ``wrap``."""

    def rest(self) -> bytes:
        """Return what these functions have held back."""


class StreamHook(Protocol):
    """What a middleware does around a stream, whose content runs after the controller has returned."""

    async def begin_stream(self, status_code: int) -> None:
        """The controller has returned a stream, whose first chunk is produced next.

        :param status_code: the status of the response.
        :raises Exception: if there should be an error page instead.
        """

    async def pause_stream(self) -> None:
        """A chunk is there, and is sent next: the client may read slowly."""

    async def end_stream(self) -> None:
        """The content is closed."""


class StreamOptions:
    """How a stream behaves while no chunk is due.

    :param watched: whether a client that closes its side of the connection ends the response.
    :param open_after: seconds without a chunk after which the response is started; None to wait for the first chunk.
    :param ping: seconds without a chunk after which ``ping_chunk`` is sent; None for never.
    :param ping_chunk: the bytes.
    """

    __slots__ = ("open_after", "ping", "ping_chunk", "watched")

    def __init__(
        self,
        *,
        watched: bool = False,
        open_after: float | None = None,
        ping: float | None = None,
        ping_chunk: bytes = b"",
    ) -> None:
        self.watched = watched
        self.open_after = open_after
        self.ping = ping
        self.ping_chunk = ping_chunk


class BodyStream:
    """Sends the content of a streaming response, once.

    :param content: an async or a sync iterable of chunks.
    :param options: how it behaves while no chunk is due.

    :ivar chunks: iterates over all chunks, the first one included, which was taken to see whether there is one.
    :ivar run: calls a sync function and awaits the result: in a greenlet, the default, or in a thread.
    """

    __slots__ = ("_claim", "_content", "_first", "_hooks", "_iterator", "_options", "_response", "chunks", "run")

    def __init__(self, content: AsyncIterable[Any] | Iterable[Any], options: StreamOptions) -> None:
        self._content: Any = content
        self._options = options
        self._response: Streamed | None = None
        self._claim = Lock()  # of the code that iterates over sync content, and closes it: perhaps in a thread
        self._first: Any = _END
        self._hooks: list[StreamHook] = []
        self._iterator: Any = None
        self.run: Run = in_greenlet
        self.chunks: Any = self._async_chunks() if isinstance(content, AsyncIterable) else self._sync_chunks()

    async def start(self, request: RequestData, status_code: int) -> ApplicationTask:
        """Run in a task of its own until the response starts.

        :param request: the request; it closes the task if the response is not sent.
        :param status_code: the status of the response.
        :returns: the task, which sends the response.
        :raises Exception: what the content raises before its first chunk.
        """
        try:
            for hook in request._notes.get(STREAM_HOOKS, ()):
                self._hooks.append(hook)
                await hook.begin_stream(status_code)
        except BaseException:
            await self._end()
            raise
        task = ApplicationTask(self, request.scope, request._receive, own=[CURRENT])
        owner = CURRENT.get() or request  # as a request for the kind of its function, it may be another object
        if owner._application_tasks is None:
            owner._application_tasks = []
        owner._application_tasks.append(task)
        request._expect_stream()
        await task.start()
        return task

    def attach(self, response: Streamed) -> None:
        """Set the response, which is sent now.

        :param response: the response.
        """
        self._response = response

    async def close(self) -> None:
        """Close the content, unless this has happened or other code iterates over it."""
        if self._claim.acquire(blocking=False):
            content, self._content = self._content, None
            await _close(content)

    async def _end(self) -> None:
        try:
            await self.close()
        finally:
            for hook in self._hooks:
                await hook.end_stream()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response: ASGI."""
        start = ResponseStart(send, self._start_event, flush=self._options.open_after is not None)
        try:
            async with TaskScope() as tasks:
                watcher = DisconnectWatcher(tasks, scope, receive, always=self._options.watched)
                send_event = self._keep_open(start, tasks)
                watcher.begin()
                await _Sending(self, start, send_event, watcher).run()
            response = self._sent()
            await start.send({"type": "http.response.body", "body": response.rest() if response.has_body else b""})
        except ClientDisconnected:
            await self._leave(send)
            raise
        finally:
            await self._end()
            self._response = self._iterator = self.chunks = None  # they refer to each other

    def _start_event(self) -> Event:
        if self._response is None:  # an event that is held back, until that of the response replaces it
            return {"type": "http.response.start", "status": 200, "headers": []}
        return self._response.start_event()

    def _keep_open(self, start: ResponseStart, tasks: TaskScope) -> Send:
        """Start the tasks that send something while no chunk is due. Returns the ``send`` for chunks."""
        options = self._options
        if options.open_after is None:
            return start.send
        if options.ping is None:
            tasks.start(start.open_after(options.open_after))
            return start.send
        keep_alive = KeepAlive(start.send, options.ping, self._ping)

        async def ping(seconds: float) -> None:
            await start.open_after(seconds)
            await keep_alive.run()

        tasks.start(ping(min(options.open_after, options.ping)))
        return keep_alive.send

    def _ping(self) -> Event:
        chunk = self._options.ping_chunk
        return {"type": "http.response.body", "body": self._sent().filtered(chunk), "more_body": True}

    def _sent(self) -> Streamed:
        assert self._response is not None  # the response has started
        return self._response

    async def _leave(self, send: Send) -> None:
        """Complete the response of a client that has closed its side of the connection, and may read on."""
        if self._options.watched and self._response is not None:
            # If the client has closed the whole connection, this raises ClientDisconnected again.
            await send({"type": "http.response.body", "body": b""})

    def _sync_chunks(self) -> Iterator[Any]:
        if self._first is not _END:
            yield self._first
            yield from self._iterator

    async def _async_chunks(self) -> AsyncIterator[Any]:
        if self._first is not _END:
            yield self._first
            async for chunk in self._iterator:
                yield chunk


class _Sending:
    """Sends the chunks of a stream.

    :param stream: the stream.
    :param start: starts the response.
    :param send: ASGI's ``send``, for chunks.
    :param watcher: notices a client that disconnects.
    """

    __slots__ = ("_send", "_start", "_stream", "_watcher")

    def __init__(self, stream: BodyStream, start: ResponseStart, send: Send, watcher: DisconnectWatcher) -> None:
        self._stream = stream
        self._start = start
        self._send = send
        self._watcher = watcher

    async def run(self) -> None:
        stream = self._stream
        if isinstance(stream._content, AsyncIterable):
            chunks = await self._send_async()
        else:
            chunks = await stream.run(self._send_sync)
        if chunks is not None:
            await self._send_replaced(chunks)

    async def _send_async(self) -> Any:
        """Send the chunks of async content. Returns chunks that are sync, and not sent."""
        stream = self._stream
        stream._iterator = iterator = aiter(stream._content)
        try:
            stream._first = await anext(iterator, _END)
            await self._start.open()
            chunks = self._chunks()
            if not isinstance(chunks, AsyncIterable):
                return chunks
            try:
                async for chunk in chunks:
                    await self._send_chunk(chunk)
            finally:
                await _close(chunks)
            return None
        finally:
            if iterator is not stream._content:
                await _close(iterator)

    def _send_sync(self) -> Any:
        """Send the chunks of sync content, in a greenlet or a thread. Returns chunks that are async, and not sent."""
        stream = self._stream
        if not stream._claim.acquire(blocking=False):
            return None  # it was closed before a thread was free
        content = stream._content
        stream._iterator = iterator = iter(content)
        to_close = [iterator] if iterator is content else [iterator, content]
        try:
            stream._first = next(iterator, _END)
            await_(self._start.open())
            chunks = self._chunks()
            if isinstance(chunks, AsyncIterable):
                to_close = []
                stream._claim.release()
                return chunks
            if chunks is not None:
                to_close.insert(0, chunks)
                self._send_all(chunks)
            return None
        finally:
            for each in to_close:
                if (close := getattr(each, "close", None)) is not None:
                    close()

    async def _send_replaced(self, chunks: Any) -> None:
        """Send chunks of the other kind, which a middleware has put around the content."""
        try:
            if isinstance(chunks, AsyncIterable):
                async for chunk in chunks:
                    await self._send_chunk(chunk)
            else:
                await in_greenlet(self._send_all, chunks)
        finally:
            await _close(chunks)

    def _chunks(self) -> Any:
        """Return the chunks to send: those of the content, or what a middleware has put around them; None for none."""
        stream = self._stream
        response = stream._sent()
        if not response.has_body:
            return None
        return stream.chunks if response.body_iterator is stream._content else response.body_iterator

    def _send_all(self, chunks: Iterable[Any]) -> None:
        for count, chunk in enumerate(chunks, 1):
            await_(self._send_chunk(chunk))
            if count % _CHUNKS_PER_TURN == 0:
                await_(next_turn())

    async def _send_chunk(self, chunk: Any) -> None:
        response = self._stream._sent()
        data = response.filtered(response.encode(chunk))
        for hook in self._stream._hooks:
            await hook.pause_stream()
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._watcher.begin(sent=True)


async def _close(chunks: Any) -> None:
    """Close an iterable that can be closed: a generator, or a file."""
    if hasattr(chunks, "aclose"):
        await chunks.aclose()
    elif hasattr(chunks, "close"):
        await in_greenlet(chunks.close)
