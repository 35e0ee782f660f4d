"""Responses: what a controller hands back, and how each of them is sent.

A response whose body is there at once is three plain attributes (``status_code``, ``body``, ``raw_headers``), so that a
gateway can take them as they are. Every response is an ASGI application as well, which is the way under any server.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from atlas.gateway.threads import next_turn
from atlas.types import ASGIApp, Receive, Scope, Send
from atlas.web.cookies import format_cookie
from atlas.web.headers import MutableHeaders, RawHeaders, encode_field

__all__ = [
    "DelegatedResponse",
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

_to_json = msgspec.json.Encoder().encode
# A piece of a plain iterator costs no turn of the loop, so a long one would starve everybody else without this.
_PIECES_PER_TURN = 64


class Response:
    """A status, header fields and a body that is there at once.

    :param content: ``bytes``, or a ``str`` that goes out as UTF-8.
    :param headers: fields beside the content type; one of the same name takes its place.
    :param content_type: "" for none at all.
    :raises TypeError: for other content. :raises ValueError: for a field that HTTP has no room for.
    """

    __slots__ = ("body", "raw_headers", "status_code")

    content_type: str = "text/html; charset=utf-8"

    def __init__(
        self,
        content: bytes | str = b"",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        self.status_code = status_code
        self.body = self.encode(content)
        kind = self.content_type if content_type is None else content_type
        self.raw_headers: RawHeaders = [_content_type_field(kind)] if kind else []
        if headers:
            self.headers.update(headers)

    def encode(self, content: Any) -> bytes:
        """The bytes of the content."""
        if isinstance(content, str):
            return content.encode()
        if isinstance(content, bytes):
            return content
        raise TypeError(f"{type(self).__name__}: expected bytes or str, got {type(content).__name__}")

    @property
    def headers(self) -> MutableHeaders:
        """The header fields, to be changed in place."""
        return MutableHeaders(self.raw_headers)

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
    ) -> None:
        """Give the browser a cookie. Scripts cannot read it and other sites cannot send it, unless you say so."""
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
        )
        self.headers.add("set-cookie", field)

    def delete_cookie(self, name: str, *, path: str | None = "/", domain: str | None = None) -> None:
        """Take a cookie away again; path and domain have to be those that it was set with."""
        gone = datetime(1970, 1, 1, tzinfo=UTC)
        self.headers.add("set-cookie", format_cookie(name, "", max_age=0, expires=gone, path=path, domain=domain))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. The body of a HEAD stays here, its length does not (RFC 9110 9.3.2)."""
        status, body, headers = self.status_code, self.body, self.raw_headers
        if status < 200 or status in (204, 304):  # never with a body, RFC 9110 6.4.1
            body = b""
        elif not _has(headers, b"content-length"):
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

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

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, content_type=content_type)

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
        super().__init__(b"", status_code, headers)
        if any(character < " " or character == "\x7f" for character in url):
            raise ValueError(f"redirect to {url!r}: an address has no control characters")
        # What is percent-encoded already stays so; the rest is what a person typed.
        self.headers["location"] = quote(url, safe="%/:?#[]@!$&'()*+,;=~-._")


class StreamingResponse(Response):
    """A body in pieces, each sent as it comes: ``str`` as UTF-8, or ``bytes``.

    :param content: an async or a plain iterable. A plain one runs on the event loop, so it must not block; it is made
        to wait a turn now and then, and either kind waits for a slow reader. When the client goes away or the response
        fails, a generator is closed at once: its ``finally`` runs.
    """

    __slots__ = ("content",)

    def __init__(
        self,
        content: AsyncIterable[bytes | str] | Iterable[bytes | str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, content_type=content_type)
        self.content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await self._send_pieces(send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            await self._close()

    async def _send_pieces(self, send: Send) -> None:
        if isinstance(self.content, AsyncIterable):
            async for piece in self.content:
                await send({"type": "http.response.body", "body": self.encode(piece), "more_body": True})
            return
        for count, piece in enumerate(self.content, 1):
            await send({"type": "http.response.body", "body": self.encode(piece), "more_body": True})
            if count % _PIECES_PER_TURN == 0:
                await next_turn()

    async def _close(self) -> None:
        if isinstance(self.content, AsyncGenerator):
            await self.content.aclose()
        elif isinstance(self.content, Generator):
            self.content.close()


class DelegatedResponse(Response):
    """A foreign ASGI application in the place of a response: it answers the request itself."""

    __slots__ = ("app",)

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def json(value: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """``value`` as JSON."""
    return JSONResponse(value, status_code, headers)


def redirect(to: str, status_code: int = 302) -> RedirectResponse:
    """A redirect to an address; 303 is the one that turns a POST into a GET (RFC 9110 15.4.4)."""
    return RedirectResponse(to, status_code)


def _has(headers: RawHeaders, name: bytes) -> bool:
    for key, _ in headers:  # noqa: SIM110  # half the time of any() over a generator, at every response
        if key == name:
            return True
    return False


_CONTENT_TYPES = {
    kind: (b"content-type", kind.encode())
    for kind in (
        "text/html; charset=utf-8",
        "text/plain; charset=utf-8",
        "application/json",
        "application/problem+json",
        "application/octet-stream",
    )
}


def _content_type_field(kind: str) -> tuple[bytes, bytes]:
    return _CONTENT_TYPES.get(kind) or encode_field("content-type", kind)
