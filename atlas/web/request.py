"""Requests as controllers see them: ``Request`` for ``def``, ``AsyncRequest`` for ``async def``.

Both have the same names; where something can wait, ``AsyncRequest`` wants an ``await``. Everything is read from the
scope when it is asked for, and the body once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload
from urllib.parse import quote

from atlas._speedups.calls.request import RequestData
from atlas.errors import ClientDisconnected
from atlas.gateway.disconnects import is_disconnected
from atlas.gateway.greenlets import await_, can_wait
from atlas.gateway.threads import in_thread
from atlas.web.cookies import parse_cookies
from atlas.web.errors import BadRequest, ContentTooLarge
from atlas.web.forms import LIMITS, FormLimits, check_form_type, is_multipart, parse_urlencoded
from atlas.web.headers import Headers, preferred_type
from atlas.web.multidict import ManyValues, MultiDict
from atlas.web.state import State
from atlas.web.uploads import AsyncUpload, Form, MultipartReader, Upload, parse_multipart
from atlas.web.validation import parse_json

if TYPE_CHECKING:
    from atlas.web.application import Application
    from atlas.web.routing import Route

__all__ = ["AsyncRequest", "Request", "RequestHead"]

T = TypeVar("T")


class RequestHead(RequestData):
    """What is known of a request before its body: the part that both kinds of request share.

    :ivar scope: the ASGI scope. :ivar app: the application. :ivar route: the route, None where none was found.
    """

    __slots__ = ()

    app: Application
    route: Route | None

    def _kept(self) -> dict[str, Any]:
        if self._read is None:
            self._read = {}
        return self._read

    @property
    def is_secure(self) -> bool:
        """Whether it came by TLS, as far as the server knows."""
        return self.scheme in ("https", "wss")

    @property
    def host(self) -> str:
        """The ``host`` field with its port, or the server's own address where there is none (HTTP/1.0)."""
        host = self.headers.get("host")
        if host is None:
            name, port = self._server or ("localhost", None)
            host = f"{name}:{port}" if port else str(name)
        return host

    @property
    def url(self) -> str:
        """The whole address, as it was asked for."""
        query = self.query_string.decode("latin-1")
        return f"{self.scheme}://{self.host}{self.raw_path.decode('latin-1')}" + (f"?{query}" if query else "")

    @property
    def ip(self) -> str | None:
        """The client's address."""
        client = self.client
        return client[0] if client else None

    @property
    def headers(self) -> Headers:
        """The header fields."""
        return Headers(self._fields)

    @property
    def query(self) -> MultiDict:
        """The query string.

        :raises BadRequest: if it is no UTF-8, escapes wrongly, or has too many fields.
        """
        kept = self._kept()
        if "query" not in kept:
            kept["query"] = parse_urlencoded(self.query_string, what="query")
        return cast(MultiDict, kept["query"])

    query_params = query

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies. :raises BadRequest: for too many of them, or a control character."""
        kept = self._kept()
        if "cookies" not in kept:
            try:
                kept["cookies"] = parse_cookies(self.headers.get_all("cookie"))
            except ValueError as error:
                raise BadRequest(str(error)) from None
        return cast(dict[str, str], kept["cookies"])

    @property
    def path_params(self) -> dict[str, Any]:
        """The path parameters by name, as the controller gets them."""
        parameters = self.route.pattern.parameters if self.route is not None else ()
        return {parameter.name: value for parameter, value in zip(parameters, self._values, strict=True)}

    @property
    def content_type(self) -> str:
        """The ``content-type`` field, or ""."""
        return self.headers.get("content-type", "")

    @property
    def content_length(self) -> int | None:
        """The announced length of the body, if there is one."""
        value = self.headers.get("content-length", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    @property
    def state(self) -> State:
        """What the lifespan has stored, and what you store with this request."""
        return State(self._state)

    @property
    def session(self) -> Any:
        """The session: a dict with ``flash() flashes() rotate() clear()``, of the ``Sessions`` middleware.

        :raises RuntimeError: without that middleware.
        """
        try:
            return self._notes["session"]
        except KeyError:
            raise RuntimeError("request.session: there is no Sessions middleware around this route") from None

    @session.setter
    def session(self, session: Any) -> None:
        self._notes["session"] = session

    @property
    def user(self) -> Any:
        """Who asks, as far as a middleware or controller has said so by setting it; else None."""
        return self._notes.get("user")

    @user.setter
    def user(self, user: Any) -> None:
        self._notes["user"] = user

    @property
    def id(self) -> str | None:
        """The number of this request in logs, of the ``RequestID`` middleware; None without it."""
        return cast("str | None", self._notes.get("atlas.request_id"))

    @id.setter  # noqa: A003  # the API's name
    def id(self, value: str) -> None:
        self._notes["atlas.request_id"] = value

    def accepts(self, *types: str) -> str | None:
        """The one of these media types that the client likes best, or None if it wants none of them."""
        return preferred_type(self.headers.get("accept"), types)

    def url_for(self, name: str, /, absolute: bool = False, **params: Any) -> str:
        """The address of a route, with the server's root path; with ``absolute`` also scheme and host.

        :raises LookupError: for an unknown name. :raises ValueError: for a missing or impossible parameter.
        """
        root_path = self.root_path
        path = self.app.url_for(name, **params)
        if root_path:
            path = quote(root_path) + path
        return f"{self.scheme}://{self.host}{path}" if absolute else path

    @property
    def limit_body(self) -> int:
        """Bytes that its body may have."""
        own = self.route.limit_body if self.route is not None else None
        return self.app.config.limit_body if own is None else own

    async def read_body(self) -> bytes:
        """Read the body to its end, once; later calls give the same bytes.

        :raises ContentTooLarge: over the limit, as soon as that is known.
        :raises ClientDisconnected: if the client goes away before the end.
        """
        if self._body is None and self._whole_body(self.limit_body) is None:
            kept = self._kept()
            if "body" not in kept:
                kept["body"] = b"".join([piece async for piece in self._pieces()])
            self._body = kept["body"]
        return cast(bytes, self._body)

    async def read_form(self, limits: FormLimits = LIMITS) -> Form:
        """Read the form, once. One with files is not kept as a body if it is long: it goes through as it comes.

        :raises HTTPException: 400, 413 or 415 for what is no form, malformed, or over a limit.
        """
        kept = self._kept()
        if "form" not in kept:
            check_form_type(self.content_type)  # before the body is read for nothing
            length = self.content_length
            if not is_multipart(self.content_type):
                if length is not None and length > limits.text:
                    raise ContentTooLarge(f"a form has at most {limits.text} bytes of text")
                self._form_of(await self.read_body(), limits)
            elif "body" in kept or (length is not None and length <= limits.memory):
                self._form_of(await self.read_body(), limits)
            else:
                kept["form"] = await self._read_multipart(limits)
        return cast(Form, kept["form"])

    async def _read_multipart(self, limits: FormLimits) -> Form:
        reader = MultipartReader(self.content_type, limits)
        try:
            async for piece in self._pieces():
                if reader.touches_disk(len(piece)):
                    await in_thread(reader.feed, piece)
                else:
                    reader.feed(piece)
            return reader.finish()
        except BaseException:
            reader.close()
            raise

    async def is_gone(self) -> bool:
        """Whether the client has left, or closed its side at least. The body is read first: one tells of the other."""
        kept = self._kept()
        if not kept.get("gone"):
            try:
                if "streamed" not in kept and self.announces_body:
                    await self.read_body()
                kept["gone"] = self._notes.get("atlas.body") != "reading" and await is_disconnected(self._receive)
            except ClientDisconnected:
                kept["gone"] = True
        return bool(kept["gone"])

    async def _pieces(self) -> AsyncIterator[bytes]:
        kept = self._kept()
        if "body" in kept:
            if kept["body"]:
                yield kept["body"]
            return
        if "streamed" in kept:
            raise RuntimeError("the body was read by stream() or form() already; it is not kept")
        limit, size = self.limit_body, self.content_length or 0
        if size > limit:
            raise ContentTooLarge(f"a body may have {limit} bytes here")
        kept["streamed"] = True
        self._notes["atlas.body"] = "reading"  # so that nobody else calls receive meanwhile
        try:
            async for piece in self._received(limit):
                yield piece
            self._notes["atlas.body"] = "read"
        finally:
            if self._notes["atlas.body"] == "reading":
                del self._notes["atlas.body"]

    async def _received(self, limit: int) -> AsyncIterator[bytes]:
        size, more = 0, True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientDisconnected("the client went away before the end of the request body")
            piece, more = event.get("body", b""), event.get("more_body", False)
            size += len(piece)
            if size > limit:
                raise ContentTooLarge(f"a body may have {limit} bytes here")
            if piece:
                yield piece

    def _form_of(self, body: bytes, limits: FormLimits) -> Form:
        kept = self._kept()
        if "form" not in kept:
            kind = self.content_type
            check_form_type(kind)
            if is_multipart(kind):
                kept["form"] = parse_multipart(body, kind, limits)
            else:
                kept["form"] = Form(parse_urlencoded(body, limits=limits))
        return cast(Form, kept["form"])

    def _text_of(self, body: bytes) -> str:
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise BadRequest("the body is not UTF-8") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.path}>"


class Request(RequestHead):
    """A request in a ``def`` controller: its calls just return.

    Where the controller runs in a greenlet, they wait for what has not come yet.
    """

    __slots__ = ()

    def body(self) -> bytes:
        """The whole body. :raises ContentTooLarge: over the limit. :raises ClientDisconnected: if it never ends."""
        if self._body is not None:
            return self._body
        if not self.announces_body:
            return b""
        if (body := self._whole_body(self.limit_body)) is not None:
            return body
        if can_wait():
            return await_(self.read_body())
        if self._read is not None and "body" in self._read:
            self._body = cast(bytes, self._read["body"])
            return self._body
        raise RuntimeError("the body was not read before this handler was called; make it 'async def' to wait for it")

    def stream(self) -> Iterator[bytes]:
        """The body piece by piece; it is not kept. Where this controller cannot wait, it is one piece."""
        if self._body is not None or not can_wait():
            yield self.body()
            return
        pieces = self._pieces()
        while (piece := await_(_next(pieces))) is not None:
            yield piece

    def text(self) -> str:
        """The body as text. :raises BadRequest: if it is no UTF-8."""
        return self._text_of(self.body())

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, type: type[T]) -> T: ...
    def json(self, type: Any = None) -> Any:  # noqa: A002  # the API's name
        """The body as JSON; with ``type`` (a dataclass, a Struct, ``list[int]``) validated and converted.

        :raises BadRequest: if it is no JSON. :raises UnprocessableContent: if it is not of that type.
        """
        return parse_json(self.body(), type)

    def form(self, limits: FormLimits = LIMITS) -> MultiDict:
        """The fields of a form; its files are in :meth:`files`.

        :raises UnsupportedMediaType: if it is none. :raises BadRequest: if it is malformed.
        :raises ContentTooLarge: over a limit.
        """
        return self._whole_form(limits).fields

    def files(self, limits: FormLimits = LIMITS) -> ManyValues[Upload]:
        """The files that came with a form, by their fields. Raises as :meth:`form` does."""
        return self._whole_form(limits).files(Upload)

    def _whole_form(self, limits: FormLimits) -> Form:
        if self._body is None and self.announces_body and can_wait():
            return await_(self.read_form(limits))
        if "form" in self._kept():
            return cast(Form, self._kept()["form"])
        return self._form_of(self.body(), limits)

    def disconnected(self) -> bool:
        """Whether the client has left. :raises RuntimeError: where this controller cannot wait."""
        return await_(self.is_gone())


class AsyncRequest(RequestHead):
    """A request in an ``async def`` controller: what can wait is awaited."""

    __slots__ = ()

    async def body(self) -> bytes:
        """The whole body. :raises ContentTooLarge: over the limit. :raises ClientDisconnected: if it never ends."""
        return await self.read_body()

    def stream(self) -> AsyncIterator[bytes]:
        """The body piece by piece, as it comes; it is not kept.

        :raises ContentTooLarge: over the limit. :raises ClientDisconnected: if it never ends.
        """
        return self._pieces()

    async def text(self) -> str:
        """The body as text. :raises BadRequest: if it is no UTF-8."""
        return self._text_of(await self.read_body())

    @overload
    async def json(self) -> Any: ...
    @overload
    async def json(self, type: type[T]) -> T: ...
    async def json(self, type: Any = None) -> Any:  # noqa: A002  # the API's name
        """The body as JSON; with ``type`` (a dataclass, a Struct, ``list[int]``) validated and converted.

        :raises BadRequest: if it is no JSON. :raises UnprocessableContent: if it is not of that type.
        """
        return parse_json(await self.read_body(), type)

    async def form(self, limits: FormLimits = LIMITS) -> MultiDict:
        """The fields of a form; its files are in :meth:`files`.

        :raises UnsupportedMediaType: if it is none. :raises BadRequest: if it is malformed.
        :raises ContentTooLarge: over a limit.
        """
        return (await self.read_form(limits)).fields

    async def files(self, limits: FormLimits = LIMITS) -> ManyValues[AsyncUpload]:
        """The files that came with a form, by their fields. Raises as :meth:`form` does."""
        return (await self.read_form(limits)).files(AsyncUpload)

    async def disconnected(self) -> bool:
        """Whether the client has left. The body is read first."""
        return await self.is_gone()


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
