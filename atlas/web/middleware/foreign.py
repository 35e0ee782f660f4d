"""Foreign ASGI applications inside the chain: ASGI middleware, mounted applications, an application as a result.

One is run until its response starts, and then stopped where it stands. Its status and header fields are a
:class:`ForeignResponse` that the middleware around may change as any other; sending that response lets the application
go on. All of it happens in the task of the request: nothing is queued and nothing runs beside.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import aclosing
from types import coroutine
from typing import Any

from atlas.gateway.threads import in_thread
from atlas.types import ASGIApp, Event, Receive, Scope, Send
from atlas.web.requests.request import AsyncRequest
from atlas.web.responses.files import PIECE
from atlas.web.responses.response import Response

__all__ = ["ForeignResponse", "Middleware", "foreign_step", "start_foreign"]

_REQUEST = "atlas.request"


class Middleware:
    """A pure ASGI middleware class with its options: made as ``kind(app, *arguments, **options)`` at start-up.

    :raises TypeError: if ``kind`` cannot be called.
    """

    __slots__ = ("arguments", "kind", "options")

    def __init__(self, kind: Callable[..., ASGIApp], /, *arguments: Any, **options: Any) -> None:
        if not callable(kind):
            raise TypeError(f"Middleware: expected an ASGI middleware class, got {kind!r}")
        self.kind = kind
        self.arguments = arguments
        self.options = options

    def around(self, app: ASGIApp) -> ASGIApp:
        """The middleware around an application."""
        return self.kind(app, *self.arguments, **self.options)

    def __repr__(self) -> str:
        return f"Middleware({getattr(self.kind, '__name__', self.kind)})"


def foreign_step(middleware: Middleware, inner: Callable[[Any], Awaitable[Response]]) -> Callable[[Any], Any]:
    """The step of the chain that an ASGI middleware is."""

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        request: AsyncRequest = scope[_REQUEST]
        response = await inner(_moved(request, scope, receive))
        await response(scope, receive, send)

    app = middleware.around(inside)

    async def step(request: AsyncRequest) -> Response:
        _ = request._state  # it is in the scope now, so that the copy shares it
        return await start_foreign(app, {**request.scope, _REQUEST: request}, request._receive)

    return step


def _moved(request: AsyncRequest, scope: Scope, receive: Receive) -> AsyncRequest:
    """The request as the middleware handed it on: it may have another scope, and its body another source."""
    moved = AsyncRequest(request.app, scope, receive, request.route, request._values)
    moved._cache = request._cache
    return moved


async def start_foreign(app: ASGIApp, scope: Scope, receive: Receive) -> Response:
    """Run an application until its response starts.

    :raises RuntimeError: if it returns without one. Whatever it raises until then is raised here.
    """
    gate = _Gate()
    running = _run(app, scope, receive, gate.take)
    await _Advance(running, gate)
    if gate.start is None:
        raise RuntimeError(f"the ASGI application {app!r} returned without a response")
    return ForeignResponse(gate, running)


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _Gate:
    """The ``send`` of a foreign application: closed at the start of its response, until somebody sends that."""

    __slots__ = ("filters", "send", "start")

    def __init__(self) -> None:
        self.start: Event | None = None
        self.send: Send | None = None
        self.filters: list[tuple[Callable[[bytes], bytes], Callable[[], bytes] | None]] = []

    async def take(self, event: Event) -> None:
        if self.send is None:
            if event["type"] != "http.response.start":
                raise RuntimeError(f"expected http.response.start, got {event['type']}")
            self.start = event
            await _pause(self)
            event = self.start
        assert self.send is not None  # nobody else goes on after the pause
        if self.filters and event["type"] != "http.response.start":
            await self._send_filtered(event, self.send)
        else:
            await self.send(event)

    async def _send_filtered(self, event: Event, send: Send) -> None:
        """Send what there is of a body through the filters, also what the server would have read itself."""
        kind, more = event["type"], event.get("more_body", False)
        if kind == "http.response.body":
            await send({**event, "body": self._filtered(bytes(event.get("body", b"")), more)})
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            async with aclosing(_read(event)) as pieces:
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": self._filtered(piece, True), "more_body": True})
            await send({"type": "http.response.body", "body": self._filtered(b"", more), "more_body": more})
        else:
            await send(event)

    def _filtered(self, piece: bytes, more: bool) -> bytes:
        for function, finish in self.filters:
            piece = (function(piece) if piece else piece) + (finish() if finish is not None and not more else b"")
        return piece


async def _read(event: Event) -> AsyncGenerator[bytes, None]:
    """The file, or the part of one, that an event tells the server to send (ASGI extensions Path Send, Zero Copy)."""
    if event["type"] == "http.response.pathsend":
        file = await in_thread(open, event["path"], "rb")
        try:
            while piece := await in_thread(file.read, PIECE):
                yield piece
        finally:
            file.close()
        return
    descriptor, left = event["file"].fileno(), event.get("count")
    if event.get("offset") is not None:
        os.lseek(descriptor, event["offset"], os.SEEK_SET)
    while left != 0 and (piece := await in_thread(os.read, descriptor, PIECE if left is None else min(left, PIECE))):
        left = None if left is None else left - len(piece)
        yield piece


class ForeignResponse(Response):
    """What a foreign application answers. It is sent once, and a copy of it that nobody sends ends where it stands."""

    __slots__ = ("_gate", "_running")
    streaming = True

    def __init__(self, gate: _Gate, running: Coroutine[Any, Any, None]) -> None:
        assert gate.start is not None
        super().__init__(b"", gate.start["status"], content_type="")
        # ASGI wants names in lower case, and not everybody keeps to it; whoever looks for one here relies on it.
        self.raw_headers[:] = [(bytes(name).lower(), bytes(value)) for name, value in gate.start.get("headers", ())]
        self._gate = gate
        self._running = running

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Let the pieces of the body pass through ``function``: those of a file, too, that the server would send."""
        self._gate.filters.append((function, finish))
        self.headers.pop("content-length", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self._gate
        assert gate.start is not None
        gate.start = {**gate.start, "status": self.status_code, "headers": self.raw_headers}
        gate.send = send
        if scope["method"] == "HEAD":
            gate.filters.clear()  # there is no body, and so no end of it
        await _Advance(self._running, gate)


@coroutine
def _pause(gate: _Gate) -> Generator[object, None, None]:
    """Stop at a gate. It is named, for one application may stand inside another, and both at their gates."""
    yield gate


class _Advance:
    """Awaiting it runs a coroutine, in this task, until it stops at its gate or ends. Its waiting is done here."""

    __slots__ = ("_coroutine", "_gate")

    def __init__(self, running: Coroutine[Any, Any, None], gate: _Gate) -> None:
        self._coroutine = running
        self._gate = gate

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[Any], Any] = self._coroutine.send
        given: Any = None
        while True:
            try:
                waited = step(given)
            except StopIteration:
                return
            if waited is self._gate:
                return
            try:
                given, step = (yield waited), self._coroutine.send
            except BaseException as error:  # a cancellation, which belongs to what is waiting
                given, step = error, self._coroutine.throw
