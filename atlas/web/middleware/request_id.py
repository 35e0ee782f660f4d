"""A name for each request, so that logs of several programs tell of the same one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from atlas.web.adapters import any_mode
from atlas.web.headers import encode_field
from atlas.web.middleware.fields import put_field

if TYPE_CHECKING:
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["RequestID"]

# What goes to logs and to other servers' headers: no quotes, spaces or control characters, and an end.
_SANE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\-+/=:@]{0,127}")


def _new_id() -> str:
    return secrets.token_hex(16)


class RequestID:
    """Sets ``request.id`` and sends it with the response.

    :param header: the field that carries it, in both directions.
    :param trust: whether an id that the client brings is taken over, if it is a sane one. Else it is passed over.
    :param make: makes a new one.
    :raises ValueError: if ``header`` is no field name. :raises TypeError: if ``make`` cannot be called.
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
        """Take the id that came, or make one."""
        brought = request.headers.get(self._header) if self._trust else None
        request.id = brought if brought is not None and _SANE.fullmatch(brought) else self._make()

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Tell the client."""
        put_field(response, *encode_field(self._header, request.id or ""))
