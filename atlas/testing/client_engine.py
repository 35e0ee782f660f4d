"""The part that both test clients share: building requests, cookies, redirects and responses."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypedDict

from atlas.testing.cookies import Cookies
from atlas.testing.encoding import Content, Data, Files, encode
from atlas.testing.response import Response, ResponseHeaders, SentRequest
from atlas.testing.transports import InProcess, OverSocket, Transport, TransportResponse
from atlas.testing.urls import URL, Params, build_url
from atlas.types import ASGIApp
from atlas.web.headers import MutableHeaders, encode_field

__all__ = ["ClientEngine", "ClientOptions", "HeaderFields", "Options", "TooManyRedirects"]

HeaderFields: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]

_MAX_REDIRECTS = 20
_DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "atlas-testclient"}


class TooManyRedirects(Exception):
    """A request was redirected more than 20 times."""


class Options(TypedDict, total=False):
    """The options of a request, which are those of httpx.

    ``params``: query parameters. ``content``: the body as bytes, text or an iterable of bytes. ``data``: the fields of
    a form. ``files``: the files of a multipart form. ``json``: a value to encode as JSON. ``headers``: header fields,
    which replace those of the client. ``cookies``: further cookies. ``auth``: user name and password for basic
    authentication. ``follow_redirects``: by default as the client.
    """

    params: Params | None
    content: Content | None
    data: Data | None
    files: Files | None
    json: Any
    headers: HeaderFields | None
    cookies: Mapping[str, str] | None
    auth: tuple[str, str] | None
    follow_redirects: bool | None


class ClientOptions(TypedDict, total=False):
    """The options of a client.

    ``base_url``: the URL that the path of a request is appended to, by default ``http://testserver``. ``headers``,
    ``cookies``, ``auth``: for every request. ``follow_redirects``: False by default. ``raise_server_exceptions``: raise
    what the application raises, True by default. ``root_path``, ``client``: as in the ASGI scope. ``over_socket``:
    serve the application on a port of this machine, False by default.
    """

    base_url: str
    headers: HeaderFields | None
    cookies: Mapping[str, str] | None
    auth: tuple[str, str] | None
    follow_redirects: bool
    raise_server_exceptions: bool
    root_path: str
    client: tuple[str, int]
    over_socket: bool


class ClientEngine:
    """Sends requests, and holds the state of a client.

    :param app: the application.
    :param options: the options of the client.

    :ivar cookies: the cookie jar.
    :ivar headers: header fields of every request.
    """

    def __init__(self, app: ASGIApp, options: ClientOptions) -> None:
        if not callable(app):
            raise TypeError(f"expected an ASGI application (a callable), got {app!r}")
        self.cookies = Cookies(options.get("cookies"))
        self.headers = MutableHeaders([encode_field(name, value) for name, value in _DEFAULT_HEADERS.items()])
        _replace(self.headers, _pairs(options.get("headers")))
        self.auth = options.get("auth")
        self.follow_redirects = options.get("follow_redirects", False)
        self._base_url = URL(options["base_url"]) if "base_url" in options else None
        self._transport = _transport(app, options)
        self._open_responses: list[TransportResponse] = []
        self._phase = "new"

    @property
    def base_url(self) -> URL:
        """The URL that the path of a request is appended to."""
        return self._base_url or self._transport.origin or URL("http://testserver")

    async def start(self) -> None:
        """Run the lifespan startup of the application, at the first call.

        :raises RuntimeError: if the client was closed.
        """
        if self._phase == "closed":
            raise RuntimeError("this client is closed: make a new one")
        if self._phase == "new":
            self._phase = "closed"  # stays if the startup fails
            await self._transport.start()
            self._phase = "started"

    async def stop(self) -> None:
        """Close the open responses, and run the lifespan shutdown of the application."""
        previous, self._phase = self._phase, "closed"
        for response in [*self._open_responses]:
            await self.close(response)
        if previous == "started":
            await self._transport.stop()

    def disconnect(self) -> None:
        """Close the connections of all open responses."""
        for response in self._open_responses:
            response.disconnect()

    async def request(self, method: str, url: str, options: Options) -> Response:
        """Send a request and return the response."""
        request, received, history = await self.open(method, url, options)
        response = await self._read(request, received)
        response.history = history
        return response

    async def open(
        self, method: str, url: str, options: Options
    ) -> tuple[SentRequest, TransportResponse, list[Response]]:
        """Send a request, and follow redirects if the options say so.

        :returns: the last request, its response, whose body is not read, and the redirect responses.
        """
        await self.start()
        given = options.get("follow_redirects")
        follow = self.follow_redirects if given is None else given
        request = self._build(method, url, options)
        history: list[Response] = []
        while True:
            received = await self._send(request)
            headers = ResponseHeaders(received.headers)
            self.cookies.extract(headers.get_all("set-cookie"), request.url)
            if not follow or "location" not in headers or received.status not in (301, 302, 303, 307, 308):
                return request, received, history
            if len(history) == _MAX_REDIRECTS:
                await self.close(received)
                raise TooManyRedirects(f"{method} {url} was redirected {_MAX_REDIRECTS} times, last to {request.url}")
            response = await self._read(request, received)
            response.history = list(history)
            history.append(response)
            request = self._redirected(request, response)

    async def close(self, response: TransportResponse) -> None:
        """Close a response."""
        try:
            await response.close()
        finally:
            if response in self._open_responses:
                self._open_responses.remove(response)

    async def _send(self, request: SentRequest) -> TransportResponse:
        count = len(self._open_responses)
        try:
            return await self._transport.send(request, self._open_responses)
        except BaseException:
            del self._open_responses[count:]
            raise

    async def _read(self, request: SentRequest, received: TransportResponse) -> Response:
        chunks: list[bytes] = []
        try:
            while (chunk := await received.next_chunk()) is not None:
                chunks.append(chunk)
        finally:
            await self.close(received)
        await self._transport.drain()
        return Response(request, received.status, ResponseHeaders(received.headers), b"".join(chunks))

    def _build(self, method: str, url: str, options: Options) -> SentRequest:
        target = build_url(url, self.base_url, options.get("params"))
        body_headers, body = encode(*(options.get(name) for name in ("content", "data", "files", "json")))  # type: ignore[arg-type]
        if not body and method.upper() in ("POST", "PUT", "PATCH"):
            body_headers.setdefault("content-length", "0")  # RFC 9110, section 8.6
        headers = MutableHeaders([(b"host", target.netloc.encode("ascii")), *self.headers.raw])
        headers.update(body_headers)
        own = _pairs(options.get("headers"))
        _replace(headers, own)
        auth = options.get("auth") or self.auth
        if auth is not None and not any(name == "authorization" for name, _ in own):
            headers["authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode("ascii")
        self._add_cookies(headers, target, options.get("cookies"))
        return SentRequest(method.upper(), target, ResponseHeaders(headers.raw), body)

    def _add_cookies(self, headers: MutableHeaders, url: URL, own: Mapping[str, str] | None = None) -> None:
        given = "; ".join(f"{name}={value}" for name, value in (own or {}).items())
        parts = [headers.get("cookie", ""), self.cookies.header_for(url), given]
        if any(parts):
            headers["cookie"] = "; ".join(part for part in parts if part)

    def _redirected(self, request: SentRequest, response: Response) -> SentRequest:
        """Return the request that follows a redirect, as a browser sends it (RFC 9110, section 15.4)."""
        url = request.url.resolve(response.headers["location"])
        headers = MutableHeaders([pair for pair in request.headers.raw if pair[0] not in (b"host", b"cookie")])
        headers["host"] = url.netloc
        if url.origin != request.url.origin:
            headers.pop("authorization", None)
        method, body = request.method, request.body
        status = response.status_code
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", b""
            for name in ("content-length", "content-type", "transfer-encoding"):
                headers.pop(name, None)
        self._add_cookies(headers, url)
        return SentRequest(method, url, ResponseHeaders(headers.raw), body)


def _transport(app: ASGIApp, options: ClientOptions) -> Transport:
    root_path = options.get("root_path", "")
    if options.get("over_socket", False):
        return OverSocket(app, root_path)
    client = options.get("client", ("127.0.0.1", 50000))
    return InProcess(app, root_path, client, options.get("raise_server_exceptions", True))


def _pairs(fields: HeaderFields | None) -> list[tuple[str, str]]:
    """Return header fields with names in lower case and values as text."""
    given = fields.items() if isinstance(fields, Mapping) else fields or ()
    return [(name.lower(), value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in given]


def _replace(headers: MutableHeaders, fields: list[tuple[str, str]]) -> None:
    """Replace the fields of ``headers`` that have the names of ``fields``; a name in ``fields`` may be repeated."""
    replaced: set[str] = set()
    for name, value in fields:
        if name in replaced:
            headers.add(name, value)
        else:
            headers[name] = value
            replaced.add(name)
