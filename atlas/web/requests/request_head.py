"""What all requests have in common: the head, and reading the body once for both kinds of request.

Header fields, query and cookies are parsed when they are first asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote

from atlas._speedups.calls.request import RequestData
from atlas.errors import ClientDisconnected
from atlas.gateway.disconnects import is_disconnected
from atlas.web.cookies import Cookies, parse_cookies
from atlas.web.exceptions import BadRequest, UnsupportedMediaType
from atlas.web.headers import RequestHeaders, preferred_type
from atlas.web.interfaces import ApplicationInterface, RouteInterface
from atlas.web.multidict import MultiDict
from atlas.web.requests.body import BodyReader, Reading, check_size
from atlas.web.requests.client_certificate import ClientCertificate
from atlas.web.requests.form_reader import Form, parse_multipart, parse_pairs, receive_multipart
from atlas.web.requests.forms import LIMITS, FormLimits, check_form_type, is_multipart, parse_urlencoded
from atlas.web.scope_keys import BODY, REQUEST_ID, SESSION, USER, BodyState
from atlas.web.state import State

__all__ = ["RequestHead"]

T = TypeVar("T")


class RequestHead(RequestData):
    """What :class:`Request` and :class:`AsyncRequest` have in common: everything that does not wait for the body.

    :ivar app: the application.
    :ivar route: the route; None where no route matches.
    """

    __slots__ = ()

    app: ApplicationInterface
    route: RouteInterface | None

    @property
    def full_path(self) -> str:
        """The path with the root path under which a proxy or another application publishes this one."""
        return super().path

    @property
    def path(self) -> str:
        """The path within the application, percent-decoded, as the router sees it: without the root path. An encoded
        slash is no separator, and stays encoded: ``%2F``."""
        path, root = super().path, self.root_path
        if root and path.startswith(root):  # a server may leave the root path out
            inner = path[len(root) :]
            if not inner or inner[0] == "/":
                return inner or "/"
        return path

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is ``https`` or ``wss``. Behind a proxy: as far as the server trusts the proxy."""
        return self.scheme in ("https", "wss")

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """The certificate that the client has proved to own (``--ssl-cert-reqs``); None if there is none."""
        return ClientCertificate.of(self.scope)

    @property
    def host(self) -> str:
        """The ``host`` field with its port; the address of the server if the field is missing (HTTP/1.0)."""
        host = self.headers.get("host")
        if host is None:
            name, port = self._server or ("localhost", None)
            host = f"{name}:{port}" if port else str(name)
        return host

    @property
    def url(self) -> str:
        """The whole URL: scheme, host, path and query, percent-encoded."""
        query = self.query_string.decode("latin-1")
        return f"{self.scheme}://{self.host}{self.raw_path.decode('latin-1')}" + (f"?{query}" if query else "")

    @property
    def ip(self) -> str | None:
        """The IP address of the client; None if the server does not know it."""
        return client[0] if (client := self.client) else None

    @property
    def headers(self) -> RequestHeaders:
        """The header fields."""
        return RequestHeaders(self._fields)

    @property
    def query(self) -> MultiDict:
        """The parameters of the query string, in their order.

        :raises BadRequest: if it has too many parameters.
        :raises ContentTooLarge: if it is longer than :class:`~atlas.web.requests.forms.FormLimits` allows.
        """
        cache = self._cache
        if cache.query is None:
            cache.query = parse_urlencoded(self.query_string, what="query")
        return cast(MultiDict, cache.query)

    query_params = query

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by name (RFC 6265 5.4). Too many, or one with a control character, raise :class:`BadRequest`."""
        cache = self._cache
        if cache.cookies is None:
            try:
                cache.cookies = Cookies(parse_cookies(self.headers.get_all("cookie")))
            except ValueError as error:
                raise BadRequest(str(error)) from None
        return cast(dict[str, str], cache.cookies)

    @property
    def path_params(self) -> dict[str, Any]:
        """The path parameters by name, converted as for the controller."""
        names = self.route.parameter_names if self.route is not None else ()
        return dict(zip(names, self._values, strict=True))

    @property
    def content_type(self) -> str:
        """The ``content-type`` field; "" if there is none."""
        return self.headers.get("content-type", "")

    @property
    def content_length(self) -> int | None:
        """The size of the body in bytes, as the client announced it; None if it did not."""
        value = self.headers.get("content-length", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    @property
    def state(self) -> State:
        """Values from the lifespan, and values that the program keeps with this request."""
        return State(self._state)

    @property
    def session(self) -> Any:
        """The session: a dict with ``flash() flashes() rotate() clear()``.

        :raises RuntimeError: without the ``Sessions`` middleware.
        """
        try:
            return self._notes[SESSION]
        except KeyError:
            raise RuntimeError("request.session: there is no Sessions middleware around this route") from None

    @session.setter
    def session(self, session: Any) -> None:
        self._notes[SESSION] = session

    @property
    def user(self) -> Any:
        """The authenticated user: whatever a middleware or a controller has set; else None."""
        return self._notes.get(USER)

    @user.setter
    def user(self, user: Any) -> None:
        self._notes[USER] = user

    @property
    def id(self) -> str | None:
        """The request ID, for logs; None without the ``RequestID`` middleware."""
        return cast("str | None", self._notes.get(REQUEST_ID))

    @id.setter  # noqa: A003  # the API's name
    def id(self, value: str) -> None:
        self._notes[REQUEST_ID] = value

    def accepts(self, *types: str) -> str | None:
        """Choose a media type by the ``accept`` field (RFC 9110 12.5.1).

        :param types: media types that the controller can send, such as ``"text/html"``.
        :returns: the type with the highest weight, the first one of equals; None if the client accepts none.
        """
        return preferred_type(self.headers.get("accept"), types)

    def url_for(self, name: str, /, absolute: bool = False, **params: Any) -> str:
        """Build the URL of a route, with the root path of the server.

        A route of a host with parameters has the host in its URL (``//host/path``) where it is not that of the request.

        :param name: the name of the route.
        :param absolute: whether to include scheme and host; False by default.
        :param params: values of the parameters of path and host; the others become the query string. Those of the host
            default to the ones of this request, if its route has the same host pattern.
        :returns: the URL, percent-encoded.
        :raises LookupError: for an unknown name.
        :raises ValueError: for a missing path parameter, or a value that its converter refuses.
        """
        current = self.route.host if self.route is not None else None
        host, path = self.app.url_parts(name, params, current, self.path_params if current is not None else {})
        if root_path := self.root_path:
            path = quote(root_path) + path
        if host is not None:
            port = self.host.rpartition("]")[2].partition(":")[2]
            host = f"{host}:{port}" if port else host
            if host != self.host.lower():
                return f"{self.scheme}://{host}{path}" if absolute else f"//{host}{path}"
        return f"{self.scheme}://{self.host}{path}" if absolute else path

    @property
    def limit_body(self) -> int:
        """Maximum size of the body in bytes: the limit of the route, or else of the application."""
        own = self.route.limit_body if self.route is not None else None
        return self.app.config.limit_body if own is None else own

    def check_coding(self) -> None:
        """Refuse a body in a content coding: what is read as text, JSON or a form has to be decoded.

        :raises UnsupportedMediaType: if the body is encoded; with ``accept-encoding`` (RFC 9110 12.5.3).
        """
        if (coding := self.content_coding) is not None and self.may_have_body:
            message = f"the body is encoded with {coding[:40]!r}, which is not decoded here"
            raise UnsupportedMediaType(message, {"accept-encoding": "identity"})

    def check_form(self) -> None:
        """Refuse a body that is not a form. A request without a content type passes.

        :raises UnsupportedMediaType: for another media type, or an encoded body.
        """
        check_form_type(self.content_type)
        self.check_coding()

    async def read_body(self) -> bytes:
        """Read the whole body and keep it; later calls return the same bytes.

        :returns: the body.
        :raises ContentTooLarge: over :attr:`limit_body`, before more is read.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        :raises RuntimeError: if the body was read in chunks before.
        """
        body = self._whole_body(self.limit_body)
        if body is None:
            body = self._cache.body = b"".join([chunk async for chunk in self._chunks()])
        return body

    async def read_form(self, limits: FormLimits = LIMITS, charset: str | None = None) -> Form:
        """Read the form and keep it. A long form with files is not kept as a body too: its parts are read in chunks.

        A form that was read before is compared with these limits, whatever its limits were then.

        :param limits: what the form may contain.
        :param charset: the character encoding; None for the one that the form names, or UTF-8.
        :returns: the form.
        :raises UnsupportedMediaType: if the body is not a form.
        :raises BadRequest: if the form is malformed.
        :raises ContentTooLarge: over a limit.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        """
        form = self._kept_form(limits, charset)
        if form is not None:
            return form
        cache, content_type, length = self._cache, self.content_type, self.content_length
        self.check_form()  # refuse before reading
        if cache.body is not None:
            return self._parse_form(cache.body, limits, charset)
        if not is_multipart(content_type):
            return self._parse_form(await self._read_pairs(limits), limits, charset)
        if length is not None and length <= limits.memory:
            return self._parse_form(await self.read_body(), limits, charset)
        form = cache.form = await receive_multipart(self._chunks(), content_type, limits, charset)
        return form

    async def _read_pairs(self, limits: FormLimits) -> bytes:
        """Read the body of an urlencoded form, but no more of it than a form may have."""
        limits.check_text(self.content_length or 0)
        body = self._whole_body(self.limit_body)
        if body is None:
            chunks, size = [], 0
            async for chunk in self._chunks():
                size += len(chunk)
                limits.check_text(size)
                chunks.append(chunk)
            body = self._cache.body = b"".join(chunks)
        return body

    async def is_disconnected(self) -> bool:
        """Return whether the client has disconnected, or has closed its side of the connection.

        The body is read first, because the server reports a disconnect behind the last chunk of the body.
        """
        cache = self._cache
        if not cache.disconnected:
            try:
                if not cache.streamed and self.may_have_body:
                    await self.read_body()
                cache.disconnected = self._notes.get(BODY) != BodyState.READING and await is_disconnected(self._receive)
            except ClientDisconnected:
                cache.disconnected = True
        return cache.disconnected

    async def look_at_body(self) -> AsyncIterator[bytes]:
        """Iterate over the body from its beginning, as far as the caller needs it. All of it can still be read.

        :raises ContentTooLarge: over :attr:`limit_body`.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        :raises RuntimeError: if the body was read in chunks before.
        """
        cache = self._cache
        body = self._whole_body(self.limit_body)
        if body is not None:
            yield body
            return
        reader = self._reader()
        cache.ahead = reader
        index = 0
        while True:
            with Reading(self._notes, reader):
                chunk = await reader.look(index)
            if chunk is None:
                return
            yield chunk
            index += 1

    def _reader(self) -> BodyReader:
        """Return the reader of a body that is not in memory."""
        if self._cache.streamed:
            raise RuntimeError("the body was read by stream() or form() already; it is not kept")
        limit = self.limit_body
        check_size(self.content_length or 0, limit)
        return cast("BodyReader | None", self._cache.ahead) or BodyReader(self._receive, limit)

    async def _chunks(self) -> AsyncIterator[bytes]:
        cache = self._cache
        if cache.body is not None:
            if cache.body:
                yield cache.body
            return
        reader = self._reader()
        cache.streamed = True
        with Reading(self._notes, reader):
            while (chunk := await reader.read()) is not None:
                yield chunk

    def _kept_form(self, limits: FormLimits, charset: str | None) -> Form | None:
        """Return the form if it was read before, after comparing it with the limits."""
        form = cast("Form | None", self._cache.form)
        if form is None or (charset is not None and charset != form.charset and self._cache.body is not None):
            return None
        form.check(limits)
        return form

    def _parse_form(self, body: bytes, limits: FormLimits, charset: str | None) -> Form:
        content_type = self.content_type
        self.check_form()
        if is_multipart(content_type):
            form = parse_multipart(body, content_type, limits, charset)
        else:
            form = parse_pairs(body, content_type, limits, charset)
        self._cache.form = form
        return form

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.path}>"
