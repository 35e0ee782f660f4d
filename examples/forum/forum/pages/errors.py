"""Error pages in the look of the site; programs get problem+json (RFC 9457), as everywhere in Atlas."""

from __future__ import annotations

import logging
from http import HTTPStatus

from atlas import HTTPException, NotFound, ProblemResponse, Request, Response, render

_log = logging.getLogger("forum")

TITLES = {
    403: "Not like this",
    404: "Off the map",
    405: "No way through",
    413: "Too large for this ship",
    429: "Slow down a little",
}
MEANINGS = {
    403: "You are not allowed to do that.",
    404: "There is nothing at this address.",
    405: "This address does not answer to that.",
    413: "What was sent is larger than this address accepts.",
    429: "That was a bit much at once. Please wait a minute before you try again.",
}


def refusal(request: Request, error: HTTPException) -> Response:
    """What was wrong with the request."""
    status = error.status_code
    if _is_program(request):
        return ProblemResponse(status, HTTPStatus(status).phrase, error.detail, **error.members)
    detail = error.detail or MEANINGS.get(status, HTTPStatus(status).phrase)
    return _page(request, status, TITLES.get(status, "That did not work"), detail)


def too_far(request: Request, error: OverflowError) -> Response:
    """An address with a number that SQLite cannot even count to. Whatever it names, it is not there."""
    return refusal(request, NotFound())


def failure(request: Request, error: Exception) -> Response:
    """Something is broken on our side. The page tells nothing of it but the number to look for in the log.

    Atlas writes the traceback there; with the number one finds the right one.
    """
    _log.error("request %s has failed: %s %s", request.id, request.method, request.path)
    detail = f"Something went wrong on our side, and is written down as {request.id}"
    if _is_program(request):
        return ProblemResponse(500, "Internal Server Error", f"{detail}.")
    return _page(request, 500, "Run aground", detail)


def _page(request: Request, status: int, title: str, detail: str) -> Response:
    sentence = detail[:1].upper() + detail[1:].removesuffix(".") + "."
    context = {"status": status, "title": title, "detail": sentence}
    return render(request, "error.html", context, status_code=status)


def _is_program(request: Request) -> bool:
    return request.path.startswith("/api/") or request.accepts("application/json", "text/html") == "application/json"
