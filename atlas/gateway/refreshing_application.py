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
            fields = [field for field in scope["headers"] if not is_unwanted(field[0])]
            page = _Page(self._pages, scope.get("root_path", ""), send)
            await self._app({**scope, "headers": fields}, receive, page.send)
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


class _Page:
    """The ``send`` of a response that may be a page. It holds the start until the body tells."""

    def __init__(self, pages: PageRefresh, root_path: str, send: Send) -> None:
        self._pages = pages
        self._root_path = root_path
        self._send = send
        self._start: Event | None = None
        self._parts: list[bytes] = []

    async def send(self, event: Event) -> None:
        kind = event["type"]
        if kind == "http.response.start" and is_page(event["status"], event.get("headers", ())):
            self._start = event
        elif self._start is None:
            await self._send(event)
        elif kind != "http.response.body" or (event.get("more_body", False) and not self._has_length()):
            await self._give_up(event)
        else:
            self._parts.append(bytes(event.get("body", b"")))
            if not event.get("more_body", False):
                await self._finish()

    def _has_length(self) -> bool:
        """Whether the body is not a stream: its length was known before."""
        assert self._start is not None
        length = dict(self._start.get("headers", ())).get(b"content-length", b"")
        return length.isdigit() and int(length) <= MAX_PAGE

    async def _finish(self) -> None:
        assert self._start is not None
        body, headers = b"".join(self._parts), list(self._start.get("headers", ()))
        policies = [value for name, value in headers if name == b"content-security-policy"]
        if (changed := self._pages.add_script(body, self._root_path, policies)) is not None:
            headers = [field for field in headers if field[0] not in _OF_THE_BODY]
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
