"""The two ways from a client to an application: a call in its own loop, or a real socket."""

from __future__ import annotations

import asyncio
import http.client
import itertools
from collections.abc import AsyncIterable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

from atlas.errors import ClientDisconnected
from atlas.testing.addresses import URL
from atlas.testing.exchange import Exchange
from atlas.testing.lifespan import LifespanRun
from atlas.testing.response import SentRequest
from atlas.types import ASGIApp, Scope

__all__ = ["Answer", "InProcess", "OverSocket", "Transport"]


class Answer(Protocol):
    """A response that has started."""

    status: int
    headers: list[tuple[bytes, bytes]]

    async def next_piece(self) -> bytes | None:
        """The next piece of the body, None at its end."""

    def disconnect(self) -> None:
        """Leave in the middle of it."""

    async def close(self) -> None:
        """Be done with it; what the application raised, where it can be known, is raised here."""


class Transport(Protocol):
    """Where requests go."""

    origin: URL | None
    """Where the application is, if that is known better than by the client."""

    async def start(self) -> None:
        """Start the application up."""

    async def stop(self) -> None:
        """Shut it down."""

    async def settle(self) -> None:
        """Wait for what goes on after a response: a test wants to see what came of it."""

    async def send(self, request: SentRequest, opened: list[Answer]) -> Answer:
        """Send a request and wait for the start of its response, which is in ``opened`` from the first moment on."""


class InProcess:
    """Calls the application on the running loop.

    :param client: address and port that it sees as the client's.
    """

    origin: URL | None = None

    def __init__(self, app: ASGIApp, root_path: str, client: tuple[str, int], raising: bool) -> None:
        self._app = app
        self._root_path = root_path
        self._client = client
        self._raising = raising
        self._lifespan: LifespanRun | None = None

    async def start(self) -> None:
        lifespan = LifespanRun(self._app)
        await lifespan.start()
        self._lifespan = lifespan

    async def stop(self) -> None:
        if self._lifespan is not None:
            await self._lifespan.stop()

    async def settle(self) -> None:
        # The background jobs of an Atlas application: its loop stands still between the requests of a TestClient.
        from atlas.web.application import Application

        if isinstance(self._app, Application):
            await self._app.drain()

    async def send(self, request: SentRequest, opened: list[Answer]) -> Exchange:
        exchange = Exchange(self._scope(request), request.body, raising=self._raising)
        opened.append(exchange)
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
    """Serves the application with Atlas's server in a thread, and asks it over TCP as a stranger would."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.origin: URL | None = None
        self._app = app
        self._root_path = root_path
        self._stack = ExitStack()
        self._address = ("", 0)

    async def start(self) -> None:
        from atlas.server.server import Server

        server = Server(self._app, port=0, access_log=False, root_path=self._root_path)
        self._stack.enter_context(server.in_thread())
        self._address = server.sockets[0].getsockname()[:2]
        self.origin = URL("http://{}:{}".format(*self._address))

    async def stop(self) -> None:
        await asyncio.to_thread(self._stack.close)

    async def settle(self) -> None:
        """The server's loop runs by itself."""

    async def send(self, request: SentRequest, opened: list[Answer]) -> SocketAnswer:
        body: Any = request.body
        if isinstance(body, AsyncIterable):
            body = [piece async for piece in body]
        answer = await asyncio.to_thread(_exchange, self._address, request, body)
        opened.append(answer)
        return answer


def _exchange(address: tuple[str, int], request: SentRequest, body: Any) -> SocketAnswer:
    connection = http.client.HTTPConnection(*address)
    target = request.url.raw_path + (b"?" + request.url.query if request.url.query else b"")
    connection.putrequest(request.method, target.decode("ascii"), skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name.decode("latin-1"), value)
    connection.endheaders(body or None, encode_chunked=not isinstance(body, bytes))
    return SocketAnswer(connection, connection.getresponse())


class SocketAnswer:
    """A response as it comes from a socket."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _fields(response)]
        self._connection = connection
        self._response = response
        self._left = False

    async def next_piece(self) -> bytes | None:
        if self._left:
            raise ClientDisconnected("the client left before the response was complete")
        try:
            piece = await asyncio.to_thread(self._response.read1, 65536)
        except (OSError, http.client.HTTPException) as error:
            raise ClientDisconnected(f"the response ended before it was complete: {error!r}") from error
        if not piece and self._response.length:
            raise ClientDisconnected(f"the response ended {self._response.length} bytes before it was complete")
        return piece or None

    def disconnect(self) -> None:
        self._left = True
        self._response.close()
        self._connection.close()

    async def close(self) -> None:
        self.disconnect()


def _fields(response: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    return itertools.chain(response.headers.items())
