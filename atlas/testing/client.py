"""The test client for sync tests: ``TestClient(app).get("/")``."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, NoReturn, ParamSpec, TypeVar, Unpack

from atlas.testing.client_engine import ClientEngine, ClientOptions, Options
from atlas.testing.cookies import Cookies
from atlas.testing.exchange import ApplicationError
from atlas.testing.response import Response, ResponseHeaders, StreamedResponse
from atlas.testing.urls import URL
from atlas.types import ASGIApp
from atlas.web.headers import MutableHeaders

__all__ = ["TestClient"]

P = ParamSpec("P")
T = TypeVar("T")


class TestClient:
    """Sends requests to an application in the thread of the test, on an event loop that runs during a request.

    ``with TestClient(app) as client:`` runs the lifespan of the application. Without it, the first request starts the
    lifespan, and :meth:`close` ends it. An exception of a controller is raised by the request.

    :param app: any ASGI 3 application.
    :param options: see :class:`~atlas.testing.client_engine.ClientOptions`.
    :raises TypeError: if ``app`` is not callable.
    """

    __test__ = False  # pytest would take a class with this name for tests

    def __init__(self, app: ASGIApp, **options: Unpack[ClientOptions]) -> None:
        self.app = app
        self._engine = ClientEngine(app, options)
        self._runner = asyncio.Runner()
        self._closed = False
        self._finalizer = weakref.finalize(self, _finalize, self._engine, self._runner)

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

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and return the response, after the application has returned.

        :param method: the method, such as ``"GET"``.
        :param url: a path or a URL.
        :param options: see :class:`~atlas.testing.client_engine.Options`.
        :raises ClientDisconnected: if :meth:`disconnect` was called before the response was complete.
        :raises Exception: what the application raises, unless ``raise_server_exceptions`` is off.
        """
        __tracebackhide__ = True
        return self._run(self._engine.request, method, url, options)

    def get(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a GET request."""
        __tracebackhide__ = True
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a POST request."""
        __tracebackhide__ = True
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a PUT request."""
        __tracebackhide__ = True
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a PATCH request."""
        __tracebackhide__ = True
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a DELETE request."""
        __tracebackhide__ = True
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Unpack[Options]) -> Response:
        """Send a HEAD request."""
        __tracebackhide__ = True
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[Options]) -> Response:
        """Send an OPTIONS request."""
        __tracebackhide__ = True
        return self.request("OPTIONS", url, **options)

    @contextmanager
    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Iterator[StreamedResponse]:
        """Send a request and yield a response whose body is read while it is sent.

        If the block is left before the end of the body, the client disconnects.
        """
        __tracebackhide__ = True
        request, received, history = self._run(self._engine.open, method, url, options)
        pull = lambda: self._run(received.next_chunk)  # noqa: E731  # a def would add a frame to tracebacks
        response = StreamedResponse(request, received.status, ResponseHeaders(received.headers), pull)
        response.history = history
        try:
            yield response
        finally:
            self._run(self._engine.close, received)

    def websocket(self, url: str, **options: Unpack[Options]) -> NoReturn:
        """Open a WebSocket connection.

        :raises NotImplementedError: always; WebSocket connections are not implemented.
        """
        raise NotImplementedError("WebSocket connections are not implemented")

    def disconnect(self) -> None:
        """Close the connections of all responses that are not complete, as a client that disconnects.

        May be called in the block of :meth:`stream`, or by an iterator that is the body of a request.
        """
        self._engine.disconnect()

    def close(self) -> None:
        """Run the lifespan shutdown of the application, and close the event loop.

        :raises Exception: what the shutdown raises.
        """
        __tracebackhide__ = True
        if self._closed:
            return
        try:
            self._run(self._engine.stop)
        finally:
            self._closed = True
            self._finalizer.detach()
            self._runner.close()

    def __enter__(self) -> TestClient:
        __tracebackhide__ = True
        try:
            self._run(self._engine.start)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        __tracebackhide__ = True
        self.close()

    def _run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        _check_no_running_loop()
        if self._closed:
            raise RuntimeError("this client is closed: make a new one")
        try:
            return self._runner.run(function(*args, **kwargs), context=copy_context())
        except ApplicationError as error:
            caught = error
        # Outside of the except block, so that the context of the exception is not changed.
        raise caught.error.with_traceback(caught.trace)


def _check_no_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop is running in this thread: use AsyncTestClient, and await its methods")


def _finalize(engine: ClientEngine, runner: asyncio.Runner) -> None:
    """Run the lifespan shutdown for a client that was deleted without being closed, unless a loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with suppress(Exception):  # a finalizer has no caller
            runner.run(engine.stop())
        runner.close()
