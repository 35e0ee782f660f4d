"""Streaming responses: the body is sent in chunks, while it is produced."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import Any, ClassVar

from atlas.errors import ClientDisconnected
from atlas.gateway.disconnects import wait_for_disconnect
from atlas.gateway.greenlets import await_, in_greenlet
from atlas.gateway.task_scope import TaskScope
from atlas.gateway.threads import next_turn
from atlas.types import Receive, Scope, Send
from atlas.web.responses.response import Response
from atlas.web.scope_keys import BODY, BodyState

__all__ = ["DisconnectWatcher", "StreamingResponse"]

_Filter = tuple[Callable[[bytes], bytes], Callable[[], bytes] | None]
# A sync iterator does not yield to the event loop between chunks: without this bound a long one blocks the others.
_CHUNKS_PER_TURN = 64


class StreamingResponse(Response):
    """A body that is sent in chunks.

    The response waits for a client that reads slowly. When the client disconnects or the response fails, a generator is
    closed at once, so that its ``finally`` blocks run. Under a server that implements the ASGI HTTP text 2.4 or later
    this happens when the next chunk is sent.

    :param content: an async or a sync iterable of ``bytes``, or of ``str`` that is sent as UTF-8. A sync iterable runs
        in a greenlet on the event loop: it may wait, with ``await_``, but must not block. It yields to the event loop
        after every 64 chunks.
    :param status_code: the status code, 200 by default.
    :param headers: more header fields.
    :param content_type: the value of ``content-type``; None for ``text/html; charset=utf-8``.

    :cvar always_watched: whether a client that closes its side of the connection ends the response.
    """

    __slots__ = ("_filters", "body_iterator")

    streaming = True
    always_watched: ClassVar[bool] = False

    def __init__(
        self,
        content: AsyncIterable[bytes | str] | Iterable[bytes | str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, content_type=content_type)
        self.body_iterator: AsyncIterable[Any] | Iterable[Any] = content
        self._filters: list[_Filter] = []

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application, and close the iterable.

        :raises ClientDisconnected: if the client disconnects before the end.
        """
        try:
            # A copy: an ASGI middleware may change the list of the event.
            headers = list(self.raw_headers)
            await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
            if scope["method"] == "HEAD":
                rest = b""
            else:
                async with TaskScope() as tasks:
                    watcher = DisconnectWatcher(tasks, scope, receive, always=self.always_watched)
                    await self.send_chunks(watcher, tasks, send)
                rest = self.rest()
            await send({"type": "http.response.body", "body": rest})
        except ClientDisconnected:
            await self.leave(send)
            raise
        finally:
            await _close(self.body_iterator)

    async def leave(self, send: Send) -> None:
        """Finish the response of a client that has disconnected; does nothing by default."""

    async def send_chunks(self, watcher: DisconnectWatcher, tasks: TaskScope, send: Send) -> None:
        """Send all chunks.

        :param watcher: notices a client that disconnects.
        :param tasks: cancels its tasks when the response ends.
        :param send: ASGI's ``send``.
        """
        if isinstance(self.body_iterator, AsyncIterable):
            watcher.begin()
            async for chunk in self.body_iterator:
                await self._send_chunk(chunk, send)
                watcher.begin(sent=True)
            return
        await in_greenlet(self._send_sync, self.body_iterator, watcher, send)

    def _send_sync(self, chunks: Iterable[Any], watcher: DisconnectWatcher, send: Send) -> None:
        """Send the chunks of a sync iterable, in a greenlet: the iterable may wait for its next chunk."""
        for count, chunk in enumerate(chunks, 1):
            await_(self._send_chunk(chunk, send))
            if count % _CHUNKS_PER_TURN == 0:
                watcher.begin(sent=True)
                await_(next_turn())

    async def _send_chunk(self, chunk: Any, send: Send) -> None:
        data = self.filtered(self.encode(chunk))
        if data:
            await send({"type": "http.response.body", "body": data, "more_body": True})


class DisconnectWatcher:
    """Notices a client that disconnects while a response streams.

    With the ASGI HTTP text 2.4 or later ``send`` raises then. There ``http.disconnect`` may mean only that the client
    has closed its sending side, and still reads (RFC 9112 9.6). With older texts ``http.disconnect`` is the only sign.
    The request body arrives by ``receive`` too, so the watcher waits until the body is not being read.

    :param tasks: runs the task that awaits ``receive``, and cancels the response when that task fails.
    :param scope: the ASGI scope of the request.
    :param receive: ASGI's ``receive``.
    :param always: whether a client that closes its sending side counts as disconnected, as with server-sent events.
    """

    __slots__ = ("_done", "_receive", "_scope", "_tasks")

    def __init__(self, tasks: TaskScope, scope: Scope, receive: Receive, *, always: bool) -> None:
        self._tasks = tasks
        self._scope = scope
        self._receive = receive
        self._done = not always and _send_raises(scope)

    def begin(self, sent: bool = False) -> None:
        """Begin to await ``receive``, unless this is not needed, has begun already, or would take a chunk of the body.

        :param sent: whether a chunk of the response was sent. A controller that has not read the body by then will not.
        """
        if not self._done and self._may_receive(sent):
            self._done = True
            self._tasks.start(wait_for_disconnect(self._receive))

    def _may_receive(self, sent: bool) -> bool:
        state = self._scope.get(BODY)
        if state is not None:
            return bool(state == BodyState.READ)
        return sent or self._scope["method"] in ("GET", "HEAD")


def _send_raises(scope: Scope) -> bool:
    """Return whether ``send`` raises after a disconnect (ASGI HTTP text 2.4, "Disconnected Client")."""
    version = scope.get("asgi", {}).get("spec_version", "2.0").split(".")
    return [int(part) for part in version if part.isdigit()] >= [2, 4]


async def _close(chunks: Any) -> None:
    """Close an iterable that can be closed: a generator, or a file."""
    if hasattr(chunks, "aclose"):
        await chunks.aclose()
    elif hasattr(chunks, "close"):
        await in_greenlet(chunks.close)
