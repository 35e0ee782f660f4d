"""Responses: what a controller returns, and how a response is sent.

A response whose body is complete is a compiled object (:mod:`atlas._speedups.calls.response`), which the server of
Atlas writes without ASGI events. Every response is an ASGI application too; under other servers it is called as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from atlas._speedups.calls.response import BaseResponse
from atlas.types import Receive, Scope, Send
from atlas.web.cookies import format_cookie
from atlas.web.headers import MutableHeaders
from atlas.web.json_encoding import raise_explained, unchecked_encode
from atlas.web.responses.caching import cache_control, entity_tag

__all__ = [
    "HTMLResponse",
    "JSONResponse",
    "PlainTextResponse",
    "ProblemResponse",
    "RedirectResponse",
    "Response",
    "TextResponse",
    "json",
    "redirect",
]


class Response(BaseResponse):
    """A status, header fields and a complete body.

    :param content: the body: ``bytes``, or a ``str`` that is sent as UTF-8. Empty by default.
    :param status_code: the status code, 200 by default.
    :param headers: more header fields, a mapping or pairs of name and value, where a name may occur again; a
        ``content-type`` among them takes precedence over ``content_type``.
    :param content_type: the value of ``content-type``; None, the default, for the one of the class, "" for no field.
    :raises TypeError: for content that is neither ``bytes`` nor ``str``, and for a field value that is not a ``str``.
    :raises ValueError: for a field name or value that HTTP does not allow (RFC 9110 5.1 and 5.5).

    :cvar streaming: whether the body is produced while it is sent, so that ``content`` is not available.
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
        """The body.

        :raises AttributeError: for a streaming response: ``hasattr(response, "content")`` is False.
        """
        if self.streaming:
            raise AttributeError(f"the body of a {type(self).__name__} comes while it is sent; wrap() sees its chunks")
        return self.body

    @content.setter
    def content(self, content: Any) -> None:
        if self.streaming:
            raise AttributeError(f"the body of a {type(self).__name__} cannot be set")
        self.body = self.encode(content)

    def wrap(self, function: Callable[[bytes], bytes], finish: Callable[[], bytes] | None = None) -> None:
        """Pass the body through a function: now, or in chunks while a streaming response is sent.

        :param function: takes a chunk, and returns the bytes that replace it; ``b""`` to hold the chunk back.
        :param finish: returns the bytes after the last chunk; None for no more bytes. It is not called if the response
            fails.
        """
        self.body = function(self.body) + (finish() if finish is not None else b"")
        self.headers.pop("content-length", None)

    def vary(self, *names: str) -> None:
        """Add request fields that the response depends on to ``vary`` (RFC 9110 12.5.5).

        :param names: names of request fields.
        """
        self.headers.vary(*names)

    def etag(self, value: str | None = None, *, weak: bool = False) -> str:
        """Set the entity tag (RFC 9110 8.8.3).

        :param value: the tag without quotes; None, the default, for a hash of the content.
        :param weak: whether the tag is weak; False by default.
        :returns: the tag in quotes, with ``W/`` before them if it is weak.
        :raises ValueError: for a character that an entity tag cannot contain.
        :raises AttributeError: for a streaming response without ``value``.
        """
        tag = self.headers["etag"] = entity_tag(self.content if value is None else value, weak=weak)
        return tag

    def cache(self, seconds: int | None = None, **directives: bool | int) -> None:
        """Set ``cache-control`` (RFC 9111 5.2.2).

        :param seconds: ``max-age``, in seconds; None for no ``max-age``.
        :param directives: ``public=True``, ``no_store=True``, ``s_maxage=60`` ...
        :raises ValueError: for an unknown directive, or directives that contradict each other.
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
        """Set a cookie (RFC 6265 4.1). By default scripts cannot read it, and other sites cannot send it.

        :param name: the name, a token.
        :param value: the value; encode characters that a cookie cannot contain.
        :param max_age: seconds until the browser deletes the cookie; None, the default, for the end of its session.
        :param expires: the same as a point in time, with a time zone.
        :param path: the path below which the browser sends the cookie, ``/`` by default.
        :param domain: the domain whose subdomains get the cookie too; None, the default, for this host only.
        :param secure: send the cookie over TLS only; False by default.
        :param httponly: keep the cookie from scripts; True by default.
        :param samesite: which requests from other sites carry the cookie, ``"lax"`` by default.
        :param partitioned: keep the cookie apart for each site that embeds this one (CHIPS); False by default.
        :raises ValueError: for a value that a cookie cannot contain, and for a cookie that browsers would drop.
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
        """Delete a cookie. Path, domain and partition have to be those that it was set with.

        :param name: the name.
        :param path: the path that it was set with, ``/`` by default.
        :param domain: the domain that it was set with; None, the default, for this host only.
        :param secure: as of :meth:`set_cookie`; required for names that begin with ``__Secure-`` or ``__Host-``.
        :param httponly: as of :meth:`set_cookie`.
        :param samesite: as of :meth:`set_cookie`.
        :param partitioned: whether it was set with ``partitioned``.
        :raises ValueError: as :meth:`set_cookie` does.
        """
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
        """Finish a response that is ``pending``. A subclass that has to wait for its content overrides this.

        :param request: the request that it answers.
        :returns: the response to send.
        """
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application.

        :param scope: an ASGI scope of type ``http``.
        :param receive: ASGI's ``receive``; not called.
        :param send: ASGI's ``send``.
        """
        start, body = self.events(scope["method"])
        await send(start)
        await send(body)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status_code}>"


class HTMLResponse(Response):
    """An HTML page, sent as UTF-8."""

    __slots__ = ()


class TextResponse(Response):
    """Plain text, sent as UTF-8."""

    __slots__ = ()
    content_type = "text/plain; charset=utf-8"


PlainTextResponse = TextResponse  # the name in Starlette


class JSONResponse(Response):
    """A JSON document (RFC 8259).

    :param content: a value with a JSON form: dicts, lists, dataclasses, Structs, dates, UUIDs, Decimals, numpy
        values ..., and what ``json_encoder`` of the application converts. NaN and infinity are written as ``null``.
    :raises TypeError: for a value that has no JSON form. The message has its path and its type.
    :raises ValueError: for text that is not Unicode, and for a value that contains itself.
    """

    __slots__ = ()
    content_type = "application/json"

    def encode(self, content: Any) -> bytes:
        """Encode a value as JSON; raises what the class does.

        :param content: the value.
        """
        try:
            return unchecked_encode(content)
        except (TypeError, ValueError, RecursionError) as error:
            raise_explained(content, error)


class ProblemResponse(JSONResponse):
    """A problem document: an error for programs (RFC 9457). It has no ``type``, which means ``about:blank``.

    :param status_code: the status code.
    :param title: the meaning of the status.
    :param detail: what went wrong with this request; None for no ``detail`` member.
    :param headers: more header fields.
    :param extra: extension members, at the top level of the document (RFC 9457 3.2).
    :raises TypeError: for an extension member that has no JSON form.
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
    """A redirect.

    :param url: the target; may be relative (RFC 9110 10.2.2). Characters that a URL cannot contain are percent-encoded.
    :param status_code: the status code, 302 by default.
    :param headers: more header fields.
    :raises ValueError: for a URL with a control character.
    """

    __slots__ = ()
    content_type = ""

    def __init__(
        self, url: str, status_code: int = 302, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> None:
        if any(character < " " or character == "\x7f" for character in url):
            raise ValueError(f"redirect to {url!r}: an address has no control characters")
        # "%" is safe: percent-encoded octets stay as they are.
        location = quote(url, safe="%/:?#[]@!$&'()*+,;=~-._")
        super().__init__(b"", status_code, headers)
        self.headers["location"] = location


def json(value: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Create a JSON response.

    :param value: the value, see :class:`JSONResponse`.
    :param status_code: the status code, 200 by default.
    :param headers: more header fields.
    :returns: the response.
    :raises TypeError: for a value that has no JSON form.
    """
    return JSONResponse(value, status_code, headers)


def redirect(to: str, status_code: int = 302) -> RedirectResponse:
    """Create a redirect.

    :param to: the target URL, see :class:`RedirectResponse`.
    :param status_code: the status code, 302 by default. 303 turns a POST into a GET (RFC 9110 15.4.4).
    :returns: the response.
    :raises ValueError: for a URL with a control character.
    """
    return RedirectResponse(to, status_code)
