"""How long a controller may take until its response begins."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from atlas.gateway.timeouts import TimeoutExpired, wait_for
from atlas.web.errors import HTTPException

if TYPE_CHECKING:
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["Timeout"]

_log = logging.getLogger("atlas.web")


class Timeout:
    """Cancels a controller, and the middleware inside, that waits for too long.

    Only what waits can be interrupted: a loop that computes holds the event loop, and a thread goes on to its end. The
    time counts until the response is there; how long its body may take is the server's business.

    :param seconds: for every route that has no ``timeout`` of its own. None for those that have one only.
    :param status_code: 503 says that this server was too slow, 504 that one behind it was (RFC 9110 15.6).
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
        """Wait for the response.

        :raises HTTPException: if it takes too long.
        """
        own: float | None = getattr(request.route, "timeout", None)
        seconds = self._seconds if own is None else own
        if seconds is None:
            return await call_next(request)
        try:
            return await wait_for(call_next(request), seconds)
        except TimeoutExpired:
            _log.warning("%s %s took longer than %g s", request.method, ascii(request.path), seconds)
            raise HTTPException(self._status, "it took too long to answer") from None
