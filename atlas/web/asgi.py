"""ASGI applications inside an Atlas application: ASGI middleware, mounted applications, results of controllers.

Each runs in a task of its own, and waits at the start of its response. An :class:`ASGIResponse` then has the status and
the header fields, which outer middleware may change; sending it lets the application continue. An application whose
response was not sent by the end of the request is closed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

from atlas._speedups.calls.request import RequestData
from atlas.gateway.application_task import ApplicationTask
from atlas.gateway.threads import in_file_thread
from atlas.types import ASGIApp, Event, Receive, Scope, Send
from atlas.web.background import CURRENT
from atlas.web.requests.request import AsyncRequest
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.files import CHUNK_SIZE
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
_RECEIVE = "atlas.receive"
_Filter = tuple[Callable[[bytes], bytes], Callable[[], bytes] | None]


class Middleware:
    """A pure ASGI middleware class with its arguments. ``kind(app, *arguments, **options)`` is called at startup.

    :param kind: the class, or a function that returns an ASGI application.
    :param arguments: positional arguments after the application.
    :param options: keyword arguments.
    :raises TypeError: if ``kind`` is not callable.
    """

    __slots__ = ("arguments", "kind", "options")

    def __init__(self, kind: Callable[..., ASGIApp], /, *arguments: Any, **options: Any) -> None:
        if not callable(kind):
            raise TypeError(f"Middleware: expected an ASGI middleware class, got {kind!r}")
        self.kind = kind
        self.arguments = arguments
        self.options = options

    def around(self, app: ASGIApp) -> ASGIApp:
        """Create the middleware around an application.

        :param app: an ASGI application.
        """
        return self.kind(app, *self.arguments, **self.options)

    def __repr__(self) -> str:
        return f"Middleware({getattr(self.kind, '__name__', self.kind)})"


def asgi_step(middleware: Middleware, inner: Callable[[Any], Awaitable[Response]]) -> Callable[[Any], Any]:
    """Create the step of a chain for an ASGI middleware.

    :param middleware: the middleware.
    :param inner: the inner step, which takes an AsyncRequest.
    """

    async def inner_app(scope: Scope, receive: Receive, send: Send) -> None:
        request: AsyncRequest = scope[_REQUEST]
        response = await inner(_inner_request(request, scope, receive, scope[_RECEIVE]))
        await response(scope, receive, send)

    app = middleware.around(inner_app)

    async def step(request: AsyncRequest) -> Response:
        _ = request._state  # creates the entry in the scope, so that the copy shares it
        receive = receive_again(request) if _was_read(request) else request._receive
        return await start_application(app, {**request.scope, _REQUEST: request, _RECEIVE: receive}, receive)

    return step


def _inner_request(request: AsyncRequest, scope: Scope, receive: Receive, given: Receive) -> AsyncRequest:
    """Return the request with the scope and the ``receive`` that the middleware has passed on.

    A body that was read before is read again if ``receive`` is not the one that the middleware was given.
    """
    inner = AsyncRequest(request.app, scope, receive, request.route, request._values)
    if receive is given or not _was_read(request):
        inner._cache = request._cache
    else:
        inner._cache.no_match = request._cache.no_match
    return inner


def _was_read(request: RequestHead) -> bool:
    """Return whether the body, or a part of it, was read and is kept."""
    return request._body is not None or (request._cache.ahead is not None and not request._cache.streamed)


async def start_application(app: ASGIApp, scope: Scope, receive: Receive) -> ASGIResponse:
    """Run an ASGI application until its response starts.

    :param app: the application.
    :param scope: its scope.
    :param receive: its ``receive``.
    :returns: the response, which has not been sent.
    :raises RuntimeError: if the application returns without a response.
    :raises Exception: what the application raises before its response starts.
    """
    scope = {**scope}
    scope.pop(BODY, None)  # tells how much of the body was read, which may come once more
    task = ApplicationTask(app, scope, receive, own=[CURRENT])
    request = CURRENT.get()
    if request is not None:
        if request._application_tasks is None:
            request._application_tasks = []
        request._application_tasks.append(task)
    return ASGIResponse(task, await task.start())


async def close_applications(request: RequestData) -> None:
    """Close the ASGI applications of a request whose responses were not sent.

    :param request: a request that is finished.
    """
    tasks, request._application_tasks = request._application_tasks or (), None
    for task in tasks:
        await task.close()


def receive_again(request: RequestHead) -> Receive:
    """Return a ``receive`` for an application, which returns the body again if a middleware has read it.

    It raises RuntimeError for a body that was read by ``stream()``, or as a long form, and was not kept.

    :param request: the request.
    """
    body = request._body
    if body is None:
        if not request._cache.streamed:
            ahead = request._cache.ahead
            return request._receive if ahead is None else ahead.receive
        if request.may_have_body:
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

    :param task: the application.
    :param start: the ``http.response.start`` event.
    """

    __slots__ = ("_filters", "_start", "_task")
    streaming = True

    def __init__(self, task: ApplicationTask, start: Event) -> None:
        super().__init__(b"", start["status"], content_type="")
        # Header names have to be in lower case (ASGI 3), which not every application observes.
        self.raw_headers[:] = [(bytes(name).lower(), bytes(value)) for name, value in start.get("headers", ())]
        self._start = start
        self._task = task
        self._filters: list[_Filter] = []

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Filter the body, also that of a file which the server would send itself.

        :param function: takes and returns a chunk of the body.
        :param finish: returns the last chunk; None, the default, if there is no further one.
        """
        self._filters.append((function, finish))
        self.headers.pop("content-length", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {**self._start, "status": self.status_code, "headers": self.raw_headers}
        filters = self._filters if scope["method"] != "HEAD" else ()  # a response to HEAD has no body

        async def send_filtered(event: Event) -> None:
            await self._send_filtered(event, send)

        await self._task.respond(start, send_filtered if filters else send)

    async def _send_filtered(self, event: Event, send: Send) -> None:
        """Send an event whose part of the body has passed the filters; read a file that the server would send."""
        kind, more = event["type"], event.get("more_body", False)
        if kind == "http.response.body":
            await send({**event, "body": self._filtered(bytes(event.get("body", b"")), more)})
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            async with aclosing(_read(event)) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": self._filtered(chunk, True), "more_body": True})
            await send({"type": "http.response.body", "body": self._filtered(b"", more), "more_body": more})
        else:
            await send(event)

    def _filtered(self, chunk: bytes, more: bool) -> bytes:
        for function, finish in self._filters:
            chunk = (function(chunk) if chunk else chunk) + (finish() if finish is not None and not more else b"")
        return chunk


async def _read(event: Event) -> AsyncGenerator[bytes, None]:
    """Read the file, or the range of one, of an event (ASGI extensions "Path Send", "Zero Copy Send")."""
    if event["type"] == "http.response.pathsend":
        file = await in_file_thread(open, event["path"], "rb")
        try:
            while chunk := await in_file_thread(file.read, CHUNK_SIZE):
                yield chunk
        finally:
            file.close()
        return
    descriptor, left = event["file"].fileno(), event.get("count")
    if event.get("offset") is not None:
        os.lseek(descriptor, event["offset"], os.SEEK_SET)
    while left != 0 and (
        chunk := await in_file_thread(os.read, descriptor, CHUNK_SIZE if left is None else min(left, CHUNK_SIZE))
    ):
        left = None if left is None else left - len(chunk)
        yield chunk


class DelegatedResponse(Response):
    """An ASGI application that a controller has returned, and which sends the response itself.

    :param app: the application. Header fields of this object are added to those of its response; a ``content-type``
        replaces that of the response, and so does a status other than 200.
    """

    __slots__ = ("app",)

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(content_type="")
        self.app = app
        self.pending = True

    async def complete(self, request: RequestHead) -> Response:
        """Start the application, so that outer middleware sees the status and the header fields of its response.

        :param request: the request.
        """
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
