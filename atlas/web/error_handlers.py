"""Exceptions as responses: the handlers of an application, and what is answered where there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from atlas.errors import ClientDisconnected, StartupError
from atlas.web.controllers import check_callable, is_async, to_response
from atlas.web.errors.pages import default_error_response as answer_plainly
from atlas.web.exceptions import HTTPException
from atlas.web.requests.request import AsyncRequest, Request, RequestHead
from atlas.web.responses.response import Response

__all__ = ["ErrorHandlers"]

_log = logging.getLogger("atlas.web")


class ErrorHandlers:
    """``handler(request, error)`` by status code or by exception class.

    :param debug: whether the page of a surprise shows its traceback.
    :ivar waits: whether one of them is ``async def``.
    """

    def __init__(self, *, debug: bool) -> None:
        self._debug = debug
        self._handlers: dict[int | type[Exception], Callable[..., Any]] = {}
        self.waits = False

    def add(self, key: int | type[Exception], handler: Callable[..., Any], place: str) -> None:
        """Add one.

        :param place: file and line for the message. :raises StartupError: for what cannot be a handler, or a key.
        """
        is_status = isinstance(key, int) and 400 <= key <= 599
        if not is_status and not (isinstance(key, type) and issubclass(key, Exception)):
            raise StartupError(f"{place}: exception handler: expected a status from 400 or an exception, got {key!r}")
        try:
            check_callable(handler, 2, "exception handler", "the request and the error")
        except ValueError as error:
            raise StartupError(f"{place}: {error}") from None
        self._handlers[key] = handler
        self.waits = any(is_async(each) for each in self._handlers.values())

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._handlers)

    async def answer(self, request: RequestHead, error: Exception) -> Response:
        """The response to an exception. :raises ClientDisconnected: for that one, which nobody is left to hear of."""
        if isinstance(error, ClientDisconnected):
            try:
                raise error
            finally:
                del error  # else it and this frame, which its traceback knows, would keep each other alive
        handler = self._find(error)
        if handler is None or not is_async(handler):
            return self.answer_now(request, error)
        try:
            return self._finish(await handler(request.seen_as(AsyncRequest), error), handler, request, error)
        except ClientDisconnected:
            raise
        except Exception as another:  # an error page that fails is answered plainly
            return _answer_plainly(request, another, self._debug)

    def answer_now(self, request: RequestHead, error: Exception) -> Response:
        """The same in plain code, where no handler waits."""
        if isinstance(error, ClientDisconnected):
            try:
                raise error
            finally:
                del error
        handler = self._find(error)
        if handler is not None:
            try:
                return self._finish(handler(request.seen_as(Request), error), handler, request, error)
            except ClientDisconnected:
                raise
            except Exception as another:
                error = another
        return _answer_plainly(request, error, self._debug)

    def _find(self, error: Exception) -> Callable[..., Any] | None:
        """The handler of the status, or else of the nearest class. Those for surprises are for surprises only."""
        if not self._handlers:
            return None
        expected = isinstance(error, HTTPException)
        if isinstance(error, HTTPException) and error.status_code in self._handlers:
            return self._handlers[error.status_code]
        nearest: type[Exception] = HTTPException if expected else Exception
        for kind in type(error).__mro__:
            if issubclass(kind, nearest) and kind in self._handlers:
                return self._handlers[kind]
        return None if expected else self._handlers.get(500)

    def _finish(self, result: Any, handler: Callable[..., Any], request: RequestHead, error: Exception) -> Response:
        response = to_response(result, handler)
        if isinstance(error, HTTPException):
            for name, value in error.headers.items():
                response.headers.setdefault(name, value)
        elif response.status_code >= 500:
            _report(request, error)
        return response


def _answer_plainly(request: RequestHead, error: Exception, debug: bool) -> Response:
    if not isinstance(error, HTTPException):
        _report(request, error)
    return answer_plainly(request, error, debug=debug)


def _report(request: RequestHead, error: Exception) -> None:
    """Tell of a surprise: the log, and whoever asked to hear of it (a test client, which raises it again)."""
    _log.error("%s %s failed", request.method, ascii(request.path), exc_info=error)
    listener = request._notes.get("atlas.on_error")
    if listener is not None:
        listener(error)
