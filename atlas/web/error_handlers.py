"""Exceptions as responses: the handlers of an application, and what is answered where there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from atlas._speedups.calls.handlers import RunMode, run_now
from atlas.errors import ClientDisconnected, StartupError
from atlas.gateway.greenlets import Greenlets
from atlas.web.adapters import Adapted, async_form, sync_form
from atlas.web.controllers import check_callable
from atlas.web.errors.pages import default_error_response
from atlas.web.exceptions import HTTPException
from atlas.web.requests.request import RequestHead
from atlas.web.responses.response import Response

__all__ = ["ErrorHandlers"]

_log = logging.getLogger("atlas.web")


class ErrorHandlers:
    """``handler(request, error)`` by status code or by exception class.

    A ``def`` handler gets a Request and may wait, an ``async def`` handler gets an AsyncRequest and is awaited,
    whatever raised the exception.

    :param debug: whether the page of an unhandled exception shows its traceback.
    :param greenlets: run ``def`` handlers for async code.
    """

    def __init__(self, *, debug: bool, greenlets: Greenlets) -> None:
        self._debug = debug
        self._greenlets = greenlets
        self._async_forms: dict[int | type[Exception], Adapted] = {}
        self._sync_forms: dict[int | type[Exception], Adapted] = {}

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
        self._async_forms[key] = async_form(handler, self._greenlets, optional=False)
        self._sync_forms[key] = Adapted(sync_form(handler, optional=False), waits=False)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._sync_forms)

    def in_mode(self, run_mode: RunMode) -> Callable[[Any, Exception], Any]:
        """``on_error(request, error)``, which gives the response; it is awaited if the mode is ASYNC.

        A mode that is not ASYNC has to be GREENLET where there are handlers.

        :raises ClientDisconnected: when called with that exception, for there is no client to answer.
        """
        return self._answer_async if run_mode is RunMode.ASYNC else self._answer_now

    async def _answer_async(self, request: RequestHead, error: Exception) -> Response:
        try:
            return await self._answer(request, error, self._async_forms)
        finally:
            del error  # where it is raised again its traceback refers to this frame

    def _answer_now(self, request: RequestHead, error: Exception) -> Response:
        try:
            return run_now(self._answer(request, error, self._sync_forms))
        finally:
            del error

    async def _answer(
        self, request: RequestHead, error: Exception, forms: Mapping[int | type[Exception], Adapted]
    ) -> Response:
        """The response to an exception."""
        if isinstance(error, ClientDisconnected):
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        key = self._find(error)
        if key is not None:
            call, waits = forms[key]
            try:
                response = call(request, error)
                return self._finish(await response if waits else response, request, error)
            except ClientDisconnected:
                raise
            except Exception as another:  # an error page that fails is answered plainly
                error = another
        try:
            return _answer_plainly(request, error, self._debug)
        finally:
            del error

    def _find(self, error: Exception) -> int | type[Exception] | None:
        """The key of the handler: the status, or else the nearest class.

        Handlers of unhandled exceptions (``Exception``, 500) are not called for an HTTPException of another status.
        """
        if not self._sync_forms:
            return None
        expected = isinstance(error, HTTPException)
        if isinstance(error, HTTPException) and error.status_code in self._sync_forms:
            return error.status_code
        nearest: type[Exception] = HTTPException if expected else Exception
        for kind in type(error).__mro__:
            if issubclass(kind, nearest) and kind in self._sync_forms:
                return kind
        return 500 if not expected and 500 in self._sync_forms else None

    def _finish(self, response: Response, request: RequestHead, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            for name, value in error.headers.items():
                response.headers.setdefault(name, value)
        elif response.status_code >= 500:
            _report(request, error)
        return response


def _answer_plainly(request: RequestHead, error: Exception, debug: bool) -> Response:
    if not isinstance(error, HTTPException):
        _report(request, error)
    return default_error_response(request, error, debug=debug)


def _report(request: RequestHead, error: Exception) -> None:
    """Log an unhandled exception, and tell a test client, which raises it again."""
    _log.error("%s %s failed", request.method, ascii(request.path), exc_info=error)
    listener = request._notes.get("atlas.on_error")
    if listener is not None:
        listener(error)
