"""HTTP errors as exceptions, and the pages that answer them."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from atlas.web.headers import preferred_type
from atlas.web.response import HTMLResponse, ProblemResponse, Response

if TYPE_CHECKING:
    from atlas.web.request import RequestHead

__all__ = [
    "BadRequest",
    "Conflict",
    "ContentTooLarge",
    "Forbidden",
    "Gone",
    "HTTPException",
    "MethodNotAllowed",
    "NotFound",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "abort",
    "answer_plainly",
    "error_response",
    "status_phrase",
    "wants_page",
]

_log = logging.getLogger("atlas.web")

# HTTPStatus got the words of RFC 9110 for these in Python 3.13 only.
_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


def status_phrase(status_code: int) -> str:
    """The reason phrase of a status code (RFC 9110 15), or "Error" for one without."""
    if status_code in _RENAMED:
        return _RENAMED[status_code]
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return "Error"


class HTTPException(Exception):
    """Ends a controller with an error response.

    :param status_code: 400 to 599.
    :param detail: one sentence for the client; without it the response says what the status means.
    :param headers: fields that the response carries beside its own.
    :ivar members: further members of the problem that programs get (RFC 9457 3.2); must have a JSON form.
    :raises ValueError: if the status is not one of an error.
    """

    status_code: int = 500

    def __init__(
        self, status_code: int | None = None, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if status_code is not None:
            self.status_code = status_code
        if not 400 <= self.status_code <= 599:
            raise ValueError(f"HTTPException: expected a status from 400 to 599, got {self.status_code}")
        super().__init__(self.status_code, detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.status_code} {self.detail or status_phrase(self.status_code)}"


class _FixedStatus(HTTPException):
    """An HTTPException whose class says the status, so that only the detail is left to say."""

    def __init__(self, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(None, detail, headers)


class BadRequest(_FixedStatus):
    """400: the request makes no sense as it stands."""

    status_code = 400


class Unauthorized(_FixedStatus):
    """401: the client has to say who it is. RFC 9110 11.6.1 wants a ``www-authenticate`` field with it."""

    status_code = 401


class Forbidden(_FixedStatus):
    """403: understood, and refused."""

    status_code = 403


class NotFound(_FixedStatus):
    """404: nothing is there."""

    status_code = 404


class MethodNotAllowed(_FixedStatus):
    """405: the path is there, but not for this method. RFC 9110 15.5.6 wants an ``allow`` field with it."""

    status_code = 405


class Conflict(_FixedStatus):
    """409: it does not fit what is there now."""

    status_code = 409


class Gone(_FixedStatus):
    """410: it was there once."""

    status_code = 410


class ContentTooLarge(_FixedStatus):
    """413: the body is over a limit."""

    status_code = 413


class UnsupportedMediaType(_FixedStatus):
    """415: a body of a kind that the controller does not read."""

    status_code = 415


class UnprocessableContent(_FixedStatus):
    """422: well formed, but not what was expected."""

    status_code = 422


class TooManyRequests(_FixedStatus):
    """429: slow down."""

    status_code = 429


_BY_STATUS = {kind.status_code: kind for kind in _FixedStatus.__subclasses__()}


def abort(status_code: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> NoReturn:
    """Raise the HTTPException of a status: ``abort(404)`` is ``raise NotFound()``.

    :raises HTTPException: always.
    """
    kind = _BY_STATUS.get(status_code)
    if kind is not None:
        raise kind(detail, headers)
    raise HTTPException(status_code, detail, headers)


_MEANING = {
    400: "The server could not make sense of this request.",
    401: "You have to sign in to see this.",
    403: "You are not allowed to see this.",
    404: "There is nothing at this address.",
    405: "This address does not answer to that method.",
    413: "What was sent is larger than this address accepts.",
    415: "What was sent is of a kind that this address does not read.",
    422: "What was sent is not what this address expects.",
    500: "Something went wrong on our side. It has been noted.",
}


def error_response(accept: str | None, error: HTTPException, *, below: str = "") -> Response:
    """The response to an error: a page for those who name HTML, problem+json (RFC 9457) for everybody else.

    Browsers name ``text/html``; programs ask for JSON or for anything, and can read a problem better than a page.

    :param accept: the ``accept`` field of the request. :param below: markup at the end of the page.
    """
    status, detail = error.status_code, error.detail and _plain(error.detail)
    response: Response
    if wants_page(accept):
        response = _page_response(_page(status, detail or _MEANING.get(status, ""), below), status, _STYLE)
    else:
        response = ProblemResponse(status, status_phrase(status), detail, **error.members)
    return _finished(response, error)


def wants_page(accept: str | None) -> bool:
    """Whether an ``accept`` field prefers HTML to a problem."""
    return preferred_type(accept, ("application/json", "application/problem+json", "text/html")) == "text/html"


def answer_plainly(request: RequestHead, error: Exception, *, debug: bool) -> Response:
    """The answer to an error that has no handler of its own.

    One that nobody expected is a 500 that tells nothing, and with ``debug`` everything there is to know.
    """
    accept = request.headers.get("accept")
    if isinstance(error, HTTPException):
        lost = debug and error.status_code == 404 and request.route is None and wants_page(accept)
        return error_response(accept, error, below=_known_routes(request) if lost else "")
    if not debug:
        return error_response(accept, HTTPException(500))
    return _finished(_debug_response(request, error), HTTPException(500))


def _debug_response(request: RequestHead, error: Exception) -> Response:
    from atlas.web.debug import examine  # nobody needs it before something goes wrong
    from atlas.web.debug_page import debug_page
    from atlas.web.debug_style import STYLE

    try:
        if wants_page(request.headers.get("accept")):
            return _page_response(debug_page(request, error), 500, STYLE)
        raised = examine(error)
        lines = _plain("\n".join(each.trace for each in reversed(raised))).splitlines()
        about = _plain(f"{raised[0].kind}: {raised[0].message}")
        return ProblemResponse(500, status_phrase(500), exception=about, traceback=lines)
    except Exception:
        # What raises even when it is only looked at is answered as it would be without debug.
        _log.exception("the debug page failed")
        return error_response(request.headers.get("accept"), HTTPException(500))


def _plain(text: str) -> str:
    """Text that can be sent: lone surrogates, as file names and bad input bring them, are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _known_routes(request: RequestHead) -> str:
    from atlas.web.debug_page import routes_table

    return f'<div class="routes"><p class="detail">Debug mode: these are the routes.</p>{routes_table(request)}</div>'


def _finished(response: Response, error: HTTPException) -> Response:
    response.headers.vary("accept")
    for name, value in error.headers.items():
        response.headers[name] = value
    return response


def _page_response(page: str, status: int, style: str) -> Response:
    """A page whose own style is all that it may use, whatever policy the site has (CSP3 2.3.1, hash sources)."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return HTMLResponse(_plain(page), status, {"content-security-policy": policy})


def _page(status: int, detail: str, below: str) -> str:
    phrase = escape(status_phrase(status))
    return _PAGE.format(status=status, phrase=phrase, detail=escape(detail), style=_STYLE, below=below)


_STYLE = """
:root { --paper: #f6f2e8; --ink: #1d2b33; --soft: #5b6a70; --line: #c9d4d2; --accent: #a8431f }
@media (prefers-color-scheme: dark) {
  :root { --paper: #10191e; --ink: #e6e4da; --soft: #94a5ab; --line: #2c3f47; --accent: #e79a6b }
}
body { margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 2rem; box-sizing: border-box;
  background: var(--paper); color: var(--ink); font: 1.125rem/1.6 Charter, "Iowan Old Style", Palatino, Georgia, serif;
  grid-template-columns: minmax(0, 40rem) }
p.status { margin: 0; color: var(--accent); font-size: .9rem; letter-spacing: .18em }
h1 { margin: .1em 0 .4em; font-size: clamp(2rem, 6vw, 3rem); line-height: 1.1; font-weight: 500; text-wrap: balance }
p.detail { margin: 0; color: var(--soft) }
svg { width: 100%; height: 2.5rem; margin-top: 2rem; color: var(--line) }
.routes { margin-top: 2rem; font-size: .9rem }
.scroll { overflow-x: auto; margin-top: .75rem; border-block: 1px solid var(--line) }
table { border-collapse: collapse; width: 100%; font: .8rem/1.5 ui-monospace, Menlo, "Liberation Mono", monospace }
th { text-align: left; font-weight: 400; color: var(--soft) }
th, td { padding: .35rem .9rem .35rem 0; vertical-align: top }
"""

# One page without any file, template or script beside it: it has to work when nothing else does.
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{status} {phrase}</title>
<style>{style}</style>
<main>
<p class="status">{status}</p>
<h1>{phrase}</h1>
<p class="detail">{detail}</p>
<svg viewBox="0 0 640 40" preserveAspectRatio="none" fill="none" stroke="currentColor" aria-hidden="true">
<path d="M0 34C90 34 120 8 190 8s90 22 160 22S470 4 520 4s80 24 120 24"/>
<path d="M0 39C90 39 130 18 190 18s95 19 160 19 115-22 170-22 85 19 120 19"/></svg>
{below}
</main>
</html>
"""
