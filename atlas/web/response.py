"""Responses: what a controller hands back, and how each of them is sent.

A response whose body is there at once is kept in compiled form (:mod:`atlas._speedups.calls.response`), which our own
server writes as it is. Every response is an ASGI application as well, which is the way under any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec

from atlas._speedups.calls.response import BaseResponse
from atlas.errors import ClientDisconnected
from atlas.gateway.disconnects import wait_for_disconnect
from atlas.gateway.greenlets import await_, in_greenlet
from atlas.gateway.task_scope import TaskScope
from atlas.gateway.threads import next_turn
from atlas.types import Receive, Scope, Send
from atlas.web.caching import cache_control, entity_tag
from atlas.web.cookies import format_cookie
from atlas.web.headers import MutableHeaders

__all__ = [
    "HTMLResponse",
    "JSONResponse",
    "PlainTextResponse",
    "ProblemResponse",
    "RedirectResponse",
    "Response",
    "StreamingResponse",
    "TextResponse",
    "json",
    "redirect",
]

_Filter = tuple[Callable[[bytes], bytes], Callable[[], bytes] | None]
_to_json = msgspec.json.Encoder().encode
# A piece of a plain iterator costs no turn of the loop, so a long one would starve everybody else without this.
_PIECES_PER_TURN = 64


class Response(BaseResponse):
    """A status, header fields and a body that is there at once.

    :param content: ``bytes``, or a ``str`` that goes out as UTF-8.
    :param headers: fields beside the content type; one of the same name takes its place.
    :param content_type: "" for none at all.
    :raises TypeError: for other content. :raises ValueError: for a field that HTTP has no room for.

    :cvar streaming: whether the body comes while it is sent, so that there is no ``content`` before.
    """

    __slots__ = ()

    content_type: str = "text/html; charset=utf-8"
    streaming: ClassVar[bool] = False

    @property
    def headers(self) -> MutableHeaders:
        """The header fields, to be changed in place."""
        return MutableHeaders(self.raw_headers)

    @property
    def content(self) -> bytes:
        """The body. A response that streams has none: ``hasattr(response, "content")`` is False there."""
        if self.streaming:
            raise AttributeError(f"the body of a {type(self).__name__} comes while it is sent; wrap() sees its pieces")
        return self.body

    @content.setter
    def content(self, content: Any) -> None:
        if self.streaming:
            raise AttributeError(f"the body of a {type(self).__name__} cannot be set")
        self.body = self.encode(content)

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Let the body pass through ``function``: at once, or piece by piece where it streams.

        :param function: a piece in, what takes its place out; ``b""`` for nothing (yet).
        :param finish: what comes after the last piece. It is not called if the response fails on the way.
        """
        self.body = function(self.body) + (finish() if finish is not None else b"")
        self.headers.pop("content-length", None)

    def vary(self, *names: str) -> None:
        """Say that the response depends on these request fields (RFC 9110 12.5.5)."""
        self.headers.vary(*names)

    def etag(self, value: str | None = None, *, weak: bool = False) -> str:
        """Give the response an entity tag (RFC 9110 8.8.3), and get it: quoted, with ``W/`` if it is weak.

        :param value: without its quotes; None makes one of the content.
        :raises ValueError: for a character that no tag can have. :raises AttributeError: None, where it streams.
        """
        tag = self.headers["etag"] = entity_tag(self.content if value is None else value, weak=weak)
        return tag

    def cache(self, seconds: int | None = None, **directives: bool | int) -> None:
        """Say who may keep the response, and for how long (RFC 9111 5.2.2).

        :param seconds: ``max-age``. :param directives: ``public=True``, ``no_store=True``, ``s_maxage=60`` ...
        :raises ValueError: for an unknown directive, or two that contradict each other.
        """
        self.headers["cache-control"] = cache_control(seconds, **directives)

    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = True,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Give the browser a cookie. Scripts cannot read it and other sites cannot send it, unless you say so.

        :raises ValueError: for what a cookie cannot carry, and for what browsers would drop without a word.
        """
        field = format_cookie(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.add("set-cookie", field)

    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = True,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Take a cookie away again; path, domain and partition have to be those that it was set with."""
        self.set_cookie(
            name,
            max_age=0,
            expires=datetime(1970, 1, 1, tzinfo=UTC),
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )

    async def complete(self, request: Any) -> Response:
        """Finish a response that is ``pending``. A subclass that has something to wait for overrides this.

        :param request: the request that it answers. :returns: the response to send.
        """
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start, body = self.events(scope["method"])
        await send(start)
        await send(body)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status_code}>"


class HTMLResponse(Response):
    """HTML, as UTF-8."""

    __slots__ = ()


class TextResponse(Response):
    """Plain text, as UTF-8."""

    __slots__ = ()
    content_type = "text/plain; charset=utf-8"


PlainTextResponse = TextResponse


class JSONResponse(Response):
    """Any value that msgspec can write as JSON: dicts, lists, dataclasses, Structs, dates, UUIDs, Decimals ...

    :raises TypeError: for a value without a JSON form.
    """

    __slots__ = ()
    content_type = "application/json"

    def encode(self, content: Any) -> bytes:
        return _to_json(content)


class ProblemResponse(JSONResponse):
    """An error for programs: problem+json (RFC 9457). ``type`` is left out, which means ``about:blank``.

    :param extra: further members of the problem, at its top level.
    """

    __slots__ = ()
    content_type = "application/problem+json"

    def __init__(
        self,
        status_code: int,
        title: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        problem: dict[str, Any] = {"title": title, "status": status_code}
        if detail:
            problem["detail"] = detail
        super().__init__({**problem, **extra}, status_code, headers)


class RedirectResponse(Response):
    """Sends the client elsewhere. The address may be relative (RFC 9110 10.2.2).

    :raises ValueError: for an address with a control character.
    """

    __slots__ = ()
    content_type = ""

    def __init__(self, url: str, status_code: int = 302, headers: Mapping[str, str] | None = None) -> None:
        if any(character < " " or character == "\x7f" for character in url):
            raise ValueError(f"redirect to {url!r}: an address has no control characters")
        # What is percent-encoded already stays so; the rest is what a person typed.
        location = quote(url, safe="%/:?#[]@!$&'()*+,;=~-._")
        super().__init__(b"", status_code, {**(headers or {}), "location": location})


class StreamingResponse(Response):
    """A body in pieces, each sent as it comes: ``str`` as UTF-8, or ``bytes``.

    :param content: an async or a plain iterable. A plain one runs in a greenlet on the event loop: it may wait, by
        ``await_``, but must not block. It is made to wait a turn now and then, and either kind waits for a slow reader.
        When the client goes away or the response fails, a generator is closed at once: its ``finally`` runs. Under a
        server of ASGI 2.4 or later that is when the next piece is sent.
    """

    __slots__ = ("_filters", "pieces")

    streaming = True
    always_watched: ClassVar[bool] = False

    def __init__(
        self,
        content: AsyncIterable[bytes | str] | Iterable[bytes | str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, content_type=content_type)
        self.pieces: AsyncIterable[Any] | Iterable[Any] = content
        self._filters: list[_Filter] = []

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        self._filters.append((function, finish))
        self.headers.pop("content-length", None)

    def filtered(self, piece: bytes, start: int = 0) -> bytes:
        """A piece as it leaves: passed through whatever :meth:`wrap` was given, from number ``start`` on."""
        for function, _ in self._filters[start:]:
            piece = function(piece) if piece else piece
        return piece

    def rest(self) -> bytes:
        """What the wrappers have kept back, at the end."""
        kept = (
            self.filtered(finish(), number) for number, (_, finish) in enumerate(self._filters, 1) if finish is not None
        )
        return b"".join(kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                rest = b""
            else:
                async with TaskScope() as tasks:
                    watch = Watch(tasks, scope, receive, always=self.always_watched)
                    await self.send_pieces(watch, tasks, send)
                rest = self.rest()
            await send({"type": "http.response.body", "body": rest})
        except ClientDisconnected:
            await self.leave(send)
            raise
        finally:
            await _close(self.pieces)

    async def leave(self, send: Send) -> None:
        """What is left to do for a client that went away."""

    async def send_pieces(self, watch: Watch, tasks: TaskScope, send: Send) -> None:
        """Send the pieces; what runs beside belongs to ``tasks``."""
        if isinstance(self.pieces, AsyncIterable):
            watch.begin()
            async for piece in self.pieces:
                await self._send_piece(piece, send)
                watch.begin(sent=True)
            return
        await in_greenlet(self._send_from_plain_code, self.pieces, watch, send)

    def _send_from_plain_code(self, pieces: Iterable[Any], watch: Watch, send: Send) -> None:
        """A plain iterable, in a greenlet: it may wait for its next piece."""
        for count, piece in enumerate(pieces, 1):
            await_(self._send_piece(piece, send))
            if count % _PIECES_PER_TURN == 0:
                watch.begin(sent=True)
                await_(next_turn())

    async def _send_piece(self, piece: Any, send: Send) -> None:
        data = self.filtered(self.encode(piece))
        if data:
            await send({"type": "http.response.body", "body": data, "more_body": True})


class Watch:
    """The watch for a client that leaves while a response streams.

    A server of ASGI 2.4 or later tells it by ``send``. What ``receive`` tells may there be no more than that the client
    has nothing more to say, and still listens (RFC 9112 9.6); but in older ones it is all that there is. ``receive`` is
    the request body's as well, so nobody may watch while that is still being read.

    :param always: for clients that never stop talking while they listen: whoever has nothing more to say has left.
    """

    __slots__ = ("_done", "_receive", "_scope", "_tasks")

    def __init__(self, tasks: TaskScope, scope: Scope, receive: Receive, *, always: bool) -> None:
        self._tasks = tasks
        self._scope = scope
        self._receive = receive
        self._done = not always and _tells_by_send(scope)

    def begin(self, sent: bool = False) -> None:
        """Begin to watch, if that is needed, was not done yet, and may be done now.

        :param sent: whether something was sent already. A controller that has not asked for the body by then, won't.
        """
        if not self._done and self._may(sent):
            self._done = True
            self._tasks.start(wait_for_disconnect(self._receive))

    def _may(self, sent: bool) -> bool:
        reading = self._scope.get("atlas.body")
        if reading is not None:
            return bool(reading == "read")
        return sent or self._scope["method"] in ("GET", "HEAD")


def _tells_by_send(scope: Scope) -> bool:
    """Whether ``send`` raises for a client that has left (ASGI HTTP text 2.4)."""
    version = scope.get("asgi", {}).get("spec_version", "2.0").split(".")
    return [int(part) for part in version if part.isdigit()] >= [2, 4]


async def _close(pieces: Any) -> None:
    """Close a generator, or a file: whatever says how."""
    if hasattr(pieces, "aclose"):
        await pieces.aclose()
    elif hasattr(pieces, "close"):
        await in_greenlet(pieces.close)


def json(value: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """``value`` as JSON."""
    return JSONResponse(value, status_code, headers)


def redirect(to: str, status_code: int = 302) -> RedirectResponse:
    """A redirect to an address; 303 is the one that turns a POST into a GET (RFC 9110 15.4.4)."""
    return RedirectResponse(to, status_code)
