"""The pages of an Atlas application load again when files change; see :mod:`atlas.gateway.page_refresh`."""

from __future__ import annotations

from atlas.gateway.page_refresh import (
    EVENTS_PATH,
    MAX_PAGE,
    SCRIPT,
    SCRIPT_PATH,
    PageRefresh,
    is_navigation,
    is_page,
    is_unwanted,
)
from atlas.web.adapters import any_mode
from atlas.web.errors.pages import is_error_policy
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.bodies import length_of, passes_through, whole_body
from atlas.web.responses.response import Response
from atlas.web.responses.streaming import StreamingResponse

__all__ = ["PageRefreshHooks"]

_OF_ERROR_PAGES = "; script-src 'self'; connect-src 'self'"


class PageRefreshHooks:
    """The outermost middleware of an application: adds the script to pages, and answers what the script asks for.

    :param pages: the pages of this process.
    """

    def __init__(self, pages: PageRefresh) -> None:
        self._pages = pages

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> Response | None:
        """Answer the script, and remove the fields of a navigation after which a response is not whole."""
        if request.path == SCRIPT_PATH:
            return Response(SCRIPT, headers={"cache-control": "no-store"}, content_type="text/javascript")
        if request.path == EVENTS_PATH:
            return StreamingResponse(
                self._pages.events(), headers={"cache-control": "no-store"}, content_type="text/event-stream"
            )
        fields = request._fields
        if is_navigation(request.method, fields):
            fields[:] = [field for field in fields if not is_unwanted(field[0])]
        return None

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Add the script to a page."""
        headers = response.headers
        if not is_page(response.status_code, headers.raw) or not is_navigation(request.method, request._fields):
            return
        if is_error_policy(headers.get("content-security-policy", "")):
            headers["content-security-policy"] += _OF_ERROR_PAGES
        policies = [value for name, value in headers.raw if name == b"content-security-policy"]
        root_path = request.root_path
        if (body := whole_body(response)) is not None:
            if (changed := self._pages.add_script(body, root_path, policies)) is None:
                return
            response.body = changed
        else:
            length = length_of(response)
            if length is None or length > MAX_PAGE or not passes_through(response):
                return  # a stream
            held: list[bytes] = []

            def hold(chunk: bytes) -> bytes:
                held.append(chunk)
                return b""

            def finish() -> bytes:
                whole = b"".join(held)
                return self._pages.add_script(whole, root_path, policies) or whole

            response.wrap(hold, finish)
        headers["cache-control"] = "no-store"  # a page that a browser has stored would have an old version
        for name in ("content-length", "etag", "last-modified", "expires"):
            headers.pop(name, None)
