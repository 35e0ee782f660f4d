"""The transports."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from atlas import Application, ClientDisconnected, Route, TestClient
from tests.web.transports.client import Cut, RawConnection, RawRequest, RawResponse
from tests.web.transports.servers import SERVERS, LoopThread, Served

__all__ = ["TRANSPORTS", "InProcessTransport", "SocketTransport", "Transport", "call"]

Event = dict[str, Any]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TRANSPORTS = ("in-process", *SERVERS)


class Transport(Protocol):
    """Sends requests to an application, and raises the exceptions that the application does not handle."""

    name: str

    def ask(self, app: Any, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request with the options of httpx; do not follow redirects."""

    def drive(self, app: Any, events: list[Event], **scope: Any) -> list[Event]:
        """Send the request of an ASGI scope and events; return the response as ASGI events."""


def call(app: Any, events: list[Event], **scope: Any) -> list[Event]:
    """Call an application; return the events that it has sent."""
    sent: list[Event] = []
    waiting = list(events)

    async def receive() -> Event:
        return waiting.pop(0)

    async def send(event: Event) -> None:
        sent.append(event)

    whole = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], **scope}
    asyncio.run(app(whole, receive, send))
    return sent


class InProcessTransport:
    """Uses Atlas's test client, or calls the application."""

    name = TRANSPORTS[0]

    def ask(self, app: Any, method: str, url: str, **options: Any) -> httpx.Response:
        raised: list[Exception] = []

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except ClientDisconnected:
                raise
            except Exception as error:
                raised.append(error)
                raise

        client = TestClient(watched, base_url="http://site.test", raise_server_exceptions=False)
        try:
            with client, client.stream(method, url, **options) as response:
                body = b"".join(response.iter_raw())
        except ClientDisconnected:
            raise raised[0] from None
        if raised:
            raise raised[0]
        return _as_httpx(response.status_code, response.headers.raw, body, httpx.Request(method, str(response.url)))

    def drive(self, app: Any, events: list[Event], **scope: Any) -> list[Event]:
        return call(app, events, **scope)


class SocketTransport:
    """Runs a server for each request.

    :param name: one of ``SERVERS``.
    :param thread: the thread of its event loop.
    """

    def __init__(self, name: str, thread: LoopThread) -> None:
        self.name = name
        self._thread = thread
        self._client = httpx.Client(base_url="http://site.test", verify=False, trust_env=False)

    def ask(self, app: Any, method: str, url: str, **options: Any) -> httpx.Response:
        request = self._client.build_request(method, url, **options)
        pieces = [request.read()]
        target = request.url.raw_path
        headers = [(name.lower(), value) for name, value in request.headers.raw if name.lower() != b"connection"]
        answer = self._put(app, RawRequest(method, target, headers, pieces, request.url.scheme))
        assert answer is not None, "the server closed the connection without an answer"
        return _as_httpx(answer.status, answer.headers, b"".join(answer.pieces), request)

    def drive(self, app: Any, events: list[Event], **scope: Any) -> list[Event]:
        path, root_path = scope.pop("path", "/"), scope.pop("root_path", "")
        target: bytes = scope.pop("raw_path", None) or quote(path, errors="surrogateescape").encode()
        target = target.removeprefix(root_path.encode())  # a proxy has removed it, and the server adds it
        if query := scope.pop("query_string", b""):
            target += b"?" + query
        request = RawRequest(
            scope.pop("method", "GET"),
            target,
            scope.pop("headers", []),
            [event.get("body", b"") for event in events if event["type"] == "http.request"],
            scope.pop("scheme", "http"),
            scope.pop("http_version", "1.1"),
            leaves=any(event["type"] == "http.disconnect" for event in events),
        )
        scope.pop("client", None)  # over a socket the address is given
        assert not scope, f"no client can send {scope}: call the application by hand"
        return _as_events(self._put(app, request, root_path))

    def _put(self, app: Any, request: RawRequest, root_path: str = "") -> RawResponse | None:
        """Start a server, send the request, stop the server; raise an exception that the server has logged."""
        if self.name == "native" and not isinstance(app, Application):
            app = _returning(app)
        with socket.create_server(("127.0.0.1", 0)) as listener, _failures() as failures:
            target = Served(app, listener, root_path, request.scheme == "https")
            with (
                self._thread.serving(SERVERS[self.name], target) as stop,
                RawConnection(target.address, request) as connection,
            ):
                try:
                    answer = connection.response()
                except Cut:
                    answer = None
                if not target.tls:  # closing TLS needs the client, which waits here
                    stop()
                    assert connection.rest() == b"", "the server went on after the end of its response"
        if failures:
            raise failures[0]
        return answer


def _returning(response: Any) -> Application:
    """Return an application whose controller returns ``response``."""
    routes = [
        Route("/", lambda request: response, METHODS),
        Route("/{rest:path}", lambda request, rest: response, METHODS),
    ]
    return Application(routes)


def _as_httpx(status: int, headers: Any, body: bytes, request: httpx.Request) -> httpx.Response:
    response = httpx.Response(status, headers=list(headers), stream=httpx.ByteStream(body), request=request)
    response.read()
    return response


def _as_events(answer: RawResponse | None) -> list[Event]:
    if answer is None:
        return []
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    if any(name == b"content-length" for name, _ in answer.headers) or not answer.pieces:
        return [start, {"type": "http.response.body", "body": b"".join(answer.pieces)}]
    pieces = [{"type": "http.response.body", "body": piece, "more_body": True} for piece in answer.pieces]
    return [start, *pieces, {"type": "http.response.body", "body": b"", "more_body": False}]


class _Failures(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.raised: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.raised.append(record.exc_info[1])


@contextmanager
def _failures() -> Iterator[list[BaseException]]:
    """Collect the exceptions that the servers log."""
    handler = _Failures()
    loggers = [logging.getLogger(name) for name in ("atlas.server", "uvicorn.error", "hypercorn.error")]
    levels = [logger.level for logger in loggers]  # another test may have changed that of uvicorn
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(min(logger.getEffectiveLevel(), logging.ERROR))
    try:
        yield handler.raised
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
