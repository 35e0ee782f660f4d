"""Decoding of request bodies that the client has encoded with gzip, deflate, br or zstd."""

from __future__ import annotations

from collections.abc import Iterable

from atlas.web.adapters import any_mode
from atlas.web.asgi import receive_again
from atlas.web.exceptions import UnsupportedMediaType
from atlas.web.option_checks import check_strings
from atlas.web.requests.content_decoding import CODINGS, DecodedBody, Decoder, find_decoders
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response

__all__ = ["Decompress"]

_MAX_CODINGS = 4  # of one body; one is usual
_FIELDS = (b"content-encoding", b"content-length")


class Decompress:
    """Decodes request bodies with a ``content-encoding`` (RFC 9110 8.4).

    The controller, inner middleware and mounted applications get the decoded body, and a request without the fields
    ``content-encoding`` and ``content-length``. ``limit_body`` of the route applies to the body as it is sent, and to
    the decoded body: one that decodes to more is answered with 413, and not decoded further. A body in another coding
    is answered with 415 and ``accept-encoding`` (RFC 9110 15.5.16, 12.5.3), a malformed one with 400.

    :param codings: the codings to accept among ``gzip``, ``deflate``, ``br`` and ``zstd``; None, the default, for all
        whose packages are installed.
    :raises TypeError: for a string where a list is expected.
    :raises ValueError: for an unknown coding, or a package that is not installed.
    """

    def __init__(self, codings: Iterable[str] | None = None) -> None:
        if codings is None:
            names = [name for name, is_available in CODINGS.items() if is_available()]
        else:
            names = [_checked(name) for name in check_strings("Decompress: codings", codings, "gzip")]
        self._accepted = ", ".join(names) or "identity"
        self._decoders = find_decoders(names)

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Let the request read a decoded body.

        :param request: the request.
        :raises UnsupportedMediaType: for an unknown coding.
        """
        coding = request.content_coding
        if coding is None or not request.may_have_body:
            return
        decoders = self._find(coding)
        cache = request._cache
        if cache.streamed and cache.body is None:
            return  # read by an outer middleware, which has not kept it
        if decoders:
            # An outer middleware may have read the encoded body.
            cache.ahead = DecodedBody(receive_again(request), request.limit_body, decoders)
            cache.body, cache.form, cache.streamed = None, None, False
        scope = request.scope
        scope["headers"] = [field for field in scope["headers"] if bytes(field[0]).lower() not in _FIELDS]

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Answer a request whose body was refused while a mounted application read it, which has answered 500 for it.

        :param request: the request.
        :param response: the response.
        :raises HTTPException: the reason why the body was refused.
        """
        body = request._cache.ahead
        if response.status_code == 500 and isinstance(body, DecodedBody) and body.refusal is not None:
            raise body.refusal()

    def _find(self, coding: str) -> list[Decoder]:
        names = [name for each in coding.split(",") if (name := each.strip().lower()) not in ("", "identity")]
        if len(names) > _MAX_CODINGS or not all(name in self._decoders for name in names):
            message = f"the body is encoded with {coding[:40]!r}; expected {self._accepted}"
            raise UnsupportedMediaType(message, {"accept-encoding": self._accepted})
        return [self._decoders[name]() for name in reversed(names)]


def _checked(name: str) -> str:
    if name not in CODINGS:
        raise ValueError(f"Decompress: expected codings among {', '.join(CODINGS)}, got {name!r}")
    if not CODINGS[name]():
        package = "brotli 1.2 or later" if name == "br" else "zstandard"
        raise ValueError(f"Decompress: {name!r} needs the package {package}, which is not installed")
    return name
