"""Error responses: a problem document (RFC 9457) for programs, an HTML page for browsers."""

from __future__ import annotations

import base64
import hashlib
import logging
from html import escape

from atlas.web.exceptions import HTTPException, status_phrase
from atlas.web.headers import preferred_type
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import HTMLResponse, JSONResponse, ProblemResponse, Response

__all__ = ["default_error_response", "error_response", "is_error_policy", "wants_page"]

_log = logging.getLogger("atlas.web")

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
    """Create the response to an HTTP error.

    A client whose ``accept`` field prefers ``text/html`` gets a page. Every other client, also one that accepts
    anything, gets a problem document.

    :param accept: the ``accept`` field of the request; None if there is none.
    :param error: the error.
    :param below: HTML for the end of the page; "" by default.
    :returns: the response, with the header fields of the error.
    """
    status, detail = error.status_code, error.detail and _encodable(error.detail)
    response: Response
    if wants_page(accept):
        response = _page_response(_page(status, detail or _MEANING.get(status, ""), below), status, _STYLE)
    else:
        problem = {"title": status_phrase(status), "status": status, **({"detail": detail} if detail else {})}
        response = JSONResponse({**problem, **error.members}, status, content_type=ProblemResponse.content_type)
    return _finished(response, error)


def wants_page(accept: str | None) -> bool:
    """Return whether an ``accept`` field prefers HTML to a problem document (RFC 9110 12.5.1).

    :param accept: the value of the field; None if there is none.
    """
    return preferred_type(accept, ("application/json", "application/problem+json", "text/html")) == "text/html"


def default_error_response(request: RequestHead, error: Exception, *, debug: bool) -> Response:
    """Create the response to an exception that no exception handler answers.

    An unhandled exception is answered with a 500 without details, or with ``debug`` with the debug page.

    :param request: the request.
    :param error: the exception.
    :param debug: whether to show tracebacks, and the routes of the application where none matches.
    :returns: the response.
    """
    accept = request.headers.get("accept")
    if isinstance(error, HTTPException):
        no_route = debug and error.status_code == 404 and request.route is None and wants_page(accept)
        return error_response(accept, error, below=_known_routes(request) if no_route else "")
    if not debug:
        return error_response(accept, HTTPException(500))
    return _finished(_debug_response(request, error), HTTPException(500))


def _debug_response(request: RequestHead, error: Exception) -> Response:
    # Imported with the first debug page: an application in production never needs these.
    from atlas.web.errors.debug_page import debug_page
    from atlas.web.errors.debug_style import STYLE
    from atlas.web.errors.tracebacks import examine

    try:
        if wants_page(request.headers.get("accept")):
            return _page_response(debug_page(request, error), 500, STYLE)
        raised = examine(error)
        lines = _encodable("\n".join(each.trace for each in reversed(raised))).splitlines()
        about = _encodable(f"{raised[0].kind}: {raised[0].message}")
        return ProblemResponse(500, status_phrase(500), exception=about, traceback=lines)
    except Exception:
        # An exception whose attributes raise too is answered as without debug.
        _log.exception("the debug page failed")
        return error_response(request.headers.get("accept"), HTTPException(500))


def _encodable(text: str) -> str:
    """Return a text that UTF-8 can encode: lone surrogates, from file names and invalid input, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _known_routes(request: RequestHead) -> str:
    from atlas.web.errors.debug_page import routes_table

    return f'<div class="routes"><p class="detail">Debug mode: these are the routes.</p>{routes_table(request)}</div>'


def _finished(response: Response, error: HTTPException) -> Response:
    response.headers.vary("accept")
    response.headers.update(error.fields)
    return response


_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


def _page_response(page: str, status: int, style: str) -> Response:
    """Create a page with a policy of its own, which allows only its style sheet (CSP3 2.3.1, hash sources)."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return HTMLResponse(_encodable(page), status, {"content-security-policy": _POLICY.format(digest)})


def is_error_policy(policy: str) -> bool:
    """Return whether a content security policy is that of the error pages here."""
    start, _, end = _POLICY.partition("{}")
    return policy.startswith(start) and policy.endswith(end)


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

# The page needs no file, template or script: it has to work when these fail.
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
