"""What both clients share: from the arguments of a call to a response, cookies and redirects on the way."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypedDict

from atlas.testing.addresses import URL, Params, absolute
from atlas.testing.cookies import Cookies
from atlas.testing.encoding import Content, Data, Files, encode
from atlas.testing.response import Response, ResponseHeaders, SentRequest
from atlas.testing.transports import Answer, InProcess, OverSocket, Transport
from atlas.types import ASGIApp
from atlas.web.headers import MutableHeaders, encode_field

__all__ = ["ClientOptions", "Engine", "HeaderFields", "Options", "TooManyRedirects"]

HeaderFields: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]

_MOST_REDIRECTS = 20
_STANDARD = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "atlas-testclient"}


class TooManyRedirects(Exception):
    """Redirects that seem to have no end."""


class Options(TypedDict, total=False):
    """What a request can be given; the names are those of httpx."""

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
    """What a client can be given.

    ``base_url``: what paths are put behind, ``http://testserver``. ``headers``, ``cookies``, ``auth``: for every
    request. ``follow_redirects``: off. ``raise_server_exceptions``: on, what the application raises reaches the test.
    ``root_path``, ``client``: what the application sees. ``over_socket``: off, serve it on a real port.
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


class Engine:
    """Sends requests and keeps what lasts between them.

    :ivar cookies: the jar. :ivar headers: fields that every request carries.
    """

    def __init__(self, app: ASGIApp, options: ClientOptions) -> None:
        if not callable(app):
            raise TypeError(f"expected an ASGI application (something that can be called), got {app!r}")
        self.cookies = Cookies(options.get("cookies"))
        self.headers = MutableHeaders([encode_field(name, value) for name, value in _STANDARD.items()])
        _replace(self.headers, _pairs(options.get("headers")))
        self.auth = options.get("auth")
        self.follow_redirects = options.get("follow_redirects", False)
        self._base_url = URL(options["base_url"]) if "base_url" in options else None
        self._transport = _transport(app, options)
        self._open: list[Answer] = []
        self._phase = "new"

    @property
    def base_url(self) -> URL:
        """What paths are put behind."""
        return self._base_url or self._transport.origin or URL("http://testserver")

    async def start(self) -> None:
        """Start the application up, if that is still to be done.

        :raises RuntimeError: if the client was closed.
        """
        if self._phase == "closed":
            raise RuntimeError("this client is closed: make a new one")
        if self._phase == "new":
            self._phase = "closed"  # if the start fails
            await self._transport.start()
            self._phase = "up"

    async def stop(self) -> None:
        """End what is still open, then shut the application down."""
        was, self._phase = self._phase, "closed"
        for answer in [*self._open]:
            await self.close(answer)
        if was == "up":
            await self._transport.stop()

    def disconnect(self) -> None:
        """The client leaves: every response that is still open ends for the application."""
        for answer in self._open:
            answer.disconnect()

    async def request(self, method: str, url: str, options: Options) -> Response:
        """One request and its whole response."""
        sent, answer, history = await self.open(method, url, options)
        response = await self._read(sent, answer)
        response.history = history
        return response

    async def open(self, method: str, url: str, options: Options) -> tuple[SentRequest, Answer, list[Response]]:
        """One request, redirects followed if that is wanted, and the response whose body is still to be read."""
        await self.start()
        given = options.get("follow_redirects")
        follow = self.follow_redirects if given is None else given
        request = self._build(method, url, options)
        history: list[Response] = []
        while True:
            answer = await self._send(request)
            headers = ResponseHeaders(answer.headers)
            self.cookies.keep(headers.get_all("set-cookie"), request.url)
            if not follow or "location" not in headers or answer.status not in (301, 302, 303, 307, 308):
                return request, answer, history
            if len(history) == _MOST_REDIRECTS:
                await self.close(answer)
                raise TooManyRedirects(f"{method} {url} was redirected {_MOST_REDIRECTS} times, now to {request.url}")
            response = await self._read(request, answer)
            response.history = list(history)
            history.append(response)
            request = self._redirected(request, response)

    async def close(self, answer: Answer) -> None:
        """Be done with a response."""
        try:
            await answer.close()
        finally:
            if answer in self._open:
                self._open.remove(answer)

    async def _send(self, request: SentRequest) -> Answer:
        before = len(self._open)
        try:
            return await self._transport.send(request, self._open)
        except BaseException:
            del self._open[before:]
            raise

    async def _read(self, request: SentRequest, answer: Answer) -> Response:
        pieces: list[bytes] = []
        try:
            while (piece := await answer.next_piece()) is not None:
                pieces.append(piece)
        finally:
            await self.close(answer)
        await self._transport.settle()
        return Response(request, answer.status, ResponseHeaders(answer.headers), b"".join(pieces))

    def _build(self, method: str, url: str, options: Options) -> SentRequest:
        address = absolute(url, self.base_url, options.get("params"))
        about, body = encode(*(options.get(name) for name in ("content", "data", "files", "json")))  # type: ignore[arg-type]
        if not body and method.upper() in ("POST", "PUT", "PATCH"):
            about.setdefault("content-length", "0")  # RFC 9110 8.6: these say that there is nothing
        headers = MutableHeaders([(b"host", address.netloc.encode("ascii")), *self.headers.raw])
        headers.update(about)
        own = _pairs(options.get("headers"))
        _replace(headers, own)
        auth = options.get("auth") or self.auth
        if auth is not None and not any(name == "authorization" for name, _ in own):
            headers["authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode("ascii")
        self._add_cookies(headers, address, options.get("cookies"))
        return SentRequest(method.upper(), address, ResponseHeaders(headers.raw), body)

    def _add_cookies(self, headers: MutableHeaders, address: URL, own: Mapping[str, str] | None = None) -> None:
        given = "; ".join(f"{name}={value}" for name, value in (own or {}).items())
        parts = [headers.get("cookie", ""), self.cookies.header_for(address), given]
        if any(parts):
            headers["cookie"] = "; ".join(part for part in parts if part)

    def _redirected(self, request: SentRequest, response: Response) -> SentRequest:
        """What a browser would send next (RFC 9110 15.4)."""
        address = request.url.follow(response.headers["location"])
        headers = MutableHeaders([pair for pair in request.headers.raw if pair[0] not in (b"host", b"cookie")])
        headers["host"] = address.netloc
        if address.origin != request.url.origin:
            headers.pop("authorization", None)
        method, body = request.method, request.body
        status = response.status_code
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", b""
            for name in ("content-length", "content-type", "transfer-encoding"):
                headers.pop(name, None)
        self._add_cookies(headers, address)
        return SentRequest(method, address, ResponseHeaders(headers.raw), body)


def _transport(app: ASGIApp, options: ClientOptions) -> Transport:
    root_path = options.get("root_path", "")
    if options.get("over_socket", False):
        return OverSocket(app, root_path)
    client = options.get("client", ("127.0.0.1", 50000))
    return InProcess(app, root_path, client, options.get("raise_server_exceptions", True))


def _pairs(fields: HeaderFields | None) -> list[tuple[str, str]]:
    """Names in lower case, and values as text; bytes are for what no text can say."""
    given = fields.items() if isinstance(fields, Mapping) else fields or ()
    return [(name.lower(), value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in given]


def _replace(headers: MutableHeaders, fields: list[tuple[str, str]]) -> None:
    """Put these fields in the place of those with their names; a name that comes twice is sent twice."""
    put: set[str] = set()
    for name, value in fields:
        if name in put:
            headers.add(name, value)
        else:
            headers[name] = value
            put.add(name)
