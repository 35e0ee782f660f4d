"""Third-party ASGI applications inside of an application: ASGI middleware, mounted applications, results.

Each runs in a task of its own, and stops at the start of its response. Status and header fields are an
:class:`ASGIResponse` then, which the middleware around may change as any other; sending that response lets the
application go on. An application whose response was not sent by the end of the request is closed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

from atlas._speedups.calls.request import RequestData
from atlas.gateway.application_task import ApplicationTask
from atlas.gateway.threads import in_thread
from atlas.types import ASGIApp, Event, Receive, Scope, Send
from atlas.web.background import CURRENT
from atlas.web.requests.request import AsyncRequest, RequestHead
from atlas.web.responses.files import PIECE
from atlas.web.responses.response import Response
from atlas.web.scope_keys import BODY

__all__ = [
    "ASGIResponse",
    "DelegatedResponse",
    "Middleware",
    "asgi_step",
    "close_applications",
    "receive_again",
    "start_application",
]

_REQUEST = "atlas.request"
_Filter = tuple[Callable[[bytes], bytes], Callable[[], bytes] | None]


class Middleware:
    """A pure ASGI middleware class with its options: made as ``kind(app, *arguments, **options)`` at startup.

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


def asgi_step(middleware: Middleware, inner: Callable[[Any], Awaitable[Response]]) -> Callable[[Any], Any]:
    """The step of a chain for an ASGI middleware.

    :param inner: the step inside; takes an AsyncRequest.
    """

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        request, given = scope[_REQUEST]
        response = await inner(_moved(request, scope, receive, given))
        await response(scope, receive, send)

    app = middleware.around(inside)

    async def step(request: AsyncRequest) -> Response:
        _ = request._state  # it is in the scope now, so that the copy shares it
        receive = request._receive if request._body is None else receive_again(request)
        return await start_application(app, {**request.scope, _REQUEST: (request, receive)}, receive)

    return step


def _moved(request: AsyncRequest, scope: Scope, receive: Receive, given: Receive) -> AsyncRequest:
    """The request as the middleware handed it on: it may have another scope, and its body another source.

    A body that was read before is read anew from another source, where it may be another one.
    """
    moved = AsyncRequest(request.app, scope, receive, request.route, request._values)
    if receive is given or request._body is None:
        moved._cache = request._cache
    else:
        moved._cache.no_match = request._cache.no_match
    return moved


async def start_application(app: ASGIApp, scope: Scope, receive: Receive) -> ASGIResponse:
    """Run an application until its response starts.

    :raises RuntimeError: if it returns without a response. What it raises until then is raised here.
    """
    scope = {**scope}
    scope.pop(BODY, None)  # tells how much of the body was read, which may come once more
    task = ApplicationTask(app, scope, receive, own=[CURRENT])
    request = CURRENT.get()
    if request is not None:
        if request._applications is None:
            request._applications = []
        request._applications.append(task)
    return ASGIResponse(task, await task.start())


async def close_applications(request: RequestData) -> None:
    """End the applications that were started for a request, and whose response was not sent."""
    applications, request._applications = request._applications or (), None
    for task in applications:
        await task.close()


def receive_again(request: RequestHead) -> Receive:
    """The ``receive`` of an application. A body that a middleware has read comes once more.

    It raises RuntimeError for a body that was read by ``stream()``, or as a long form, and was not kept.
    """
    body = request._body
    if body is None:
        if not request._cache.streamed:
            return request._receive
        if request.announces_body:
            return _receive_no_more
        body = b""
    events: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Event:
        return events.pop() if events else await request._receive()

    return again


async def _receive_no_more() -> Event:
    raise RuntimeError("the body was read by stream() or form() already; it is not kept for an ASGI application")


class ASGIResponse(Response):
    """The response of an ASGI application. It can be sent once.

    :param task: the application. :param start: the event that starts its response.
    """

    __slots__ = ("_filters", "_start", "_task")
    streaming = True

    def __init__(self, task: ApplicationTask, start: Event) -> None:
        super().__init__(b"", start["status"], content_type="")
        # ASGI wants names in lower case, and not every application keeps to it; what looks for a name relies on it.
        self.raw_headers[:] = [(bytes(name).lower(), bytes(value)) for name, value in start.get("headers", ())]
        self._start = start
        self._task = task
        self._filters: list[_Filter] = []

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Let the pieces of the body pass through ``function``: those of a file, too, that the server would send."""
        self._filters.append((function, finish))
        self.headers.pop("content-length", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {**self._start, "status": self.status_code, "headers": self.raw_headers}
        filters = self._filters if scope["method"] != "HEAD" else ()  # there is no body, and so no end of it

        async def send_filtered(event: Event) -> None:
            await self._send_filtered(event, send)

        await self._task.respond(start, send_filtered if filters else send)

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
        for function, finish in self._filters:
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


class DelegatedResponse(Response):
    """An ASGI application as the result of a controller: it answers the request itself.

    Header fields that this object is given are added to those of its answer; a ``content-type`` replaces the answer's.
    A status other than 200 replaces that of its answer.
    """

    __slots__ = ("app",)

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(content_type="")
        self.app = app
        self.pending = True

    async def complete(self, request: RequestHead) -> Response:
        """Start the application, so that the middleware around sees the status and the fields of its response."""
        response = await start_application(self.app, request.scope, receive_again(request))
        response.status_code = self._status(response.status_code)
        response.raw_headers[:] = self._fields(response.raw_headers)
        return response

    def _status(self, status_code: int) -> int:
        return status_code if self.status_code == 200 else self.status_code

    def _fields(self, fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        own = self.raw_headers
        if any(name == b"content-type" for name, _ in own):
            fields = [field for field in fields if field[0].lower() != b"content-type"]
        return [*fields, *own]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def change(event: Event) -> None:
            if event["type"] == "http.response.start":
                fields = self._fields(event.get("headers", ()))
                event = {**event, "status": self._status(event["status"]), "headers": fields}
            await send(event)

        await self.app(scope, receive, change)
