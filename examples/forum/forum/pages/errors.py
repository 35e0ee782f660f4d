"""Error pages with the layout of the site; programs get problem+json (RFC 9457), the default of Atlas."""

from __future__ import annotations

import logging
from http import HTTPStatus

from atlas import HTTPException, NotFound, ProblemResponse, Request, Response, render

_log = logging.getLogger("forum")

TITLES = {
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    429: "Too many attempts",
}
MEANINGS = {
    403: "You are not allowed to do that.",
    404: "There is nothing at this address.",
    405: "This address does not support the method of the request.",
    413: "The request is larger than this address accepts.",
    429: "Please wait a minute before you try again.",
}


def refusal(request: Request, error: HTTPException) -> Response:
    """Return the response for an :class:`HTTPException`."""
    status = error.status_code
    if _is_program(request):
        return ProblemResponse(status, HTTPStatus(status).phrase, error.detail, **error.members)
    detail = error.detail or MEANINGS.get(status, HTTPStatus(status).phrase)
    return _page(request, status, TITLES.get(status, "Request refused"), detail)


def too_far(request: Request, error: OverflowError) -> Response:
    """A number in the path does not fit into an integer of SQLite, so nothing with this number exists."""
    return refusal(request, NotFound())


def failure(request: Request, error: Exception) -> Response:
    """Answer an unhandled exception. The page shows the request ID only.

    Atlas logs the traceback; the line logged here connects it with the request ID.
    """
    _log.error("request %s has failed: %s %s", request.id, request.method, request.path)
    detail = f"An error occurred and was logged with the request ID {request.id}"
    if _is_program(request):
        return ProblemResponse(500, "Internal Server Error", f"{detail}.")
    return _page(request, 500, "Internal error", detail)


def _page(request: Request, status: int, title: str, detail: str) -> Response:
    sentence = detail[:1].upper() + detail[1:].removesuffix(".") + "."
    context = {"status": status, "title": title, "detail": sentence}
    return render(request, "error.html", context, status_code=status)


def _is_program(request: Request) -> bool:
    return request.path.startswith("/api/") or request.accepts("application/json", "text/html") == "application/json"
