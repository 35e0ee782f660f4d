"""An ASGI application whose pages load again when files change; see :mod:`atlas.gateway.page_refresh`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from atlas.gateway.disconnects import wait_for_disconnect
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
from atlas.types import ASGIApp, Event, Receive, Scope, Send

__all__ = ["RefreshingApplication"]

_NO_STORE = (b"cache-control", b"no-store")
# The extensions by which an application has the server send a file, whose content would not pass here.
_FILE_EXTENSIONS = ("http.response.pathsend", "http.response.zerocopysend")
# Fields of the body without the script, or of its storing: a page that a browser has stored would have an old version.
_OF_THE_BODY = frozenset([b"content-length", b"etag", b"last-modified", b"cache-control", b"expires", b"accept-ranges"])


class RefreshingApplication:
    """Adds the script to the pages of an ASGI application, and answers what the script asks for.

    :param app: the application.
    :param pages: the pages of this process.
    """

    def __init__(self, app: ASGIApp, pages: PageRefresh) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == SCRIPT_PATH:
            await _send_whole(send, b"text/javascript", SCRIPT)
        elif path == EVENTS_PATH:
            await self._send_events(receive, send)
        elif is_navigation(scope["method"], scope["headers"]):
            page = _Page(self._pages, scope.get("root_path", ""), send)
            await self._app(_of_a_page(scope), receive, page.send)
        else:
            await self._app(scope, receive, send)

    async def _send_events(self, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), _NO_STORE]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(wait_for_disconnect(receive))
        try:
            async with aclosing(self._pages.events()) as events:
                while True:
                    following = asyncio.ensure_future(anext(events, None))
                    await asyncio.wait({following, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if not following.done():
                        following.cancel()
                        await asyncio.wait({following})
                        return
                    if (event := following.result()) is None:
                        break
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)


def _of_a_page(scope: Scope) -> Scope:
    """Return the scope of a navigation, whose response has to be whole and to consist of bytes."""
    fields = [field for field in scope["headers"] if not is_unwanted(field[0])]
    extensions = {name: value for name, value in scope.get("extensions", {}).items() if name not in _FILE_EXTENSIONS}
    return {**scope, "headers": fields, "extensions": extensions}


class _Page:
    """The ``send`` of a response that may be a page. It holds the start until the body tells."""

    def __init__(self, pages: PageRefresh, root_path: str, send: Send) -> None:
        self._pages = pages
        self._root_path = root_path
        self._send = send
        self._start: Event | None = None
        self._headers: list[Any] = []  # of the start, as the application has sent them
        self._parts: list[bytes] = []

    async def send(self, event: Event) -> None:
        kind = event["type"]
        if kind == "http.response.start":
            if "headers" in event:
                event = {**event, "headers": list(event["headers"])}  # it may be an iterator
            self._headers = event.get("headers", [])
            if is_page(event["status"], self._fields()):
                self._start = event
                return
        if self._start is None:
            await self._send(event)
        elif kind != "http.response.body" or (event.get("more_body", False) and not self._has_length()):
            await self._give_up(event)
        else:
            self._parts.append(bytes(event.get("body", b"")))
            if not event.get("more_body", False):
                await self._finish()

    def _fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields with names in lower case: those of Django have capitals."""
        return [(name.lower(), value) for name, value in self._headers]

    def _has_length(self) -> bool:
        """Whether the body is not a stream: its length was known before."""
        length = self._length()
        return length is not None and length <= MAX_PAGE

    def _length(self) -> int | None:
        length = dict(self._fields()).get(b"content-length", b"")
        return int(length) if length.isdigit() else None

    async def _finish(self) -> None:
        assert self._start is not None
        body, headers = b"".join(self._parts), self._headers
        policies = [value for name, value in self._fields() if name == b"content-security-policy"]
        has_its_length = self._length() in (None, len(body))  # else the server raises an error, as without --dev
        if has_its_length and (changed := self._pages.add_script(body, self._root_path, policies)) is not None:
            headers = [field for field in headers if field[0].lower() not in _OF_THE_BODY]
            headers += [_NO_STORE, (b"content-length", b"%d" % len(changed))]
            body = changed
        start, self._start = {**self._start, "headers": headers}, None
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    async def _give_up(self, event: Event) -> None:
        """Send what was held as it is: a stream, or a file that the server sends."""
        start, self._start = self._start, None
        assert start is not None
        await self._send(start)
        if self._parts:
            await self._send({"type": "http.response.body", "body": b"".join(self._parts), "more_body": True})
        await self._send(event)


async def _send_whole(send: Send, kind: bytes, body: bytes) -> None:
    headers: list[Any] = [(b"content-type", kind), _NO_STORE, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
