"""Request IDs: a name for each request, for the logs of all programs that handle it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from atlas.web.adapters import any_mode
from atlas.web.headers import encode_field
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.header_fields import put_field
from atlas.web.responses.response import Response

__all__ = ["RequestID"]

# The ID goes to logs and to header fields of other servers: no quotes, spaces or control characters; limited in length.
_VALID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\-+/=:@]{0,127}")


def _new_id() -> str:
    return secrets.token_hex(16)


class RequestID:
    """Sets ``request.id``, and sends the request ID with the response.

    :param header: the header field of request and response, ``x-request-id`` by default.
    :param trust: whether to use a valid request ID from the client; True by default.
    :param make: creates a request ID; 32 random hexadecimal digits by default.
    :raises ValueError: for an invalid field name.
    :raises TypeError: for a ``make`` that is not callable.
    """

    def __init__(self, header: str = "x-request-id", *, trust: bool = True, make: Callable[[], str] = _new_id) -> None:
        self._header = header.lower()
        encode_field(header, "")
        if not callable(make):
            raise TypeError(f"RequestID: make: expected a function without arguments, got {make!r}")
        self._trust = trust
        self._make = make

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Set the request ID: from the client, or a new one."""
        received = request.headers.get(self._header) if self._trust else None
        request.id = received if received is not None and _VALID.fullmatch(received) else self._make()

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Send the request ID with the response."""
        put_field(response, *encode_field(self._header, request.id or ""))
