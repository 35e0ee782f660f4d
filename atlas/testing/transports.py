"""The transports between a test client and an application: a call on the same event loop, or a socket."""

from __future__ import annotations

import asyncio
import http.client
import itertools
from collections.abc import AsyncIterable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

from atlas.errors import ClientDisconnected
from atlas.testing.exchange import Exchange
from atlas.testing.lifespan import LifespanTask
from atlas.testing.response import SentRequest
from atlas.testing.urls import URL
from atlas.types import ASGIApp, Scope

__all__ = ["InProcess", "OverSocket", "Transport", "TransportResponse"]


class TransportResponse(Protocol):
    """A response that has started."""

    status: int
    headers: list[tuple[bytes, bytes]]

    async def next_chunk(self) -> bytes | None:
        """Return the next chunk of the body, or None after the last one."""

    def disconnect(self) -> None:
        """Close the connection before the body is complete."""

    async def close(self) -> None:
        """Close the response.

        :raises ApplicationError: if the application raised, and the transport knows it.
        """


class Transport(Protocol):
    """Sends requests to an application."""

    origin: URL | None
    """Scheme, host and port of the application, or None if the client chooses them."""

    async def start(self) -> None:
        """Run the lifespan startup of the application."""

    async def stop(self) -> None:
        """Run the lifespan shutdown of the application."""

    async def drain(self) -> None:
        """Wait for the background functions of a response, so that a test sees their results."""

    async def send(self, request: SentRequest, open_responses: list[TransportResponse]) -> TransportResponse:
        """Send a request, and wait until its response has started.

        The response is appended to ``open_responses`` before the application is called, so that an iterator that is the
        body of the request can disconnect the client.
        """


class InProcess:
    """Calls the application on the running loop.

    :param app: the application.
    :param root_path: the ``root_path`` of the scope.
    :param client: the ``client`` of the scope: address and port.
    :param raise_exceptions: raise what the application raises.
    """

    origin: URL | None = None

    def __init__(self, app: ASGIApp, root_path: str, client: tuple[str, int], raise_exceptions: bool) -> None:
        self._app = app
        self._root_path = root_path
        self._client = client
        self._raise_exceptions = raise_exceptions
        self._lifespan: LifespanTask | None = None

    async def start(self) -> None:
        lifespan = LifespanTask(self._app)
        await lifespan.start()
        self._lifespan = lifespan

    async def stop(self) -> None:
        if self._lifespan is not None:
            await self._lifespan.stop()

    async def drain(self) -> None:
        # The event loop of a TestClient does not run between requests.
        from atlas.web.application import Application

        if isinstance(self._app, Application):
            await self._app.drain()

    async def send(self, request: SentRequest, open_responses: list[TransportResponse]) -> Exchange:
        exchange = Exchange(self._scope(request), request.body, raise_exceptions=self._raise_exceptions)
        open_responses.append(exchange)
        await exchange.open(self._app)
        return exchange

    def _scope(self, request: SentRequest) -> Scope:
        url = request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path,
            "query_string": url.query,
            "root_path": self._root_path,
            "headers": list(request.headers.raw),
            "client": self._client,
            "server": (url.host, url.origin[2]),
            "state": dict(self._lifespan.state) if self._lifespan is not None else {},
            "extensions": {},
        }


class OverSocket:
    """Serves the application in a thread, and sends requests over TCP.

    :param app: the application.
    :param root_path: the setting ``root_path`` of the server.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.origin: URL | None = None
        self._app = app
        self._root_path = root_path
        self._stack = ExitStack()
        self._address = ("", 0)

    async def start(self) -> None:
        from atlas.server.server import Server

        server = Server(self._app, port=0, access_log=False, root_path=self._root_path)
        self._stack.enter_context(server.run_in_thread())
        self._address = server.sockets[0].getsockname()[:2]
        self.origin = URL("http://{}:{}".format(*self._address))

    async def stop(self) -> None:
        await asyncio.to_thread(self._stack.close)

    async def drain(self) -> None:
        """Do nothing: the loop of the server runs in its own thread."""

    async def send(self, request: SentRequest, open_responses: list[TransportResponse]) -> SocketResponse:
        body: Any = request.body
        if isinstance(body, AsyncIterable):
            body = [chunk async for chunk in body]
        response = await asyncio.to_thread(_send, self._address, request, body)
        open_responses.append(response)
        return response


def _send(address: tuple[str, int], request: SentRequest, body: Any) -> SocketResponse:
    connection = http.client.HTTPConnection(*address)
    target = request.url.raw_path + (b"?" + request.url.query if request.url.query else b"")
    connection.putrequest(request.method, target.decode("ascii"), skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name.decode("latin-1"), value)
    connection.endheaders(body or None, encode_chunked=not isinstance(body, bytes))
    return SocketResponse(connection, connection.getresponse())


class SocketResponse:
    """A response that is read from a socket."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _fields(response)]
        self._connection = connection
        self._response = response
        self._disconnected = False

    async def next_chunk(self) -> bytes | None:
        if self._disconnected:
            raise ClientDisconnected("the client disconnected before the response was complete")
        try:
            chunk = await asyncio.to_thread(self._response.read1, 65536)
        except (OSError, http.client.HTTPException) as error:
            raise ClientDisconnected(f"the response ended before it was complete: {error!r}") from error
        if not chunk and self._response.length:
            raise ClientDisconnected(f"the response ended {self._response.length} bytes before it was complete")
        return chunk or None

    def disconnect(self) -> None:
        self._disconnected = True
        self._response.close()
        self._connection.close()

    async def close(self) -> None:
        self.disconnect()


def _fields(response: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    return itertools.chain(response.headers.items())
