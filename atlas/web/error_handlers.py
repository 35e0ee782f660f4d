"""Converts exceptions to responses: by the exception handlers of an application, or to a default error page."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from atlas._speedups.calls.handlers import RunMode, run_now
from atlas._speedups.calls.response import owned
from atlas.errors import ClientDisconnected, StartupError
from atlas.gateway.greenlets import Greenlets
from atlas.gateway.shared_exceptions import drop_frames
from atlas.web.adapters import Adapted, async_form, sync_form
from atlas.web.controllers import check_callable
from atlas.web.errors.missing_await import note_missing_await
from atlas.web.errors.pages import default_error_response
from atlas.web.errors.running_loop import note_running_loop
from atlas.web.exceptions import ContentTooLarge, HTTPException
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response

__all__ = ["ErrorHandlers"]

_log = logging.getLogger("atlas.web")
_LIMIT_INTERVAL = 60.0  # seconds between two log lines about the same limit


class ErrorHandlers:
    """The exception handlers of an application: ``handler(request, error)`` by status code or exception class.

    A ``def`` handler gets a Request and may wait; an ``async def`` handler gets an AsyncRequest and is awaited. This
    does not depend on the code that raised the exception.

    :param debug: whether the error page of an unhandled exception shows its traceback.
    :param greenlets: runs ``def`` handlers for async code.
    """

    def __init__(self, *, debug: bool, greenlets: Greenlets) -> None:
        self._debug = debug
        self._greenlets = greenlets
        self._async_forms: dict[int | type[Exception], Adapted] = {}
        self._sync_forms: dict[int | type[Exception], Adapted] = {}
        self._limit_logged_until: dict[str, float] = {}

    def add(self, key: int | type[Exception], handler: Callable[..., Any], place: str) -> None:
        """Add an exception handler.

        :param key: a status code from 400 to 599, or a subclass of Exception.
        :param handler: called with the request and the exception; returns what a controller may return.
        :param place: file and line, for the message.
        :raises StartupError: for another key, or a handler that cannot be called so.
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
        """Return whether there are exception handlers."""
        return bool(self._sync_forms)

    def in_mode(self, run_mode: RunMode) -> Callable[[Any, Exception], Any]:
        """Return ``on_error(request, error)``, which converts an exception to a response.

        It raises ClientDisconnected if ``error`` is one.

        :param run_mode: the mode of the caller. If it is ASYNC, ``on_error`` is awaited. INLINE is allowed only if
            there are no handlers.
        """
        return self._respond_async if run_mode is RunMode.ASYNC else self._respond_sync

    async def _respond_async(self, request: RequestHead, error: Exception) -> Response:
        try:
            return await self._respond(request, error, self._async_forms)
        finally:
            del error  # if it is raised again, its traceback refers to this frame

    def _respond_sync(self, request: RequestHead, error: Exception) -> Response:
        try:
            return run_now(self._respond(request, error, self._sync_forms))
        finally:
            del error

    async def _respond(
        self, request: RequestHead, error: Exception, forms: Mapping[int | type[Exception], Adapted]
    ) -> Response:
        """Return the response of the handler for an exception, or the default error page."""
        if isinstance(error, ClientDisconnected):
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        if isinstance(error, ContentTooLarge):
            self._log_limit(request, error)
        note_missing_await(error)
        note_running_loop(error)
        key = self._find(error)
        try:
            if key is not None:
                return await self._handle(request, error, forms[key])
            return _default_response(request, error, self._debug)
        finally:
            drop_frames(error, unseen=key is None and isinstance(error, HTTPException))
            del error

    def _log_limit(self, request: RequestHead, error: ContentTooLarge) -> None:
        """Log a request that is over a limit, with the setting of that, at most once a minute."""
        now = time.monotonic()
        if error.setting is None or now < self._limit_logged_until.get(error.setting, now):
            return
        self._limit_logged_until[error.setting] = now + _LIMIT_INTERVAL
        path = ascii(request.path)
        _log.warning("%s %s: refused with 413: %s (%s)", request.method, path, error.detail, error.setting)

    async def _handle(self, request: RequestHead, error: Exception, form: Adapted) -> Response:
        """Call a handler; if it fails, return the default error page of its exception."""
        call, waits = form
        try:
            # A handler may return the same page for every error.
            response = owned(await call(request, error) if waits else call(request, error))
            return self._finish(response, request, error)
        except ClientDisconnected:
            raise
        except Exception as another:
            try:
                return _default_response(request, another, self._debug)
            finally:
                drop_frames(another)
        finally:
            del error

    def _find(self, error: Exception) -> int | type[Exception] | None:
        """Return the key of the handler: the status code if it has one, else the nearest class; None if there is none.

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
            own = set(response.headers)
            response.headers.update(field for field in error.fields if field[0].lower() not in own)
        elif response.status_code >= 500:
            _report(request, error)
        return response


def _default_response(request: RequestHead, error: Exception, debug: bool) -> Response:
    if not isinstance(error, HTTPException):
        _report(request, error)
    return default_error_response(request, error, debug=debug)


def _report(request: RequestHead, error: Exception) -> None:
    """Log an unhandled exception, and pass it to a test client, which raises it again."""
    _log.error("%s %s failed", request.method, ascii(request.path), exc_info=error)
    listener = request._notes.get("atlas.on_error")
    if listener is not None:
        listener(error)
