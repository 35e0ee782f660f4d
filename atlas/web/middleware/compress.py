"""Smaller bodies: zstd, br or gzip, whatever the client likes best."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from atlas.gateway.threads import in_thread
from atlas.web.adapters import any_mode
from atlas.web.files import FileResponse
from atlas.web.middleware.bodies import length_of, passes_through, whole_body
from atlas.web.middleware.codings import Coding, choose_coding, make_codings
from atlas.web.middleware.fields import vary_on
from atlas.web.middleware.options import listed, whole_number

if TYPE_CHECKING:
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["Compress"]

# Above this it would hold the event loop for about a millisecond.
_IN_THREAD = 128 * 1024
_TYPES = frozenset(
    [
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-javascript",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/svg+xml",
        "image/vnd.microsoft.icon",
        "image/x-icon",
    ]
)
_ENDINGS = ("+json", "+xml", "+text", "+yaml")
# A part is a range of the whole's own bytes, and the others have no body (RFC 9110 15.3.7, 6.4.1).
_NEVER = frozenset([204, 205, 206, 304])


class Compress:
    """Compresses what gets smaller by it: text, JSON, SVG and the like, whole or in pieces.

    A stream is flushed after each piece, so that nothing waits, server-sent events neither. What foreign applications
    answer is compressed as well, unless they did that themselves. A file is compressed anew each time that it is sent,
    and no more by ``sendfile`` then; but not where the client asks for a part of it, for that is a part of the file as
    it is. So a site with many visitors puts compressed siblings beside its files (``site.css.br``), which ``Static``
    prefers. What is compressed together with a secret must not hold what an attacker can choose (BREACH): tokens of
    :class:`CSRF` are masked anew for each request for that reason.

    :param minimum: bytes under which a body is left alone, if it is known before how many it has.
    :param codings: which of ``zstd``, ``br`` and ``gzip``, the best first; None for those whose packages are there.
    :param levels: how hard to try, by coding.
    :param types: media types beside ``text/*`` and the usual ones.
    :raises TypeError: for a value of the wrong type. :raises ValueError: for an unknown coding or level.
    """

    def __init__(
        self,
        *,
        minimum: int = 500,
        codings: Iterable[str] | None = None,
        levels: Mapping[str, int] | None = None,
        types: Iterable[str] = (),
    ) -> None:
        self._minimum = whole_number("Compress: minimum", minimum, 0)
        names = None if codings is None else listed("Compress: codings", codings, "gzip")
        self._codings = make_codings(names, levels or {})
        self._types = _TYPES | {kind.lower() for kind in listed("Compress: types", types, "model/obj")}

    @any_mode(waits=True)
    def after(self, request: RequestHead, response: Response) -> Awaitable[None] | None:
        """Compress the body, if the client wants that and it is worth it.

        :returns: an awaitable if the body is so large that a thread compresses it.
        """
        if response.status_code == 304:
            _match_tag(request, response)
        body = None if response.status_code in _NEVER else whole_body(response)
        if not self._is_for_us(response, body):
            return None
        vary_on(response, b"accept-encoding")
        accepted = request.headers.get("accept-encoding")
        coding = choose_coding(accepted, self._codings) if accepted else None
        if coding is None or (isinstance(response, FileResponse) and "range" in request.headers):
            return None
        if body is None:
            encoder = coding.encoder()
            response.wrap(encoder.piece, encoder.end)
            _label(response, coding)
        elif len(body) > _IN_THREAD:
            return _compress_in_thread(response, coding, body)
        else:
            _replace_body(response, coding, body, coding.compress(body))
        return None

    def _is_for_us(self, response: Response, body: bytes | None) -> bool:
        if response.status_code in _NEVER or response.status_code < 200:
            return False
        length = len(body) if body is not None else length_of(response)
        if (length is not None and length < self._minimum) or (body is None and not passes_through(response)):
            return False
        headers = response.headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (kind.startswith("text/") or kind in self._types or kind.endswith(_ENDINGS)):
            return False
        if "content-encoding" in headers or "content-range" in headers:
            return False
        return "no-transform" not in headers.get("cache-control", "")  # RFC 9111 5.2.2.6


async def _compress_in_thread(response: Response, coding: Coding, body: bytes) -> None:
    _replace_body(response, coding, body, await in_thread(partial(coding.compress, body)))


def _replace_body(response: Response, coding: Coding, body: bytes, smaller: bytes) -> None:
    if len(smaller) < len(body):
        response.body = smaller
        _label(response, coding)


def _label(response: Response, coding: Coding) -> None:
    """Say what it is now. A strong tag was of other bytes: the same thing, but weakly (RFC 9110 8.8.1 and 8.8.3.3)."""
    headers = response.headers
    headers.pop("content-length", None)
    headers["content-encoding"] = coding.name
    headers.pop("accept-ranges", None)  # of bytes that do not go out
    tag = headers.get("etag")
    if tag is not None and not tag.startswith("W/"):
        headers["etag"] = f"W/{tag}"


def _match_tag(request: RequestHead, response: Response) -> None:
    """A 304 has the fields of the 200 that the client keeps (RFC 9110 15.4.5): the tag that it asked with, and vary."""
    vary_on(response, b"accept-encoding")
    tag = response.headers.get("etag")
    if tag is not None and f"W/{tag}" in request.headers.get("if-none-match", ""):
        response.headers["etag"] = f"W/{tag}"
