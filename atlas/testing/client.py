"""The client of plain tests: ``TestClient(app).get("/")``."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, NoReturn, ParamSpec, TypeVar, Unpack

from atlas.testing.addresses import URL
from atlas.testing.cookies import Cookies
from atlas.testing.engine import ClientOptions, Engine, Options
from atlas.testing.exchange import ApplicationRaised
from atlas.testing.response import Response, ResponseHeaders, StreamedResponse
from atlas.types import ASGIApp
from atlas.web.headers import MutableHeaders

__all__ = ["TestClient"]

P = ParamSpec("P")
T = TypeVar("T")


class TestClient:
    """Asks an application in the test's own thread, on a loop that runs while a request does.

    The application is started up by the first request, or by ``with TestClient(app) as client:``, whose end shuts it
    down. What a controller raises is raised by the request, with its own traceback.

    :param app: any ASGI 3 application.
    :param options: see :class:`~atlas.testing.engine.ClientOptions`.
    :raises TypeError: for something that cannot be called.
    """

    __test__ = False  # its name looks like a class of tests to pytest

    def __init__(self, app: ASGIApp, **options: Unpack[ClientOptions]) -> None:
        self.app = app
        self._engine = Engine(app, options)
        self._runner = asyncio.Runner()
        self._closed = False
        self._end = weakref.finalize(self, _abandon, self._engine, self._runner)

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

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and read the whole response. The application has ended its work on it when this returns.

        :param options: see :class:`~atlas.testing.engine.Options`.
        :raises ClientDisconnected: if :meth:`disconnect` was called before the response was complete.
        """
        __tracebackhide__ = True
        return self._run(self._engine.request, method, url, options)

    def get(self, url: str, **options: Unpack[Options]) -> Response:
        """GET."""
        __tracebackhide__ = True
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[Options]) -> Response:
        """POST."""
        __tracebackhide__ = True
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[Options]) -> Response:
        """PUT."""
        __tracebackhide__ = True
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """PATCH."""
        __tracebackhide__ = True
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """DELETE."""
        __tracebackhide__ = True
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Unpack[Options]) -> Response:
        """HEAD."""
        __tracebackhide__ = True
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[Options]) -> Response:
        """OPTIONS."""
        __tracebackhide__ = True
        return self.request("OPTIONS", url, **options)

    @contextmanager
    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Iterator[StreamedResponse]:
        """A response whose body is read as it comes; leaving the block before its end is a client that leaves."""
        __tracebackhide__ = True
        sent, answer, history = self._run(self._engine.open, method, url, options)
        pull = lambda: self._run(answer.next_piece)  # noqa: E731  # a def would be one more frame to step through
        response = StreamedResponse(sent, answer.status, ResponseHeaders(answer.headers), pull)
        response.history = history
        try:
            yield response
        finally:
            self._run(self._engine.close, answer)

    def websocket(self, url: str, **options: Unpack[Options]) -> NoReturn:
        """A WebSocket connection.

        :raises NotImplementedError: always, for now.
        """
        raise NotImplementedError("WebSocket connections are not there yet: they come later, with the protocol itself")

    def disconnect(self) -> None:
        """The client leaves: responses that are still open end for the application as if the network had gone.

        May be called in the block of :meth:`stream`, or by an iterator that is the body of a request.
        """
        self._engine.disconnect()

    def close(self) -> None:
        """Shut the application down. What that raises is raised here."""
        __tracebackhide__ = True
        if self._closed:
            return
        try:
            self._run(self._engine.stop)
        finally:
            self._closed = True
            self._end.detach()
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
        _refuse_in_a_loop()
        if self._closed:
            raise RuntimeError("this client is closed: make a new one")
        try:
            return self._runner.run(function(*args, **kwargs), context=copy_context())
        except ApplicationRaised as caught:
            failure = caught
        # Outside of the except block, so that the error keeps the context that it had.
        raise failure.error.with_traceback(failure.trace)


def _refuse_in_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("a loop is running here already: use AsyncTestClient and await it")


def _abandon(engine: Engine, runner: asyncio.Runner) -> None:
    """The client was dropped without being closed: the application is shut down all the same, if that can be."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with suppress(Exception):  # there is no test left to tell
            runner.run(engine.stop())
        runner.close()
