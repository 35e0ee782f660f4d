"""The test client for coroutines: ``await AsyncTestClient(app).get("/")``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn, ParamSpec, TypeVar, Unpack

from atlas.testing.client_engine import ClientEngine, ClientOptions, Options
from atlas.testing.cookies import Cookies
from atlas.testing.exchange import ApplicationError
from atlas.testing.response import AsyncStreamedResponse, Response, ResponseHeaders
from atlas.testing.urls import URL
from atlas.types import ASGIApp
from atlas.web.headers import MutableHeaders

__all__ = ["AsyncTestClient"]

P = ParamSpec("P")
T = TypeVar("T")


class AsyncTestClient:
    """Sends requests to an application on the running event loop, which test and application share.

    ``async with AsyncTestClient(app) as client:`` runs the lifespan of the application. Without it, the first request
    starts the lifespan, and :meth:`aclose` ends it.

    :param app: any ASGI 3 application.
    :param options: see :class:`~atlas.testing.client_engine.ClientOptions`.
    :raises TypeError: if ``app`` is not callable.
    """

    __test__ = False

    def __init__(self, app: ASGIApp, **options: Unpack[ClientOptions]) -> None:
        self.app = app
        self._engine = ClientEngine(app, options)

    @property
    def cookies(self) -> Cookies:
        """The cookies of responses and those that the test has set; sent with every request."""
        return self._engine.cookies

    @property
    def headers(self) -> MutableHeaders:
        """Header fields of every request."""
        return self._engine.headers

    @property
    def base_url(self) -> URL:
        """The URL that the path of a request is appended to."""
        return self._engine.base_url

    async def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and return the response; see :meth:`atlas.testing.TestClient.request`."""
        __tracebackhide__ = True
        return await _run(self._engine.request, method, url, options)

    async def get(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a GET request."""
        __tracebackhide__ = True
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a POST request."""
        __tracebackhide__ = True
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a PUT request."""
        __tracebackhide__ = True
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a PATCH request."""
        __tracebackhide__ = True
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a DELETE request."""
        __tracebackhide__ = True
        return await self.request("DELETE", url, **options)

    async def head(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a HEAD request."""
        __tracebackhide__ = True
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Unpack[Options]) -> Response:
        """Send an OPTIONS request."""
        __tracebackhide__ = True
        return await self.request("OPTIONS", url, **options)

    @asynccontextmanager
    async def stream(self, method: str, url: str, **options: Unpack[Options]) -> AsyncIterator[AsyncStreamedResponse]:
        """Send a request and yield a response whose body is read while it is sent.

        If the block is left before the end of the body, the client disconnects.
        """
        __tracebackhide__ = True
        request, received, history = await _run(self._engine.open, method, url, options)
        headers = ResponseHeaders(received.headers)
        response = AsyncStreamedResponse(request, received.status, headers, lambda: _run(received.next_chunk))
        response.history = history
        try:
            yield response
        finally:
            await _run(self._engine.close, received)

    def websocket(self, url: str, **options: Unpack[Options]) -> NoReturn:
        """Open a WebSocket connection.

        :raises NotImplementedError: always; WebSocket connections are not implemented.
        """
        raise NotImplementedError("WebSocket connections are not implemented")

    def disconnect(self) -> None:
        """Close the connections of all responses that are not complete, as a client that disconnects."""
        self._engine.disconnect()

    async def aclose(self) -> None:
        """Run the lifespan shutdown of the application.

        :raises Exception: what the shutdown raises.
        """
        __tracebackhide__ = True
        await _run(self._engine.stop)

    async def __aenter__(self) -> AsyncTestClient:
        __tracebackhide__ = True
        await _run(self._engine.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        __tracebackhide__ = True
        await self.aclose()


async def _run(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    __tracebackhide__ = True
    try:
        return await function(*args, **kwargs)
    except ApplicationError as error:
        caught = error
    # Outside of the except block, so that the context of the exception is not changed.
    raise caught.error.with_traceback(caught.trace)
