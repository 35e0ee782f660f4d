"""The client of tests that are coroutines: ``await AsyncTestClient(app).get("/")``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn, ParamSpec, TypeVar, Unpack

from atlas.testing.addresses import URL
from atlas.testing.cookies import Cookies
from atlas.testing.engine import ClientOptions, Engine, Options
from atlas.testing.exchange import ApplicationRaised
from atlas.testing.response import AsyncStreamedResponse, Response, ResponseHeaders
from atlas.types import ASGIApp
from atlas.web.headers import MutableHeaders

__all__ = ["AsyncTestClient"]

P = ParamSpec("P")
T = TypeVar("T")


class AsyncTestClient:
    """Asks an application on the loop that is running, so that test and application may share what belongs to it.

    The application is started up by the first request, or by ``async with AsyncTestClient(app) as client:``, whose
    end shuts it down.

    :param app: any ASGI 3 application.
    :param options: see :class:`~atlas.testing.engine.ClientOptions`.
    :raises TypeError: for something that cannot be called.
    """

    __test__ = False

    def __init__(self, app: ASGIApp, **options: Unpack[ClientOptions]) -> None:
        self.app = app
        self._engine = Engine(app, options)

    @property
    def cookies(self) -> Cookies:
        """The jar: what responses have set, and what you put there."""
        return self._engine.cookies

    @property
    def headers(self) -> MutableHeaders:
        """Fields that every request carries."""
        return self._engine.headers

    @property
    def base_url(self) -> URL:
        """What paths are put behind."""
        return self._engine.base_url

    async def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and read the whole response; see :meth:`atlas.testing.TestClient.request`."""
        __tracebackhide__ = True
        return await _run(self._engine.request, method, url, options)

    async def get(self, url: str, **options: Unpack[Options]) -> Response:
        """GET."""
        __tracebackhide__ = True
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[Options]) -> Response:
        """POST."""
        __tracebackhide__ = True
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[Options]) -> Response:
        """PUT."""
        __tracebackhide__ = True
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """PATCH."""
        __tracebackhide__ = True
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """DELETE."""
        __tracebackhide__ = True
        return await self.request("DELETE", url, **options)

    async def head(self, url: str, **options: Unpack[Options]) -> Response:
        """HEAD."""
        __tracebackhide__ = True
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Unpack[Options]) -> Response:
        """OPTIONS."""
        __tracebackhide__ = True
        return await self.request("OPTIONS", url, **options)

    @asynccontextmanager
    async def stream(self, method: str, url: str, **options: Unpack[Options]) -> AsyncIterator[AsyncStreamedResponse]:
        """A response whose body is read as it comes; leaving the block before its end is a client that leaves."""
        __tracebackhide__ = True
        sent, answer, history = await _run(self._engine.open, method, url, options)
        headers = ResponseHeaders(answer.headers)
        response = AsyncStreamedResponse(sent, answer.status, headers, lambda: _run(answer.next_piece))
        response.history = history
        try:
            yield response
        finally:
            await _run(self._engine.close, answer)

    def websocket(self, url: str, **options: Unpack[Options]) -> NoReturn:
        """A WebSocket connection.

        :raises NotImplementedError: always, for now.
        """
        raise NotImplementedError("WebSocket connections are not there yet: they come later, with the protocol itself")

    def disconnect(self) -> None:
        """The client leaves: responses that are still open end for the application as if the network had gone."""
        self._engine.disconnect()

    async def aclose(self) -> None:
        """Shut the application down. What that raises is raised here."""
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
    except ApplicationRaised as caught:
        failure = caught
    raise failure.error.with_traceback(failure.trace)
