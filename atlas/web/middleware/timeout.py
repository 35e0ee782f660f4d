"""Timeouts: how long a controller may take to return a response."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from atlas.gateway.timeouts import TimeoutExpired, wait_for
from atlas.web.exceptions import HTTPException
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response

__all__ = ["Timeout"]

_log = logging.getLogger("atlas.web")


class Timeout:
    """Cancels a controller, and the middleware inside, when the timeout has passed.

    Only code that waits can be cancelled: a computation blocks the event loop, and a thread runs to its end. The time
    ends with the return of the response; sending a body is limited by the timeouts of the server.

    :param seconds: timeout in seconds of routes without a ``timeout`` of their own; None, the default, for no timeout.
    :param status_code: 503 if this server is too slow, the default, or 504 if an upstream server is (RFC 9110 15.6).
    :raises ValueError: for a time that is not above zero, or another status.
    """

    def __init__(self, seconds: float | None = None, *, status_code: int = 503) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(f"Timeout: expected a number of seconds above zero, got {seconds!r}")
        if status_code not in (503, 504):
            raise ValueError(f"Timeout: status_code: expected 503 or 504, got {status_code!r}")
        self._seconds = seconds
        self._status = status_code

    async def __call__(self, request: RequestHead, call_next: Callable[[RequestHead], Awaitable[Response]]) -> Response:
        """Call the rest of the chain.

        :raises HTTPException: with ``status_code``, when the timeout has passed.
        """
        own = request.route.timeout if request.route is not None else None
        seconds = self._seconds if own is None else own
        if seconds is None:
            return await call_next(request)
        try:
            return await wait_for(call_next(request), seconds)
        except TimeoutExpired:
            _log.warning("%s %s took longer than %g s", request.method, ascii(request.path), seconds)
            raise HTTPException(self._status, "it took too long to answer") from None
