"""Compression of response bodies with zstd, br or gzip."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from functools import partial

from atlas.gateway.threads import in_file_thread
from atlas.web.adapters import any_mode
from atlas.web.option_checks import check_number, check_strings
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.bodies import length_of, passes_through, whole_body
from atlas.web.responses.content_codings import Coding, choose_coding, make_codings
from atlas.web.responses.files import FileResponse
from atlas.web.responses.header_fields import vary_on
from atlas.web.responses.response import Response

__all__ = ["Compress"]

# Bytes. Compressing a larger body would block the event loop for about a millisecond.
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
# 206 is a range of the body as it is, and the others have no body (RFC 9110 15.3.7, 6.4.1).
_NEVER = frozenset([204, 205, 206, 304])


class Compress:
    """Compresses text, JSON, SVG and other compressible responses.

    A stream is flushed after each chunk, so that no event or line is delayed. Responses of mounted applications are
    compressed too, unless they have a ``content-encoding``. A file is compressed each time it is sent, and not sent by
    ``sendfile`` then, unless the client asks for a range. A site with many visitors puts compressed siblings beside its
    files (``site.css.br``), which ``Static`` prefers.

    A secret must not be compressed together with text that an attacker controls (BREACH). The tokens of :class:`CSRF`
    are masked anew for each request for this reason.

    :param minimum: size in bytes below which a body is not compressed, if the size is known; 500 by default.
    :param codings: the codings to use among ``zstd``, ``br`` and ``gzip``, the preferred one first; None, the default,
        for all whose packages are installed.
    :param levels: compression levels by coding.
    :param types: media types to compress beside ``text/*`` and the built-in list.
    :raises TypeError: for a value of the wrong type.
    :raises ValueError: for an unknown coding, a package that is not installed, or an invalid level.
    """

    def __init__(
        self,
        *,
        minimum: int = 500,
        codings: Iterable[str] | None = None,
        levels: Mapping[str, int] | None = None,
        types: Iterable[str] = (),
    ) -> None:
        self._minimum = check_number("Compress: minimum", minimum, 0)
        names = None if codings is None else check_strings("Compress: codings", codings, "gzip")
        self._codings = make_codings(names, levels or {})
        self._types = _TYPES | {kind.lower() for kind in check_strings("Compress: types", types, "model/obj")}

    @any_mode(waits=True)
    def after(self, request: RequestHead, response: Response) -> Awaitable[None] | None:
        """Compress the body, if the client accepts a coding and the body gets smaller.

        :param request: the request.
        :param response: the response.
        :returns: an awaitable for a large body, which is compressed in a thread; else None.
        """
        if response.status_code == 304:
            _match_tag(request, response)
        body = None if response.status_code in _NEVER else whole_body(response)
        if not self._is_compressible(response, body):
            return None
        vary_on(response, b"accept-encoding")
        accepted = request.headers.get("accept-encoding")
        coding = choose_coding(accepted, self._codings) if accepted else None
        if coding is None or (isinstance(response, FileResponse) and "range" in request.headers):
            return None
        if body is None:
            encoder = coding.encoder()
            response.wrap(encoder.chunk, encoder.end)
            _label(response, coding)
        elif len(body) > _IN_THREAD:
            return _compress_in_thread(response, coding, body)
        else:
            _replace_body(response, coding, body, coding.compress(body))
        return None

    def _is_compressible(self, response: Response, body: bytes | None) -> bool:
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
    _replace_body(response, coding, body, await in_file_thread(partial(coding.compress, body)))


def _replace_body(response: Response, coding: Coding, body: bytes, smaller: bytes) -> None:
    if len(smaller) < len(body):
        response.body = smaller
        _label(response, coding)


def _label(response: Response, coding: Coding) -> None:
    """Set the fields of a compressed response. Its bytes differ, so a strong tag becomes weak (RFC 9110 8.8.3.3)."""
    headers = response.headers
    headers.pop("content-length", None)
    headers["content-encoding"] = coding.name
    headers.pop("accept-ranges", None)  # ranges are of the body as it is
    tag = headers.get("etag")
    if tag is not None and not tag.startswith("W/"):
        headers["etag"] = f"W/{tag}"


def _match_tag(request: RequestHead, response: Response) -> None:
    """Give a 304 the ``etag`` and ``vary`` of the compressed 200 that the client has stored (RFC 9110 15.4.5)."""
    vary_on(response, b"accept-encoding")
    tag = response.headers.get("etag")
    if tag is not None and f"W/{tag}" in request.headers.get("if-none-match", ""):
        response.headers["etag"] = f"W/{tag}"
